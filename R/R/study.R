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
#' @param overwrite Whether to replace files, too, that no run wrote or that were changed
#'   since, where a result has their name. What the study reads is never replaced, and neither
#'   is a link, a pipe or a device.
#' @return An object with [tidy()][result-tables]: by default the comparison; every
#'   table of the study by its name. `x$folder` is where the results are. A study of several
#'   labels has a folder and a report for each, and one table: the comparisons of all, the label
#'   in the column `outcome`.
#' @seealso [check_study()], [simulate_study()], [study_report()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "study"), subjects = 12)
#' result <- run_study(simulated$study_file)
#' result
#' tidy(result, "reliability")
#' }
run_study <- function(study, output = NULL, progress = interactive(), overwrite = FALSE) {
  call <- rlang::current_env()
  if (!is.null(output)) output <- path_of(output, call, "output")
  found <- ask("run_study", list(study = path_of(study, call, "study"), output = output,
    progress = flag(progress), overwrite = flag(overwrite)), call)
  # In tables of scores, questions are columns.
  new_result(found, "pyexpr_study", plain = c("scores", "training_scores"), folder = found$folder,
    reused = as.character(found$reused))
}

#' Say what a study would do, and what is wrong with it
#'
#' Reads and matches the tables of a study file, divides the subjects and makes the models as
#' [run_study()] does, and computes nothing: in seconds it says what would be done, on how many
#' subjects, contexts, clips, ratings and features, what is left out and why, and all that is wrong.
#'
#' @param study The study file (TOML).
#' @param output Folder for the results; by default the one the file names.
#' @return An object that prints as a page; [tidy()][result-tables] has a row per point (`section`,
#'   `item`, `n`, `detail`, `status`). `x$problems` is what is wrong, a sentence each; of a study
#'   that can be run it has no element.
#' @seealso [run_study()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "checked"), subjects = 12)
#' checked <- check_study(simulated$study_file)
#' checked$problems
#' }
check_study <- function(study, output = NULL) {
  call <- rlang::current_env()
  if (!is.null(output)) output <- path_of(output, call, "output")
  found <- ask("check_study", list(study = path_of(study, call, "study"), output = output), call)
  new_result(found, "pyexpr_check", page = found$page, problems = as.character(found$problems))
}

#' @export
print.pyexpr_check <- function(x, ...) {
  cat(x$page, "\n", sep = "")
  invisible(x)
}

#' Write the report of a study again
#'
#' [run_study()] writes `report.html`, one page with method, tables, figures and cautions; this
#' writes it again from the folder of results. Every table and figure is held against its hash
#' in `record.json`, and the record against its own: what was edited since the run is an error.
#'
#' @param folder The folder of results: `x$folder` of what [run_study()] returned.
#' @param output The file to write; by default `report.html` in `folder`. A name that ends in `.docx`
#'   gives a Word document, which needs the Python package python-docx.
#' @param altered Whether to show what was edited since the run, too, marked as altered wherever
#'   it is shown.
#' @param overwrite Whether to replace a file, too, that is no report, or a report that was
#'   edited.
#' @return The path of the file, invisibly.
#' @seealso [run_study()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "reported"), subjects = 12)
#' result <- run_study(simulated$study_file)
#' study_report(result$folder)
#' }
study_report <- function(folder, output = NULL, altered = FALSE, overwrite = FALSE) {
  call <- rlang::current_env()
  if (!is.null(output)) output <- path_of(output, call, "output")
  found <- ask("study_report", list(folder = path_of(folder, call, "folder"), output = output,
    altered = flag(altered), overwrite = flag(overwrite)), call)
  invisible(found)
}

#' Simulate a study whose truth is known
#'
#' Writes ratings, OpenFace recordings (about 9 MB per subject), a study file for
#' [run_study()], and what is true of them.
#'
#' @param folder New, empty, or an earlier simulated study, which is completed if it
#'   was made with the same arguments and replaced otherwise. One whose files were changed
#'   since is not replaced.
#' @param subjects How many; the first subjects of a larger study are those of a
#'   smaller one.
#' @param seed From 0; fixes every byte.
#' @param videos Whether to draw each recording too, as a video.
#' @param video_size Width and height of the videos in pixels: even, from 16 to 1024.
#' @param n_jobs Processes that write recordings.
#' @param progress Whether to show a bar.
#' @param overwrite Whether to replace an earlier simulated study, too, whose files were changed
#'   since.
#' @return An object with [tidy()][result-tables] (a row per context); `x$study_file` is
#'   the file to run.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulate_study(file.path(tempdir(), "small"), subjects = 1)
#' }
simulate_study <- function(folder, subjects = 40, seed = 1, videos = FALSE, video_size = 64,
                           n_jobs = 2, progress = interactive(), overwrite = FALSE) {
  call <- rlang::current_env()
  found <- ask("simulate_study", list(folder = path_of(folder, call, "folder"),
    subjects = one(subjects), seed = one(seed), videos = flag(videos),
    video_size = one(video_size), n_jobs = one(n_jobs), progress = flag(progress),
    overwrite = flag(overwrite)), call)
  new_result(found, "pyexpr_simulation", study_file = found$study_file, folder = found$folder)
}
