#' Time series of movement, from which features are computed
#'
#' @description
#' Computes one row per bin, or per frame, of each clip: the displacement of landmarks, head and
#' gaze and its change, the position of the head, and the intensities of action units. The mean of a
#' column of movement is the feature with the same name in [extract_features()].
#'
#' @param every Length of the clips in seconds. Without `every` and `schedule`, a clip is a whole
#'   recording.
#' @param rate Bins per second in which movement is measured; `NULL` for the frames of each
#'   recording.
#' @inheritParams extract_features
#' @inheritParams read_openface
#' @return An object with [tidy()][result-tables], a row per bin in the order of time:
#'   `subject`, `context`, `clip`, `openface`, `bin` (from 0), `time` (s of the recording at which
#'   the bin begins), `n_valid_frames`, `valid`; `_displacement` (distance from the previous
#'   bin), `_velocity` (its change), `_acceleration` and `_jerk` (second and third difference of
#'   position, times the squared and cubed rate) of `points`, `head`, `pitch`, `yaw`, `roll` and
#'   `gaze`, the first two also of `brows`, `eyes`, `mouth` and `jaw`; `head_x` to `head_z`, `pitch`,
#'   `yaw`, `roll`, `gaze_x`, `gaze_y`; `au_count`, and the mean intensity of each action unit; for
#'   other trackers also scores, blendshapes and emotions. Differences refer to the interval that
#'   ends with the row. A number is `NA` if one of its bins is not valid, so gaps are never bridged.
#'   `tidy(x, "dropped")` lists the clips that are not contained in a recording, and `x$units` gives
#'   the units.
#' @seealso [extract_features()], [synchrony()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' path <- file.path(tempdir(), "s02.csv")
#' frame <- 0:149 # 6 s at 25 frames per second, 30 mm/s to the right
#' write.csv(data.frame(frame = frame + 1, timestamp = frame / 25, confidence = 0.98,
#'   success = 1, pose_Tx = 1.2 * frame, pose_Ty = 0, pose_Tz = 500), path, row.names = FALSE)
#' tidy(movement_series(path))[c("bin", "time", "head_x", "head_displacement")]
movement_series <- function(recordings, schedule = NULL, every = NULL, rate = 5, bins = "mean",
                            velocity = "abs_derivative", head = "pose", landmarks = "2d",
                            min_confidence = NULL, fps = NULL, clock = "auto",
                            face = "largest", join_ids = FALSE, max_speed = 5000,
                             max_turn = 1500, layout = NULL, split_by = NULL,
                             on_short = "drop", n_jobs = -1,
                            progress = interactive()) {
  call <- rlang::current_env()
  given(recordings, "a data frame, or paths", call = call)
  found <- ask("movement_series", list(
    recordings = recordings_node(recordings, call), schedule = segments_node(schedule, call),
    every = one(every), rate = one(rate), bins = one(bins), velocity = one(velocity),
    head = one(head), landmarks = one(landmarks), min_confidence = one(min_confidence),
    fps = one(fps), clock = one(clock), face = one(face), join_ids = flag(join_ids),
    max_speed = one(max_speed), max_turn = one(max_turn), layout = one(layout),
    split_by = one(split_by),
    on_short = one(on_short), n_jobs = one(n_jobs), progress = flag(progress)
  ), call)
  data <- if (is.data.frame(recordings)) recordings[c("subject", "context")]
  new_result(found, "pyexpr_series", data, c("subject", "context"), units = found$units)
}

#' Synchrony of two people
#'
#' @description
#' Measures the synchrony of two people's movement by Pearson's correlations in windows and at lags
#' (Boker et al., 2002), and compares it with that of pseudo-dyads, which combine people from
#' different dyads (Bernieri and Rosenthal, 1991; Ramseyer and Tschacher, 2011). The test exchanges
#' the second people between dyads. It exchanges whole series, so it is valid for autocorrelated
#' series, and effects that are common to all dyads are present in the pseudo-dyads as well.
#'
#' @param data A data frame with one row per dyad, person and time, such as the tibble of
#'   [movement_series()] with an added column of dyads. Each person must be in only one dyad.
#' @param series,dyad,person,time Names of the columns of the measurement, the dyad, the person and
#'   the time (in seconds, on an even grid). The first person of a dyad is the one whose label comes
#'   first in sorted order.
#' @param window,lag Length of a window, and largest lag between the windows of the two people, in
#'   seconds.
#' @param step Seconds between windows; by default the length of a window.
#' @param measure `"absolute"`, the mean over windows and lags of |z|, where z is Fisher's
#'   transformation of the correlations; `"signed"`, the mean of z; or `"peak"`, the mean over
#'   windows of the largest |z|.
#' @param min_valid Minimum proportion of observed pairs of values in a window.
#' @param n_permutations Number of permutations of partners. If fewer exist, all of them are used.
#' @param seed Seed of the permutations. The same seed gives the same result.
#' @return An object with [tidy()][result-tables]: one row per dyad and one for `"all"`, with
#'   `estimate`, `pseudo_mean` and `pseudo_sd` of pseudo-dyads, `difference`, `effect_size`
#'   (difference divided by `pseudo_sd`), `p.value`, `first_leads` and `second_leads` (the means at
#'   positive and at negative lags), `n_windows`, `n_pseudo`, `reason`. The p-value of a dyad is
#'   based on the rank of its second person among all second people. `tidy(x, "windows")` contains
#'   the correlations.
#' @references
#' Boker, S. M., Xu, M., Rotondo, J. L., and King, K. (2002). Windowed cross-correlation and peak
#' picking for the analysis of variability in the association between behavioral time series.
#' Psychological Methods 7, 338-355.
#' \doi{10.1037/1082-989X.7.3.338}
#'
#' Ramseyer, F., and Tschacher, W. (2011). Nonverbal synchrony in psychotherapy. Journal of
#' Consulting and Clinical Psychology 79, 284-295.
#' \doi{10.1037/a0023419}
#' @seealso [movement_series()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' # Six dyads; the second person does 1 s later what the first did.
#' set.seed(1)
#' dyads <- do.call(rbind, lapply(1:6, function(dyad) {
#'   moves <- rnorm(305)
#'   rbind(
#'     data.frame(dyad = dyad, person = "a", time = 0:299 / 5, way = moves[6:305]),
#'     data.frame(dyad = dyad, person = "b", time = 0:299 / 5, way = moves[1:300] + rnorm(300))
#'   )
#' }))
#' found <- synchrony(dyads, "way", window = 20, lag = 2)
#' tidy(found)[c("dyad", "difference", "p.value", "first_leads", "second_leads")]
synchrony <- function(data, series = "head_displacement", dyad = "dyad", person = "person",
                      time = "time", window = 30, step = NULL, lag = 5, measure = "absolute",
                      min_valid = 0.8, n_permutations = 9999, seed = 0) {
  call <- rlang::current_env()
  given(data, "a data frame", call = call)
  columns <- c(one(series), one(dyad), one(person), one(time))
  found <- ask("synchrony", list(
    data = table_node(data, columns, call = call, labels = c(dyad, person)), series = series,
    dyad = dyad, person = person, time = time, window = one(window), step = one(step),
    lag = one(lag), measure = one(measure), min_valid = one(min_valid),
    n_permutations = one(n_permutations), seed = one(seed)
  ), call)
  new_result(found, "pyexpr_synchrony")
}
