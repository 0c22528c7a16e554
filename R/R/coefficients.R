#' Coefficients by context: weights described, slopes tested
#'
#' @description
#' Per context and over all rows: the elastic net's weights of the features
#' standardised within the context, with what refits on resampled subjects make of
#' them (a description, no test); and beside them slopes per standard deviation pooled
#' within contexts, with tests that respect subjects (least squares with CR2 and
#' Satterthwaite's degrees of freedom, or desparsified where features are many).
#' `n_effective` says on how many subjects a slope effectively rests; what one subject
#' shows alone is not tested, and `reason` names the subject.
#'
#' Rows with a missing feature or label are left out and counted. Checked against
#' glmnet, clubSandwich and wildboottest.
#'
#' @param data A data frame, one row per clip. For the training part alone, hand over
#'   its rows.
#' @param y Column of the label.
#' @param features Columns of the features, in their own units.
#' @param context,cluster Columns of context and subject.
#' @param alpha,l1_ratio Penalty of the weights: a number for all; several to tune on;
#'   or a named vector or list with one, or several, per context (and `"all"`). `NULL`
#'   is the paper's grid, for labels of a standard deviation of about 1. Tuned by folds of
#'   subjects.
#' @param n_boot Refits on resampled subjects.
#' @param retune Choose the penalty anew in every refit.
#' @param confidence Level of all intervals.
#' @param seed From 0; fixes every byte.
#' @param cr `"CR2"`, `"CR0"`, `"CR1"` or `"CR3"`: the cluster-robust variance.
#' @param y_pooled Column of a label common to all contexts, where `y` has a scale of
#'   its own in each: that of the weights over all and of all tests.
#' @param tests `NULL` (which fits), `"least_squares"` or `"desparsified"`.
#' @param intercepts Of the slopes over all: `"context"`, one for each context, so that
#'   the slopes are those within contexts; or `"common"`, one for all, so that differences
#'   between the contexts' means are part of them.
#' @param n_folds Folds of subjects to tune by.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: judge the slopes of a context together, as
#'   [adjust_tests()] does later.
#' @param n_threads By default one per core; the numbers do not depend on it.
#' @param progress Whether to show a bar.
#' @param ... Not used. What the column of contexts is called elsewhere, such as `group` or
#'   `.by`, is an error that names `context`.
#' @return An object with [tidy()][result-tables] (a row per context and feature),
#'   tables `"contrasts"` (differences between contexts) and `"omnibus"` (the same
#'   slope everywhere), `autoplot()`, [adjust_tests()], [wild()] and [replicates()].
#' @references Pustejovsky, J. E. and Tipton, E. (2018). Journal of Business & Economic
#'   Statistics, 36, 672-683.
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
                                 progress = interactive(), ...) {
  call <- rlang::current_env()
  refuse_dots("context_coefficients", call)
  y <- column(rlang::enquo(y), data, "y", call, required = TRUE)
  features <- columns(rlang::enquo(features), data, "features", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  y_pooled <- column(rlang::enquo(y_pooled), data, "y_pooled", call)
  twice <- intersect(features, c(y, context, cluster, y_pooled))
  if (length(twice)) {
    column_error(sprintf("`features` names `%s`, which is the label, the context or the subject.",
      twice[1]), call)
  }
  used <- c(y, features, context, cluster, y_pooled)
  found <- ask("context_coefficients", list(
    data = table_node(data, used, call = call, labels = c(context, cluster)), y = y,
    features = many(features), context = context, cluster = cluster, alpha = penalty(alpha),
    l1_ratio = penalty(l1_ratio),
    n_boot = one(n_boot), retune = flag(retune), confidence = one(confidence), seed = one(seed),
    cr = one(cr), y_pooled = y_pooled, tests = one(tests), n_folds = one(n_folds),
    n_threads = one(n_threads), intercepts = one(intercepts), adjust = one(adjust),
    progress = flag(progress)
  ), call)
  new_result(found, "pyexpr_coefficients", contexts = found$contexts)
}

penalty <- function(x) {
  if (is.list(x)) return(dictionary(lapply(x, function(v) if (length(v) == 1L) v else many(v))))
  x
}
