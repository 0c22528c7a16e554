#' Fit a measurement model
#'
#' @description
#' Confirmatory factor analysis by maximum likelihood, with unit factor variances. A
#' factor may be turned around: it points to where its first indicator is high, or the
#' one that `positive` names. In lavaan syntax a factor may measure other factors,
#' `"expr =~ face + voice + body"`, and points to where the first of these is high.
#' Ordered factors are fitted by WLSMV. Fitted by the lavaan of this very
#' session; where lavaan is not installed, one-factor models by the built-in engine,
#' which is equal to it. The printed sentence names the engine.
#'
#' @param data A data frame, one row per rated clip.
#' @param model The indicators of one factor, `c(response, emotion, motion)`; or a
#'   named list of factors, `list(expressiveness = c(response, emotion, motion))`;
#'   or lavaan syntax. Where a loading is fixed (`1*x`) the factor has the unit of its
#'   first indicator, as in `lavaan::cfa()`.
#' @param context Column of the contexts: fit the model in each of them separately.
#' @param cluster Column of the subjects: standard errors that respect them.
#' @param estimator `"ML"`, or `"MLR"` with robust standard errors. Ordered indicators
#'   have `"WLSMV"`.
#' @param missing `"listwise"` drops and counts rows with a missing indicator,
#'   `"fiml"` uses what they have.
#' @param engine `"auto"`, `"host"` (lavaan in this session), `"rscript"` (in a child)
#'   or `"native"` (no lavaan).
#' @param confidence Level of the intervals.
#' @param positive The indicator whose loading is to be positive in the model of the
#'   whole sample, by default the first of each factor; with several factors one for
#'   each, or a named list, `list(factor = indicator)`. Contexts, and whatever is
#'   refitted, are turned to agree with the whole sample.
#' @param equal_loadings Hold the loadings of each factor equal, within each context; two
#'   indicators are then enough.
#' @param ordered Indicators that are ordered categories, beside those that are ordered
#'   factors; `TRUE` all, `FALSE` none. lavaan fits them by WLSMV: thresholds,
#'   polychoric correlations, robust tests.
#' @param lavaan_options A named list of further options of `lavaan::cfa()`, such as
#'   `list(orthogonal = TRUE)`; those that are set here are refused by name.
#' @param factor Name of the factor, where `model` is a set of indicators.
#' @return `fit_cfa()`: an object with [tidy()][result-tables] (a row per parameter),
#'   `glance()` (fit measures), tables `"loadings"`, `"standardized"`,
#'   `"reliability"`, and `autoplot()`.
#' @seealso [invariance()]
#' @references Rosseel, Y. (2012). Journal of Statistical Software, 48(2).
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
#' @param new_data For a fit: rows to score with its intercepts, loadings and
#'   variances, never with their own means. By default the rows it was fitted to.
#' @param method `"bartlett"` (unbiased given the factor) or `"regression"` (smallest
#'   error, shrunken), as `lavaan::lavPredict()`; but a factor that measures other
#'   factors alone, for which lavaan's Bartlett scores are 0, has those of the reduced form.
#' @param allow_inadmissible Score a model with a negative variance all the same.
#' @param ... Not used. What the column of contexts is called elsewhere, such as `group` or
#'   `.by`, is an error that names `context`.
#' @return `cfa_scores()`: a tibble, a row per row of the data: `score` (with several
#'   factors `score_<factor>`), `se` (`NA` with ordered indicators, of which
#'   `lavaan::lavPredict()` has none), and `reason`, which says why a score is `NA`.
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
#' @return `modification_indices()`: a tibble, a row per parameter that is not free, by how
#'   much chi-square would fall (`mi`), largest first, with the value to be expected (`epc`).
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
