#' Do contexts that share subjects share loadings and intercepts?
#'
#' @description
#' Metric and scalar invariance, tested for contexts that share subjects: the model is
#' fitted in every context, each subject is left out of all contexts at once, and
#' contrasts of the estimates are tested with the covariance of these refits (F).
#' lavaan's chi-square differences and changes of fit stand beside it; they take the
#' contexts for independent samples.
#'
#' @inheritParams fit_cfa
#' @param context Column of the contexts, at least two of them.
#' @param cluster Column of the subjects. Without it every row is its own subject; a
#'   column `subject` that repeats then gives a warning, and `FALSE` says that this is
#'   known.
#' @param free Partial invariance: indicators whose loading and intercept may differ,
#'   or `list(loadings = c(...), intercepts = c(...))`.
#' @param missing `"listwise"`, or `"fiml"` for lavaan's tests alone.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: judge the contrasts of a level together, as
#'   [adjust_tests()] does later; `NULL` is Holm's p-value beside single intervals.
#' @param seed Of the draws of `"max_t"`.
#' @param n_threads By default one per core; the numbers do not depend on it.
#' @param ... Not used. What the column of contexts is called elsewhere, such as `group` or
#'   `.by`, is an error that names `context`.
#' @return An object with [tidy()][result-tables] (configural, metric, scalar), tables
#'   `"contrasts"` (which indicator differs where), `"estimates"`, `"fit_measures"`,
#'   `glance()` and `autoplot()`.
#' @references Meredith, W. (1993). Psychometrika, 58, 525-543.
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
#' Intervals of loadings, residual variances, score weights and the reliability of the
#' scores, from refits without each subject, or from whole subjects drawn with
#' replacement; for under about 40 subjects, where cluster-robust standard errors are
#' too small.
#'
#' @inheritParams fit_cfa
#' @inheritParams compare_models
#' @param model One factor and its indicators, at least three.
#' @param cluster Column of the subjects, who are drawn.
#' @param method `"jackknife_t"`, whose coverage was found to hold from 12 subjects on; or
#'   `"percentile"` or `"bca"`, which are too short with few.
#' @param stratify Column of the stratum of each subject: subjects are drawn, and left out,
#'   within their stratum.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: make the intervals of all indicators
#'   simultaneous, quantity by quantity, as [adjust_tests()] does later.
#' @param progress Whether to show a bar.
#' @param ... Not used. What the column of contexts is called elsewhere, such as `group` or
#'   `.by`, is an error that names `context`.
#' @return An object with [tidy()][result-tables], [replicates()], [boot_interval()],
#'   [adjust_tests()], [boot_extend()], `influence()` and `autoplot()`.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' bootstrap_cfa(clips, c(response, emotion, motion), cluster = subject, n_boot = 500)
bootstrap_cfa <- function(data, model, cluster, context = NULL, n_boot = 1000,
                          method = "jackknife_t", confidence = 0.95, stratify = NULL,
                          adjust = NULL, seed = 0, n_threads = NULL, progress = interactive(),
                          positive = NULL, factor = "expressiveness", ...) {
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
    positive = positive_of(rlang::enquo(positive), data, call)
  ), call)
  new_result(found, "pyexpr_cfa_bootstrap", data, context)
}
