#' How many subjects, clips and raters a study needs
#'
#' @description
#' `plan_study()` computes the power of studies of several sizes, by simulation from a pilot or from
#' published numbers. Each simulated study is analysed as this package analyses it by default. The
#' power is the proportion of studies with the finding: a difference between two models
#' ([compare_models()]), a slope ([context_coefficients()]), a reliability above a value, or a
#' reliability that is estimated to within a value ([icc()]). Exactly one of `difference`, `slope`,
#' `reliability` and `width` must be given.
#'
#' Two uncertainties are reported. `conf.low` and `conf.high` are Wilson's interval of the simulation,
#' which becomes narrower with more simulated studies. `pilot_low` and `pilot_high` are the power if
#' the standard error, or the reliability, were at the limits of the interval that the pilot leaves
#' for it; only a larger pilot makes this band narrower. `assurance` is the power averaged over this
#' uncertainty.
#'
#' Checked against the power of the t test, Bonett (2002), Walter, Eliasziw and Donner (1998), and the
#' functions that analyse a study.
#'
#' @param data A data frame of a pilot study: a row per clip, or per rating for `reliability` and
#'   `width`. Rows with a missing value are left out. At least six subjects are required. Give either
#'   `data` or `published`.
#' @param n_subjects Numbers of subjects of the planned study.
#' @param n_clips Numbers of clips per subject. By default each subject has the clips of the pilot.
#'   A difference or slope cannot be planned with more clips than the pilot has.
#' @param n_raters Numbers of raters, for `reliability` and `width`.
#' @param difference Difference of the metric between the first and the second model: the smallest that
#'   matters, not the one that the pilot shows.
#' @param slope Slope of `feature`, in units of the truth per standard deviation of the feature.
#' @param reliability Value that the lower limit of the interval of the ICC should exceed.
#' @param width Value that half the width of the interval of the ICC should not exceed.
#' @param metric `"correlation"` or `"rmse"`, for `difference`.
#' @param truth Column of the truth, for `difference` and `slope`.
#' @param predictions Columns of the predictions of the two models, `c(new, old)`.
#' @param features Columns of the features of the planned regression.
#' @param feature The feature whose slope is to be found, if there are several.
#' @param form Form of the ICC, such as `"ICC(A,k)"`.
#' @param targets,ratings,raters Columns of the pilot's ratings, as for [icc()].
#' @param cluster Column of the subjects. Required for `difference` and `slope`.
#' @param context Column of the contexts, each of which is planned separately; differences and slopes
#'   are also planned over all rows.
#' @param published A named list of published numbers instead of a pilot. For differences of
#'   correlations: `correlation` (of the second model with the truth), `between_models` and `icc`
#'   (share of the variance between subjects). For differences of RMSE: `rmse` (of the second model),
#'   `between_errors` and `icc`. For slopes: `residual_sd`, `icc_feature`, `icc_residual`, and
#'   optionally `slope_sd`. For reliabilities: the variances `subject` and `residual`, optionally
#'   `clip` and `rater`, and `low` and `high`, the interval of the reliability of one rating.
#'   `n_subjects` and `n_clips` are the size of the published study of a difference or slope.
#' @param power The power that the study should have.
#' @param confidence Level of the planned intervals; a difference or slope is found if
#'   p < 1 - confidence. Also the level of both reported uncertainties.
#' @param n_studies Simulated studies of each design.
#' @param seed Seed of the simulation. A design has the same random numbers whatever else is planned.
#' @param progress Whether a progress bar is shown.
#' @param ... Must be empty.
#' @return An object with [tidy()][result-tables] (a row per context and design), table `"required"`
#'   (the number of subjects with which `power` is reached), `glance()`, `autoplot()`.
#' @references Bonett, D. G. (2002). Sample size requirements for estimating intraclass correlations
#'   with desired precision. Statistics in Medicine, 21, 1331-1335. \doi{10.1002/sim.1108}
#' @seealso [compare_models()], [context_coefficients()], [icc()], [d_study()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' plan <- plan_study(n_subjects = c(20, 40, 80), n_clips = 5, difference = 0.15,
#'   metric = "correlation",
#'   published = list(correlation = 0.4, between_models = 0.5, icc = 0.3), n_studies = 200)
#' tidy(plan)
#' tidy(plan, "required")
plan_study <- function(data = NULL, n_subjects, n_clips = NULL, n_raters = NULL, difference = NULL,
                       slope = NULL, reliability = NULL, width = NULL, metric = NULL, truth = NULL,
                       predictions = NULL, features = NULL, feature = NULL, form = NULL,
                       targets = NULL, ratings = NULL, raters = NULL, cluster = NULL,
                       context = NULL, published = NULL, power = 0.8, confidence = 0.95,
                       n_studies = 1000, seed = 0, progress = interactive(), ...) {
  call <- rlang::current_env()
  refuse_dots("plan_study", call)
  given(n_subjects, "numbers of subjects", call = call)
  # Without a pilot there is no frame whose columns could be named.
  pilot <- data
  if (is.null(data)) data <- data.frame()
  truth <- column(rlang::enquo(truth), data, "truth", call)
  predictions <- columns(rlang::enquo(predictions), data, "predictions", call)
  features <- columns(rlang::enquo(features), data, "features", call)
  feature <- column(rlang::enquo(feature), data, "feature", call)
  targets <- columns(rlang::enquo(targets), data, "targets", call)
  ratings <- column(rlang::enquo(ratings), data, "ratings", call)
  raters <- column(rlang::enquo(raters), data, "raters", call)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call)
  context <- column(rlang::enquo(context), data, "context", call)
  if (!is.null(published)) {
    check_named(published, "published", "numbers, such as `list(rmse = 1)`", call)
    published <- dictionary(lapply(as.list(published), one, arg = "published", call = call))
  }
  labels <- c(targets, raters, cluster, context)
  used <- c(truth, predictions, features, ratings, labels)
  found <- ask("plan_study", list(
    pilot = if (!is.null(pilot)) table_node(pilot, used, call = call, labels = labels),
    n_subjects = many(n_subjects), n_clips = many(n_clips), n_raters = many(n_raters),
    difference = one(difference), slope = one(slope), reliability = one(reliability),
    width = one(width), metric = one(metric), truth = truth, predictions = many(predictions),
    features = many(features), feature = feature, form = one(form), targets = many(targets),
    ratings = ratings, raters = raters, cluster = cluster, context = context,
    published = published, power = one(power), confidence = one(confidence),
    n_studies = one(n_studies), seed = one(seed), progress = flag(progress)
  ), call)
  new_result(found, "pyexpr_plan")
}
