#' Slopes of contexts pooled in part
#'
#' @description
#' Fits one multilevel model to all contexts: estimates how far the slopes of each feature differ
#' between contexts, and draws each slope towards the common slope, the more so the less its context
#' tells. [context_coefficients()] estimates the slopes of each context separately.
#'
#' Rows with a missing feature or label are left out and counted. Intervals are based on the variation
#' between subjects (CR2), and account for the bias of pooling and for the uncertainty of the spread
#' between contexts. They hold on average over contexts, if the slopes of contexts are normally
#' distributed, and not for a context that was chosen because its slope is extreme. Checked against
#' `lme4::lmer`.
#'
#' If a study file has `pooling = "partial"` under `[coefficients]`, the report of [run_study()] shows
#' the pooled slopes beside the separate ones, and the study has the tables `"pooled_slopes"` and
#' `"slope_variation"`.
#'
#' @inheritParams context_coefficients
#' @param y Column of the label, on one scale in all contexts.
#' @param context,cluster Columns of context and subject. At least three contexts.
#' @param subject_effects What varies between subjects in the model: `"intercepts"`; `"slopes"`, also
#'   the slope of each feature; or `"contexts"`, also intercepts and slopes of the subject in single
#'   contexts. A model that leaves out what does vary pools too little.
#' @return An object with [tidy()][result-tables] (a row per context and feature: `estimate` is the
#'   pooled slope, `separate_estimate` that of the context alone, `shrinkage` 0 if the latter is
#'   unchanged and 1 if it is replaced by the common slope), tables `"contrasts"` (differences between
#'   contexts), `"variation"` (spread between contexts, the test of no difference, the common slope)
#'   and `"variances"`, and `autoplot()`.
#' @seealso [context_coefficients()], [person_slopes()]
#' @references Gelman, A. and Hill, J. (2007). Data analysis using regression and
#'   multilevel/hierarchical models. Cambridge University Press. \doi{10.1017/CBO9780511790942}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' rows <- expand.grid(clip = 1:4, task = c("joy", "fear", "pain", "rest"), subject = 1:24)
#' rows$smile <- rnorm(nrow(rows))
#' rows$score <- c(0.9, 0.2, 0.1, 0.5)[rows$task] * rows$smile + rnorm(nrow(rows))
#' found <- pooled_coefficients(rows, score, smile, context = task, cluster = subject)
#' tidy(found, "variation")
pooled_coefficients <- function(data, y, features, context, cluster, subject_effects = "contexts",
                                confidence = 0.95, ...) {
  call <- rlang::current_env()
  refuse_dots("pooled_coefficients", call)
  y <- column(rlang::enquo(y), data, "y", call, required = TRUE)
  features <- columns(rlang::enquo(features), data, "features", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  twice <- intersect(features, c(y, context, cluster))
  if (length(twice)) {
    column_error(sprintf("`features` names `%s`, which is the label, the context or the subject.",
      twice[1]), call)
  }
  found <- ask("pooled_coefficients", list(
    data = table_node(data, c(y, features, context, cluster), call = call,
      labels = c(context, cluster)),
    y = y, features = many(features), context = context, cluster = cluster,
    subject_effects = one(subject_effects), confidence = one(confidence)
  ), call)
  new_result(found, "pyexpr_pooled")
}

#' The slope of each person, and its reliability
#'
#' @description
#' Computes the slope or correlation of a score on a signal within each person, and how much of the
#' variance between the estimates is due to differences between persons: by the standard errors
#' (`"reliability"`), and by correlating the slopes of odd and even rows (`"odd_even"`). Shrunken
#' (empirical Bayes) estimates predict single persons better.
#'
#' Rows without score or signal are left out and counted. Persons with too few rows, or without
#' variation, have a `reason` instead of an estimate. The rows of a person, within a context, are
#' assumed to be independent. Checked against `lme4::lmer` and simulated persons.
#'
#' @param data A data frame, one row per clip.
#' @param score Column of the score.
#' @param signal Column of a feature, or of the predictions of a model.
#' @param cluster Column of the subjects.
#' @param context Column of the contexts. Score and signal are then taken as deviations from the mean
#'   of the subject in the context.
#' @param kind `"slope"` or `"correlation"`.
#' @param min_rows Subjects with fewer rows have no estimate.
#' @inheritParams context_coefficients
#' @return An object with [tidy()][result-tables] (a row per person), table `"reliability"` (the mean
#'   and the standard deviation of persons, and the reliability of their slopes), and `autoplot()`.
#' @seealso [pooled_coefficients()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' rows <- data.frame(subject = rep(1:30, each = 12), smile = rnorm(360))
#' rows$score <- rnorm(30, 0.5, 0.4)[rows$subject] * rows$smile + rnorm(360)
#' found <- person_slopes(rows, score, smile, cluster = subject)
#' tidy(found, "reliability")
person_slopes <- function(data, score, signal, cluster, context = NULL, kind = "slope",
                          min_rows = 5, confidence = 0.95, ...) {
  call <- rlang::current_env()
  refuse_dots("person_slopes", call)
  score <- column(rlang::enquo(score), data, "score", call, required = TRUE)
  signal <- column(rlang::enquo(signal), data, "signal", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call)
  found <- ask("person_slopes", list(
    table = table_node(data, unique(c(score, signal, cluster, context)), call = call,
      labels = c(cluster, context)),
    score = score, signal = signal, cluster = cluster, context = context, kind = one(kind),
    min_rows = one(min_rows), confidence = one(confidence)
  ), call)
  new_result(found, "pyexpr_persons", own = cluster)
}
