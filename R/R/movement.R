#' The series behind the features
#'
#' @description
#' A row per bin, or per frame, of each clip: how far landmarks, head and gaze moved, how fast
#' that changes, where the head is, and the intensities of action units. The mean of a
#' column of movement is the feature of that name in [extract_features()].
#'
#' @param every Clips of so many seconds. Without it and `schedule` a clip is a whole
#'   recording.
#' @param rate Bins per second in which movement is measured; `NULL` for the frames of each
#'   recording.
#' @inheritParams extract_features
#' @inheritParams read_openface
#' @return An object with [tidy()][result-tables], a row per bin in the order of time:
#'   `subject`, `context`, `clip`, `openface`, `bin` (from 0), `time` (s of the recording at which
#'   the bin begins), `n_valid_frames`, `valid`; `_displacement` (the way from the bin before),
#'   `_velocity` (how fast that changes), `_acceleration` and `_jerk` (second and third difference of position, times the rate
#'   squared and cubed) of `points`, `head`, `pitch`, `yaw`, `roll` and `gaze`, the first two also
#'   of `brows`, `eyes`, `mouth` and `jaw`; `head_x` to `head_z`, `pitch`, `yaw`, `roll`, `gaze_x`, `gaze_y`;
#'   `au_count`, and the mean intensity of each action unit; of other trackers also scores,
#'   blendshapes and emotions. What a row has ends at this row.
#'   A number is `NA` where one of its bins is not valid: gaps are never bridged.
#'   `tidy(x, "dropped")` has the clips that recordings do not yield, `x$units` the units.
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
#' How two people's movement goes together: Pearson's correlation in windows, at lags (Boker et
#' al., 2002), compared with that of pseudo-dyads, people of different dyads (Bernieri and
#' Rosenthal, 1991; Ramseyer and Tschacher, 2011). The test exchanges the second people between
#' dyads. Whole series are exchanged, so that it does not matter how each goes on in time,
#' and what all dyads have in common is in the pseudo-dyads too.
#'
#' @param data A data frame, a row per dyad, person and time, such as the tibble of
#'   [movement_series()] with a column of dyads. Each person must be in one dyad alone.
#' @param series,dyad,person,time Names of its columns: what is measured, which dyad, which of
#'   its two people, and when, in seconds, on an even grid. The person whose label comes first in order
#'   is the first of the dyad.
#' @param window,lag Seconds of a window, and the largest lag between the windows of the two.
#' @param step Seconds from window to window; by default a window's.
#' @param measure With z Fisher's transformation of the correlations: `"absolute"` the mean of
#'   |z| over windows and lags, `"signed"` that of z, `"peak"` the mean over windows of the
#'   largest |z|.
#' @param min_valid Share of a window's pairs of values that must be known.
#' @param n_permutations Permutations of partners; if there are no more, all are taken.
#' @param seed A whole number; the same one gives the same result.
#' @return An object with [tidy()][result-tables]: a row per dyad and one of `"all"`, with
#'   `estimate`, `pseudo_mean` and `pseudo_sd` of pseudo-dyads, `difference`, `effect_size`
#'   (difference by `pseudo_sd`), `p.value`, `first_leads` and `second_leads` (the mean at positive
#'   and at negative lags), `n_windows`, `n_pseudo`, `reason`. The p-value of a dyad is the rank of its
#'   second person among all second people. `tidy(x, "windows")` has the correlations.
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
