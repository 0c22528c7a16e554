test_that("lavaan of this session fits, and rpy2 is never imported", {
  need_python()
  skip_if_not_installed("lavaan")
  fit <- fit_cfa(clips, c(response, emotion, motion), engine = "auto")
  expect_identical(fit$provenance$engine, "host")
  expect_false("rpy2" %in% names(reticulate::import("sys")$modules))
})

test_that("fits and garbage collections can follow each other", {
  need_python()
  wanted <- tidy(fit_cfa(clips, c(response, emotion, motion), engine = "native"))$estimate
  for (turn in 1:5) {
    found <- tidy(fit_cfa(clips, c(response, emotion, motion)))$estimate
    invisible(gc(full = TRUE))
    # lavaan's and the built-in estimates: 1e-7 of their size.
    expect_equal(found, wanted, tolerance = 1e-7)
    expect_identical(sum(vapply(1:1000, function(i) nchar(paste(i)), 0L)), 2893L)
  }
})

test_that("fits equal lavaan called by hand", {
  need_python()
  skip_if_not_installed("lavaan")
  by_hand <- lavaan::cfa("f =~ response + emotion + motion", as.data.frame(clips), std.lv = TRUE,
    meanstructure = TRUE, likelihood = "normal",
    control = list(abs.tol = 1e-20, rel.tol = 1e-14, x.tol = 1e-14))
  theirs <- lavaan::parameterEstimates(by_hand)
  ours <- tidy(fit_cfa(clips, c(response, emotion, motion)))
  at <- match(paste(ours$op, ours$rhs), paste(theirs$op, ifelse(theirs$op == "~1", "", theirs$rhs)))
  loadings <- ours$op == "=~"
  # The same optimiser on the same data: rounding of the last steps.
  expect_equal(ours$estimate[loadings], theirs$est[at][loadings], tolerance = 1e-8)
  expect_equal(ours$std.error[loadings], theirs$se[at][loadings], tolerance = 1e-6)
  # Bartlett's scores too.
  scores <- as.numeric(lavaan::lavPredict(by_hand, method = "Bartlett"))
  expect_equal(cfa_scores(clips, c(response, emotion, motion))$score, scores, tolerance = 1e-6)
})

test_that("the user's random numbers go on as if lavaan drew none", {
  need_python()
  # lavaan draws only when a session first fits; this draws whenever it is asked.
  verbs <- reticulate::import("pyexpr.hosted.verbs")
  verbs$do_draw <- reticulate::r_to_py(function() stats::runif(1), convert = TRUE)
  set.seed(1)
  before <- .Random.seed
  expect_type(pyexpr:::ask("draw"), "double")
  expect_identical(.Random.seed, before)
  rm(".Random.seed", envir = globalenv())
  pyexpr:::ask("draw")
  expect_false(exists(".Random.seed", globalenv()))
  # A statistic of the user draws from the user's numbers.
  set.seed(1)
  first <- tidy(cluster_bootstrap(clips, function(data, weights) stats::runif(1), subject, n_boot = 2))
  expect_false(identical(.Random.seed, before))
  set.seed(1)
  expect_identical(first$estimate, stats::runif(1))
  # And may ask this package, whose draws are not the user's.
  asks <- function(data, weights) {
    pyexpr:::ask("draw")
    number <- stats::runif(1)
    pyexpr:::ask("draw")
    number
  }
  set.seed(1)
  expect_identical(tidy(cluster_bootstrap(clips, asks, subject, n_boot = 2))$estimate, first$estimate)
  after <- stats::runif(1)
  set.seed(1)
  # The estimate, 2 replicates, 30 subjects left out.
  expect_identical(stats::runif(34)[34], after)
})

test_that("Ctrl-C, however often, is an interrupt, and the session goes on", {
  need_python()
  # Windows has no signals, and no sh to send them; the gate runs on Linux.
  skip_on_os("windows")
  # Where reticulate's handler would evaluate R code, it reads R's flag instead.
  signals <- reticulate::import("sys")$modules[["rpytools.signals"]]
  if (!is.null(signals) && !is.null(signals$`_callback`)) expect_true(pyexpr:::state$reads_flag)
  code <- "
    library(pyexpr)
    invisible(pyexpr_available())
    slow <- function(data, weights) { for (i in 1:2000) i; sum(weights) }
    # Python imports what it needs at the first call, and prints where Ctrl-C met an import.
    invisible(cluster_bootstrap(clips, slow, cluster = subject, n_boot = 2, progress = FALSE))
    withCallingHandlers({
      for (turn in 1:6) {
        burst <- 'sleep 0.4; for i in 1 2 3 4 5 6 7 8; do kill -INT %d; sleep 0.00%d; done'
        system2('sh', c('-c', shQuote(sprintf(burst, Sys.getpid(), turn))), wait = FALSE)
        said <- tryCatch({
          cluster_bootstrap(clips, slow, cluster = subject, n_boot = 1e6, progress = FALSE)
          'done'
        }, interrupt = function(e) 'interrupted', error = conditionMessage)
        # The rest of the burst. A calling handler is code that a further Ctrl-C ends, and with it
        # Rscript; an exiting one is none.
        for (rest in 1:30) tryCatch(Sys.sleep(0.02), interrupt = identity)
        cat(said, tidy(icc_interval(0.8, 20, 3))$estimate, fill = TRUE)
      }
    }, interrupt = function(e) tryInvokeRestart('resume'))
  "
  script <- tempfile(fileext = ".R")
  writeLines(code, script)
  said <- system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE, stderr = TRUE,
    env = paste0("R_LIBS=", paste(.libPaths(), collapse = ":")))
  expect_identical(as.vector(said), rep("interrupted 0.8", 6))
})

test_that("Python forgets results that R has forgotten", {
  need_python()
  results <- reticulate::import("pyexpr.hosted.results")
  size <- function() reticulate::import_builtins()$len(results$`_kept`)
  first <- icc_interval(0.8, 20, 3)
  before <- size()
  for (i in 1:20) icc_interval(0.8, 20, 3)
  invisible(gc(full = TRUE))
  second <- icc_interval(0.8, 20, 3)
  expect_lte(size(), before + 2)
  # Those, too, that never came to R, because a handler left at a warning.
  warns <- function(data, weights) {
    warning("look")
    sum(weights)
  }
  for (i in 1:5) tryCatch(cluster_bootstrap(clips, warns, subject, n_boot = 2), warning = identity)
  third <- icc_interval(0.8, 20, 3)
  expect_lte(size(), before + 3)
})

test_that("warnings of Python are warnings of R", {
  need_python()
  few <- clips[clips$subject %in% unique(clips$subject)[1:8], ]
  expect_warning(
    compare_models(few, score, au_intensity, subject, n_boot = 0),
    class = "pyexpr_few_subjects_warning"
  )
  expect_warning(
    icc(ratings, c(subject, context, clip), score, context = question),
    class = "pyexpr_shared_subjects_warning"
  )
})

test_that("doctor() says all, and that nothing is missing here", {
  need_python()
  found <- doctor()
  expect_true(all(c("R", "reticulate", "lavaan", "Python", "numpy") %in% tidy(found)$component))
  expect_output(print(found), "components are\\s+ok")
  expect_true(all(tidy(found)$status[1:3] == "ok"))
})

test_that("doctor() and the error say what to do where Python lacks the package", {
  need_python()
  code <- paste(
    "library(pyexpr); d <- doctor(); cat(d$heading, '\\n'); cat(d$notes, '\\n')",
    "tryCatch(icc_interval(0.8, 20, 3), error = function(e) cat(class(e)[1], conditionMessage(e)))",
    sep = "; "
  )
  bare <- tempfile("bare")
  base <- reticulate::py_run_string("import sys; base = sys._base_executable")$base
  status <- system2(base, c("-m", "venv", "--without-pip", bare))
  expect_identical(status, 0L)
  # Only the folder of the interpreter's own packages is left to this Python.
  said <- system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(code)), stdout = TRUE,
    stderr = TRUE, env = c(paste0("RETICULATE_PYTHON=", file.path(bare, "bin", "python")),
      paste0("R_LIBS=", paste(.libPaths(), collapse = ":")), "PYTHONPATH="))
  said <- paste(said, collapse = "\n")
  expect_match(said, "Python was not found", fixed = TRUE)
  expect_match(said, "does not have the package pyexpr-stats", fixed = TRUE)
  expect_match(said, "pyexpr_python_not_found", fixed = TRUE)
  expect_match(said, "install_pyexpr", fixed = TRUE)
})

# What a new session says, which starts with these settings.
said_by <- function(code, ...) {
  settings <- c(..., paste0("R_LIBS=", paste(.libPaths(), collapse = ":")))
  script <- tempfile(fileext = ".R")
  writeLines(c("library(pyexpr)", code), script)
  said <- system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE, stderr = TRUE,
    env = settings)
  paste(said, collapse = "\n")
}

# A program that answers as a Python of that version does when it is run.
pretended <- function(version, has = "False") {
  file <- tempfile("python")
  writeLines(c("#!/bin/sh", sprintf("echo version %s %s", version, has)), file)
  Sys.chmod(file, "755")
  file
}

test_that("a Python that is too old, too new for reticulate or without the package is said", {
  # Windows runs no file that begins with #!; the gate runs on Linux.
  skip_on_os("windows")
  first <- "cat(tryCatch(icc_interval(0.8, 20, 3), error = conditionMessage))"
  old <- said_by(first, paste0("RETICULATE_PYTHON=", pretended("3 10")))
  expect_match(old, "needs Python 3.11 or newer, and '.*' is Python 3.10")
  # Installed into it, the package would not run.
  expect_match(old, "To fix this, remove the environment variable RETICULATE_PYTHON")
  expect_no_match(old, "-m pip install")
  bare <- said_by(first, paste0("RETICULATE_PYTHON=", pretended("3 11")))
  expect_match(bare, "does not have the package pyexpr-stats")
  # What is advised is not what RETICULATE_PYTHON would undo.
  expect_match(bare, "or remove the environment variable RETICULATE_PYTHON")
  expect_match(said_by(first, "RETICULATE_PYTHON=/nowhere/python"), "does not run as a Python")
  if (utils::packageVersion("reticulate") < "1.41") {
    new <- said_by(first, paste0("RETICULATE_PYTHON=", pretended("3 12", "True")))
    expect_match(new, "cannot start Python 3.12 .*install reticulate 1.41")
  }
})

test_that("without any Python nothing is downloaded, and a second call does not search again", {
  skip_on_os("windows")
  home <- tempfile("home")
  dir.create(home)
  code <- "
    # A folder of the package's name where R was started is not the package.
    setwd(tempdir())
    dir.create('pyexpr')
    first <- tryCatch(icc_interval(0.8, 20, 3), error = conditionMessage)
    kept <- pyexpr:::state
    kept$failed$problem <- 'remembered'
    second <- tryCatch(icc_interval(0.8, 20, 3), error = conditionMessage)
    options(pyexpr.python = '/nowhere')
    third <- tryCatch(icc_interval(0.8, 20, 3), error = conditionMessage)
    cat(first, second, third, sep = '|')
  "
  said <- said_by(code, "RETICULATE_PYTHON=", paste0("HOME=", home), paste0("WORKON_HOME=", home), "PATH=/usr/bin:/bin", "PYTHONPATH=",
    "VIRTUAL_ENV=", "CONDA_PREFIX=")
  parts <- strsplit(said, "|", fixed = TRUE)[[1]]
  expect_match(parts[1], "no Python that has the package pyexpr-stats was named or found")
  expect_match(parts[2], "^remembered")
  expect_match(parts[3], "'/nowhere' does not run as a Python")
  expect_length(list.files(home, all.files = TRUE, no.. = TRUE, recursive = TRUE), 0L)
})

test_that("a requirement says where the package is, since its name is nobody's yet", {
  skip_on_os("windows")
  wheel <- tempfile("a b", fileext = ".whl")
  file.create(wheel)
  expect_identical(pyexpr:::requirement(wheel),
    paste0("pyexpr-stats @ file://", sub("a b", "a%20b", normalizePath(wheel), fixed = TRUE)))
  url <- "pyexpr-stats @ https://example.org/pyexpr_stats.whl"
  expect_identical(pyexpr:::requirement(url), url)
  for (name in c("pyexpr-stats", "pyexpr-stats>=0.1", "/nowhere/pyexpr.whl")) {
    expect_error(pyexpr:::requirement(name), "not on PyPI yet: give the path of a checkout")
  }
  expect_error(pyexpr:::requirement(1), "one path of a checkout")
  # Asked for where it is read, before anything is downloaded.
  said <- said_by(paste("options(pyexpr.requirement = 'pyexpr-stats')",
    "cat(tryCatch(icc_interval(0.8, 20, 3), error = conditionMessage))", sep = "\n"),
    "RETICULATE_PYTHON=", paste0("WORKON_HOME=", tempfile()))
  expect_match(said, "options(pyexpr.requirement) is 'pyexpr-stats'", fixed = TRUE)
})

test_that("a checkout as the working directory is not the package, and stays in the path", {
  need_python()
  folder <- tempfile("checkout")
  dir.create(file.path(folder, "pyexpr"), recursive = TRUE)
  writeLines("print('the wrong one')", file.path(folder, "pyexpr", "__init__.py"))
  writeLines("found = True", file.path(folder, "of_the_user.py"))
  # The hook of an editable install, last: an installed package has none, and is found by the path.
  code <- sprintf("setwd('%s')
    reticulate::py_run_string('import sys
sys.path.insert(0, \"\")
sys.meta_path.sort(key=lambda finder: \"ditable\" in type(finder).__name__ + str(finder))')
    invisible(try(icc_interval(0.8, 20, 3), silent = TRUE))
    cat(reticulate::import('of_the_user')$found)", folder)
  said <- said_by(code, paste0("RETICULATE_PYTHON=", reticulate::py_config()$python))
  expect_identical(said, "TRUE")
})

test_that("install_pyexpr() says what it needs before it makes anything", {
  skip_on_os("windows")
  expect_error(install_pyexpr(), "`source` is missing: give the path of a checkout")
  expect_error(install_pyexpr("/nowhere/pyexpr"), "there is no file or folder '/nowhere/pyexpr'")
  expect_error(install_pyexpr(tempdir()), "it has no pyproject.toml")
  wheel <- tempfile(fileext = ".whl")
  file.create(wheel)
  expect_error(install_pyexpr(wheel, python = pretended("3 10")), "needs Python 3.11 or newer")
  # Of a Python without the module venv, and nothing else is said after it.
  without <- tempfile("python")
  writeLines(c("#!/bin/sh", "if [ \"$1\" = -m ]; then echo ensurepip is not available; exit 1; fi",
    "echo version 3 11 False"), without)
  Sys.chmod(without, "755")
  said <- said_by(sprintf("cat(tryCatch(install_pyexpr('%s', python = '%s'), error = conditionMessage))",
    wheel, without), paste0("WORKON_HOME=", tempfile("home")), "RETICULATE_PYTHON=")
  expect_match(said, "cannot make a virtual environment.*ensurepip is not available[.]$")
})
