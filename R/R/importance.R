#' Importance of features for fitted models, by context
#'
#' @description
#' The values of a feature are exchanged between clips, and the models predict again. The importance
#' is by how much their predictions become worse. It is a property of the fitted model: a feature that
#' the model does not use has no importance, even if it is related to the score. The models are fitted
#' once more to the same folds, and predict the clips of the fold to which they were not fitted.
#'
#' Values are exchanged within contexts. Where features are correlated, a model can replace one by
#' the other, so that each of them can seem unimportant; exchange them together (`groups`). Checked
#' against `permutation_importance()` of scikit-learn, the closed form for linear models, and
#' simulation.
#'
#' @param x A result of [fit_models()] of this session, whose models predict numbers or classes.
#' @param groups Features that are exchanged together: a named list, such as `list(mouth = c("smile",
#'   "smile_velocity"))`, whose other features are exchanged each alone; or `"correlated"`, which puts
#'   together all features whose absolute correlation is at least `threshold`, and those that are
#'   linked by such correlations. Covariates are exchanged only if a group names them.
#' @param threshold See `groups`.
#' @param permute What is exchanged: `"rows"`, values of clips of other subjects (all variation);
#'   `"within"`, values of other clips of the same subject (variation within subjects); `"subjects"`,
#'   means of other subjects, while deviations from the mean are kept (variation between subjects).
#' @param metrics For numbers any of `"rmse"` (default), `"mse"`, `"mae"` and `"correlation"`; for classes
#'   any of `"accuracy"` (default), `"balanced_accuracy"`, `"f1"`, `"f1_macro"`, `"kappa"`, `"brier"` and
#'   `"log_loss"`, of which the last two need models that give probabilities. The importance is the
#'   increase of an error, of Brier's score or of the log loss, and the decrease of the others.
#' @param positive The class to which `"f1"` and `"brier"` refer, by default that of [fit_models()]. With
#'   more than two classes the others are combined into one for all metrics.
#' @param n_repeats Number of others, at least 5, whose values each clip is given in turn; `"all"` takes
#'   all of them.
#' @param interval_for What the intervals refer to: `"fitted models"`, other subjects to be predicted by
#'   these models; or `"procedure"`, also other subjects to which models are fitted, for which all
#'   models are fitted again without each subject.
#' @param confidence Level of the intervals.
#' @param adjust `"holm"` or `"max_t"`: adjust the tests of all features of a metric, model and
#'   context.
#' @param seed Seed of the choice of others.
#' @param n_jobs Number of tasks at a time; -1 is one per core. Results do not depend on it.
#' @param progress Whether to show a progress bar.
#' @details Where the variation that is exchanged comes from few subjects, such as those who show a rare
#'   action unit, degrees of freedom are at most the effective number of these subjects minus 1. If it
#'   is less than 2, there are the estimate and a reason, but no interval and no test.
#' @return An object with [tidy()][result-tables] (a row per metric, model, context and feature or
#'   group), `glance()`, `autoplot()`, [context_contrasts()] (whether a feature is more important in
#'   one context than in another), [adjust_tests()] and `influence()`. Its notes state what the
#'   intervals refer to.
#' @references Breiman, L. (2001). Random forests. Machine Learning, 45, 5-32.
#'   \doi{10.1023/A:1010933404324}
#'
#'   Fisher, A., Rudin, C. and Dominici, F. (2019). All models are wrong, but many are useful. Journal of
#'   Machine Learning Research, 20(177), 1-81.
#' @seealso [fit_models()], [context_coefficients()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' fitted <- fit_models(clips, score, c(au_count, au_intensity), subject, context_as = "pooled",
#'   models = list(ols = "sklearn.linear_model.LinearRegression"))
#' feature_importance(fitted)
#' }
feature_importance <- function(x, groups = NULL, threshold = 0.7, permute = "rows", metrics = NULL,
                               positive = NULL, n_repeats = 20, interval_for = "fitted models",
                               confidence = 0.95, adjust = NULL, seed = 0, n_jobs = NULL,
                               progress = interactive()) {
  call <- rlang::current_env()
  can(x, "pyexpr_models", call)
  groups <- if (is.list(groups)) dictionary(lapply(groups, many)) else one(groups)
  found <- ask("feature_importance", list(
    key = key_of(x, call), groups = groups, threshold = one(threshold), permute = one(permute),
    metrics = many(metrics), positive = class_named(one(positive), x$classes),
    n_repeats = one(n_repeats), interval_for = one(interval_for),
    confidence = one(confidence), adjust = one(adjust), seed = one(seed), n_jobs = one(n_jobs),
    progress = flag(progress)
  ), call)
  new_result(found, "pyexpr_importance")
}
