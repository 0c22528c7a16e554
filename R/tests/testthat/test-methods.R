# Generics of stats, broom and graphics: the numbers of tidy(), or lavaan's.

plain <- function(x) {
  x <- unclass(x)
  attributes(x) <- attributes(x)[c("dim", "dimnames", "names")]
  x
}

# Two optimisers stop at slightly different points of a flat likelihood.
optimisers <- 1e-5

expect_lavaan <- function(fit, theirs, level = 0.9) {
  expect_identical(names(coef(fit)), names(lavaan::coef(theirs)))
  expect_equal(coef(fit), plain(lavaan::coef(theirs)), tolerance = optimisers)
  expect_equal(vcov(fit), plain(lavaan::vcov(theirs)), tolerance = optimisers)
  estimates <- lavaan::parameterEstimates(theirs, level = level)
  estimates <- estimates[estimates$se > 0, ]
  expect_equal(unname(confint(fit, level = level)),
    unname(as.matrix(estimates[c("ci.lower", "ci.upper")])), tolerance = optimisers,
    ignore_attr = TRUE)
  expect_identical(as.numeric(nobs(fit)), as.numeric(lavaan::lavInspect(theirs, "ntotal")))
}

test_that("a factor model answers as lavaan does", {
  need_python()
  skip_if_not_installed("lavaan")
  data <- lavaan::HolzingerSwineford1939
  model <- "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6"
  fit <- fit_cfa(data, model)
  theirs <- lavaan::cfa(model, data, std.lv = TRUE, meanstructure = TRUE)
  expect_lavaan(fit, theirs)
  expect_equal(AIC(fit), lavaan::fitMeasures(theirs)[["aic"]], tolerance = optimisers)
  expect_equal(BIC(fit), lavaan::fitMeasures(theirs)[["bic"]], tolerance = optimisers)
  for (method in c("bartlett", "regression")) {
    expect_equal(predict(fit, data[5:9, ], method = method),
      plain(lavaan::lavPredict(theirs, data[5:9, ], method = method)), tolerance = 1e-4)
  }
  expect_identical(predict(fit), predict(fit, data))
  implied <- lavaan::fitted(theirs)
  expect_equal(fitted(fit)$cov, plain(implied$cov), tolerance = optimisers)
  expect_equal(fitted(fit)$mean, plain(implied$mean), tolerance = optimisers)
  for (type in c("raw", "cor")) {
    left <- lavaan::residuals(theirs, type = type)
    # Differences of numbers near 1.
    expect_equal(residuals(fit, type)$cov - plain(left$cov), 0 * left$cov, tolerance = 1e-5,
      ignore_attr = TRUE)
  }
  # Held equal, loadings do not reproduce variances; means are reproduced all the same.
  held <- residuals(fit_cfa(data, c(x1, x2, x3), equal_loadings = TRUE), "cor")
  theirs <- lavaan::cfa("f =~ a*x1 + a*x2 + a*x3", data, std.lv = TRUE, meanstructure = TRUE)
  expect_equal(held$cov - plain(lavaan::residuals(theirs, type = "cor")$cov), 0 * held$cov,
    tolerance = 1e-5)
  expect_equal(held$mean, plain(lavaan::residuals(theirs, type = "cor")$mean), tolerance = 1e-5)
  expect_equal(residuals(fit)$cov + fitted(fit)$cov, cov(data[rownames(fitted(fit)$cov)]) * 300 / 301)
  expect_identical(confint(fit, "visual=~x2"), confint(fit)[2, , drop = FALSE])
  expect_error(confint(fit, "x2"), "`parm` names `x2`", class = "pyexpr_data_error")
  expect_error(confint(fit, level = 95), "`level` must be between 0 and 1", class = "pyexpr_data_error")
})

test_that("contexts, clusters and ordered indicators have lavaan's names, too", {
  need_python()
  skip_if_not_installed("lavaan")
  # lavaan takes groups as they come, this package sorts their labels.
  data <- clips[order(clips$context), ]
  model <- "expressiveness =~ response + emotion + motion"
  fit <- fit_cfa(data, c(response, emotion, motion), context = context, cluster = subject)
  # lavaan says that it has set an option.
  theirs <- suppressWarnings(lavaan::cfa(model, data, std.lv = TRUE, meanstructure = TRUE,
    group = "context", cluster = "subject"))
  expect_lavaan(fit, theirs)
  expect_identical(names(fitted(fit)), names(lavaan::fitted(theirs)))
  expect_equal(fitted(fit)$pain$cov, plain(lavaan::fitted(theirs)$pain$cov), tolerance = optimisers)
  expect_equal(residuals(fit)$startle$mean, c(response = 0, emotion = 0, motion = 0), tolerance = 1e-8)
  cuts <- function(x) ordered(cut(x, c(-Inf, quantile(x, c(0.3, 0.7)), Inf), labels = FALSE))
  thirds <- as.data.frame(lapply(clips[c("response", "emotion", "motion")], cuts))
  fit <- fit_cfa(thirds, c(response, emotion, motion))
  theirs <- lavaan::cfa(model, thirds, std.lv = TRUE, meanstructure = TRUE, ordered = TRUE)
  expect_lavaan(fit, theirs)
  expect_equal(fitted(fit)$th, plain(lavaan::fitted(theirs)$th), tolerance = optimisers)
  expect_error(residuals(fit), "ordered", class = "pyexpr_data_error")
  expect_error(logLik(fit), "no likelihood", class = "pyexpr_data_error")
  holes <- as.data.frame(clips)
  holes$motion[3] <- NA
  expect_error(residuals(fit_cfa(holes, c(response, emotion, motion), missing = "fiml")),
    "no single observed covariance", class = "pyexpr_data_error")
  expect_identical(which(is.na(predict(fit_cfa(holes, c(response, emotion, motion))))), 3L)
})

test_that("augment() adds scores, and keeps the class of the data", {
  need_python()
  fit <- fit_cfa(clips, c(response, emotion, motion))
  found <- augment(fit, as.data.frame(clips))
  expect_identical(class(found), "data.frame")
  expect_identical(found$.score, cfa_scores(fit, clips)$score)
  expect_identical(setdiff(names(found), names(clips)), c(".score", ".se", ".reason"))
  expect_error(augment(fit), "`data` is missing", class = "pyexpr_data_error")
  expect_error(predict(fit, clips["motion"]), "`newdata` has no column `response`",
    class = "pyexpr_column_error")
})

test_that("estimates and limits are those of tidy(), under the labels of its rows", {
  need_python()
  comparison <- compare_models(clips, score, c(au_intensity, au_count), subject, n_boot = 99)
  expect_identical(unname(coef(comparison)), tidy(comparison)$estimate)
  expect_identical(names(coef(comparison)), colnames(replicates(comparison)))
  expect_identical(colnames(confint(comparison)), c("2.5 %", "97.5 %"))
  other <- tidy(boot_interval(comparison, "percentile", 0.9))
  expect_identical(unname(confint(comparison, level = 0.9, method = "percentile")),
    unname(as.matrix(other[c("conf.low", "conf.high")])))
  expect_identical(nobs(comparison), sum(!is.na(clips$au_intensity)))
  agreement <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
  expect_identical(names(coef(agreement))[2], "emotion: ICC(1,k)")
  expect_identical(unname(confint(agreement, 2)[1, ]),
    unlist(tidy(agreement)[2, c("conf.low", "conf.high")], use.names = FALSE))
  expect_identical(nobs(agreement), nrow(ratings))
  expect_error(confint(agreement, level = 0.9), "give `confidence = 0.9`", class = "pyexpr_data_error")
  expect_identical(names(coef(icc_interval(0.8, 20, 3))), "ICC(1,k)")
  statistic <- cluster_bootstrap(clips, function(d, w) c(mean = sum(w * d$motion) / sum(w)), subject,
    n_boot = 99)
  expect_equal(coef(statistic), c(mean = mean(clips$motion)))
  expect_identical(dim(confint(statistic, level = 0.5)), c(1L, 2L))
  drawn <- suppressWarnings(bootstrap_cfa(clips, c(response, emotion, motion), subject, context, 99))
  expect_identical(names(coef(drawn))[1], "disgust: loading: response")
  expect_identical(nobs(drawn), 480L)
})

test_that("slopes by context have the joint covariance behind their contrasts", {
  need_python()
  slopes <- function(...) context_coefficients(clips, score, c(au_intensity, head_velocity), context,
    subject, alpha = 0.1, l1_ratio = 0.5, n_boot = 0, ...)
  found <- slopes()
  covariance <- vcov(found)
  table <- tidy(found)
  expect_identical(coef(found)[rownames(covariance)],
    stats::setNames(table$tested_estimate[table$context != "all"], rownames(covariance)))
  expect_equal(unname(sqrt(diag(covariance))), table$tested_std_error[table$context != "all"])
  # The standard errors of differences between contexts are checked against clubSandwich.
  pairs <- tidy(found, "contrasts")
  pairs <- pairs[pairs$context == "disgust - pain", ]
  for (i in seq_len(nrow(pairs))) {
    ab <- paste0(c("disgust: ", "pain: "), pairs$feature[i])
    expect_equal(drop(c(1, -1) %*% covariance[ab, ab] %*% c(1, -1)), pairs$std.error[i]^2)
  }
  expect_identical(rownames(vcov(found, "all")), c("all: au_intensity", "all: head_velocity"))
  # One context is a block of all jointly.
  expect_equal(vcov(found, "pain"), covariance[3:4, 3:4])
  expect_equal(confint(found, level = 0.9), confint(slopes(confidence = 0.9)))
  expect_identical(unname(coef(found, "weights")), table$estimate)
  expect_error(confint(adjust_tests(found, "holm"), level = 0.9), "give `confidence = 0.9`",
    class = "pyexpr_data_error")
  expect_error(vcov(found, "joy"), "`context` must be one of", class = "pyexpr_data_error")
  few <- suppressWarnings(slopes(tests = "desparsified"))
  expect_error(vcov(few), "`tests = 'least_squares'`", class = "pyexpr_data_error")
})

test_that("plot() draws what autoplot() gives", {
  need_python()
  skip_if_not_installed("ggplot2")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  comparison <- compare_models(clips, score, c(au_intensity, au_count), subject, n_boot = 99)
  expect_invisible(drawn <- plot(comparison, what = "differences"))
  expect_identical(drawn$labels, ggplot2::autoplot(comparison, "differences")$labels)
  expect_error(plot(split_subjects(clips, subject)), "there is no picture", class = "pyexpr_data_error")
})

test_that("no name of this package is another's", {
  # Generics that are handed on are the same functions there.
  # lubridate asks the system for its time zone as it is loaded, which a container may not know.
  zone <- Sys.getenv("TZ")
  Sys.setenv(TZ = "UTC")
  on.exit(if (nzchar(zone)) Sys.setenv(TZ = zone) else Sys.unsetenv("TZ"))
  handed_on <- c("tidy", "glance", "augment")
  ours <- setdiff(getNamespaceExports("pyexpr"), handed_on)
  # Those that sessions with this package attach, or that the tests have.
  for (other in c("stats", "graphics", "utils", "dplyr", "lubridate", "ggplot2", "lavaan", "tibble",
    "tidyselect", "testthat", "generics")) {
    skip_if_not_installed(other)
    expect_identical(intersect(ours, getNamespaceExports(other)), character(), info = other)
  }
  for (name in handed_on) {
    expect_identical(getExportedValue("pyexpr", name), getExportedValue("generics", name))
  }
})
