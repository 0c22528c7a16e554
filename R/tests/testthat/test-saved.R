# A result that was saved shows and draws without Python, and goes on with the same numbers.

made <- function() {
  list(
    comparison = compare_models(clips, score, c(au_intensity, au_count), subject,
      metrics = c("rmse", "correlation"), n_boot = 99, seed = 1),
    bootstrap = cluster_bootstrap(clips,
      function(data, weights) c(mean = stats::weighted.mean(data$score, weights)), subject,
      n_boot = 49, progress = FALSE),
    icc = icc(ratings, c(subject, context, clip), score, context = question, form = "ICC(1,k)",
      cluster = subject),
    cfa = fit_cfa(clips, c(response, emotion, motion), context = context, engine = "native"),
    refits = bootstrap_cfa(clips, c(response, emotion, motion), subject, n_boot = 99),
    coefficients = context_coefficients(clips, score, c(au_intensity, au_count), context, subject,
      n_boot = 20)
  )
}

# Called in this process and in others, so with names that are found without this file.
go_on <- function(x) {
  few <- pyexpr::clips[1:20, ]
  list(
    pyexpr::tidy(pyexpr::boot_interval(x$comparison, "percentile", 0.9)),
    pyexpr::tidy(pyexpr::boot_extend(x$comparison, 11)),
    pyexpr::tidy(pyexpr::adjust_tests(x$comparison, "holm")),
    pyexpr::tidy(pyexpr::sign_flip(x$comparison, 99)), stats::influence(x$comparison),
    pyexpr::replicates(x$comparison), pyexpr::tidy(pyexpr::boot_extend(x$bootstrap, 7)),
    pyexpr::tidy(pyexpr::d_study(x$icc, c(1, 4))), pyexpr::cfa_scores(x$cfa, few),
    pyexpr::tidy(pyexpr::boot_interval(x$refits, "percentile", 0.9)),
    pyexpr::wild(x$coefficients, n_boot = 99), pyexpr::tidy(pyexpr::adjust_tests(x$coefficients, "max_t"))
  )
}

in_new_session <- function(code, ...) {
  script <- tempfile(fileext = ".R")
  writeLines(c("suppressMessages(library(pyexpr))", code), script)
  said <- system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE, stderr = TRUE,
    env = c(..., paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))))
  paste(said, collapse = "\n")
}

test_that("results go on in another session, with the same bits", {
  need_python()
  results <- made()
  environment(go_on) <- globalenv()
  wanted <- go_on(results)
  file <- tempfile(fileext = ".rds")
  saveRDS(list(results = results, wanted = wanted, go_on = go_on), file)
  code <- sprintf("kept <- readRDS('%s')
    cat(identical(kept$go_on(kept$results), kept$wanted), '')
    # Once it is there again it is not made anew.
    key <- kept$results$icc$handle$key
    invisible(d_study(kept$results$icc, 3))
    cat(identical(kept$results$icc$handle$key, key))", file)
  expect_identical(in_new_session(code), "TRUE TRUE")

  # A workspace, and no Python: what is shown and drawn is in R.
  workspace <- tempfile(fileext = ".RData")
  save(results, file = workspace)
  code <- sprintf("load('%s')
    for (x in results) {
      invisible(utils::capture.output(print(x), print(summary(x)))); tidy(x); glance(x)
      if (requireNamespace('ggplot2', quietly = TRUE)) {
        grDevices::pdf(NULL); invisible(utils::capture.output(print(ggplot2::autoplot(x))))
      }
    }
    cat(reticulate::py_available(FALSE), '')
    cat(class(tryCatch(boot_interval(results$comparison, 'percentile'), error = identity))[1])", workspace)
  said <- in_new_session(code, "RETICULATE_PYTHON=/nowhere/python")
  expect_identical(said, "FALSE pyexpr_python_not_found")
})

test_that("forked workers go on with results, and make results that go on here", {
  need_python()
  # Windows does not fork.
  skip_on_os("windows")
  x <- list(
    comparison = compare_models(clips, score, au_intensity, subject, metrics = "correlation",
      n_boot = 99),
    bootstrap = cluster_bootstrap(clips, function(data, weights) sum(data$score * weights), subject,
      n_boot = 9, progress = FALSE)
  )
  work <- function(level) {
    list(tidy(boot_interval(x$comparison, "percentile", level)), tidy(boot_extend(x$bootstrap, 3)),
      tidy(fit_cfa(clips, c(response, emotion, motion)))$estimate)
  }
  levels <- c(0.5, 0.8, 0.95)
  expect_identical(parallel::mclapply(levels, work, mc.cores = 2), lapply(levels, work))
  made <- parallel::mclapply(1:2, function(seed) {
    compare_models(clips, score, au_intensity, subject, n_boot = 99, seed = seed)
  }, mc.cores = 2)
  here <- compare_models(clips, score, au_intensity, subject, n_boot = 99, seed = 2)
  expect_identical(replicates(made[[2]]), replicates(here))
})

test_that("many replicates are not kept but drawn again", {
  need_python()
  result <- compare_models(clips, score, au_intensity, subject, n_boot = 1e5)
  expect_lt(length(result$saved), 1e5)
  back <- unserialize(serialize(result, NULL))
  # A copy in the same session outlives the original.
  rm(result)
  invisible(gc(full = TRUE))
  icc_interval(0.8, 20, 3)
  expect_identical(dim(replicates(back)), c(100000L, 2L))
  expect_identical(dim(replicates(back)), c(100000L, 2L))
})

test_that("what cannot go on says so, and which version made it", {
  need_python()
  result <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
  gone <- function(saved) {
    result["saved"] <- list(saved)
    result <- unserialize(serialize(result, NULL))
    d_study(result, 3)
  }
  expect_error(gone(NULL), "only its tables are here; compute it again", class = "pyexpr_data_error")
  expect_error(gone(as.raw(1:9)), "the result is not a saved result, or is damaged",
    class = "pyexpr_saved_result_error")
  # Another version's, with parts of another name.
  python("
from pyexpr.base import saved
from pyexpr.hosted import verbs
def _altered(raw):
    import io, zipfile
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = parts['result.json'].decode().replace('\"pyexpr-stats\": \"', '\"pyexpr-stats\": \"9.')
    parts['result.json'] = text.replace('\"confidence\"', '\"level\"').encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()
verbs.do_altered = _altered
")
  other <- pyexpr:::ask("altered", list(raw = pyexpr:::node(kind = "raw", value = result$saved)))
  expect_error(gone(other), "was saved by pyexpr 9[.].*load it with that version, or compute it again")
})
