#' Run a whole study
#'
#' Computes reliabilities, the factor model, features of every clip, models and baselines on a split
#' by subject, all comparisons and coefficients. Writes tables (CSV, Markdown), figures (SVG, PNG)
#' and `record.json`. The factor model is fitted by the lavaan of this session. Only steps that have
#' changed since the last run are computed again.
#'
#' @param study The study file (TOML).
#' @param output Folder of the results; by default the one in the study file.
#' @param progress Whether to report progress.
#' @param overwrite Whether to also replace files that no run wrote, or that have been changed, if a
#'   result has the same name. Files that the study reads, links, pipes and devices are never
#'   replaced.
#' @param verify Whether to read every recording and video to verify its hash. By default a file is
#'   taken as unchanged if its size and times are those with which it was hashed.
#' @param clean Whether to remove, after the run, stored features of recordings, contents or options
#'   that the study does not use now.
#' @return An object with [tidy()][result-tables], which gives the comparison by default, and every
#'   table of the study by its name. `x$folder` is the folder of the results. A study with several
#'   labels has a folder and a report for each, and one table with the comparisons of all labels,
#'   whose column `outcome` names the label.
#' @seealso [check_study()], [simulate_study()], [study_report()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "study"), subjects = 12)
#' result <- run_study(simulated$study_file)
#' result
#' tidy(result, "reliability")
#' }
run_study <- function(study, output = NULL, progress = interactive(), overwrite = FALSE,
                      verify = FALSE, clean = FALSE) {
  call <- rlang::current_env()
  if (!is.null(output)) output <- path_of(output, call, "output")
  found <- ask("run_study", list(study = path_of(study, call, "study"), output = output,
    progress = flag(progress), overwrite = flag(overwrite), verify = flag(verify),
    clean = flag(clean)), call)
  # In tables of scores, questions are columns.
  new_result(found, "pyexpr_study", plain = c("scores", "training_scores"), folder = found$folder,
    reused = as.character(found$reused))
}

#' Check a study file
#'
#' Reads and matches the tables of a study file, divides the subjects and constructs the models as
#' [run_study()] does, but computes no results. It reports within seconds what would be done, the
#' numbers of subjects, contexts, clips, ratings and features, what is left out and why, and all
#' problems.
#'
#' @param study The study file (TOML).
#' @param output Folder of the results; by default the one in the study file.
#' @return An object that prints as a page; [tidy()][result-tables] has one row per item (`section`,
#'   `item`, `n`, `detail`, `status`). `x$problems` contains the problems, one sentence each; it is
#'   empty for a study that can be run.
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
#' writes it again from the folder of results. Every table and figure is checked against its hash in
#' `record.json`, and the record against its own hash. A file that was edited since the run is an
#' error.
#'
#' @param folder The folder of results: `x$folder` of a result of [run_study()].
#' @param output The file to write; by default `report.html` in `folder`. A name that ends in
#'   `.docx` gives a Word document, which needs the Python package python-docx.
#' @param altered Whether to also show files that were edited since the run, marked as altered
#'   wherever they are shown.
#' @param overwrite Whether to also replace a file that is not a report, or a report that was
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

#' Simulate a study with known true values
#'
#' Writes ratings, OpenFace recordings (about 9 MB per subject), a study file for [run_study()], and
#' the true values.
#'
#' @param folder A new or empty folder, or one with an earlier simulated study. The latter is
#'   completed if it was written with the same arguments, and replaced otherwise. A study whose
#'   files have been changed is not replaced.
#' @param subjects Number of subjects. The first subjects of a larger study are those of a smaller
#'   one.
#' @param seed Seed of the random numbers, 0 or larger. The same seed gives identical results.
#' @param videos Whether to draw a video of each recording.
#' @param video_size Width and height of the videos in pixels: even, from 16 to 1024.
#' @param n_jobs Number of recordings written at a time: -1 is one per processor, `NULL` is 1. The
#'   files do not depend on it.
#' @param progress Whether to show a progress bar.
#' @param overwrite Whether to replace an earlier simulated study even if its files have been
#'   changed.
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
