#' Resample subjects through the whole analysis
#'
#' @description
#' The usual intervals of a comparison of models take the scores and the fitted models as given, but
#' the factor model that made the scores, and the models that predict them, were estimated from the
#' same subjects. `bootstrap_chain()` leaves out one subject at a time from the whole analysis, or
#' draws subjects once for the whole analysis: reliability, factor model, scores, scaling of
#' features, tuning, models, metrics and their differences are computed again every time.
#'
#' The label is the Bartlett score of a factor model, or the mean rating. Models are elastic nets,
#' evaluated by cross-validation. All copies of a drawn subject are in the same fold. Rows and
#' clips that are left out are counted (`summary()`). Checked against elastic nets of scikit-learn
#' on repeated rows, and against [icc()], [bootstrap_cfa()] and [fit_models()].
#'
#' @param data A data frame, one row per clip: the columns in `targets`, and the features.
#' @param ratings_table A data frame, one row per clip, rater and question: the columns in
#'   `targets`, subject, context, question and rating.
#' @param features Numeric columns of `data`.
#' @param targets Columns that together identify the clip in both tables.
#' @param cluster,context,ratings,question Columns of `ratings_table`: the subjects, the contexts,
#'   the ratings and the questions.
#' @param model The factor model: a named list such as `list(expressiveness = c("joy", "warmth",
#'   "energy"))`, or text as in lavaan. `NULL`: the label is the mean rating.
#' @param labels `"context"`: a context's own models have the label of the factor model of the
#'   context; `"pooled"`: that of the factor model over all contexts.
#' @param models A named list of elastic nets: `"elastic_net"`, or [model_spec()] of it with
#'   `params` such as `list(alpha = c(0.1, 1), l1_ratio = 0)`.
#' @param metrics Any of `"rmse"`, `"nrmse"`, `"mae"`, `"bias"`, `"correlation"`, `"concordance"` and
#'   `"r2"`.
#' @param method `"jackknife_t"`: Student's t, and the standard error from analyses without each
#'   subject. `"percentile"`: quantiles of draws; a draw has only about 63 % of the subjects, so that
#'   its models are worse and these intervals are shifted towards worse performance. With few
#'   subjects there often is none, because too many draws have no proper factor model.
#' @param n_boot Number of draws: by default 2,000 for `"percentile"`, and none for `"jackknife_t"`.
#' @inheritParams fit_models
#' @inheritParams compare_models
#' @return An object with [tidy()][result-tables], a row per quantity: `step` (`"reliability"`,
#'   `"factor_model"`, `"models"`), estimate and interval, and for models the usual interval with
#'   scores and models as given (`fixed_low`, `fixed_high`) and `error_ratio`, the standard error of
#'   the whole analysis divided by the usual one. The page "How certain is the whole analysis?" of
#'   pyexpr's documentation describes the methods and their coverage.
#' @seealso [fit_models()], [compare_procedures()], [bootstrap_cfa()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' rows <- data.frame(clip = 1:80, subject = rep(1:20, each = 4), smile = rnorm(80), nod = rnorm(80))
#' felt <- rows$smile + rnorm(80)
#' rated <- merge(rows[c("clip", "subject")],
#'   expand.grid(clip = 1:80, item = c("joy", "warmth", "energy"), rater = 1:3))
#' rated$rating <- felt[rated$clip] + rnorm(nrow(rated))
#' bootstrap_chain(rows, rated, c(smile, nod), clip, subject, question = item,
#'   model = list(expressiveness = c("joy", "warmth", "energy")), metrics = "rmse")
bootstrap_chain <- function(data, ratings_table, features, targets, cluster, context = NULL,
                            ratings = "rating", question = NULL, model = NULL, labels = "context",
                            models = NULL, context_as = c("separate", "pooled"), folds = 5,
                            repeats = 1, inner_folds = 5, adjust_for = NULL,
                            metrics = c("rmse", "correlation"), score_range = NULL,
                            method = "jackknife_t", n_boot = NULL, confidence = 0.95, seed = 0,
                            n_jobs = NULL, progress = interactive(), ...) {
  call <- rlang::current_env()
  refuse_dots("bootstrap_chain", call)
  given(data, "a data frame", call = call)
  given(ratings_table, "a data frame", call = call)
  features <- columns(rlang::enquo(features), data, "features", call, required = TRUE)
  targets <- columns(rlang::enquo(targets), data, "targets", call, required = TRUE)
  check_columns(targets, ratings_table, "targets", call)
  adjust_for <- columns(rlang::enquo(adjust_for), data, "adjust_for", call)
  cluster <- column(rlang::enquo(cluster), ratings_table, "cluster", call, required = TRUE)
  context <- column(rlang::enquo(context), ratings_table, "context", call)
  ratings <- column(rlang::enquo(ratings), ratings_table, "ratings", call, required = TRUE)
  question <- column(rlang::enquo(question), ratings_table, "question", call)
  spec <- if (is.list(model)) dictionary(lapply(model, many)) else one(model)
  labelled <- c(targets, cluster, context, question)
  # The subject and the context of a clip are compared if both tables have them.
  shared <- intersect(c(cluster, context), names(data))
  found <- ask("bootstrap_chain", list(
    table = table_node(data, unique(c(targets, shared, features, adjust_for)), call = call,
      labels = unique(c(targets, shared))),
    ratings_table = table_node(ratings_table, unique(c(labelled, ratings)), call = call,
      labels = unique(labelled)),
    features = many(features), targets = many(targets), cluster = cluster, context = context,
    ratings = ratings, question = question, model = spec, labels = one(labels),
    models = models_node(models, call), context_as = many(context_as), folds = one(folds),
    repeats = one(repeats), inner_folds = one(inner_folds),
    adjust_for = many(as.character(adjust_for)), metrics = many(metrics),
    score_range = one(score_range), method = one(method), n_boot = one(n_boot),
    confidence = one(confidence), seed = one(seed), n_jobs = one(n_jobs), progress = flag(progress)
  ), call)
  new_result(found, "pyexpr_chain")
}
