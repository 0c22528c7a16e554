#' Coefficients by context: descriptive weights and tested slopes
#'
#' @description
#' Estimates, per context and over all rows, the weights of an elastic net (with features
#' standardised within the context) and their variation over refits to resampled subjects, which is
#' descriptive and not a test. It also estimates slopes per standard deviation pooled within
#' contexts, with tests clustered by subject (least squares with CR2 and Satterthwaite's degrees of
#' freedom, or desparsified if there are many features). `n_effective` is the effective number of
#' subjects of a slope. A slope that a single subject determines is not tested, and `reason` names
#' the subject.
#'
#' Rows with a missing feature or label are left out and counted. Checked against
#' glmnet, clubSandwich and wildboottest.
#'
#' @param data A data frame, one row per clip. To use only the training part, pass only its rows.
#' @param y Column of the label.
#' @param features Columns of the features, in their original units.
#' @param context,cluster Columns of context and subject. `cluster` can also be two columns, of rows
#'   that belong to two persons or crossed clusters, as for [compare_models()]; `alpha` and
#'   `l1_ratio` must then be one number each, and slopes are tested by least squares.
#' @param alpha,l1_ratio Penalty of the weights: one number for all models; several numbers from
#'   which each model is tuned; or a named vector or list with one or several numbers per context
#'   (and `"all"`). `NULL` is the grid of the paper, which is suited to labels with a standard
#'   deviation of about 1. Tuning uses folds of subjects.
#' @param n_boot Number of refits to resampled subjects.
#' @param retune Whether to tune the penalty again in every refit.
#' @param confidence Level of all intervals.
#' @param seed Seed of the random numbers, 0 or larger. The same seed gives identical results.
#' @param cr `"CR2"`, `"CR0"`, `"CR1"` or `"CR3"`: the cluster-robust variance estimator.
#' @param y_pooled Column of a label on a common scale for all contexts, for use if `y` has a
#'   different scale in each. It is used for the weights over all contexts and for all tests.
#' @param tests `NULL` (chosen automatically), `"least_squares"` or `"desparsified"`.
#' @param intercepts Intercepts of the slopes over all contexts: `"context"`, one for each context,
#'   so that the slopes are those within contexts; or `"common"`, one for all, so that differences
#'   between the contexts' means contribute to them.
#' @param n_folds Number of folds of subjects for tuning.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: adjust for multiple tests, as [adjust_tests()] does.
#' @param n_threads Number of threads, by default one per core. Results do not depend on it.
#' @param progress Whether to show a progress bar.
#' @param first_replicate Number of the first replicate, counted from 0, as for [compare_models()].
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @return An object with [tidy()][result-tables] (one row per context and feature), tables
#'   `"contrasts"` (differences between contexts) and `"omnibus"` (tests of equal slopes in all
#'   contexts), `autoplot()`, [adjust_tests()], [wild()] and [replicates()].
#' @references Pustejovsky, J. E. and Tipton, E. (2018). Journal of Business & Economic
#'   Statistics, 36, 672-683.
#'   \doi{10.1080/07350015.2016.1247004}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' result <- context_coefficients(clips, score, c(au_intensity, head_velocity),
#'   context = context, cluster = subject, alpha = 0.1, l1_ratio = 0.5, n_boot = 200)
#' result
#' tidy(result, "omnibus")
context_coefficients <- function(data, y, features, context, cluster, alpha = NULL,
                                 l1_ratio = NULL, n_boot = 2000, retune = FALSE,
                                 confidence = 0.95, seed = 0, cr = "CR2", y_pooled = NULL,
                                 tests = NULL, n_folds = 5, n_threads = NULL,
                                 intercepts = "context", adjust = NULL,
                                 progress = interactive(), first_replicate = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("context_coefficients", call)
  y <- column(rlang::enquo(y), data, "y", call, required = TRUE)
  features <- columns(rlang::enquo(features), data, "features", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call, required = TRUE)
  cluster <- cluster_columns(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  y_pooled <- column(rlang::enquo(y_pooled), data, "y_pooled", call)
  twice <- intersect(features, c(y, context, cluster, y_pooled))
  if (length(twice)) {
    column_error(sprintf("`features` names `%s`, which is the label, the context or the subject.",
      twice[1]), call)
  }
  used <- c(y, features, context, cluster, y_pooled)
  found <- ask("context_coefficients", list(
    data = table_node(data, used, call = call, labels = c(context, cluster)), y = y,
    features = many(features), context = context, cluster = one_or_two(cluster), alpha = penalty(alpha),
    l1_ratio = penalty(l1_ratio),
    n_boot = one(n_boot), retune = flag(retune), confidence = one(confidence), seed = one(seed),
    cr = one(cr), y_pooled = y_pooled, tests = one(tests), n_folds = one(n_folds),
    n_threads = one(n_threads), intercepts = one(intercepts), adjust = one(adjust),
    progress = flag(progress), first_replicate = one(first_replicate)
  ), call)
  new_result(found, "pyexpr_coefficients", contexts = found$contexts)
}

penalty <- function(x) {
  if (is.list(x)) return(dictionary(lapply(x, function(v) if (length(v) == 1L) v else many(v))))
  x
}
