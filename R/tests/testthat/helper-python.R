# On CRAN there is no pyexpr-stats, and tests that need it are skipped. Where
# NOT_CRAN is set they must run: a missing Python is then an error.
need_python <- function() {
  if (pyexpr_available()) return(invisible())
  if (identical(Sys.getenv("NOT_CRAN"), "true")) {
    pyexpr:::start()
  }
  skip("Python with pyexpr-stats is not there")
}

echo <- function(x) pyexpr:::ask("echo", list(value = x))

echo_frame <- function(data) echo(pyexpr:::table_node(data))

# Some code in Python, in the session that R hosts.
python <- function(code) reticulate::py_run_string(code, convert = TRUE)
