#' Read a file of OpenFace
#'
#' @description
#' Versions 0.x to 2.x, any group of columns, plain or compressed. Frames are placed
#' by their number; missing frames are gaps; frames that failed are `NA` in every
#' group. Nothing is repaired in silence: what was dropped is counted in the log.
#'
#' @param path A file.
#' @param groups Groups of columns: some of `"landmarks_2d"`, `"landmarks_3d"`,
#'   `"pose_translation"`, `"pose_rotation"`, `"gaze_angle"`, `"gaze_vector"`,
#'   `"au_presence"`, `"au_intensity"`, `"params"`, `"eye_landmarks_2d"`,
#'   `"eye_landmarks_3d"`, `"shape"`. By default those the features need.
#' @param fps Frames per second; by default what the timestamps tell.
#' @param min_confidence Frames of lower confidence are not valid.
#' @param clock `"frames"` places frames by their numbers, `"timestamps"` by their
#'   timestamps, `"video"` by the times at which `video` shows them, `"auto"` by timestamps
#'   where those prove a variable rate.
#' @param face `"largest"`, `"left"` or `"right"`, or the `face_id` to follow.
#' @param join_ids Whether other values of `face_id` that are never seen together with
#'   the followed one, and begin or end where it is, are the same face.
#' @param max_speed mm/s. Frames that head or landmarks could only reach faster are
#'   missing, and counted; `Inf` for no limit.
#' @param max_turn Degrees/s. The same for the head's rotation, and the gaze.
#' @param video The video that the file was made from, for `clock = "video"`.
#' @param split_by,part In a file of several recordings: the column that tells them
#'   apart, and what stands there in the rows of this one.
#' @param on_missing `"error"` or `"note"`, where the file lacks one of `groups`.
#' @return A tibble, a row per frame: `frame` (from 0), `time` (s), `present`, `valid`,
#'   `confidence`, then the columns of the groups (pixels, mm, radians, as OpenFace
#'   writes them). `glance()` gives the log: rows read, cut, doubled, frames missing
#'   and failed; `tidy()` a row per group.
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

#' What a file of OpenFace holds
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

#' Features of clips from OpenFace files
#'
#' @description
#' Reads recordings, cuts them into clips and computes fourteen features of movement,
#' gaze and facial action per clip. Gaps are never bridged; a clip without features
#' says why, and all that was left out is counted.
#'
#' @param recordings A data frame with the columns `subject`, `context` and `openface`
#'   (path), and if wanted `face`, `part` and `video`, a row per recording; or paths (then the
#'   subject is the file's name).
#' @param schedule `"bp4d_plus"`, or a data frame of segments with the columns
#'   `context`, `start`, `end` (seconds; negative ones count from the end) and `clip`.
#' @param every Instead of a schedule: clips of so many seconds.
#' @param rate Bins per second in which movement is measured.
#' @param bins `"mean"` or `"decimate"`.
#' @param velocity `"abs_derivative"`, `"derivative"` or `"speed"`.
#' @param head `"pose"` or `"params"`.
#' @param au_count `"mean"` or `"distinct"`.
#' @param min_valid Share of bins that a clip needs.
#' @param landmarks `"2d"`, `"normalised"` or `"3d"`.
#' @param derivatives `"differences"` or `"savgol"`.
#' @param split_by The column of files that hold several recordings which tells them
#'   apart; the column `part` of `recordings` says which row is which. For paths each of
#'   its values is a recording, and the subject.
#' @param on_mixed What to do with recordings of other action units, or images of another
#'   size, than the first: `"error"`, `"common"` (the action units that all have), or
#'   `"keep"` (as they are, with a note).
#' @param on_error `"stop"`, or `"skip"`: a file that cannot be used is listed among the
#'   dropped.
#' @param on_short `"drop"` lists clips that a recording is too short for, `"error"`
#'   stops.
#' @param n_jobs Files worked on at a time, by default one per core; it never changes
#'   the result.
#' @param progress Whether to show a bar.
#' @inheritParams read_openface
#' @return An object with [tidy()][result-tables] (a row per clip; `clip` is the label of
#'   the schedule, else the clip's number; units are in `x$units`), tables `"quality"`,
#'   `"recordings"` and `"dropped"`.
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
                             min_confidence = NULL, fps = NULL, clock = "auto",
                             face = "largest", join_ids = FALSE, max_speed = 5000,
                             max_turn = 1500, split_by = NULL, on_mixed = "error",
                             on_short = "drop", on_error = "stop", n_jobs = NULL,
                             progress = interactive()) {
  call <- rlang::current_env()
  given(recordings, "a data frame, or paths", call = call)
  if (is.data.frame(recordings)) {
    needed <- c("subject", "context", "openface")
    needed <- c(needed, intersect(c("face", "part", "video"), names(recordings)))
    paths <- recordings[["openface"]]
    if (is.character(paths)) recordings$openface <- path.expand(paths)
    source <- table_node(recordings, needed, "recordings", call, c("subject", "context"))
  } else if (is.character(recordings)) {
    source <- many(path.expand(recordings))
  } else {
    data_error(sprintf("`recordings` must be a data frame or paths, not %s.",
      described_type(recordings)), call)
  }
  segments <- if (is.data.frame(schedule)) {
    table_node(schedule, arg = "schedule", call = call, labels = c("context", "clip"))
  } else if (is.null(schedule) || (is.character(schedule) && length(schedule) == 1L)) {
    schedule
  } else {
    data_error(sprintf("`schedule` must be a name or a data frame of segments, not %s.",
      described_type(schedule)), call)
  }
  found <- ask("extract_features", list(
    recordings = source, schedule = segments, every = one(every), rate = one(rate),
    bins = one(bins), velocity = one(velocity), head = one(head), au_count = one(au_count),
    min_valid = one(min_valid), landmarks = one(landmarks), derivatives = one(derivatives),
    min_confidence = one(min_confidence), fps = one(fps), clock = one(clock), face = one(face),
    join_ids = flag(join_ids), max_speed = one(max_speed), max_turn = one(max_turn),
    split_by = one(split_by), on_mixed = one(on_mixed), on_short = one(on_short),
    on_error = one(on_error), n_jobs = one(n_jobs), progress = flag(progress)
  ), call)
  # Clips without labels of the user's are numbered.
  numbers <- seq_len(nrow(found$tables$tidy) + nrow(found$tables$dropped))
  labels <- if (is.data.frame(schedule)) schedule[["clip"]]
  data <- c(if (is.data.frame(recordings)) recordings[c("subject", "context")],
    list(clip = if (is.null(labels)) numbers else labels))
  new_result(found, "pyexpr_features", data, c("subject", "context", "clip"), units = found$units)
}

#' Points of faces in videos
#'
#' @description
#' Runs a tracker of faces that you have installed in the Python of [doctor()] and writes the
#' points of each video into a parquet file. The package brings no tracker and needs none for
#' anything else. MediaPipe is installed by `pip install 'pyexpr-stats[track]'`; its model file,
#' `face_landmarker.task`, is yours.
#'
#' Files that are there with the same content (video, tracker, model and options) are kept, so
#' that a call that was stopped goes on when it is made again.
#'
#' @param videos Videos in any format that FFmpeg reads; a folder stands for the videos in it
#'   and in its folders.
#' @param output Folder for the files: `s01.mp4` gives `s01.parquet`.
#' @param tracker `"mediapipe"`, or one of your own in Python as `"module:Class"`.
#' @param model The tracker's model file.
#' @param faces How many faces a frame has at most.
#' @param options Options of the tracker, a named list. MediaPipe has `mode` (`"video"`, or
#'   `"image"`: each frame for itself), `min_face_detection_confidence`,
#'   `min_face_presence_confidence` and `min_tracking_confidence`.
#' @param on_error `"stop"`, or `"skip"`: a video that cannot be tracked is listed among the
#'   dropped.
#' @param overwrite Whether files may be replaced that are there with another content.
#' @param n_jobs Videos worked on at a time, by default one per core; it never changes the
#'   files.
#' @param progress Whether to show a bar.
#' @return An object with [tidy()][result-tables] (a row per video: `video`, `output`, `status`,
#'   `frames`, `seconds`, `fps`, `width`, `height`, `frames_with_face`, `frames_damaged`,
#'   `face_ids`) and a table `"dropped"`.
#'
#'   A file has a row per face and frame, and one for a frame without any: `frame` (from 0),
#'   `timestamp` (s, when the frame is shown), `face_id`, `success` (1 or 0), `x_0`, `y_0`,
#'   `z_0`, ... (pixels of the upright image), blendshapes `blend_<name>`, and the head's
#'   position and rotation, `pose_Tx` to `pose_Rz`: x to the right, y down, z away from the
#'   camera. MediaPipe's position is in mm for a face of the size of its canonical one and in
#'   proportion for others; z, besides, supposes a camera with a vertical field of view of 63
#'   degrees. With one face and `mode = "video"` it smooths in time.
#' @export
#' @examples
#' \dontrun{
#' found <- track_videos("videos", "tracks", model = "face_landmarker.task")
#' tidy(found)
#' }
track_videos <- function(videos, output, tracker = "mediapipe", model = NULL, faces = 1,
                         options = NULL, on_error = "stop", overwrite = FALSE, n_jobs = NULL,
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
