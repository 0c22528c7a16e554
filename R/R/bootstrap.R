#' Bootstrap any statistic over whole clusters
#'
#' Resamples whole subjects with the same draws as [compare_models()] and calls an R function with
#' the resulting weights. The same seed gives the same replicates as in Python for the same
#' statistic.
#'
#' @param data A data frame, passed to `statistic` unchanged.
#' @param statistic A function of `data` and `weights`, how often each row's subject
#'   was drawn (all 1 for the estimate, 0 for the subject left out by the jackknife).
#'   It returns a number, or several with names; `NA` if undefined. A function that does not accept
#'   weights can repeat the rows: `data[rep(seq_len(nrow(data)), weights), ]`. Its warnings and
#'   messages are shown at the end. If it draws random numbers, these are R's; nothing else in this
#'   package changes the state of R's random numbers.
#' @inheritParams compare_models
#' @param method Method of the intervals: `"jackknife_t"` (the default, recommended), or another
#'   method of [compare_models()] except the studentized ones, which require a standard error within
#'   each replicate.
#' @param progress Whether to show a progress bar.
#' @param null Null value of the test. Without it there is no p-value.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: adjust the tests of all statistics, as
#'   [adjust_tests()] does.
#' @return An object with [tidy()][result-tables] (a row per statistic), `glance()`,
#'   `autoplot()`, [replicates()], [boot_interval()], [adjust_tests()], [boot_extend()] and `influence()`.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' slope <- function(data, weights) {
#'   coef(lm(score ~ au_intensity, data, weights = weights))["au_intensity"]
#' }
#' cluster_bootstrap(clips, slope, cluster = subject, n_boot = 199, null = 0)
cluster_bootstrap <- function(data, statistic, cluster, n_boot = 2000, method = NULL,
                              confidence = 0.95, null = NULL, stratify = NULL, adjust = NULL,
                              seed = 0, progress = interactive(), first_replicate = 0) {
  call <- rlang::current_env()
  cluster <- cluster_columns(rlang::enquo(cluster), data, "cluster", call)
  stratify <- column(rlang::enquo(stratify), data, "stratify", call)
  given(statistic, "a function of data and weights", call = call)
  if (!is.function(statistic)) {
    data_error(sprintf("`statistic` must be a function of data and weights, not %s.",
      described_type(statistic)), call)
  }
  used <- c(cluster, stratify)
  # All of it: with `cluster = NULL` Python looks whether a column of subjects repeats.
  table <- table_node(data, used, call = call, labels = used)
  weighted <- of_weights(statistic, data)
  token <- function_token(weighted)
  found <- ask("cluster_bootstrap", list(
    table = table, `function` = token$id, cluster = one_or_two(cluster), n_boot = one(n_boot),
    method = one(method), confidence = one(confidence), null = one(null), stratify = stratify,
    adjust = one(adjust), seed = one(seed), progress = flag(progress),
    first_replicate = one(first_replicate)
  ), call)
  new_result(found, "pyexpr_bootstrap", token = token, statistic = weighted, null = null)
}

# With a saved result goes this function, so it holds the data and nothing else of the call.
of_weights <- function(statistic, data) {
  force(statistic)
  force(data)
  function(weights) statistic(data, weights)
}
