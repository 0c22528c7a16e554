#' Read an OpenFace file
#'
#' @description
#' Reads files of OpenFace versions 0.x to 2.x, with any group of columns, plain or compressed.
#' Frames are placed by their number, missing frames are gaps, and frames in which the tracker
#' failed are `NA` in every group. No data are repaired silently; rows that are left out are counted
#' in the log.
#'
#' @param path A file. For a session of DAIC-WOZ, whose columns are divided among several files
#'   (`300_CLNF_features.txt`, `features3D`, `pose`, `gaze`, `AUs`), any of these files or their
#'   folder: all files of the session in that folder are joined.
#' @param groups Groups of columns: some of `"landmarks_2d"`, `"landmarks_3d"`,
#'   `"pose_translation"`, `"pose_rotation"`, `"gaze_angle"`, `"gaze_vector"`,
#'   `"au_presence"`, `"au_intensity"`, `"params"`, `"eye_landmarks_2d"`,
#'   `"eye_landmarks_3d"`, `"shape"`. By default those required by the features.
#' @param fps Frames per second. By default inferred from the timestamps.
#' @param min_confidence Frames with lower confidence are treated as missing.
#' @param clock `"frames"` places frames by their numbers, `"timestamps"` by their
#'   timestamps, `"video"` by the presentation times of `video`, `"auto"` by timestamps if these
#'   show a variable rate.
#' @param face `"largest"`, `"left"` or `"right"`, or the `face_id` to follow.
#' @param join_ids Whether to treat other values of `face_id` as the same face if they never occur
#'   together with it and begin or end at its position.
#' @param max_speed Maximum speed in mm/s. Frames that the head or the landmarks could only reach at
#'   a higher speed are treated as missing, and counted; `Inf` sets no limit.
#' @param max_turn Maximum speed in degrees/s of the rotation of the head and of the gaze, used in
#'   the same way.
#' @param video The video from which the file was computed, for `clock = "video"`.
#' @param split_by,part For a file with several recordings: the column that identifies the
#'   recording, and its value for this one.
#' @param on_missing `"error"` or `"note"`, if one of `groups` is missing in the file.
#' @return A tibble, a row per frame: `frame` (from 0), `time` (s), `present`, `valid`,
#'   `confidence`, then the columns of the groups (pixels, mm, radians, as OpenFace
#'   writes them). `glance()` gives the log: numbers of rows read, truncated and duplicated, and of
#'   frames missing and failed; `tidy()` has one row per group.
#' @seealso [describe_openface()], [extract_features()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' path <- tempfile(fileext = ".csv")
#' writeLines(c(
#'   "frame, timestamp, confidence, success, gaze_angle_x, gaze_angle_y",
#'   "1, 0.00, 0.98, 1, 0.10, 0.20", "2, 0.04, 0.98, 1, 0.11, 0.20",
#'   "4, 0.12, 0.10, 0, 0.00, 0.00"
#' ), path)
#' recording <- read_openface(path, groups = "gaze_angle")
#' recording
#' glance(recording)
read_openface <- function(path, groups = NULL, fps = NULL, clock = "auto",
                          min_confidence = NULL, face = "largest", join_ids = FALSE,
                          max_speed = 5000, max_turn = 1500, video = NULL, split_by = NULL,
                          part = NULL, on_missing = "error") {
  found <- ask("read_openface", list(
    path = path_of(path, rlang::current_env()), groups = many(groups), fps = one(fps),
    clock = one(clock), min_confidence = one(min_confidence), face = one(face),
    join_ids = flag(join_ids), max_speed = one(max_speed), max_turn = one(max_turn),
    video = one(video), split_by = one(split_by), part = one(part),
    on_missing = one(on_missing)
  ), rlang::current_env())
  new_recording(found)
}

new_recording <- function(found) {
  table <- result_table(found$frames)
  tibble::new_tibble(as.list(table), nrow = nrow(table), class = "pyexpr_recording",
    heading = found$heading, notes = as.character(found$notes), log = found$log,
    groups = result_table(found$groups))
}

path_of <- function(path, call, arg = "path") {
  given(path, "a path", arg, call)
  if (!is.character(path) || length(path) != 1L || is.na(path)) {
    data_error(sprintf("`%s` must be the path of a file, as one string.", arg), call)
  }
  path.expand(path)
}

#' @export
print.pyexpr_recording <- function(x, ...) {
  print_heading(attr(x, "heading"))
  cat("\n")
  show_table(plain_tibble(x), ...)
  print_notes(attr(x, "notes"))
  invisible(x)
}

plain_tibble <- function(x) tibble::new_tibble(unclass_columns(x), nrow = nrow(x))

unclass_columns <- function(x) {
  columns <- as.list(x)
  attributes(columns) <- list(names = names(x))
  columns
}

#' @export
tidy.pyexpr_recording <- function(x, ...) attr(x, "groups")

#' @export
glance.pyexpr_recording <- function(x, ...) tibble::as_tibble(attr(x, "log"))

#' Describe an OpenFace file
#'
#' @param path A file.
#' @return A tibble of one row: layout, frames, frame rate, groups of columns.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' path <- tempfile(fileext = ".csv")
#' writeLines(c("frame, timestamp, confidence, success, gaze_angle_x, gaze_angle_y",
#'   "1, 0.00, 0.98, 1, 0.10, 0.20", "2, 0.04, 0.98, 1, 0.11, 0.20"), path)
#' describe_openface(path)
describe_openface <- function(path) {
  call <- rlang::current_env()
  result_table(ask("describe_openface", list(path = path_of(path, call)), call))
}

#' Read a table of any tracker
#'
#' @description
#' Reads points of the face or body, the head's pose, the gaze, action units, blendshapes or
#' emotions. A layout defines the meaning of the columns. The clock, gaps, several faces, and rows
#' that are dropped are treated as in [read_openface()].
#'
#' @param source A file (text, compressed or not; xlsx; parquet; feather), a folder of
#'   OpenPose's JSON files, or a data frame.
#' @param layout The name of a layout (such as `"py-feat"` or `"mediapipe"`), or a TOML
#'   file of your own. By default the layout is identified from the header.
#' @param points Patterns of the columns of x and y (and z), with `{}` for the number of a
#'   point: `c("x_{}", "y_{}")`.
#' @param units Unit of the points: `"px"`, `"share"` (proportion of the image), `"mm"`, `"cm"` or
#'   `"m"`.
#' @param frame,person Columns of the frame number and of the person.
#' @param time The column of times.
#' @param time_unit `"s"`, `"ms"`, `"us"` or `"clock"` (hours:minutes:seconds). By default the
#'   unit for which there are 4 to 250 frames per second.
#' @param valid The column that is 1 in valid rows.
#' @param image_size Width and height of the images in pixels, with which proportions of the image
#'   are converted to pixels.
#' @param groups As in [read_openface()], and `"au_score"`, `"blendshapes"`, `"emotions"`.
#' @param fps Frames per second of the video. It is required if the table contains no times.
#' @inheritParams read_openface
#' @return The same as that of [read_openface()].
#' @seealso [describe_tracks()], [extract_features()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' table <- data.frame(t = 0:3 * 40, a0 = 0:3, b0 = 0, a1 = 5, b1 = 1)
#' read_tracks(table, points = c("a{}", "b{}"), units = "px", time = "t", time_unit = "ms")
read_tracks <- function(source, layout = NULL, points = NULL, units = NULL, frame = NULL,
                        time = NULL, time_unit = NULL, valid = NULL, person = NULL,
                        image_size = NULL, groups = NULL, fps = NULL, clock = "auto",
                        min_confidence = NULL, face = "largest", join_ids = FALSE,
                        max_speed = 5000, max_turn = 1500, video = NULL, split_by = NULL,
                        part = NULL, on_missing = "error") {
  call <- rlang::current_env()
  new_recording(ask("read_tracks", list(
    source = tracks_source(source, call), layout = one(layout), points = many(points),
    units = one(units), frame = one(frame), time = one(time), time_unit = one(time_unit),
    valid = one(valid), person = one(person), image_size = many(image_size),
    groups = many(groups), fps = one(fps), clock = one(clock),
    min_confidence = one(min_confidence), face = one(face), join_ids = flag(join_ids),
    max_speed = one(max_speed), max_turn = one(max_turn), video = one(video),
    split_by = one(split_by), part = one(part), on_missing = one(on_missing)
  ), call))
}

tracks_source <- function(source, call) {
  given(source, "a path, or a data frame", "source", call)
  if (is.data.frame(source)) {
    return(table_node(source, names(source), "source", call))
  }
  path_of(source, call, "source")
}

#' Describe a table of any tracker
#'
#' @inheritParams read_tracks
#' @return A tibble of one row: layout, groups and their units, rows and frames, frame rate,
#'   faces, and the rows that are dropped, by reason.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' table <- data.frame(frame_idx = 0:9, frame_time_in_ms = 0:9 * 40)
#' points <- matrix(0.5, 10, 956)
#' colnames(points) <- paste0("lm_mp_", rep(0:477, each = 2), c("_x", "_y"))
#' describe_tracks(cbind(table, points, au_1_intensity = 2))
describe_tracks <- function(source, layout = NULL) {
  call <- rlang::current_env()
  result_table(ask("describe_tracks", list(
    source = tracks_source(source, call), layout = one(layout)
  ), call))
}

#' Features of clips from OpenFace files
#'
#' @description
#' Reads recordings, cuts them into clips and computes fourteen features of movement, gaze and
#' facial action per clip, and optionally further features. Gaps are never bridged. If a clip has no
#' features, the reason is given, and everything that is left out is counted.
#'
#' @param recordings A data frame with the columns `subject`, `context` and `openface`
#'   (path), and optionally `face`, `part` and `video`, with one row per recording; or paths (the
#'   subject is then the name of the file).
#' @param schedule `"bp4d_plus"`, or a data frame of segments with the columns
#'   `context`, `start`, `end` (seconds; negative ones count from the end) and `clip`.
#' @param every Instead of a schedule: length of the clips in seconds.
#' @param rate Bins per second in which movement is measured.
#' @param bins `"mean"` or `"decimate"`.
#' @param velocity `"abs_derivative"`, `"derivative"` or `"speed"`.
#' @param head `"pose"` or `"params"`.
#' @param au_count `"mean"` or `"distinct"`.
#' @param min_valid Proportion of the bins of a clip that must be valid.
#' @param landmarks `"2d"`, `"normalised"` or `"3d"`.
#' @param derivatives `"differences"` or `"savgol"`.
#' @param extra Families of features in addition to the fourteen: any of `"regions"`,
#'   `"acceleration"`, `"variability"`, `"asymmetry"`, `"au_dynamics"`, `"entropy"`,
#'   `"expression_means"`, `"expression_variability"` and `"expression_dynamics"`. They are described
#'   in the section *Further features*.
#' @param action_units Action units, such as `"AU12"`, whose dynamics get columns of their own in
#'   addition to those of all units together. This requires `"au_dynamics"` in `extra`.
#' @param expressions The signals of the `expression_` families: names such as
#'   `"blendshape_jawOpen"`, `"emotion_joy"`, `"score_AU12"` or `"intensity_AU12"`, or groups
#'   (`"au_intensity"`, `"au_score"`, `"blendshapes"`, `"emotions"`). The default is all signals of
#'   the recordings.
#' @param baseline A context, or `"all"`. Adds the deviation of each feature from the person's own
#'   mean over the clips of this context, or over all clips.
#' @param layout For tables of a tracker other than OpenFace: a layout, as in [read_tracks()], or
#'   `"auto"`, which identifies the layout of each file from its header. A column `layout` of
#'   `recordings` gives the layout of each file.
#' @param split_by For files with several recordings: the column that identifies the recording. The
#'   column `part` of `recordings` gives its value for each row. If `recordings` are paths, each
#'   value is a separate recording and subject.
#' @param on_mixed What to do with recordings whose action units or image size differ from the
#'   first: `"error"`, `"common"` (use the common action units), or `"keep"` (keep them as they are,
#'   with a note).
#' @param on_error `"stop"`, or `"skip"`: an unusable file is left out and listed in `"dropped"`.
#' @param on_short What to do with clips for which a recording is too short: `"drop"` leaves them
#'   out and lists them, `"error"` stops.
#' @param n_jobs Number of files processed at a time: -1 (the default) is one per processor, `NULL`
#'   is 1. Results do not depend on it.
#' @param progress Whether to show a progress bar.
#' @inheritParams read_openface
#' @section Further features:
#' Gaps are never bridged. A feature for which there are too few data is `NA`, and `reason` states why.
#' * `"regions"`: displacement and velocity of `brows_`, `eyes_`, `mouth_` and `jaw_`.
#' * `"acceleration"`: the mean length of the second and third derivative of position of landmarks,
#'   head and gaze, `_acceleration` and `_jerk` (u/s^2, u/s^3).
#' * `"variability"`: the standard deviation of the position, `_variability`, and the diagonal of
#'   the box that contains it, `_range`; the same for the intensities of action units.
#' * `"asymmetry"`: (L - R) / (L + R), where L and R are the distances covered by the landmarks on
#'   the person's left and right side, for all pairs of landmarks and by region.
#' * `"au_dynamics"`: events in which an action unit is present for at least 0.2 s: `au_events` per
#'   minute, and for events that begin and end within the clip the mean `au_duration` (s),
#'   `au_amplitude` (0 to 5), `au_onset_speed` and `au_offset_speed` (intensity per second).
#' * `"entropy"`: sample entropy and permutation entropy of the displacement from bin to bin. They
#'   require 100 and 30 runs of three adjacent steps.
#' * `"expression_means"`, `"expression_variability"`, `"expression_dynamics"`: for each signal of
#'   `expressions` the mean (under its own name), the standard deviation (`_sd`), and the mean
#'   absolute change from bin to bin per second (`_speed`).
#' @return An object with [tidy()][result-tables] (a row per clip; `clip` is the label of
#'   the schedule, or otherwise the number of the clip; units are in `x$units`), tables `"quality"`,
#'   `"recordings"` and `"dropped"`, and for recordings of other trackers `"means"`: the mean of
#'   each action unit, blendshape and emotion over the frames of a clip.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' path <- file.path(tempdir(), "s01.csv")
#' frame <- 0:149 # 6 s at 25 frames per second, 30 mm/s to the right
#' write.csv(data.frame(frame = frame + 1, timestamp = frame / 25, confidence = 0.98,
#'   success = 1, pose_Tx = 1.2 * frame, pose_Ty = 0, pose_Tz = 500), path, row.names = FALSE)
#' found <- extract_features(path, every = 3)
#' tidy(found)[c("subject", "clip", "head_displacement")]
extract_features <- function(recordings, schedule = NULL, every = NULL, rate = 5, bins = "mean",
                             velocity = "abs_derivative", head = "pose", au_count = "mean",
                             min_valid = 0.5, landmarks = "2d", derivatives = "differences",
                             extra = NULL, action_units = NULL, expressions = NULL,
                             baseline = NULL,
                             min_confidence = NULL, fps = NULL, clock = "auto",
                             face = "largest", join_ids = FALSE, max_speed = 5000,
                             max_turn = 1500, layout = NULL, split_by = NULL,
                             on_mixed = "error", on_short = "drop", on_error = "stop",
                             n_jobs = -1, progress = interactive()) {
  call <- rlang::current_env()
  given(recordings, "a data frame, or paths", call = call)
  found <- ask("extract_features", list(
    recordings = recordings_node(recordings, call), schedule = segments_node(schedule, call),
    every = one(every), rate = one(rate),
    bins = one(bins), velocity = one(velocity), head = one(head), au_count = one(au_count),
    min_valid = one(min_valid), landmarks = one(landmarks), derivatives = one(derivatives),
    extra = many(extra), action_units = many(action_units),
    expressions = many(expressions), baseline = one(baseline),
    min_confidence = one(min_confidence), fps = one(fps), clock = one(clock), face = one(face),
    join_ids = flag(join_ids), max_speed = one(max_speed), max_turn = one(max_turn),
    layout = one(layout), split_by = one(split_by), on_mixed = one(on_mixed),
    on_short = one(on_short), on_error = one(on_error), n_jobs = one(n_jobs), progress = flag(progress)
  ), call)
  # Clips without labels of the user's are numbered.
  numbers <- seq_len(nrow(found$tables$tidy) + nrow(found$tables$dropped))
  labels <- if (is.data.frame(schedule)) schedule[["clip"]]
  data <- c(if (is.data.frame(recordings)) recordings[c("subject", "context")],
    list(clip = if (is.null(labels)) numbers else labels))
  new_result(found, "pyexpr_features", data, c("subject", "context", "clip"), units = found$units)
}

# The table of recordings, or the paths, for Python.
recordings_node <- function(recordings, call) {
  if (is.data.frame(recordings)) {
    needed <- c("subject", "context", "openface")
    needed <- c(needed, intersect(c("face", "part", "video", "layout"), names(recordings)))
    paths <- recordings[["openface"]]
    if (is.character(paths)) recordings$openface <- path.expand(paths)
    return(table_node(recordings, needed, "recordings", call, c("subject", "context")))
  }
  if (is.character(recordings)) return(many(path.expand(recordings)))
  data_error(sprintf("`recordings` must be a data frame or paths, not %s.",
    described_type(recordings)), call)
}

# A schedule by its name, or its segments, for Python.
segments_node <- function(schedule, call) {
  if (is.data.frame(schedule)) {
    return(table_node(schedule, arg = "schedule", call = call, labels = c("context", "clip")))
  }
  if (is.null(schedule) || (is.character(schedule) && length(schedule) == 1L)) return(schedule)
  data_error(sprintf("`schedule` must be a name or a data frame of segments, not %s.",
    described_type(schedule)), call)
}

#' Track faces in videos
#'
#' @description
#' Runs a face tracker and writes the points of each video to a parquet file. The tracker must be
#' installed in the Python that [doctor()] reports. The package does not include a tracker, and
#' nothing else in it requires one. `pip install 'pyexpr-stats[track]'` installs MediaPipe; download
#' its model file, `face_landmarker.task`, separately.
#'
#' Existing files that were made from the same video, tracker, model and options are kept. A call
#' that was stopped therefore continues when it is repeated.
#'
#' @param videos Videos in any format that FFmpeg reads, or folders, of which all videos are used,
#'   including those in subfolders.
#' @param output Folder for the files: `s01.mp4` gives `s01.parquet`.
#' @param tracker `"mediapipe"`, or your own tracker in Python, given as `"module:Class"`.
#' @param model The tracker's model file.
#' @param faces Maximum number of faces in a frame.
#' @param options Options of the tracker, a named list. MediaPipe has `mode` (`"video"`, or
#'   `"image"`, which processes each frame separately), `min_face_detection_confidence`,
#'   `min_face_presence_confidence` and `min_tracking_confidence`.
#' @param on_error `"stop"`, or `"skip"`: a video that cannot be tracked is listed in the table
#'   `"dropped"`.
#' @param overwrite Whether existing files with other content may be replaced.
#' @param n_jobs Number of videos at a time: -1 (the default) is one per processor, `NULL` is 1. The
#'   files do not depend on it.
#' @param progress Whether to show a progress bar.
#' @return An object with [tidy()][result-tables] (a row per video: `video`, `output`, `status`,
#'   `frames`, `seconds`, `fps`, `width`, `height`, `frames_with_face`, `frames_damaged`,
#'   `face_ids`) and a table `"dropped"`.
#'
#'   A file has one row per face and frame, and one row for each frame without a face: `frame`
#'   (from 0), `timestamp` (presentation time in s), `face_id`, `success` (1 or 0), `x_0`, `y_0`,
#'   `z_0`, ... (pixels of the upright image), blendshapes `blend_<name>`, and the head's
#'   position and rotation, `pose_Tx` to `pose_Rz`: x to the right, y down, z away from the
#'   camera. MediaPipe's position is in mm if the face has the size of MediaPipe's canonical face,
#'   and is proportional to mm otherwise; z also assumes a camera with a vertical field of view of
#'   63 degrees. With one face and `mode = "video"`, MediaPipe smooths the points over time.
#' @export
#' @examples
#' \dontrun{
#' found <- track_videos("videos", "tracks", model = "face_landmarker.task")
#' tidy(found)
#' }
track_videos <- function(videos, output, tracker = "mediapipe", model = NULL, faces = 1,
                         options = NULL, on_error = "stop", overwrite = FALSE, n_jobs = -1,
                         progress = interactive()) {
  call <- rlang::current_env()
  given(videos, "paths", call = call)
  if (!is.character(videos)) {
    data_error(sprintf("`videos` must be paths, not %s.", described_type(videos)), call)
  }
  if (!is.null(options) && (!length(names(options)) || !all(nzchar(names(options))))) {
    data_error("`options` must be a named list, such as list(mode = \"image\").", call)
  }
  found <- ask("track_videos", list(
    videos = many(path.expand(videos)), output = path_of(output, call, "output"),
    tracker = one(tracker), model = if (!is.null(model)) path_of(model, call, "model"),
    faces = one(faces), options = if (!is.null(options)) dictionary(options),
    on_error = one(on_error), overwrite = flag(overwrite), n_jobs = one(n_jobs),
    progress = flag(progress)
  ), call)
  new_result(found, "pyexpr_tracked")
}
