# Python is found and started when it is first needed, and never before.

state <- new.env(parent = emptyenv())
state$released <- integer()
state$held <- new.env(parent = emptyenv())
state$functions <- new.env(parent = emptyenv())
state$n_functions <- 0L
state$said <- list()
state$seed <- NULL

protocol <- 1L
venv <- "r-pyexpr"

# Returns Python's function from bytes to bytes.
start <- function(call = rlang::caller_env()) {
  # A forked child inherits the function, but lavaan runs in the child's own R.
  if (!is.null(state$answer) && identical(state$pid, Sys.getpid())) return(state$answer)
  # What failed fails again in a second, not after another search, until something has changed.
  if (!is.null(state$failed) && identical(state$failed$wishes, wishes())) {
    not_found(state$failed$problem, call)
  }
  chosen <- NULL
  interface <- tryCatch({
    chosen <- choose_python()
    read_site_folders()
    reticulate::import("pyexpr.hosted.interface", convert = TRUE)
  }, error = function(e) {
    problem <- if (inherits(e, "pyexpr_no_python")) conditionMessage(e) else why_not(e)
    # Once Python runs in this session it is that one, whatever is wished.
    running <- reticulate::py_available(initialize = FALSE)
    if (!running) state$failed <- list(wishes = wishes(), problem = problem)
    not_found(problem, call)
  })
  if (!identical(as.integer(interface$PROTOCOL), protocol)) {
    abort(c("this R package and the Python package pyexpr-stats are of different versions.",
      i = "Install both from the same release; see `?install_pyexpr`."),
      class = c("pyexpr_python_not_found", "pyexpr_error"), call = call)
  }
  # lavaan runs in this R: Python gets a function, and rpy2 is never imported.
  bridge <- new.env(parent = baseenv())
  eval(parse(text = interface$bridge_text(), encoding = "UTF-8", keep.source = FALSE), bridge)
  # Modules that Ctrl-C stops half imported are of no use afterwards.
  state$reads_flag <- suspendInterrupts(interface$register(
    reticulate::r_to_py(bridge$pyexpr_answer, convert = TRUE),
    reticulate::r_to_py(answer_call, convert = TRUE)
  ))
  state$pid <- Sys.getpid()
  state$keep <- interface$keep
  state$answer <- interface$answer
  state$answer
}

# What says which Python it shall be. RETICULATE_PYTHON is reticulate's own; then the option,
# then the environment that install_pyexpr() makes, then a requirement that the user gave, then
# the first Python at hand that has the package.
wishes <- function() {
  list(Sys.getenv("RETICULATE_PYTHON"), getOption("pyexpr.python"), has_venv(),
    getOption("pyexpr.requirement"), Sys.getenv("PATH"), Sys.getenv("VIRTUAL_ENV"),
    Sys.getenv("CONDA_PREFIX"))
}

# Nothing is downloaded unasked: left to itself, reticulate 1.41 would bring a Python along.
choose_python <- function() {
  if (reticulate::py_available(initialize = FALSE)) return(invisible())
  if (nzchar(Sys.getenv("RETICULATE_PYTHON"))) {
    return(use(Sys.getenv("RETICULATE_PYTHON"), "RETICULATE_PYTHON"))
  }
  option <- getOption("pyexpr.python")
  if (!is.null(option)) return(use(option, "options(pyexpr.python)"))
  if (has_venv()) return(use(reticulate::virtualenv_python(venv), sprintf("virtualenv '%s'", venv)))
  wanted <- getOption("pyexpr.requirement")
  if (!is.null(wanted)) {
    wanted <- requirement(wanted)
    if (!"py_require" %in% getNamespaceExports("reticulate")) {
      no_python(paste("options(pyexpr.requirement) needs reticulate 1.41 or newer, and this is",
        as.character(utils::packageVersion("reticulate"))))
    }
    return(getExportedValue("reticulate", "py_require")(wanted, python_version = ">=3.11"))
  }
  for (python in at_hand()) {
    if (!nzchar(unfit(python))) return(reticulate::use_python(python, required = TRUE))
  }
  no_python("no Python that has the package pyexpr-stats was named or found.")
}

# Nobody has registered the name pyexpr-stats on PyPI yet, and whoever did would be downloaded: a
# requirement says where the package is.
requirement <- function(wanted) {
  if (!is.character(wanted) || length(wanted) != 1 || is.na(wanted)) {
    no_python("options(pyexpr.requirement) must be one path of a checkout or of a wheel.")
  }
  if (grepl("^pyexpr-stats *@ *[a-z+]+://", wanted)) return(wanted)
  if (!file.exists(wanted)) {
    no_python(sprintf(paste("options(pyexpr.requirement) is '%s', which is no file or folder here,",
      "and pyexpr-stats is not on PyPI yet: give the path of a checkout or of a wheel."), wanted))
  }
  path <- normalizePath(wanted, winslash = "/")
  paste0("pyexpr-stats @ file://", if (on_windows()) "/", utils::URLencode(path))
}

at_hand <- function() {
  folders <- c(Sys.getenv("VIRTUAL_ENV"), Sys.getenv("CONDA_PREFIX"))
  inside <- file.path(folders[nzchar(folders)], if (on_windows()) "python.exe" else "bin/python")
  found <- c(inside, unname(Sys.which(c("python3", "python"))))
  unique(found[nzchar(found) & file.exists(found)])
}

on_windows <- function() identical(.Platform$OS.type, "windows")

use <- function(python, by) {
  problem <- unfit(python)
  if (nzchar(problem)) no_python(sprintf("%s named one that is of no use: %s", by, problem))
  reticulate::use_python(python, required = TRUE)
}

no_python <- function(message) stop(errorCondition(message, class = "pyexpr_no_python"))

# "" for a Python that can be used, else what is wrong with it, asked in a child, because
# a Python that was started once in this session stays.
unfit <- function(python, package = TRUE) {
  # Without the working directory: a folder there that is called pyexpr is not the package.
  code <- paste("import sys, importlib.util as u; sys.path[:] = [p for p in sys.path if p];",
    "print('version', *sys.version_info[:2], u.find_spec('pyexpr') is not None)")
  said <- tryCatch(suppressWarnings(system2(python, c("-c", shQuote(code)), stdout = TRUE,
    stderr = FALSE)), error = function(e) character())
  said <- strsplit(grep("^version ", said, value = TRUE), " ", fixed = TRUE)
  if (!length(said)) return(sprintf("'%s' does not run as a Python.", python))
  version <- numeric_version(paste(said[[1]][2:3], collapse = "."))
  if (version < "3.11") {
    return(sprintf("pyexpr needs Python 3.11 or newer, and '%s' is Python %s.", python, version))
  }
  ours <- utils::packageVersion("reticulate")
  if (version >= "3.12" && ours < "1.41") {
    return(sprintf(paste("reticulate %s cannot start Python %s ('%s'): install reticulate 1.41 or",
      "newer, or use a Python 3.11."), ours, version, python))
  }
  if (package && said[[1]][4] != "True") {
    return(sprintf("the Python at '%s' does not have the package pyexpr-stats.", python))
  }
  ""
}

# Where Python is the distribution's, the Python that reticulate starts knows the folder of a
# virtual environment but has not read the .pth files in it, by which an editable install
# (that of `make demo`) is found. The package is never that of the working directory, where a
# checkout has it without the extension; what else lies there, the user may import.
read_site_folders <- function() {
  reticulate::py_run_string(local = TRUE, paste(sep = "\n",
    "import importlib.util, os, site, sys",
    # Names of this code are not seen within comprehensions.
    "before, others, here = list(sys.path), [], os.path.realpath('.')",
    "for folder in before:",
    "    if folder and os.path.realpath(folder) != here:",
    "        others.append(folder)",
    "sys.path[:] = others",
    "spec = importlib.util.find_spec('pyexpr')",
    # A folder that holds the extension alone is found as a package without a file, and the
    # package of a checkout in the path has no extension.
    "whole = spec is not None and spec.origin is not None",
    "if not (whole and importlib.util.find_spec('pyexpr._core')):",
    "    for folder in list(sys.path):",
    "        if os.path.basename(folder) in ('site-packages', 'dist-packages'):",
    "            site.addsitedir(folder)",
    "    importlib.invalidate_caches()",
    "spec = importlib.util.find_spec('pyexpr')",
    "if spec is not None and spec.origin is not None:",
    "    import pyexpr",
    "for folder in sys.path:",
    "    if folder not in others:",
    "        before.append(folder)",
    "sys.path[:] = before"
  ))
}

has_venv <- function() isTRUE(tryCatch(reticulate::virtualenv_exists(venv), error = function(e) FALSE))

# What an error of Python or reticulate says, without the advice that is not ours.
why_not <- function(error) {
  said <- strsplit(conditionMessage(error), "\n", fixed = TRUE)[[1]]
  said <- said[nzchar(said) & !grepl("^(Run `|Traceback|  File|Detailed traceback)", said)]
  if (!reticulate::py_available(initialize = FALSE)) {
    return(sprintf("Python could not be started: %s", full_stop(said[1])))
  }
  python <- reticulate::py_config()$python
  sprintf("the Python of this session, '%s', cannot use pyexpr-stats: %s", python,
    full_stop(said[1]))
}

not_found <- function(problem, call) {
  named <- Sys.getenv("RETICULATE_PYTHON")
  install <- "`pyexpr::install_pyexpr(\"path/to/the/checkout\")`."
  remedy <- if (nzchar(named) && nzchar(unfit(named, package = FALSE))) {
    # Nothing that is installed into it makes it of use.
    c(i = "To fix this, remove the environment variable RETICULATE_PYTHON and run, in a new session,",
      " " = install)
  } else if (nzchar(named)) {
    # It wins over everything else, the environment of install_pyexpr() included.
    c(i = sprintf("To fix this, run `%s -m pip install path/to/the/checkout` in a shell,", named),
      " " = "or remove the environment variable RETICULATE_PYTHON and run, in a new session,",
      " " = install)
  } else {
    c(i = "To fix this, restart R and run `pyexpr::install_pyexpr(\"path/to/the/checkout\")`,",
      " " = "or name a Python that has it: `options(pyexpr.python = \"/path/to/python\")`",
      " " = "(the environment variable RETICULATE_PYTHON does the same).")
  }
  abort(c(full_stop(problem), remedy),
    class = c("pyexpr_python_not_found", "pyexpr_error"), call = call)
}

#' Is Python with pyexpr-stats available?
#'
#' Starts Python if it is not running yet. Examples and tests use this function; [doctor()] reports
#' what is missing.
#'
#' @return `TRUE` or `FALSE`.
#' @export
#' @examples
#' pyexpr_available()
pyexpr_available <- function() {
  !is.null(tryCatch(start(), pyexpr_error = function(e) NULL, error = function(e) NULL))
}

#' Install the Python package
#'
#' Creates the virtual environment `r-pyexpr` and installs the Python package pyexpr-stats into it.
#' R finds it there from the next session on. Building it requires a C++ compiler and Python 3.11 or
#' newer with its headers.
#'
#' The Python package is not on PyPI yet, so `source` must give its location. With reticulate 1.41
#' or newer, `options(pyexpr.requirement = )`, the path of a checkout or of a wheel, leaves the
#' environment to reticulate's `py_require()` instead, which downloads the requirements. An existing
#' environment `r-pyexpr` is used again, unless `python` is given or its Python is too old; it is
#' then created again.
#'
#' @param source The package to install with pip: the path of a checkout or of a wheel.
#' @param python The Python from which to create the environment. By default that of an activated
#'   environment, otherwise `python3`, or the Python that reticulate finds.
#' @return The path of the environment's Python, invisibly.
#' @seealso [doctor()]
#' @export
#' @examples
#' \dontrun{
#' install_pyexpr("~/src/pyexpr")
#' }
install_pyexpr <- function(source, python = NULL) {
  call <- rlang::current_env()
  given(source, "the path of a checkout or of a wheel of the Python package", call = call)
  one(source)
  one(python)
  if (!file.exists(path.expand(source))) {
    data_error(sprintf("`source`: there is no file or folder '%s'.", source), call)
  }
  if (dir.exists(source) && !file.exists(file.path(source, "pyproject.toml"))) {
    data_error(sprintf("`source`: '%s' is no checkout of pyexpr: it has no pyproject.toml.", source),
      call)
  }
  if (!is.null(python)) {
    problem <- unfit(python, package = FALSE)
    if (nzchar(problem)) data_error(sprintf("`python`: %s", problem), call)
  }
  old <- has_venv()
  if (old && (!is.null(python) ||
      nzchar(unfit(reticulate::virtualenv_python(venv), package = FALSE)))) {
    reticulate::virtualenv_remove(venv, confirm = FALSE)
    old <- FALSE
  }
  if (!old) {
    # An environment that was not finished would be found by every later session.
    finished <- FALSE
    on.exit(if (!finished && has_venv()) reticulate::virtualenv_remove(venv, confirm = FALSE))
    make_venv(python, call)
    problem <- unfit(reticulate::virtualenv_python(venv), package = FALSE)
    if (nzchar(problem)) {
      data_error(paste(problem, "Name another: `install_pyexpr(source, python =)`."), call)
    }
  }
  reticulate::virtualenv_install(venv, packages = normalizePath(source), ignore_installed = FALSE)
  finished <- TRUE
  for (name in c("RETICULATE_PYTHON", "pyexpr.python")) {
    other <- if (name == "pyexpr.python") getOption(name, "") else Sys.getenv(name)
    if (nzchar(other)) {
      warn(sprintf(paste("%s names '%s', which is used before the new environment: remove it, or",
        "set it to '%s'."), name, other, reticulate::virtualenv_python(venv)),
        class = "pyexpr_warning")
    }
  }
  invisible(reticulate::virtualenv_python(venv))
}

# By Python itself: reticulate makes none with a Python that has no pip, as that of a bare Debian,
# though the environment brings its own.
make_venv <- function(python, call) {
  if (is.null(python)) {
    fit <- Filter(function(one) !nzchar(unfit(one, package = FALSE)), at_hand())
    if (!length(fit)) return(reticulate::virtualenv_create(venv, packages = NULL))
    python <- fit[1]
  }
  folder <- file.path(reticulate::virtualenv_root(), venv)
  said <- suppressWarnings(system2(python, c("-m", "venv", shQuote(path.expand(folder))),
    stdout = TRUE, stderr = TRUE))
  if (!is.null(attr(said, "status"))) {
    said <- paste(said[nzchar(said)], collapse = " ")
    # Debian and Ubuntu alone part it from Python.
    remedy <- if (file.exists("/etc/debian_version")) " (`apt-get install python3-venv` fixes this)" else ""
    data_error(sprintf("'%s' cannot make a virtual environment%s: %s", python, remedy,
      full_stop(if (nzchar(said)) said else "no reason given")), call)
  }
}
