#' Diagnostics of raters
#'
#' @description
#' Examines each rater: bias (severity or leniency), error standard deviation (inconsistency),
#' correlation with the mean of the other raters, the ICC without the rater, and drift over time,
#' with intervals that account for the dependence of the clips of a subject.
#'
#' Missing ratings are left out and counted. Missing labels are an error. Biases are those of least
#' squares with fixed targets and add up to 0; error variances are those of Grubbs (1948) without
#' missing cells. `tidy(x, "by_rater")` has a row per rater, and `tidy(x, "scale_use")` each
#' rater's use of the scale.
#'
#' @inheritParams icc
#' @param raters Column that identifies the rater (long).
#' @param order Column with the order in which, or the time at which, each rating was given, for
#'   the drift.
#' @param quantities `"all"`, or some of `"bias"`, `"error_sd"`, `"correlation"`, `"icc_change"`,
#'   `"drift"`.
#' @param form Form of the ICC without each rater.
#' @param scale The ends of the rating scale, such as `c(1, 7)`. By default the lowest and the
#'   highest rating.
#' @param n_boot Number of bootstrap replicates, for methods that use them.
#' @param seed Seed of the random draws, 0 or larger.
#' @param method Method of the intervals, as for [cluster_bootstrap()].
#' @param adjust `NULL`, `"holm"` or `"max_t"`: adjust tests and intervals for the number of raters.
#' @return An object with [tidy()][result-tables] (a row per context, quantity and rater), tables
#'   `"by_rater"` and `"scale_use"`, `glance()`, `autoplot()`.
#' @seealso [icc()]
#' @references Grubbs, F. E. (1948). On estimating precision of measuring instruments and product
#'   variability. Journal of the American Statistical Association, 43, 243-264.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' # Shrout and Fleiss (1979): four raters of six targets
#' wide <- data.frame(
#'   a = c(9, 6, 8, 7, 10, 6), b = c(2, 1, 4, 1, 5, 2), c = c(5, 3, 6, 2, 6, 4),
#'   d = c(8, 2, 8, 6, 9, 7)
#' )
#' tidy(rater_diagnostics(wide), "by_rater")
rater_diagnostics <- function(data, targets = NULL, ratings = NULL, raters = NULL, context = NULL,
                              order = NULL, quantities = "all", form = "ICC(A,1)", scale = NULL,
                              confidence = 0.95, cluster = NULL, n_boot = 0, method = NULL,
                              adjust = NULL, seed = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("rater_diagnostics", call)
  targets <- columns(rlang::enquo(targets), data, "targets", call)
  ratings <- columns(rlang::enquo(ratings), data, "ratings", call)
  raters <- column(rlang::enquo(raters), data, "raters", call)
  context <- columns(rlang::enquo(context), data, "context", call)
  order <- column(rlang::enquo(order), data, "order", call)
  refuse_names_of_results(context, "context", call)
  cluster <- named_in(rlang::enquo(cluster), data, "cluster", call)
  if (!isFALSE(cluster)) cluster <- check_columns(cluster, data, "cluster", call, one = TRUE)
  labels <- c(targets, raters, context, as_name(cluster))
  used <- if (is.null(targets)) NULL else c(labels, ratings, order)
  found <- ask("rater_diagnostics", list(
    data = table_node(data, used, call = call, labels = labels), targets = many(targets),
    ratings = if (is.null(targets)) many(ratings) else ratings, raters = raters,
    context = many(context), order = order,
    quantities = if (identical(quantities, "all")) quantities else many(quantities),
    form = one(form), scale = many(scale), confidence = one(confidence), cluster = cluster,
    n_boot = one(n_boot), method = one(method), adjust = one(adjust), seed = one(seed)
  ), call)
  new_result(found, "pyexpr_raters", data, context)
}

#' Reliability of traces
#'
#' @description
#' For ratings that raters gave continuously while they watched a clip (a joystick): the reliability
#' of the value of a moment, of moments within a clip, and of the means of clips, for one rater and
#' for the mean of several, and the lags between raters.
#'
#' Traces are resampled to frames, and only frames that all traces of a clip have are used. Frames
#' and clips of a subject are not independent; the intervals leave out one subject at a time.
#' `tidy(x, "lags")` has the lag of each rater relative to the mean of the raters,
#' `tidy(x, "traces")` what each trace is based on and why it is left out.
#'
#' @param data A data frame, one row per value: clip, rater, time, value.
#' @param targets Columns that together identify the clip.
#' @param ratings,raters,time Columns of the values, of the raters and of the times in seconds.
#' @param cluster Column of the subjects to whom the clips belong.
#' @param rate Frames per second. By default 1 over the median interval between values.
#' @param filling `"linear"` interpolation, or the `"previous"` value.
#' @param max_gap Seconds between two values over which no frame is filled.
#' @param min_coverage A trace with values in a smaller proportion of its clip is left out.
#' @param max_lag Largest lag in seconds of a rater; 0 to estimate none.
#' @param align Whether to remove the lags.
#' @param k Number of raters to which the average forms refer.
#' @param confidence Level of the intervals.
#' @return An object with [tidy()][result-tables] (a row per level and form), tables `"lags"`,
#'   `"traces"`, `"frames"` and `"mean_trace"`, and `glance()`.
#' @seealso [icc()]
#' @references Mariooryad, S. and Busso, C. (2015). Correcting time-continuous emotional labels by
#'   modeling the reaction lag of evaluators. IEEE Transactions on Affective Computing, 6, 97-108.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' traces <- expand.grid(t = seq(0, 20, 0.2), rater = c("a", "b", "c"), clip = 1:6)
#' late <- c(a = 0, b = 0, c = 0.6)[as.character(traces$rater)]
#' traces$valence <- sin(traces$t - late + traces$clip) + traces$clip
#' found <- trace_reliability(traces, clip, valence, rater, t, clip, align = TRUE)
#' tidy(found, "lags")
trace_reliability <- function(data, targets, ratings, raters, time, cluster, rate = NULL,
                              filling = "linear", max_gap = 1, min_coverage = 0.5, max_lag = 4,
                              align = FALSE, k = NULL, confidence = 0.95) {
  call <- rlang::current_env()
  targets <- columns(rlang::enquo(targets), data, "targets", call, required = TRUE)
  ratings <- column(rlang::enquo(ratings), data, "ratings", call, required = TRUE)
  raters <- column(rlang::enquo(raters), data, "raters", call, required = TRUE)
  time <- column(rlang::enquo(time), data, "time", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  labels <- unique(c(targets, raters, cluster))
  found <- ask("trace_reliability", list(
    data = table_node(data, c(labels, ratings, time), call = call, labels = labels),
    targets = many(targets), ratings = ratings, raters = raters, time = time, cluster = cluster,
    rate = one(rate), filling = one(filling), max_gap = one(max_gap),
    min_coverage = one(min_coverage), max_lag = one(max_lag), align = flag(align), k = one(k),
    confidence = one(confidence)
  ), call)
  new_result(found, "pyexpr_traces", data)
}
