#' Conclusions of a study under other choices
#'
#' @description
#' Computes the conclusions of a study again with other values of entries of its study file (a
#' specification curve). The study itself is the base; by default each other specification differs
#' from it in one entry. Every estimate is exactly the one that [run_study()] computes for a study
#' file with these values.
#'
#' A stage that several specifications share is computed once and stored in the folder of the
#' results. An interrupted call continues where it stopped, and the results of the study itself are
#' not changed. A specification that fails has rows with a `reason`. Shares of specifications
#' describe how much a conclusion depends on the choices; they are not a test.
#'
#' @param study The study file (TOML).
#' @param grid Other values of entries of the study file, with the section before a dot:
#'   `list(features.rate = c(4, 10), compare.methods = "percentile")`. An entry that holds several
#'   values takes a list of vectors: `list(features.leave_out = list(c("a", "b"), "c"))`. `NULL` in
#'   a list leaves the entry out.
#' @param full Whether to combine all values of all entries.
#' @param of Tables with conclusions: some of `"comparison"`, `"reliability"` and `"coefficients"`.
#'   By default all that the study has. Those of `"coefficients"` include pooled slopes if the study
#'   has them.
#' @param label The label, required if the study has several.
#' @param n_jobs Number of specifications computed at a time, in processes of this computer; -1 is
#'   one per processor. Results do not depend on it.
#' @param progress Whether to report each stage.
#' @return An object with [tidy()][result-tables] (a row per specification and conclusion), tables
#'   `"summary"` (a row per conclusion), `"specifications"` and `"work"`, and `autoplot()`.
#' @seealso [run_study()], [error_slopes()]
#' @references Simonsohn, U., Simmons, J. P. and Nelson, L. D. (2020). Specification curve analysis.
#'   Nature Human Behaviour, 4, 1208-1214. \doi{10.1038/s41562-020-0912-z}
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' simulated <- simulate_study(file.path(tempdir(), "varied"), subjects = 6)
#' found <- sensitivity(simulated$study_file, list(compare.confidence = c(0.9, 0.99)),
#'   of = "reliability")
#' tidy(found, "summary")
#' }
sensitivity <- function(study, grid, full = FALSE, of = NULL, label = NULL, n_jobs = NULL,
                        progress = interactive()) {
  call <- rlang::current_env()
  given(grid, "a named list", "grid", call)
  if (!is.list(grid)) grid <- as.list(grid)
  check_named(grid, "grid", "entries of the study file, such as `list(features.rate = c(4, 10))`",
    call)
  values <- lapply(grid, function(one) if (is.list(one)) unname(one) else many(one))
  found <- ask("sensitivity", list(study = path_of(study, call, "study"), grid = dictionary(values),
    full = flag(full), of = many(of), label = one(label), n_jobs = one(n_jobs),
    progress = flag(progress)), call)
  new_result(found, "pyexpr_sensitivity", entries = as.character(found$entries))
}

#' How the errors of models depend on the quality of recordings
#'
#' @description
#' Regresses the absolute error of each model, and the difference of the absolute errors of each
#' pair of models, on properties of the clips, such as the share of valid frames and the mean
#' confidence of the tracker (table `"quality"` of [extract_features()] or [run_study()]). Each
#' context has its own intercept and slopes. Slopes are per standard deviation of the property
#' within contexts. Variances are CR2 for subjects as clusters, with the degrees of freedom of
#' Satterthwaite. Rows with a missing value are left out of all models.
#'
#' Clips of different quality also differ in other respects: a slope does not show what better
#' recordings would change. Checked against the R package clubSandwich.
#'
#' @inheritParams context_coefficients
#' @param data A data frame with a row per clip and a column per model.
#' @param truth Column of the true values.
#' @param predictions Columns of the predictions, on the scale of the truth.
#' @param properties Columns of numbers. The slopes of several are adjusted for each other.
#' @param cluster Column of the subjects.
#' @param context Column of the contexts.
#' @param confidence Level of the intervals.
#' @param cr Cluster-robust variance estimator: `"CR2"`, `"CR0"`, `"CR1"` or `"CR3"`.
#' @return An object with [tidy()][result-tables] (a row per model or pair of models, context and
#'   property), tables `"contrasts"` and `"omnibus"` between contexts, and `autoplot()`.
#' @seealso [context_coefficients()], [sensitivity()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' set.seed(1)
#' rows <- data.frame(subject = rep(1:30, each = 6), y = rnorm(180), share = runif(180, 0.5, 1))
#' rows$model <- rows$y + (1.6 - rows$share) * rnorm(180)
#' error_slopes(rows, truth = y, predictions = model, properties = share, cluster = subject)
error_slopes <- function(data, truth, predictions, properties, cluster, context = NULL,
                         confidence = 0.95, cr = "CR2", ...) {
  call <- rlang::current_env()
  refuse_dots("error_slopes", call)
  given(data, "a data frame", call = call)
  truth <- column(rlang::enquo(truth), data, "truth", call, required = TRUE)
  predictions <- columns(rlang::enquo(predictions), data, "predictions", call, required = TRUE)
  properties <- columns(rlang::enquo(properties), data, "properties", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call)
  used <- c(truth, predictions, properties, cluster, context)
  found <- ask("error_slopes", list(
    table = table_node(data, used, call = call, labels = c(cluster, context)), truth = truth,
    predictions = many(predictions), properties = many(properties), cluster = cluster,
    context = context, confidence = one(confidence), cr = one(cr)
  ), call)
  new_result(found, "pyexpr_error_slopes")
}
