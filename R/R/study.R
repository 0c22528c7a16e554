#' Run a whole study
#'
#' Reliabilities, the factor model, features of every clip, models and baselines on a
#' split by subject, all comparisons and coefficients; tables (CSV, Markdown),
#' figures (SVG, PNG) and `record.json` are written. The factor model is fitted by the
#' lavaan of this session. What has not changed since the last run is not redone.
#'
#' @param study The study file (TOML).
#' @param output Folder for the results; by default the one the file names.
#' @param progress Whether to say what is being done.
#' @return An object with [tidy()][result-tables]: by default the comparison; every
#'   table of the study by its name. `x$folder` is where the results are.
#' @seealso [simulate_study()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "study"), subjects = 12)
#' result <- run_study(simulated$study_file)
#' result
#' tidy(result, "reliability")
#' }
run_study <- function(study, output = NULL, progress = interactive()) {
  call <- rlang::current_env()
  if (!is.null(output)) output <- path_of(output, call, "output")
  found <- ask("run_study", list(study = path_of(study, call, "study"), output = output,
    progress = flag(progress)), call)
  # In tables of scores, questions are columns.
  new_result(found, "pyexpr_study", plain = c("scores", "training_scores"), folder = found$folder,
    reused = as.character(found$reused))
}

#' Simulate a study whose truth is known
#'
#' Writes ratings, OpenFace recordings (about 9 MB per subject), a study file for
#' [run_study()], and what is true of them.
#'
#' @param folder New, empty, or an earlier simulated study, which is completed if it
#'   was made with the same arguments and replaced otherwise.
#' @param subjects How many; the first subjects of a larger study are those of a
#'   smaller one.
#' @param seed From 0; fixes every byte.
#' @param videos Whether to draw each recording too, as a video.
#' @param video_size Width and height of the videos in pixels: even, from 16 to 1024.
#' @param n_jobs Processes that write recordings.
#' @param progress Whether to show a bar.
#' @return An object with [tidy()][result-tables] (a row per context); `x$study_file` is
#'   the file to run.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulate_study(file.path(tempdir(), "small"), subjects = 1)
#' }
simulate_study <- function(folder, subjects = 40, seed = 1, videos = FALSE, video_size = 64,
                           n_jobs = 2, progress = interactive()) {
  call <- rlang::current_env()
  found <- ask("simulate_study", list(folder = path_of(folder, call, "folder"),
    subjects = one(subjects), seed = one(seed), videos = flag(videos),
    video_size = one(video_size), n_jobs = one(n_jobs), progress = flag(progress)), call)
  new_result(found, "pyexpr_simulation", study_file = found$study_file, folder = found$folder)
}
