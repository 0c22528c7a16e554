# Python is found and started when it is first needed, and never before.

state <- new.env(parent = emptyenv())
state$released <- integer()
state$functions <- new.env(parent = emptyenv())
state$n_functions <- 0L
state$said <- list()
state$seed <- NULL

protocol <- 1L
venv <- "r-pyexpr"

# Returns Python's function from bytes to bytes.
start <- function(call = rlang::caller_env()) {
  # A forked child inherits the function, but lavaan is asked in the child's own R.
  if (!is.null(state$answer) && identical(state$pid, Sys.getpid())) return(state$answer)
  door <- tryCatch({
    choose_python()
    read_site_folders()
    reticulate::import("pyexpr.hosted.door", convert = TRUE)
  }, error = function(e) not_found(e, call))
  if (!identical(as.integer(door$PROTOCOL), protocol)) {
    abort(c("this R package and the Python package pyexpr-stats are of different versions.",
      i = "Install both from the same release; see `?install_pyexpr`."),
      class = c("pyexpr_python_not_found", "pyexpr_error"), call = call)
  }
  # lavaan runs in this R: Python gets a function, and rpy2 is never imported.
  bridge <- new.env(parent = baseenv())
  eval(parse(text = door$bridge_text(), encoding = "UTF-8", keep.source = FALSE), bridge)
  # Modules that Ctrl-C stops half imported are of no use afterwards.
  state$reads_flag <- suspendInterrupts(door$register(
    reticulate::r_to_py(bridge$pyexpr_answer, convert = TRUE),
    reticulate::r_to_py(answer_call, convert = TRUE)
  ))
  state$session <- paste(Sys.getpid(), format(Sys.time(), "%Y-%m-%d %H:%M:%OS6"))
  state$pid <- Sys.getpid()
  state$answer <- door$answer
  state$answer
}

# RETICULATE_PYTHON is reticulate's own; then the option, then the environment that
# install_pyexpr() makes, then what py_require() declares, then what reticulate finds.
choose_python <- function() {
  if (reticulate::py_available(initialize = FALSE)) return(invisible())
  if (nzchar(Sys.getenv("RETICULATE_PYTHON"))) return(invisible())
  option <- getOption("pyexpr.python")
  if (!is.null(option)) return(reticulate::use_python(option, required = TRUE))
  if (has_venv()) return(reticulate::use_virtualenv(venv, required = TRUE))
  if ("py_require" %in% getNamespaceExports("reticulate")) {
    getExportedValue("reticulate", "py_require")(requirement(), python_version = ">=3.11")
  }
  invisible()
}

# Where Python is the distribution's, the Python that reticulate starts knows the folder of a
# virtual environment but has not read the .pth files in it, by which an editable install
# (that of `make demo`) is found.
read_site_folders <- function() {
  reticulate::py_run_string(local = TRUE, paste(sep = "\n",
    "import importlib.util, os, site, sys",
    "spec = importlib.util.find_spec('pyexpr')",
    # A folder that holds the extension alone is found as a package without a file.
    "if spec is None or spec.origin is None:",
    "    for folder in list(sys.path):",
    "        if os.path.basename(folder) in ('site-packages', 'dist-packages'):",
    "            site.addsitedir(folder)",
    "    importlib.invalidate_caches()"
  ))
}

requirement <- function() getOption("pyexpr.requirement", "pyexpr-stats")

has_venv <- function() isTRUE(tryCatch(reticulate::virtualenv_exists(venv), error = function(e) FALSE))

not_found <- function(error, call) {
  python <- tryCatch(
    if (reticulate::py_available(initialize = FALSE)) reticulate::py_config()$python,
    error = function(e) NULL
  )
  problem <- if (is.null(python)) {
    "Python could not be started."
  } else {
    sprintf("the Python at '%s' does not have the package pyexpr-stats.", python)
  }
  mend <- c(
    i = "To mend it, restart R and run `pyexpr::install_pyexpr(\"path/to/the/checkout\")`,",
    " " = "or name a Python that has it: `options(pyexpr.python = \"/path/to/python\")`",
    " " = "(the environment variable RETICULATE_PYTHON does the same)."
  )
  said <- strsplit(conditionMessage(error), "\n", fixed = TRUE)[[1]]
  said <- said[nzchar(said) & !grepl("^(Run `|Traceback|  File|Detailed traceback)", said)]
  abort(c(problem, x = said[1], mend),
    class = c("pyexpr_python_not_found", "pyexpr_error"), call = call)
}

#' Is Python with pyexpr-stats there?
#'
#' Starts Python if it is not running yet. Examples and tests ask this; [doctor()]
#' says what is missing.
#'
#' @return `TRUE` or `FALSE`.
#' @export
#' @examples
#' pyexpr_available()
pyexpr_available <- function() {
  !is.null(tryCatch(start(), pyexpr_error = function(e) NULL, error = function(e) NULL))
}

#' Install the Python package that computes
#'
#' Makes the virtual environment `r-pyexpr` and installs the Python package
#' pyexpr-stats into it. R finds it there from the next session on. Building it
#' needs a C++ compiler and Python 3.11 or newer with its headers.
#'
#' @param source What pip installs: the path of a checkout, an address, or a name.
#' @param python The Python to make the environment with; by default the one that
#'   reticulate prefers.
#' @return The path of the environment's Python, invisibly.
#' @seealso [doctor()]
#' @export
#' @examples
#' \dontrun{
#' install_pyexpr("~/src/pyexpr")
#' }
install_pyexpr <- function(source = "pyexpr-stats", python = NULL) {
  one(source)
  if (file.exists(source)) source <- normalizePath(source)
  if (!has_venv()) {
    reticulate::virtualenv_create(venv, python = python, packages = NULL)
  }
  reticulate::virtualenv_install(venv, packages = source, ignore_installed = FALSE)
  invisible(reticulate::virtualenv_python(venv))
}
