#' Reliability of ratings: intraclass correlations with intervals
#'
#' @description
#' Computes six forms of the intraclass correlation (McGraw and Wong 1996). One-way forms are
#' available for any number of ratings per target, with exact intervals (Wald 1940; equal to the F
#' interval if all targets have the same number of ratings). Two-way forms require `raters`, the
#' column that identifies the rater of each rating. With `cluster` the intervals account for the
#' dependence of the clips of a subject.
#'
#' Missing ratings are left out and counted (`tidy(x, "counts")`). Missing labels are an error.
#' Checked against `psych::ICC`, `lme4::lmer` and the NIST problems.
#'
#' @param data A data frame. Long format: one row per rating; requires `targets` and `ratings`. Wide
#'   format: one row per target and one column per rater, which are the columns in `ratings`, or all
#'   except `context` and `cluster`. A column that names or numbers the targets is an error.
#' @param targets Column, or several columns together, that identify the rated target.
#' @param ratings Column of the scores (long), or columns of the raters (wide).
#' @param raters Column that identifies the rater. A label must denote the same person throughout.
#'   Without it only the one-way forms are computed.
#' @param context Column of the contexts, each of which is analysed separately, or several columns
#'   whose combinations are the contexts: `c(context, question)` is every question in every context.
#' @param form `"all"`, or some of `"ICC(1,1)"`, `"ICC(1,k)"`, `"ICC(A,1)"`,
#'   `"ICC(A,k)"`, `"ICC(C,1)"`, `"ICC(C,k)"`.
#' @param confidence Level of the intervals.
#' @param k Number of ratings to which the average forms refer. By default that of the data.
#' @param cluster Column of the subjects to which the targets belong. Intervals are then clustered
#'   by subject, and those of the agreement forms also account for the sampling of raters. Without
#'   it, targets that share subjects (a column `subject`) cause a warning; `FALSE` suppresses it.
#' @param method Method of the interval with `cluster`: `"jackknife_t"` (the default), or
#'   `"studentized"`, the bootstrap-t with `n_boot` draws of subjects.
#' @param n_boot,seed Number of replicates, and seed, of the bootstrap-t.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @return An object with [tidy()][result-tables] (a row per context and form), tables
#'   `"counts"` and `"mean_reliability"`, `glance()`, `autoplot()`.
#' @seealso [choose_icc()], [d_study()], [icc_interval()], [multilevel_icc()]
#' @references McGraw, K. O. and Wong, S. P. (1996). Psychological Methods, 1, 30-46.
#'   \doi{10.1037/1082-989X.1.1.30}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' found <- icc(ratings, c(subject, context, clip), score,
#'   context = question, form = "ICC(1,k)", cluster = subject)
#' found
#' tidy(found, "counts")
#'
#' # Wide: Shrout and Fleiss (1979), table 2
#' wide <- data.frame(
#'   a = c(9, 6, 8, 7, 10, 6), b = c(2, 1, 4, 1, 5, 2),
#'   c = c(5, 3, 6, 2, 6, 4), d = c(8, 2, 8, 6, 9, 7)
#' )
#' tidy(icc(wide))
icc <- function(data, targets = NULL, ratings = NULL, raters = NULL, context = NULL,
                form = "all", confidence = 0.95, k = NULL, cluster = NULL, method = NULL,
                n_boot = 2000, seed = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("icc", call, c(cluster_method = "it is `method` now"))
  targets <- columns(rlang::enquo(targets), data, "targets", call)
  ratings <- columns(rlang::enquo(ratings), data, "ratings", call)
  raters <- column(rlang::enquo(raters), data, "raters", call)
  context <- columns(rlang::enquo(context), data, "context", call)
  refuse_names_of_results(context, "context", call)
  cluster <- named_in(rlang::enquo(cluster), data, "cluster", call)
  if (!isFALSE(cluster)) cluster <- check_columns(cluster, data, "cluster", call, one = TRUE)
  used <- if (is.null(targets)) NULL else c(targets, ratings, raters, context, as_name(cluster))
  labels <- c(targets, raters, context, as_name(cluster))
  found <- ask("icc", list(
    data = table_node(data, used, call = call, labels = labels), targets = many(targets),
    ratings = if (is.null(targets)) many(ratings) else ratings, raters = raters,
    context = many(context), form = if (identical(form, "all")) form else many(form), confidence = one(confidence),
    k = one(k), cluster = cluster, method = one(method), n_boot = one(n_boot),
    seed = one(seed)
  ), call)
  new_result(found, "pyexpr_icc", data, context)
}

as_name <- function(x) if (is.character(x)) x else NULL

#' Interval of a published intraclass correlation
#'
#' Computes the F interval from a coefficient, the number of targets and the number of ratings.
#' Agreement forms are not supported, because their interval requires more than the coefficient.
#'
#' @param icc The published coefficient, below 1.
#' @param n_targets Number of targets.
#' @param k Ratings per target.
#' @param confidence Level of the interval.
#' @param form `"ICC(1,1)"`, `"ICC(1,k)"`, `"ICC(C,1)"` or `"ICC(C,k)"`.
#' @return An object with [tidy()][result-tables], one row, and `autoplot()`.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' tidy(icc_interval(0.879, n_targets = 20, k = 3))
icc_interval <- function(icc, n_targets, k, confidence = 0.95, form = "ICC(1,k)") {
  found <- ask("icc_interval", list(icc = one(icc), n_targets = one(n_targets), k = one(k),
    confidence = one(confidence), form = one(form)), rlang::current_env())
  new_result(found, "pyexpr_icc_interval")
}

#' Recommend a form of the intraclass correlation
#'
#' @param same_raters Whether the same people rate every target, and the rater of each rating is
#'   known.
#' @param average Whether the study uses the mean of the raters.
#' @param agreement Whether raters should give the same scores, rather than only the same order and
#'   distances.
#' @return A list with `form`, `shrout_fleiss` and `why`, which prints as a short text.
#' @references McGraw, K. O. and Wong, S. P. (1996). Psychological Methods, 1, 30-46.
#'   \doi{10.1037/1082-989X.1.1.30}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' choose_icc(same_raters = FALSE, average = TRUE)
choose_icc <- function(same_raters, average, agreement = TRUE) {
  found <- ask("choose_icc", list(same_raters = flag(same_raters), average = flag(average),
    agreement = flag(agreement)), rlang::current_env())
  structure(found, class = "pyexpr_icc_choice")
}

#' @export
print.pyexpr_icc_choice <- function(x, ...) {
  other <- if (x$form == x$shrout_fleiss) "" else
    sprintf(" (Shrout and Fleiss: %s)", x$shrout_fleiss)
  cat("Report ", x$form, other, ".\n", sep = "")
  for (why in x$why) {
    lines <- strwrap(why, initial = "- ", prefix = "  ", width = getOption("width"))
    cat(paste0(lines, "\n"), sep = "")
  }
  invisible(x)
}

#' Reliability with other numbers of raters, or of levels of each facet
#'
#' @description
#' Projects the reliability to other numbers of raters, in order to plan a future study (a decision
#' study). Of [icc()] the Spearman-Brown formula is applied to the estimate and to its limits. Of
#' [variance_components()] every facet has numbers of levels, and the reliability is that of means
#' over them: the generalizability coefficient, of the order of the objects, and the dependability
#' coefficient, of their values (Brennan 2001).
#'
#' @param result The result of [icc()] or of [variance_components()].
#' @param raters Numbers of raters.
#' @param n Numbers of levels of each facet over which a score is averaged, in all combinations:
#'   `list(rater = c(2, 4, 6), clip = c(4, 8))`. Of a nested facet it is the number within each level
#'   of the facet that holds it. Facets that are not named keep the number in the ratings (a harmonic
#'   mean).
#' @param fixed Names of facets whose levels are all that there are, such as the questions of a
#'   questionnaire. By default all facets are random.
#' @param target Reliability to be reached: `tidy(x, "cheapest")` has the cheapest design that
#'   reaches it by its estimate, and by the lower limit of its interval.
#' @param cost Cost of a level of a facet: `c(rater = 50, clip = 10)`.
#' @param cost_per_rating Cost of a rating. With neither, a design costs its number of ratings of one
#'   object.
#' @param ... Not used.
#' @return An object with [tidy()][result-tables] and `autoplot()`. The table has one row per
#'   context, form and number of raters, or one row per context, combination of numbers of levels and
#'   coefficient; then there is also a table `"cheapest"` if `target` is given.
#' @references Brennan, R. L. (2001). Generalizability theory. Springer.
#'   \doi{10.1007/978-1-4757-3456-0}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' found <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
#' tidy(d_study(found, raters = c(1, 3, 6, 12)))
#'
#' # Shrout and Fleiss (1979): four raters of six targets
#' scores <- c(9, 6, 8, 7, 10, 6, 2, 1, 4, 1, 5, 2, 5, 3, 6, 2, 6, 4, 8, 2, 8, 6, 9, 7)
#' rated <- data.frame(target = rep(1:6, 4), rater = rep(1:4, each = 6), score = scores)
#' found <- variance_components(rated, score, c(target, rater))
#' tidy(d_study(found, n = list(rater = c(1, 4, 12)), target = 0.9))
d_study <- function(result, ...) {
  given(result, "the result of `icc()` or `variance_components()`")
  UseMethod("d_study")
}

#' @export
d_study.default <- function(result, ...) {
  data_error(sprintf("`result` must be the result of `icc()` or `variance_components()`, not %s.",
    described_type(result)), rlang::current_env())
}

#' @rdname d_study
#' @export
d_study.pyexpr_icc <- function(result, raters, ...) {
  call <- rlang::current_env()
  rlang::check_dots_empty(env = call, call = call)
  given(raters, "numbers of raters", call = call)
  found <- ask("d_study", list(key = key_of(result, call), raters = many(raters)), call)
  own <- attr(result, "own")
  new_result(found, "pyexpr_d_study", result$tables$tidy, own)
}

#' @rdname d_study
#' @export
d_study.pyexpr_components <- function(result, n = NULL, fixed = NULL, target = NULL, cost = NULL,
                                      cost_per_rating = 0, ...) {
  call <- rlang::current_env()
  if ("raters" %in% names(list(...))) {
    data_error(paste("`raters` is for the result of `icc()`; here numbers of levels are in `n`, such as",
      "`n = list(rater = c(2, 4))`."), call)
  }
  rlang::check_dots_empty(env = call, call = call)
  by_facet <- function(value, arg, example, of_one) {
    if (is.null(value)) return(NULL)
    check_named(value, arg, sprintf("facets with their numbers, such as `%s`", example), call)
    dictionary(lapply(as.list(value), of_one, arg = arg, call = call))
  }
  found <- ask("design_study", list(
    key = key_of(result, call), n = by_facet(n, "n", "list(rater = c(2, 4))", many),
    fixed = many(as.character(fixed)), target = one(target),
    cost = by_facet(cost, "cost", "c(rater = 50)", one), cost_per_rating = one(cost_per_rating)
  ), call)
  made <- new_result(found, "pyexpr_design_study", result$tables$tidy, attr(result, "own"))
  # The criterion is the name of a column.
  if (!is.null(target)) made$tables$cheapest$criterion <- broom(made$tables$cheapest$criterion)
  made
}

need_class <- function(x, class, maker, call, arg = "result") {
  given(x, sprintf("the result of `%s`", maker), arg, call)
  if (!inherits(x, class)) {
    data_error(sprintf("`%s` must be the result of `%s`, not %s.", arg, maker, described_type(x)),
      call)
  }
}
