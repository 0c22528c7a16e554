#' Fit a measurement model
#'
#' @description
#' Confirmatory factor analysis by maximum likelihood, unit factor variance, the sum
#' of a factor's standardised loadings positive. Fitted by the lavaan of this very
#' session; where lavaan is not installed, one-factor models by the built-in engine,
#' which is equal to it. The printed sentence names the engine.
#'
#' @param data A data frame, one row per rated clip.
#' @param model The indicators of one factor, `c(response, emotion, motion)`; or a
#'   named list of factors, `list(expressiveness = c(response, emotion, motion))`;
#'   or lavaan syntax.
#' @param group Column: fit the model in every group separately.
#' @param cluster Column of the subjects: standard errors that respect them.
#' @param estimator `"ML"`, or `"MLR"` with robust standard errors.
#' @param missing `"listwise"` drops and counts rows with a missing indicator,
#'   `"fiml"` uses what they have.
#' @param engine `"auto"`, `"host"` (lavaan in this session), `"rscript"` (in a child)
#'   or `"native"` (no lavaan).
#' @param confidence Level of the intervals.
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
fit_cfa <- function(data, model, group = NULL, cluster = NULL, estimator = "ML",
                    missing = "listwise", engine = "auto", confidence = 0.95,
                    factor = "expressiveness") {
  fit_model(data, rlang::enquo(model), rlang::enquo(group), rlang::enquo(cluster),
    list(estimator = one(estimator), missing = one(missing), engine = one(engine),
      confidence = one(confidence)), one(factor), rlang::current_env())
}

fit_model <- function(data, model, group, cluster, options, factor, call) {
  spec <- model_of(model, data, factor, call)
  group <- column(group, data, "group", call)
  refuse_names_of_results(group, "group", call)
  cluster <- column(cluster, data, "cluster", call)
  used <- c(spec$columns, group, cluster)
  found <- ask("cfa", c(list(
    data = table_node(data, used, call = call, labels = c(group, cluster)),
    model = spec$node, group = group, cluster = cluster), options), call)
  said <- as.character(found$messages)
  result <- new_result(found, "pyexpr_cfa", data, group, columns = used, group = group)
  result$messages <- said
  result
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

#' @param x A data frame, or the result of `fit_cfa()` of this session.
#' @param new_data For a fit: rows to score with its intercepts, loadings and
#'   variances, never with their own means. By default the rows it was fitted to.
#' @param method `"bartlett"` (unbiased given the factor) or `"regression"` (smallest
#'   error, shrunken).
#' @param allow_inadmissible Score a model with a negative variance all the same.
#' @param ... Not used.
#' @return `cfa_scores()`: a tibble, a row per row of the data: `score` (with several
#'   factors `score_<factor>`), `se`, and `reason`, which says why a score is `NA`.
#' @rdname fit_cfa
#' @export
cfa_scores <- function(x, ...) UseMethod("cfa_scores")

#' @rdname fit_cfa
#' @export
cfa_scores.data.frame <- function(x, model, method = "bartlett", group = NULL, cluster = NULL,
                                  estimator = "ML", missing = "listwise", engine = "auto",
                                  factor = "expressiveness", allow_inadmissible = FALSE, ...) {
  call <- rlang::current_env()
  rlang::check_dots_empty(call = call)
  fit <- fit_model(x, rlang::enquo(model), rlang::enquo(group), rlang::enquo(cluster),
    list(estimator = one(estimator), missing = one(missing), engine = one(engine)), one(factor), call)
  scores_of(fit, NULL, method, allow_inadmissible, call)
}

#' @rdname fit_cfa
#' @export
cfa_scores.pyexpr_cfa <- function(x, new_data = NULL, method = "bartlett",
                                  allow_inadmissible = FALSE, ...) {
  call <- rlang::current_env()
  rlang::check_dots_empty(call = call)
  rows <- if (is.null(new_data)) NULL else table_node(new_data, x$columns, "new_data", call, x$group)
  absent <- setdiff(c(x$tables$loadings$indicator, x$group), names(new_data))
  if (!is.null(rows) && length(absent)) {
    column_error(sprintf("`new_data` has no column `%s`, which the model needs; %s", absent[1],
      full_stop(near_names(absent[1], names(new_data)))), call)
  }
  scores_of(x, rows, method, allow_inadmissible, call)
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
