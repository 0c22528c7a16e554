#' Fit a measurement model
#'
#' @description
#' Confirmatory factor analysis by maximum likelihood, with unit factor variances. The sign of a
#' factor is arbitrary; it is chosen such that the loading of its first indicator, or of the one
#' named by `positive`, is positive. In lavaan syntax a factor may be measured by other factors,
#' `"expr =~ face + voice + body"`; the loading of the first of these is then positive. Ordered
#' indicators are fitted by WLSMV. The model is fitted by lavaan in the current session. If lavaan
#' is not installed, one-factor models are fitted by the built-in engine, which gives the same
#' results. The printed sentence names the engine.
#'
#' @param data A data frame, one row per rated clip.
#' @param model The indicators of one factor, `c(response, emotion, motion)`; or a
#'   named list of factors, `list(expressiveness = c(response, emotion, motion))`;
#'   or lavaan syntax. If a loading is fixed (`1*x`), the factor has the unit of its first
#'   indicator, as in `lavaan::cfa()`.
#' @param context Column of the contexts. The model is fitted separately in each of them.
#' @param cluster Column of the subjects. Standard errors are then clustered by subject.
#' @param estimator `"ML"`, or `"MLR"` with robust standard errors. For ordered indicators `"WLSMV"`
#'   is used.
#' @param missing `"listwise"` leaves out and counts rows with a missing indicator, `"fiml"` uses
#'   their observed values.
#' @param engine `"auto"`, `"host"` (lavaan in this session), `"rscript"` (lavaan in a child
#'   process) or `"native"` (without lavaan).
#' @param confidence Level of the intervals.
#' @param positive The indicator whose loading is positive in the model of the whole sample, by
#'   default the first of each factor. With several factors, one indicator for each, or a named
#'   list, `list(factor = indicator)`. The signs in contexts and refits agree with the whole sample.
#' @param equal_loadings Whether to constrain the loadings of each factor to be equal within each
#'   context. Two indicators are then sufficient.
#' @param ordered Indicators that are treated as ordered categories, in addition to those that are
#'   ordered factors; `TRUE` all, `FALSE` none. lavaan fits them by WLSMV: thresholds, polychoric
#'   correlations, robust tests.
#' @param lavaan_options A named list of further options of `lavaan::cfa()`, such as
#'   `list(orthogonal = TRUE)`. Options that pyexpr sets itself are an error.
#' @param factor Name of the factor, if `model` is a set of indicators.
#' @return `fit_cfa()`: an object with [tidy()][result-tables] (a row per parameter),
#'   `glance()` (fit measures), tables `"loadings"`, `"standardized"`,
#'   `"reliability"`, and `autoplot()`.
#' @seealso [invariance()]
#' @references Rosseel, Y. (2012). Journal of Statistical Software, 48(2).
#'   \doi{10.18637/jss.v048.i02}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' fit <- fit_cfa(clips, c(response, emotion, motion))
#' tidy(fit, "loadings")
#' tidy(fit, "reliability")
#'
#' # A table whose first column is the score, aligned with the rows
#' cfa_scores(clips, c(response, emotion, motion))
#' cfa_scores(fit, clips[1:3, ])
fit_cfa <- function(data, model, context = NULL, cluster = NULL, estimator = "ML",
                    missing = "listwise", engine = "auto", confidence = 0.95, positive = NULL,
                    equal_loadings = FALSE, ordered = NULL, lavaan_options = NULL,
                    factor = "expressiveness", ...) {
  call <- rlang::current_env()
  refuse_dots("fit_cfa", call)
  fit_model(data, rlang::enquo(model), rlang::enquo(context), rlang::enquo(cluster),
    list(estimator = one(estimator), missing = one(missing), engine = one(engine),
      confidence = one(confidence), positive = positive_of(rlang::enquo(positive), data, call),
      equal_loadings = flag(equal_loadings),
      ordered = ordered_of(rlang::enquo(ordered), data, call),
      lavaan_options = options_of(lavaan_options, call)), one(factor), call)
}

# A name or several, or an indicator by factor, which may be a factor itself.
positive_of <- function(quo, data, call) {
  value <- named_in(quo, data, "positive", call)
  if (is.list(value)) return(dictionary(value))
  for (names in value) check_columns(names, data, "positive", call)
  many(value)
}

ordered_of <- function(quo, data, call) {
  value <- named_in(quo, data, "ordered", call)
  if (is.null(value) || isTRUE(value) || isFALSE(value)) return(value)
  many(check_columns(value, data, "ordered", call))
}

options_of <- function(options, call) {
  if (is.null(options)) return(NULL)
  if (!is.list(options) || is.null(names(options)) || !all(nzchar(names(options)))) {
    data_error("`lavaan_options` must be a named list, such as `list(orthogonal = TRUE)`.", call)
  }
  dictionary(options)
}

fit_model <- function(data, model, context, cluster, options, factor, call) {
  spec <- model_of(model, data, factor, call)
  context <- column(context, data, "context", call)
  refuse_names_of_results(context, "context", call)
  cluster <- column(cluster, data, "cluster", call)
  used <- c(spec$columns, context, cluster)
  found <- ask("cfa", c(list(
    data = table_node(data, used, call = call, labels = c(context, cluster)),
    model = spec$node, context = context, cluster = cluster), options), call)
  said <- as.character(found$messages)
  result <- new_result(found, "pyexpr_cfa", data, context, columns = used, context = context)
  result$messages <- said
  with_parameters(result, found)
}

# A model as Python takes it, and the columns it needs (NULL where syntax says which).
model_of <- function(quo, data, factor, call) {
  if (rlang::quo_is_missing(quo)) {
    column_error("`model` is missing: name the indicators, such as `c(response, emotion, motion)`.",
      call)
  }
  value <- named_in(quo, data, "model", call)
  if (is.character(value) && length(value) == 1L && grepl("~", value)) {
    return(list(node = value, columns = NULL))
  }
  if (!is.list(value)) value <- stats::setNames(list(value), factor)
  if (is.null(names(value)) || !all(nzchar(names(value)))) {
    data_error("`model` must name each factor: `list(expressiveness = c(response, emotion))`.", call)
  }
  for (indicators in value) check_columns(indicators, data, "model", call, required = TRUE)
  list(node = dictionary(lapply(value, many)), columns = unlist(value, use.names = FALSE))
}

#' @param x A data frame, or the result of `fit_cfa()`.
#' @param new_data For a fit: rows to be scored with its intercepts, loadings and variances, never
#'   with their own means. By default the rows to which it was fitted.
#' @param method `"bartlett"` (unbiased given the factor) or `"regression"` (smallest mean squared
#'   error, shrunken), as in `lavaan::lavPredict()`. The exception is a factor that is measured only
#'   by other factors, for which lavaan's Bartlett scores are 0; its scores are computed from the
#'   reduced form.
#' @param allow_inadmissible Whether to compute scores of a model with a negative variance.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @return `cfa_scores()`: a tibble with one row per row of the data: `score` (with several factors
#'   `score_<factor>`), `se` (`NA` with ordered indicators, for which `lavaan::lavPredict()` gives
#'   none), and `reason`, which states why a score is `NA`.
#' @rdname fit_cfa
#' @export
cfa_scores <- function(x, ...) UseMethod("cfa_scores")

#' @rdname fit_cfa
#' @export
cfa_scores.data.frame <- function(x, model, method = "bartlett", context = NULL,
                                  cluster = NULL,                                  estimator = "ML", missing = "listwise", engine = "auto",
                                  positive = NULL, equal_loadings = FALSE, ordered = NULL,
                                  factor = "expressiveness", allow_inadmissible = FALSE, ...) {
  call <- rlang::current_env()
  refuse_dots("cfa_scores", call)
  fit <- fit_model(x, rlang::enquo(model), rlang::enquo(context), rlang::enquo(cluster),
    list(estimator = one(estimator), missing = one(missing), engine = one(engine),
      positive = positive_of(rlang::enquo(positive), x, call),
      equal_loadings = flag(equal_loadings),
      ordered = ordered_of(rlang::enquo(ordered), x, call)), one(factor), call)
  scores_of(fit, NULL, method, allow_inadmissible, call)
}

#' @rdname fit_cfa
#' @export
cfa_scores.pyexpr_cfa <- function(x, new_data = NULL, method = "bartlett",
                                  allow_inadmissible = FALSE, ...) {
  call <- rlang::current_env()
  rlang::check_dots_empty(call = call)
  scores_of(x, rows_to_score(x, new_data, "new_data", call), method, allow_inadmissible, call)
}

# Rows for a fit, checked; NULL stands for those it was fitted to.
rows_to_score <- function(fit, data, arg, call) {
  if (is.null(data)) return(NULL)
  rows <- table_node(data, fit$columns, arg, call, fit$context)
  absent <- setdiff(c(fit$tables$loadings$indicator, fit$context), names(data))
  if (length(absent)) {
    column_error(sprintf("`%s` has no column `%s`, which the model needs; %s", arg, absent[1],
      full_stop(near_names(absent[1], names(data)))), call)
  }
  rows
}

#' @export
cfa_scores.default <- function(x, ...) {
  given(x, "a data frame or the result of `fit_cfa()`")
  data_error(sprintf("`x` must be a data frame or the result of `fit_cfa()`, not %s.",
    described_type(x)), rlang::current_env())
}

scores_of <- function(fit, rows, method, allow_inadmissible, call) {
  found <- ask("cfa_scores", list(key = key_of(fit, call), data = rows,
    method = one(method, call = call),
    allow_inadmissible = flag(allow_inadmissible, call = call)), call)
  result_table(found)
}

#' @param fit The result of `fit_cfa()`, fitted by lavaan.
#' @return `modification_indices()`: a tibble with one row per parameter that is not free, with the
#'   expected decrease in chi-square (`mi`), largest first, and the expected parameter change
#'   (`epc`).
#' @rdname fit_cfa
#' @export
modification_indices <- function(fit) {
  given(fit, "the result of `fit_cfa()`")
  call <- rlang::current_env()
  if (!inherits(fit, "pyexpr_cfa")) {
    data_error(sprintf("`fit` must be the result of `fit_cfa()`, not %s.", described_type(fit)), call)
  }
  result_table(ask("cfa_modification_indices", list(key = key_of(fit, call)), call))
}
