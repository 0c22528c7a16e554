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

# The tables that sentences name, as a user would ask for them.
named_tables <- function(sentences) {
  if (!length(sentences)) return(character())
  methods <- regmatches(sentences, gregexpr("(?<=tidy\\(x, \")\\w+", sentences, perl = TRUE))
  words <- regmatches(sentences, gregexpr("(?<=the table ')\\w+", sentences, perl = TRUE))
  # A method of Python that has no table in R would be left as it is.
  expect_no_match(sentences, "\\b[a-z]+_?[a-z]+\\(\\)")
  unique(as.character(unlist(c(methods, words))))
}
