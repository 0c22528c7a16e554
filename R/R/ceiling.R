#' The ceiling that the reliability of ratings sets to models
#'
#' @description
#' A model predicts a score that was computed from ratings, and the ratings have errors that no model
#' can predict. No prediction correlates with the score more highly than the square root of the
#' reliability of the score, which is the ceiling, and no prediction has a smaller RMSE than the
#' standard error of the ratings. `rating_ceiling()` computes both, the correlation of each model
#' with the error-free score, its RMSE for the error-free score, and the share of its mean squared
#' error that is due to the ratings. One draw of subjects changes ratings and predictions together,
#' so that the intervals account for the uncertainty of the reliability.
#'
#' Rows in which the truth or a prediction is missing are left out for all models, missing ratings
#' and those of other targets are left out, too, and all are counted (`summary()`). Checked against
#' [icc()], [compare_models()] and simulated studies with known error-free scores.
#'
#' @param data A data frame, one row per target (a clip): truth, predictions, subject and the columns
#'   in `targets`.
#' @param ratings_table The ratings from which the truth was computed: a data frame with one row per
#'   target, rater and question.
#' @param truth Column of the score: the mean rating of the target, a linear function of it, or a
#'   weighted sum of the mean ratings of several questions, such as a score by Bartlett's method.
#' @param predictions Columns of predictions, in the unit of the truth, `c(elastic_net, lstm)`, or
#'   named, `c("elastic net" = elastic_net)`.
#' @param targets Columns that together identify the rated target, in both tables.
#' @param cluster Column of the subjects in `data`.
#' @param ratings,raters,question Columns of `ratings_table`: the ratings, the raters, and the
#'   questions if the truth combines several of them. The weights of the questions are those with
#'   which the mean ratings give the truth. `question` requires `raters`.
#' @param context Column of the contexts in `data`, in each of which everything is computed
#'   separately. It is not computed over all contexts; call the function without `context` for that.
#' @param form What counts as error of the ratings: `"ICC(1,k)"`, all differences between the raters
#'   of a target, or `"ICC(C,k)"`, these without the severity of the raters, if every rater rated
#'   every target. It must be given if every rater rated every target.
#' @param method Method of the intervals, as for [compare_models()], except the studentized methods.
#' @inheritParams compare_models
#' @return An object with [tidy()][result-tables] (a row per context and quantity: of the truth
#'   `"reliability"`, `"ceiling"` and `"rating_error"`, of each model `"correlation"`,
#'   `"error_free_correlation"`, `"rmse"`, `"error_free_rmse"` and `"rating_share"`), `glance()`,
#'   `autoplot()`, and [replicates()], [boot_interval()], [boot_extend()] and `influence()`.
#' @references Spearman, C. (1904). The proof and measurement of association between two things.
#'   American Journal of Psychology, 15, 72-101. \doi{10.2307/1412159}
#' @seealso [icc()], [compare_models()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' true <- rnorm(200)
#' scores <- true + matrix(rnorm(800), 200)
#' rated <- data.frame(clip = rep(1:200, 4), rating = c(scores))
#' rows <- data.frame(clip = 1:200, subject = rep(1:40, each = 5), y = rowMeans(scores),
#'   model = 0.5 * true + 0.4 * rnorm(200))
#' rating_ceiling(rows, rated, truth = y, predictions = model, targets = clip, cluster = subject)
rating_ceiling <- function(data, ratings_table, truth, predictions, targets, cluster,
                           ratings = "rating", raters = NULL, question = NULL, context = NULL,
                           form = NULL, n_boot = 2000, method = NULL, confidence = 0.95, seed = 0,
                           progress = interactive(), first_replicate = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("rating_ceiling", call)
  given(data, "a data frame", call = call)
  given(ratings_table, "a data frame", call = call)
  truth <- column(rlang::enquo(truth), data, "truth", call, required = TRUE)
  predictions <- models_of(rlang::enquo(predictions), data, call)
  targets <- columns(rlang::enquo(targets), data, "targets", call, required = TRUE)
  check_columns(targets, ratings_table, "targets", call)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call)
  context <- column(rlang::enquo(context), data, "context", call)
  ratings <- column(rlang::enquo(ratings), ratings_table, "ratings", call, required = TRUE)
  raters <- column(rlang::enquo(raters), ratings_table, "raters", call)
  question <- column(rlang::enquo(question), ratings_table, "question", call)
  models <- if (is.null(names(predictions))) many(predictions) else
    dictionary(lapply(predictions, model_node))
  used <- c(targets, truth, unlist(predictions), cluster, context)
  # All of its columns: one that holds questions is noticed even if it is not named.
  rated <- names(ratings_table)
  found <- ask("rating_ceiling", list(
    table = table_node(data, used, call = call, labels = c(targets, cluster, context)),
    ratings_table = table_node(ratings_table, rated, call = call, labels = setdiff(rated, ratings)),
    truth = truth, predictions = models, targets = many(targets), cluster = cluster,
    ratings = ratings, raters = raters, question = question, context = context, form = one(form),
    n_boot = one(n_boot), method = one(method), confidence = one(confidence), seed = one(seed),
    progress = flag(progress), first_replicate = one(first_replicate)
  ), call)
  new_result(found, "pyexpr_ceiling")
}
