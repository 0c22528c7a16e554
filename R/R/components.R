#' Variance components of ratings with several facets
#'
#' @description
#' Estimates by restricted maximum likelihood (REML) how much each facet of a design (subjects,
#' clips, raters, questions, occasions) and each interaction contributes to the variance of ratings:
#' a generalizability study. [d_study()] projects the reliability to other numbers of levels.
#'
#' Missing ratings are left out and counted (`tidy(x, "counts")`). Missing labels are an error. A
#' variance is not below 0; if it is estimated as 0, `reason` says so. The intervals of effects that
#' are sampled with the objects of measurement are based on the jackknife of the objects, and do not
#' assume a normal distribution; those of other effects (raters) are based on chi-square, and do.
#' Checked against `lme4::lmer` and the published examples of Brennan (2001).
#'
#' @inheritParams icc
#' @param data A data frame in long format: one row per rating. Cells of the design may be missing,
#'   and numbers of levels unequal.
#' @param ratings Column of the scores.
#' @param facets Columns of the facets, `c(subject, clip, rater)`; all are random.
#' @param nested In which facet, or facets, a facet is nested: `list(clip = subject)`, or
#'   `list(rater = c(subject, clip))`. Labels of nested facets may repeat: clip 1 of one subject is
#'   another than clip 1 of the next. All other facets are crossed.
#' @param effects `"all"`, or the effects with a variance of their own, interactions in `c()`:
#'   `list(subject, clip, rater, c(subject, rater))`. All others are part of the residual.
#' @param object_of_measurement The facet whose levels the scores are to distinguish. By default the
#'   first.
#' @param replicates Whether a cell of all facets may have several ratings. Otherwise they are an
#'   error.
#' @return An object with [tidy()][result-tables] (a row per context and effect, with the variance,
#'   its share in the variance of a single rating, and intervals of both), table `"counts"`,
#'   `glance()`, `autoplot()` (standard deviations, in the units of the ratings).
#' @seealso [d_study()], [multilevel_icc()]
#' @references Brennan, R. L. (2001). Generalizability theory. Springer.
#'   \doi{10.1007/978-1-4757-3456-0}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' # Shrout and Fleiss (1979): four raters of six targets
#' scores <- c(9, 6, 8, 7, 10, 6, 2, 1, 4, 1, 5, 2, 5, 3, 6, 2, 6, 4, 8, 2, 8, 6, 9, 7)
#' rated <- data.frame(target = rep(1:6, 4), rater = rep(1:4, each = 6), score = scores)
#' found <- variance_components(rated, score, c(target, rater))
#' tidy(found)
#' plan <- d_study(found, n = list(rater = c(1, 4, 12)), target = 0.9)
#' tidy(plan, "cheapest")
variance_components <- function(data, ratings, facets, nested = NULL, effects = "all",
                                object_of_measurement = NULL, replicates = FALSE, context = NULL,
                                confidence = 0.95, ...) {
  call <- rlang::current_env()
  refuse_dots("variance_components", call)
  ratings <- column(rlang::enquo(ratings), data, "ratings", call, required = TRUE)
  facets <- columns(rlang::enquo(facets), data, "facets", call, required = TRUE)
  nested <- nested_in(named_in(rlang::enquo(nested), data, "nested", call), data, call)
  effects <- effects_of(named_in(rlang::enquo(effects), data, "effects", call), data, call)
  measured <- column(rlang::enquo(object_of_measurement), data, "object_of_measurement", call)
  context <- columns(rlang::enquo(context), data, "context", call)
  refuse_names_of_results(context, "context", call)
  found <- ask("variance_components", list(
    data = table_node(data, c(ratings, facets, context), call = call, labels = c(facets, context)),
    ratings = ratings, facets = many(facets), nested = nested, effects = effects,
    object_of_measurement = measured, replicates = flag(replicates), context = many(context),
    confidence = one(confidence)
  ), call)
  new_result(found, "pyexpr_components", data, context)
}

# A named list or vector: the nested facet is the name.
nested_in <- function(value, data, call) {
  if (is.null(value)) return(NULL)
  check_named(value, "nested", "in which facet a facet is nested, such as `list(clip = subject)`", call)
  dictionary(lapply(as.list(value), function(outer) {
    many(check_columns(outer, data, "nested", call, required = TRUE))
  }))
}

# A list of facets and of interactions, which are several facets.
effects_of <- function(value, data, call) {
  if (identical(value, "all")) return(value)
  lapply(unname(as.list(value)), function(effect) {
    many(check_columns(effect, data, "effects", call, required = TRUE))
  })
}

check_named <- function(value, arg, what, call) {
  names <- names(value)
  if (is.null(names) || anyNA(names) || !all(nzchar(names))) {
    data_error(sprintf("`%s` must name %s.", arg, what), call)
  }
  if (anyDuplicated(names)) {
    data_error(sprintf("`%s` names `%s` twice.", arg, names[anyDuplicated(names)]), call)
  }
}

#' Multilevel intraclass correlations: clips within subjects, and subjects
#'
#' @description
#' An intraclass correlation of all clips mixes differences between the clips of a subject with
#' differences between subjects. `multilevel_icc()` computes the reliability of either, from ratings
#' of clips by raters who may have rated all or some of them (ten Hove et al. 2022).
#'
#' Of the level `"target"` is the reliability of a clip among those of its subject, of the level
#' `"subject"` that of a subject by its mean over very many clips, in which only raters are error,
#' and of the level `"subject over targets"` that of a subject by its mean over few clips. If raters
#' rated only some of the clips, `ICC(Q,k)` is the reliability of differences between means of
#' partly the same raters. `sem` is the standard error of measurement and `mdc` the minimal
#' detectable change, in the units of the ratings, with their intervals (`sem_low`, `sem_high`,
#' `mdc_low`, `mdc_high`).
#'
#' Missing ratings are left out and counted (`tidy(x, "counts")`). Missing labels are an error.
#' `tidy(x, "components")` has the variances, which are estimated by REML. Checked against
#' `lme4::lmer` and the expected mean squares of balanced designs.
#'
#' @inheritParams icc
#' @param data A data frame in long format: one row per rating. Numbers of clips may be unequal.
#' @param targets Column, or several columns together, that identify the rated target (a clip)
#'   within its subject. Labels may repeat from subject to subject.
#' @param ratings Column of the scores.
#' @param cluster Column of the subjects to which the targets belong.
#' @param raters Column that identifies the rater. A label must denote the same person throughout.
#'   Without it every rating is assumed to come from another rater.
#' @param k Number of raters to which the average forms refer. By default as in the ratings.
#' @return An object with [tidy()][result-tables] (a row per context, level and form), tables
#'   `"components"` and `"counts"`, `glance()`, `autoplot()`.
#' @seealso [icc()], [variance_components()]
#' @references ten Hove, D., Jorgensen, T. D. and van der Ark, L. A. (2022). Interrater reliability
#'   for multilevel data: A generalizability theory approach. Psychological Methods, 27, 650-666.
#'   \doi{10.1037/met0000391}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' rated <- expand.grid(rater = 1:3, clip = 1:4, subject = 1:20)
#' rated$score <- rnorm(20)[rated$subject] + rnorm(80)[4 * rated$subject + rated$clip - 4] +
#'   rnorm(240)
#' found <- multilevel_icc(rated, clip, score, subject, raters = rater)
#' tidy(found)
#' tidy(found, "components")
multilevel_icc <- function(data, targets, ratings, cluster, raters = NULL, context = NULL, k = NULL,
                           confidence = 0.95, ...) {
  call <- rlang::current_env()
  refuse_dots("multilevel_icc", call)
  targets <- columns(rlang::enquo(targets), data, "targets", call, required = TRUE)
  ratings <- column(rlang::enquo(ratings), data, "ratings", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  raters <- column(rlang::enquo(raters), data, "raters", call)
  context <- columns(rlang::enquo(context), data, "context", call)
  refuse_names_of_results(context, "context", call)
  labels <- c(targets, cluster, raters, context)
  found <- ask("multilevel_icc", list(
    data = table_node(data, c(ratings, labels), call = call, labels = labels),
    targets = many(targets), ratings = ratings, cluster = cluster, raters = raters,
    context = many(context), k = one(k), confidence = one(confidence)
  ), call)
  new_result(found, "pyexpr_multilevel_icc", data, context)
}
