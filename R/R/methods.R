# Methods of stats' generics, from the tables of a result.

#' Methods of R's generic functions for results
#'
#' @description
#' Results have the methods `coef()`, `confint()`, `vcov()`, `nobs()` and `plot()`. Factor models
#' also have those of lavaan: `predict()`, `fitted()`, `residuals()`, `logLik()` (and thereby
#' `AIC()` and `BIC()`), and `augment()`. They return the values of [tidy()][result-tables] in the
#' form of the stats package.
#'
#' | result of | methods, beside `plot()` |
#' |---|---|
#' | [fit_cfa()] | `coef()`, `vcov()`, `confint()`, `nobs()`, `logLik()`, `predict()`, `fitted()`, `residuals()`, `augment()` |
#' | [agreement()] | `coef()`, `confint()`, `nobs()` |
#' | [icc()] | `coef()`, `confint()`, `nobs()` |
#' | [multilevel_icc()], [variance_components()] | `coef()`, `confint()`, `nobs()` |
#' | [icc_interval()] | `coef()`, `confint()` |
#' | [compare_models()], [context_contrasts()], [rating_ceiling()], [feature_importance()], [cluster_bootstrap()], [bootstrap_cfa()] | `coef()`, `confint()`, `nobs()` |
#' | [context_coefficients()] | `coef()`, `vcov()`, `confint()`, `nobs()` |
#' | [fit_all()] | `predict()`, `augment()` |
#' | [split_subjects()] | `augment()` alone |
#'
#' There is no method if a generic function does not apply, such as `vcov()` for intraclass
#' correlations or `predict()` for a comparison.
#'
#' @section Names:
#' Parameters of a factor model have lavaan's names: `f=~x`, `x~~x`, `x~1`, `x|t1`, with
#' `.g2`, `.g3`, ... from the second context on. Contexts are those of `tidy()`, in the order of
#' their sorted labels; lavaan uses the order of the rows. All other names consist of the
#' labels of a row of `tidy()`: `"correlation: lstm: all"`, `"pain: au_count"`.
#'
#' @section Intervals:
#' `confint()` gives the limits of `tidy()` at the level of the result. Another `level`, and for
#' resampled results another `method`, needs no new draws; [boot_interval()] computes them. The
#' intervals of [icc()], [multilevel_icc()], [variance_components()] and [agreement()] have the level
#' of the original call, and so do those of coefficients that were adjusted by [adjust_tests()], which
#' are simultaneous.
#'
#' @param object,x A result of this package.
#' @param parm Names or numbers of the requested rows; by default all.
#' @param level Level of the intervals; by default that of the result.
#' @param method For intervals as in [compare_models()]; for scores `"bartlett"` or
#'   `"regression"`.
#' @param what For coefficients: `"tested"`, slopes per standard deviation, or `"weights"`, the
#'   regularised weights, which have no confidence intervals.
#' @param context For `vcov()` of coefficients: a context, or `"all"` for the slopes over all
#'   contexts. `NULL` gives the joint covariance matrix of the slopes of all contexts, which are
#'   dependent if contexts share subjects. Rows of slopes that are not tested are `NA`; `tidy()`
#'   gives the reason.
#' @param newdata Rows to score with the fitted parameters. By default the rows to which the model
#'   was fitted.
#' @param type `"raw"`, the observed minus the implied moments, or `"cor"`, the same for correlations
#'   (and for means in units of the observed standard deviations), as in `lavaan::residuals()`.
#' @param data A data frame with the rows to score.
#' @param allow_inadmissible Whether to compute scores of a model with a negative variance.
#' @param ... For `plot()`: arguments of [autoplot()][autoplot.pyexpr_result]. Not used by
#'   the others.
#' @return `coef()`: a named vector. `confint()`: a matrix with a row per estimate, as
#'   [stats::confint()]. `vcov()`: a matrix. `nobs()`: how many rows or ratings were used.
#'   `predict()`: a matrix with a row per row of the data and a column per factor, as
#'   `lavaan::lavPredict()`; `NA` where [cfa_scores()] gives a reason. `fitted()`: a list of
#'   `cov` and `mean` (and `th`, thresholds) that the model implies; `residuals()` a list of
#'   `type`, `cov` and `mean`; with contexts a list of such lists. `augment()`: the data with
#'   the columns of [cfa_scores()], a point before each name. `plot()` draws
#'   [autoplot()][autoplot.pyexpr_result] and returns it, invisibly.
#' @name model-methods
#' @examplesIf pyexpr::pyexpr_available()
#' fit <- fit_cfa(clips, c(response, emotion, motion))
#' coef(fit)
#' confint(fit, "expressiveness=~motion", level = 0.9)
#' head(predict(fit, clips))
#' fitted(fit)$cov - residuals(fit)$cov
#' augment(fit, clips[1:3, c("subject", "response", "emotion", "motion")])
NULL

# The names of the rows of a table: what stands before the estimates, joined.
row_names <- function(x) {
  table <- x$tables$tidy
  before <- names(table)[seq_len(match("estimate", names(table)) - 1L)]
  # What tells no rows apart: another name of the form, and numbers that follow from it.
  beside <- setdiff(c("shrout_fleiss", "k", "n_targets", "q"), attr(x, "own"))
  labels <- lapply(table[setdiff(before, beside)], as.character)
  do.call(paste, c(unname(labels), sep = ": "))
}

estimates <- function(object, ...) {
  stats::setNames(object$tables$tidy$estimate, row_names(object))
}

# A matrix of limits, as stats::confint() has it.
limits <- function(names, low, high, parm, level, call) {
  percent <- 100 * c((1 - level) / 2, (1 + level) / 2)
  shown <- paste(format(percent, trim = TRUE, scientific = FALSE, digits = 3), "%")
  matrix(c(low, high), ncol = 2L, dimnames = list(names, shown))[wanted(parm, names, call), ,
    drop = FALSE]
}

# Which rows: all, some by name, or some by number.
wanted <- function(parm, names, call) {
  if (is.null(parm)) return(seq_along(names))
  at <- if (is.character(parm)) match(parm, names) else match(parm, seq_along(names))
  if (anyNA(at)) {
    data_error(sprintf("`parm` names `%s`, and the rows are %s.", parm[is.na(at)][1],
      listed(names, 12L)), call)
  }
  at
}

given_level <- function(level, object, call) {
  if (is.null(level)) return(object$provenance$confidence)
  one(level, call = call)
  if (!is.numeric(level) || level <= 0 || level >= 1) {
    data_error(sprintf("`level` must be between 0 and 1, not %s.", shown_value(level)), call)
  }
  level
}

# --- intraclass correlations -----------------------------------------------------

#' @rdname model-methods
#' @export
coef.pyexpr_icc <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
coef.pyexpr_agreement <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
coef.pyexpr_multilevel_icc <- coef.pyexpr_icc

#' @rdname model-methods
#' @export
coef.pyexpr_components <- coef.pyexpr_icc

#' @rdname model-methods
#' @export
coef.pyexpr_icc_interval <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
confint.pyexpr_icc <- function(object, parm = NULL, level = NULL, ...) {
  call <- rlang::current_env()
  level <- given_level(level, object, call)
  refuse_level(level, object$provenance$confidence, call, "confint()")
  table <- object$tables$tidy
  limits(row_names(object), table$conf.low, table$conf.high, parm, level, call)
}

#' @rdname model-methods
#' @export
confint.pyexpr_agreement <- confint.pyexpr_icc

#' @rdname model-methods
#' @export
confint.pyexpr_multilevel_icc <- confint.pyexpr_icc

#' @rdname model-methods
#' @export
confint.pyexpr_components <- confint.pyexpr_icc

#' @rdname model-methods
#' @export
confint.pyexpr_icc_interval <- confint.pyexpr_icc

#' @rdname model-methods
#' @export
nobs.pyexpr_agreement <- function(object, ...) sum(object$tables$counts$n_ratings)

#' @rdname model-methods
#' @importFrom stats nobs
#' @export
nobs.pyexpr_icc <- function(object, ...) sum(object$tables$counts$n_ratings)

#' @rdname model-methods
#' @export
nobs.pyexpr_multilevel_icc <- nobs.pyexpr_icc

#' @rdname model-methods
#' @export
nobs.pyexpr_components <- nobs.pyexpr_icc

# --- resampled results -----------------------------------------------------------

#' @rdname model-methods
#' @export
coef.pyexpr_comparison <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
coef.pyexpr_contrasts <- coef.pyexpr_comparison

#' @rdname model-methods
#' @export
coef.pyexpr_importance <- coef.pyexpr_comparison

#' @rdname model-methods
#' @export
coef.pyexpr_importance_contrasts <- coef.pyexpr_comparison

#' @rdname model-methods
#' @export
coef.pyexpr_ceiling <- coef.pyexpr_comparison

#' @rdname model-methods
#' @export
coef.pyexpr_bootstrap <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
coef.pyexpr_cfa_bootstrap <- function(object, ...) estimates(object)

#' @rdname model-methods
#' @export
confint.pyexpr_comparison <- function(object, parm = NULL, level = NULL, method = NULL, ...) {
  call <- rlang::current_env()
  level <- given_level(level, object, call)
  other <- !isTRUE(all.equal(level, object$provenance$confidence))
  if (other || !is.null(method)) {
    object <- method_of(object, "interval", list(method = one(method), confidence = level), call)
  }
  table <- object$tables$tidy
  limits(row_names(object), table$conf.low, table$conf.high, parm, level, call)
}

#' @rdname model-methods
#' @export
confint.pyexpr_bootstrap <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
confint.pyexpr_contrasts <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
confint.pyexpr_importance <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
confint.pyexpr_importance_contrasts <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
confint.pyexpr_ceiling <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
confint.pyexpr_cfa_bootstrap <- confint.pyexpr_comparison

#' @rdname model-methods
#' @export
nobs.pyexpr_comparison <- function(object, ...) object$provenance$n_rows

#' @rdname model-methods
#' @export
nobs.pyexpr_contrasts <- nobs.pyexpr_comparison

#' @rdname model-methods
#' @export
nobs.pyexpr_importance <- nobs.pyexpr_comparison

#' @rdname model-methods
#' @export
nobs.pyexpr_importance_contrasts <- nobs.pyexpr_comparison

#' @rdname model-methods
#' @export
nobs.pyexpr_ceiling <- nobs.pyexpr_comparison

#' @rdname model-methods
#' @export
nobs.pyexpr_bootstrap <- function(object, ...) object$provenance$n_rows

#' @rdname model-methods
#' @export
nobs.pyexpr_cfa_bootstrap <- function(object, ...) {
  table <- object$tables$tidy
  own <- attr(object, "own")
  if (!length(own)) return(table$n[1])
  sum(table$n[!duplicated(table[[own]])])
}

# --- coefficients by context -----------------------------------------------------

#' @rdname model-methods
#' @export
coef.pyexpr_coefficients <- function(object, what = "tested", ...) {
  choice(what, c("tested", "weights"), rlang::current_env())
  table <- object$tables$tidy
  stats::setNames(if (what == "tested") table$tested_estimate else table$estimate, row_names(object))
}

#' @rdname model-methods
#' @importFrom stats vcov
#' @export
vcov.pyexpr_coefficients <- function(object, context = NULL, ...) {
  call <- rlang::current_env()
  if (!is.null(context)) context <- as.character(as_label(one(context)))
  found <- ask("slope_covariance", list(key = key_of(object, call), context = context), call)
  named_matrix(found$values, found$labels)
}

#' @rdname model-methods
#' @export
confint.pyexpr_coefficients <- function(object, parm = NULL, level = NULL, ...) {
  call <- rlang::current_env()
  level <- given_level(level, object, call)
  table <- object$tables$tidy
  low <- table$conf.low
  high <- table$conf.high
  if (!isTRUE(all.equal(level, object$provenance$confidence))) {
    if (!is.null(table[["adjustment"]])) {
      refuse_level(level, object$provenance$confidence, call, "confint()")
    }
    # Student's t with the degrees of freedom of each slope, where it has limits.
    half <- ifelse(is.na(low), NA, stats::qt((1 + level) / 2, table$df) * table$tested_std_error)
    low <- table$tested_estimate - half
    high <- table$tested_estimate + half
  }
  limits(row_names(object), low, high, parm, level, call)
}

#' @rdname model-methods
#' @export
nobs.pyexpr_coefficients <- function(object, ...) object$provenance$n_rows

# --- factor models ---------------------------------------------------------------

named_matrix <- function(values, names) {
  matrix(without_nan(as.vector(values)), length(names), dimnames = list(names, names))
}

#' @rdname model-methods
#' @export
coef.pyexpr_cfa <- function(object, ...) object$parameters$coef

#' @rdname model-methods
#' @export
vcov.pyexpr_cfa <- function(object, ...) object$parameters$vcov

#' @rdname model-methods
#' @export
confint.pyexpr_cfa <- function(object, parm = NULL, level = NULL, ...) {
  call <- rlang::current_env()
  level <- given_level(level, object, call)
  estimate <- object$parameters$coef
  half <- stats::qnorm((1 + level) / 2) * sqrt(diag(object$parameters$vcov))
  limits(names(estimate), estimate - half, estimate + half, parm, level, call)
}

#' @rdname model-methods
#' @export
nobs.pyexpr_cfa <- function(object, ...) object$tables$glance$nobs

#' @rdname model-methods
#' @importFrom stats logLik
#' @export
logLik.pyexpr_cfa <- function(object, ...) {
  whole <- object$tables$glance
  if (is.na(whole$logLik)) {
    data_error("a model of ordered indicators is fitted by WLSMV, which has no likelihood.",
      rlang::current_env())
  }
  structure(whole$logLik, df = whole$npar, nobs = whole$nobs, class = "logLik")
}

#' @rdname model-methods
#' @importFrom stats predict
#' @export
predict.pyexpr_cfa <- function(object, newdata = NULL, method = "bartlett",
                               allow_inadmissible = FALSE, ...) {
  found <- scores_of(object, rows_to_score(object, newdata, "newdata", rlang::current_env()), method,
    allow_inadmissible, rlang::current_env())
  columns <- grep("^score", names(found), value = TRUE)
  names <- unique(object$tables$reliability$factor)
  matrix(unlist(found[columns], use.names = FALSE), nrow(found), dimnames = list(NULL, names))
}

#' @rdname model-methods
#' @importFrom stats fitted
#' @export
fitted.pyexpr_cfa <- function(object, ...) {
  by_group(lapply(object$moments, function(group) {
    c(group$implied, if (length(group$thresholds)) list(th = group$thresholds))
  }))
}

#' @rdname model-methods
#' @importFrom stats residuals
#' @export
residuals.pyexpr_cfa <- function(object, type = "raw", ...) {
  call <- rlang::current_env()
  choice(type, c("raw", "cor"), call, "type")
  by_group(lapply(object$moments, function(group) {
    if (nzchar(group$reason)) data_error(paste("there are no residuals:", group$reason), call)
    observed <- group$observed
    implied <- group$implied
    mean <- observed$mean - implied$mean
    if (type == "raw") return(list(type = type, cov = observed$cov - implied$cov, mean = mean))
    list(type = type, cov = stats::cov2cor(observed$cov) - stats::cov2cor(implied$cov),
      mean = mean / sqrt(diag(observed$cov)))
  }))
}

# Without groups there is no list of groups, as in lavaan.
by_group <- function(groups) if (is.null(names(groups))) groups[[1]] else groups

#' @rdname model-methods
#' @export
augment.pyexpr_cfa <- function(x, data, method = "bartlett", allow_inadmissible = FALSE, ...) {
  call <- rlang::current_env()
  given(data, "a data frame", call = call)
  found <- scores_of(x, rows_to_score(x, data, "data", call), method, allow_inadmissible, call)
  # By $<- and [[<-, of which data.table has methods.
  for (name in names(found)) data[[paste0(".", name)]] <- found[[name]]
  data
}

# What the tables of moments and parameters are made of, from what Python says.
with_parameters <- function(result, found) {
  names <- as.character(found$free$names)
  result$parameters <- list(coef = stats::setNames(as.vector(found$free$estimate), names),
    vcov = named_matrix(found$free$vcov, names))
  indicators <- as.character(found$indicators)
  moments <- lapply(found$moments, function(group) {
    list(implied = moments_of(group$covariance, group$mean, indicators),
      observed = moments_of(group$observed_covariance, group$observed_mean, indicators),
      thresholds = unlist(group$thresholds), reason = group$reason)
  })
  if (!is.null(result$context)) names(moments) <- as.character(found$labels)
  result$moments <- moments
  result
}

moments_of <- function(covariance, mean, names) {
  if (is.null(covariance)) return(NULL)
  list(cov = named_matrix(covariance, names), mean = stats::setNames(as.vector(mean), names))
}

# --- pictures --------------------------------------------------------------------

#' @rdname model-methods
#' @export
plot.pyexpr_result <- function(x, ...) {
  if (!requireNamespace("ggplot2", quietly = TRUE)) {
    data_error("pictures are drawn by the package ggplot2: `install.packages(\"ggplot2\")`.",
      rlang::current_env())
  }
  picture <- ggplot2::autoplot(x, ...)
  print(picture)
  invisible(picture)
}
