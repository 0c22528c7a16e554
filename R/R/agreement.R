#' Agreement of raters on categories
#'
#' @description
#' Computes how far raters agree on categories, beyond chance: percent agreement, Cohen's kappa
#' (Conger's for more than two raters), Fleiss' kappa, Brennan and Prediger's coefficient, Gwet's
#' AC1 and AC2, and Krippendorff's alpha, for any number of raters, with missing cells. With
#' `cluster` the intervals account for the dependence of the clips of a subject. For numeric
#' measurements, use [icc()].
#'
#' Missing ratings are left out and counted (`tidy(x, "counts")`). Missing labels are an error.
#' `tidy(x, "by_category")` has the specific agreement of each category. Checked against the
#' published examples of Krippendorff (2011) and Gwet (2014), and `psych::cohen.kappa()`.
#'
#' @inheritParams icc
#' @param ratings Column of the categories (long), or columns of the raters (wide): text, numbers
#'   or factors. The categories of an ordered factor are in its order.
#' @param raters Column that identifies the rater. Without it Cohen's kappa is left out.
#' @param coefficient `"all"`, or any of `"percent_agreement"`, `"cohen_kappa"`,
#'   `"fleiss_kappa"`, `"brennan_prediger"`, `"gwet_ac"`, `"krippendorff_alpha"`.
#' @param level Level of measurement: `"nominal"`, `"ordinal"`, `"interval"` or `"ratio"`. It
#'   determines the metric of Krippendorff's alpha, and the default `weights`.
#' @param weights Weights of the agreement of two categories in all other coefficients: `"identity"`,
#'   `"ordinal"`, `"linear"`, `"quadratic"`, `"radical"` or `"ratio"`.
#' @param categories All categories, in their order. By default the categories that occur are used.
#'   The coefficients of Brennan and Prediger and of Gwet depend on the number of categories.
#' @param method Method of the interval: `"jackknife_t"` (the default), or `"studentized"`, the
#'   bootstrap-t with `n_boot` draws.
#' @return An object with [tidy()][result-tables] (a row per context and coefficient), tables
#'   `"by_category"` and `"counts"`, `glance()`, `autoplot()`.
#' @seealso [icc()]
#' @references Gwet, K. L. (2014). Handbook of inter-rater reliability (4th ed.). Advanced
#'   Analytics.
#'
#'   Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' # Krippendorff (2011): four raters of twelve targets
#' wide <- data.frame(
#'   a = c(1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA), b = c(1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3),
#'   c = c(NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA), d = c(1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA)
#' )
#' found <- agreement(wide)
#' tidy(found)
#' tidy(found, "by_category")
agreement <- function(data, targets = NULL, ratings = NULL, raters = NULL, context = NULL,
                      coefficient = "all", level = "nominal", weights = NULL, categories = NULL,
                      confidence = 0.95, cluster = NULL, n_boot = 2000, method = NULL, seed = 0,
                      ...) {
  call <- rlang::current_env()
  refuse_dots("agreement", call)
  targets <- columns(rlang::enquo(targets), data, "targets", call)
  ratings <- columns(rlang::enquo(ratings), data, "ratings", call)
  raters <- column(rlang::enquo(raters), data, "raters", call)
  context <- columns(rlang::enquo(context), data, "context", call)
  refuse_names_of_results(context, "context", call)
  cluster <- named_in(rlang::enquo(cluster), data, "cluster", call)
  if (!isFALSE(cluster)) cluster <- check_columns(cluster, data, "cluster", call, one = TRUE)
  used <- if (is.null(targets)) NULL else c(targets, ratings, raters, context, as_name(cluster))
  labels <- c(targets, raters, context, as_name(cluster))
  found <- ask("agreement", list(
    data = table_node(data, used, call = call, labels = labels), targets = many(targets),
    ratings = if (is.null(targets)) many(ratings) else ratings, raters = raters,
    context = many(context),
    coefficient = if (identical(coefficient, "all")) coefficient else many(coefficient),
    level = one(level), weights = one(weights), categories = many(categories),
    confidence = one(confidence), cluster = cluster, n_boot = one(n_boot), method = one(method),
    seed = one(seed)
  ), call)
  new_result(found, "pyexpr_agreement", data, context)
}
