#' Measurement invariance between contexts that share subjects
#'
#' @description
#' Tests metric and scalar invariance between contexts that share subjects. The model is fitted in
#' every context, each subject is left out of all contexts at once, and contrasts of the estimates
#' are tested with the jackknife covariance matrix of these refits (F test). lavaan's chi-square
#' difference tests and changes in fit are reported as well; they treat contexts as independent
#' samples.
#'
#' @inheritParams fit_cfa
#' @param context Column of the contexts, at least two of them.
#' @param cluster Column of the subjects. Without it every row is a separate subject. A column
#'   `subject` with repeated values then causes a warning, which `FALSE` suppresses.
#' @param free Partial invariance: indicators whose loading and intercept may differ,
#'   or `list(loadings = c(...), intercepts = c(...))`.
#' @param missing `"listwise"`, or `"fiml"`, which is available only for lavaan's tests.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: adjust the contrasts of a level, as [adjust_tests()]
#'   does. With `NULL`, p-values are Holm's, and intervals are not simultaneous.
#' @param seed Seed of the draws of `"max_t"`.
#' @param n_threads Number of threads, by default one per core. Results do not depend on it.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @return An object with [tidy()][result-tables] (configural, metric, scalar), tables
#'   `"contrasts"` (differences of single indicators), `"estimates"`, `"fit_measures"`, `glance()`
#'   and `autoplot()`.
#' @references Meredith, W. (1993). Psychometrika, 58, 525-543.
#'   \doi{10.1007/BF02294825}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' found <- invariance(clips, c(response, emotion, motion), context = context, cluster = subject)
#' found
#' tidy(found, "contrasts")
invariance <- function(data, model, context, cluster = NULL, free = NULL, estimator = "ML",
                       missing = "listwise", engine = "auto", confidence = 0.95,
                       factor = "expressiveness", adjust = NULL, seed = 0, n_threads = NULL,
                       positive = NULL, ...) {
  call <- rlang::current_env()
  refuse_dots("invariance", call)
  spec <- model_of(rlang::enquo(model), data, one(factor), call)
  context <- column(rlang::enquo(context), data, "context", call, required = TRUE)
  refuse_names_of_results(context, "context", call)
  cluster <- named_in(rlang::enquo(cluster), data, "cluster", call)
  if (!isFALSE(cluster)) cluster <- check_columns(cluster, data, "cluster", call, one = TRUE)
  free <- free_of(rlang::enquo(free), data, call)
  # Python looks whether there is a column of subjects that was not named.
  used <- c(spec$columns, context, as_name(cluster))
  found <- ask("invariance", list(
    data = table_node(data, used, call = call, labels = c(context, as_name(cluster))),
    model = spec$node, context = context, cluster = cluster, free = free,
    estimator = one(estimator), missing = one(missing), engine = one(engine),
    confidence = one(confidence), adjust = one(adjust), seed = one(seed),
    n_threads = one(n_threads), positive = positive_of(rlang::enquo(positive), data, call)
  ), call)
  new_result(found, "pyexpr_invariance", data, context)
}

free_of <- function(quo, data, call) {
  value <- named_in(quo, data, "free", call)
  if (is.null(value)) return(many(character()))
  if (!is.list(value)) return(many(check_columns(value, data, "free", call)))
  for (name in names(value)) check_columns(value[[name]], data, "free", call)
  dictionary(lapply(value, function(names) many(if (is.null(names)) character() else names)))
}

#' Refit the factor model on resampled subjects
#'
#' Computes intervals of loadings, residual variances, score weights and the reliability of the
#' scores, from refits without each subject, or from resampling whole subjects with replacement. It
#' is recommended for fewer than about 40 subjects, for which cluster-robust standard errors are too
#' small.
#'
#' @inheritParams fit_cfa
#' @inheritParams compare_models
#' @param model One factor and its indicators, at least three.
#' @param cluster Column of the subjects, which are resampled.
#' @param method `"jackknife_t"`, which had adequate coverage from 12 subjects on in simulations; or
#'   `"percentile"` or `"bca"`, whose intervals are too short with few subjects.
#' @param stratify Column of the strata. Subjects are drawn, and left out, within strata.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: make the intervals of all indicators
#'   simultaneous, separately for each quantity, as [adjust_tests()] does.
#' @param progress Whether to show a progress bar.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @return An object with [tidy()][result-tables], [replicates()], [boot_interval()],
#'   [adjust_tests()], [boot_extend()], `influence()` and `autoplot()`.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' bootstrap_cfa(clips, c(response, emotion, motion), cluster = subject, n_boot = 500)
bootstrap_cfa <- function(data, model, cluster, context = NULL, n_boot = 1000,
                          method = "jackknife_t", confidence = 0.95, stratify = NULL,
                          adjust = NULL, seed = 0, n_threads = NULL, progress = interactive(),
                          positive = NULL, factor = "expressiveness", first_replicate = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("bootstrap_cfa", call)
  spec <- model_of(rlang::enquo(model), data, one(factor), call)
  context <- column(rlang::enquo(context), data, "context", call)
  refuse_names_of_results(context, "context", call)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  stratify <- column(rlang::enquo(stratify), data, "stratify", call)
  labels <- c(context, cluster, stratify)
  used <- c(spec$columns, labels)
  found <- ask("bootstrap_cfa", list(
    data = table_node(data, used, call = call, labels = labels), model = spec$node,
    cluster = cluster, context = context, n_boot = one(n_boot), method = one(method),
    confidence = one(confidence), stratify = stratify, adjust = one(adjust), seed = one(seed),
    n_threads = one(n_threads), progress = flag(progress),
    positive = positive_of(rlang::enquo(positive), data, call),
    first_replicate = one(first_replicate)
  ), call)
  new_result(found, "pyexpr_cfa_bootstrap", data, context)
}
