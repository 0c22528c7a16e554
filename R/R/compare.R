#' Compare models on the same rows, with whole subjects resampled
#'
#' @description
#' Metrics of every model and all differences between models, over all rows and
#' within contexts, with intervals and tests that respect that the clips of a subject
#' are not independent. The same seed gives the same bytes here, in Python and on the
#' command line, with any number of threads.
#'
#' Rows in which the truth or a prediction is missing are left out of every model
#' alike, and counted. Checked against `boot::boot.ci` on the same replicates.
#'
#' @param data A data frame, one row per clip; or a result of [fit_models()], which knows the
#'   truth, the predictions, the subjects, contexts and folds: then only the options are given,
#'   `seed` is by default that of the folds, and a model's metric is the mean over repeats of
#'   those within folds.
#' @param truth Column of the true score.
#' @param predictions Columns of predictions, `c(elastic_net, lstm)`, or named,
#'   `c("elastic net" = elastic_net)`. A model with several columns, or a truth of its
#'   own, is a list: `list(lstm = lstm, human = list(values = c(r1, r2), truth = c(o1,
#'   o2)))`.
#' @param cluster Column of the subjects. `NULL`, on purpose only, makes each row its
#'   own cluster; it is refused where a column `subject` repeats.
#' @param metrics Of numbers `"rmse"`, `"nrmse"`, `"mae"`, `"correlation"`, `"spearman"`,
#'   `"concordance"`, `"r2"`, `"bias"`; each also with `_within` (deviations from the
#'   subject's means; not spearman) or `_between` (means of subjects). Of classes `"auc"`,
#'   `"accuracy"`, `"balanced_accuracy"`, `"f1"`, `"f1_macro"`, `"kappa"`, `"brier"`; the truth
#'   then holds classes (a factor, text, logical, or whole numbers), and predictions
#'   are probabilities of the positive one, or classes. Others of scikit-learn's metrics of
#'   regressions by name, such as `"median_absolute_error"`. Functions of your own are for
#'   Python alone: R would be called for every replicate; [cluster_bootstrap()] takes one.
#' @param context Column: compare within each context and over all rows (context
#'   `"all"`), and each model between contexts. Contexts come in the order
#'   of their sorted labels; that of a factor's levels is not used.
#' @param pairwise Whether to compute the differences between models.
#' @param ratio Whether to compute, beside every difference of errors, their ratio
#'   (term `"p / q"`, tested against 1).
#' @param n_boot Number of bootstrap replicates.
#' @param method Of the intervals: `"jackknife_t"` (recommended, the default),
#'   `"percentile"`, `"basic"`, `"normal"`, `"bca"`, `"studentized"`,
#'   `"studentized_et"`.
#' @param confidence Level of the intervals.
#' @param null Against which levels of correlation, spearman and concordance are tested;
#'   differences are tested against 0, AUC against 1/2.
#' @param stratify Column of the stratum within which subjects are drawn.
#' @param fold Column of the fold in which each row was predicted, where predictions come
#'   from cross-validation. Correlation, concordance and R2, pooled and between subjects,
#'   are then those within folds, averaged with their rows as weights: over folds, models
#'   that know nothing are correlated with the truth, below 0. Errors are over all rows.
#'   A subject is in one fold, or in one of each context.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: judge the differences of one metric
#'   in one context together.
#' @param seed From 0; fixes every byte.
#' @param n_threads By default one per core; the numbers do not depend on it.
#' @param progress Whether to show a bar.
#' @param score_range Width of the score, the highest possible minus the lowest, by which
#'   `"nrmse"` divides RMSE: 100 for a score from 0 to 100, 7 for factor scores from -3.5 to
#'   3.5. `"nrmse"` needs it; the notes of the result state it.
#' @param positive The class that predictions are probabilities of, and that `"auc"`, `"f1"`
#'   and `"brier"` are about; 1 where the classes are 0 and 1. With more than two classes all
#'   others are then taken as one.
#' @param threshold From which number on the positive class is predicted, by default 1/2 of
#'   probabilities.
#' @param per Column of a unit within a subject, such as the recording: every metric is
#'   computed in each unit and averaged over units. Those in which one is undefined for some
#'   model are left out of every model alike, and counted.
#' @param rows For predictions of tidymodels: the data frame that was resampled, see below.
#' @param ... Not used. What the column of contexts is called elsewhere, such as `group` or
#'   `.by`, is an error that names `context`.
#'
#' @section Predictions of tidymodels:
#' `data` can be what `tune::collect_predictions()` gives, as it is: a row per prediction
#' with the columns `.pred`, `.row`, `.config` and the outcome, which `truth` names;
#' `predictions` is left out. Each workflow (`wflow_id`), and each candidate of tuning
#' (`.config`), is a model. The resamples (`id`, with `id2`) are the folds, unless `fold`
#' names others; `rsample::group_vfold_cv()` keeps a subject in one. What tune leaves out
#' of its table, such as the subject, is a column of `rows`. Results of workflows that
#' were fitted one by one are bound by
#' `dplyr::bind_rows(linear = a, forest = b, .id = "wflow_id")`. Repeats and bootstraps
#' predict a row several times, in folds of their own, and are refused: keep one repeat.
#' @return An object with [tidy()][result-tables] (a row per metric, term and
#'   context; its last columns say what a row is, whatever the names hold: `kind`, which is
#'   `"level"`, `"difference"` or `"ratio"`, `first_model`, `second_model`, `first_context` and
#'   `second_context`, the second `""` where there is one), `glance()`, `autoplot()`, and
#'   [replicates()], [boot_interval()], [adjust_tests()], [sign_flip()], [boot_extend()] and `influence()`,
#'   which need no new table.
#' @references Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their
#'   Application.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' result <- compare_models(clips, truth = score, predictions = c(au_intensity, au_count),
#'   cluster = subject, metrics = "correlation", seed = 1)
#' result
#' tidy(boot_interval(result, method = "percentile", confidence = 0.9))
#'
#' # Predictions of two models of tidymodels, resampled by groups of subjects
#' compare_models(collected, truth = score, cluster = subject, metrics = "correlation",
#'   rows = clips[complete.cases(clips), ])
compare_models <- function(data, truth, predictions, cluster, metrics = c("rmse", "correlation"),
                           context = NULL, pairwise = TRUE, ratio = FALSE, n_boot = 2000,
                           method = NULL, confidence = 0.95, null = 0, stratify = NULL,
                           fold = NULL, adjust = NULL, seed = 0, n_threads = NULL,
                           progress = interactive(), score_range = NULL, positive = NULL,
                           threshold = NULL, per = NULL, rows = NULL, ...) {
  call <- rlang::current_env()
  refuse_dots("compare_models", call)
  given(data, "a data frame", call = call)
  if (inherits(data, "pyexpr_models")) {
    named <- setdiff(names(match.call())[-1], "data")
    refuse_told(named, call)
    options <- mget(named, envir = call)
    single <- setdiff(named, "metrics")
    options[single] <- lapply(single, function(name) one(options[[name]], name, call))
    if (!is.null(options$metrics)) options$metrics <- many(metrics)
    return(compare_fitted(data, options, call))
  }
  truth <- column(rlang::enquo(truth), data, "truth", call, required = TRUE)
  found <- NULL
  if (is_collected(data, rlang::enquo(predictions))) {
    found <- unfolded(data, truth, rows, !rlang::quo_is_null(rlang::enquo(fold)), call)
    data <- found$data
    predictions <- found$models
  } else {
    if (!is.null(rows)) {
      data_error(paste("`rows` is for the predictions of tune::collect_predictions(), with the columns",
        "`.pred` and `.row`; `data` is no such table."), call)
    }
    predictions <- models_of(rlang::enquo(predictions), data, call)
  }
  of_rows <- if (is.null(found) || !is.null(rows)) column else column_of_tune
  cluster <- of_rows(rlang::enquo(cluster), data, "cluster", call)
  context <- of_rows(rlang::enquo(context), data, "context", call)
  stratify <- of_rows(rlang::enquo(stratify), data, "stratify", call)
  fold <- of_rows(rlang::enquo(fold), data, "fold", call)
  if (is.null(fold)) fold <- found$fold
  per <- of_rows(rlang::enquo(per), data, "per", call)
  if (is.function(metrics) || (is.list(metrics) && any(vapply(metrics, is.function, NA)))) {
    data_error(paste("`metrics` takes names; a function of your own would be called from Python",
      "for every replicate: give it to cluster_bootstrap()."), call)
  }
  used <- c(truth, unlist(predictions), cluster, context, stratify, fold, per)
  models <- if (is.null(names(predictions))) many(predictions) else
    dictionary(lapply(predictions, model_node))
  found <- ask("compare_models", list(
    table = table_node(data, used, call = call, labels = c(cluster, context, stratify, fold, per)),
    truth = truth, predictions = models, cluster = cluster, metrics = many(metrics),
    context = context, pairwise = flag(pairwise), ratio = flag(ratio), n_boot = one(n_boot),
    method = one(method), confidence = one(confidence), null = one(null), stratify = stratify,
    fold = fold, adjust = one(adjust), seed = one(seed), n_threads = one(n_threads),
    progress = flag(progress), score_range = one(score_range), positive = one(positive),
    threshold = one(threshold), per = per
  ), call)
  new_result(found, "pyexpr_comparison")
}

# A character vector of columns, named or not, or a named list of models.
models_of <- function(quo, data, call) {
  if (rlang::quo_is_missing(quo)) {
    column_error("`predictions` is missing: name the columns of the models.", call)
  }
  value <- named_in(quo, data, "predictions", call)
  doubled <- names(value)[nzchar(names(value)) & duplicated(names(value))]
  if (length(doubled)) {
    data_error(sprintf("`predictions` names the model `%s` more than once.", doubled[1]), call)
  }
  if (is.list(value)) {
    if (is.null(names(value))) names(value) <- rep("", length(value))
    bare <- !nzchar(names(value)) & vapply(value, is.character, NA) & lengths(value) == 1L
    names(value)[bare] <- unlist(value[bare])
    if (!all(nzchar(names(value)))) {
      data_error("`predictions` must name each model: `list(human = c(rater_1, rater_2))`.", call)
    }
    strange <- setdiff(unlist(lapply(Filter(is.list, value), names)), c("values", "truth"))
    if (length(strange)) {
      data_error(sprintf("a model of `predictions` is a list of `values` and `truth`; it has `%s`.",
        strange[1]), call)
    }
    check_columns(unlist(value, use.names = FALSE), data, "predictions", call, required = TRUE)
    return(value)
  }
  check_columns(unname(value), data, "predictions", call, required = TRUE)
  if (is.null(names(value))) return(value)
  names(value)[!nzchar(names(value))] <- value[!nzchar(names(value))]
  as.list(value)
}

model_node <- function(model) if (is.list(model)) dictionary(lapply(model, many)) else model

#' More from a result, without the data
#'
#' @description
#' What a result can still compute, in any session that it is read into. `boot_interval()`,
#' `boot_extend()` and `adjust_tests()` are the methods `.interval()`, `.extend()` and
#' `.adjust()` of Python: lubridate, dplyr and others have functions of those names.
#'
#' * `boot_interval()`: other intervals or another level, from the same draws.
#' * `adjust_tests()`: tests judged together, by Holm's steps or max-T, with simultaneous
#'   intervals. With Holm's steps these are Bonferroni's, so that they can hold 0 where
#'   the adjusted p is below the level.
#' * `boot_extend()`: more replicates, as if asked for at once.
#' * `replicates()`: the bootstrap replicates.
#' * `sign_flip()`: every difference between models by exchanging predictions within
#'   subjects; exact for one hypothesis only, that the predictions are exchangeable.
#' * `influence()`: every quantity without each subject.
#' * `wild()`: slopes and contrasts by the wild cluster bootstrap, the null imposed.
#'
#' @param x,model A result of [compare_models()], [cluster_bootstrap()],
#'   [context_coefficients()] or [bootstrap_cfa()]; for `adjust_tests()` also of
#'   [invariance()], whose contrasts are judged.
#' @param method,confidence As in [compare_models()]; `NULL` keeps the one at hand.
#' @param rule `"holm"` or `"max_t"`.
#' @param n How many replicates more.
#' @param n_flips Number of random flips where all are too many.
#' @param n_boot,seed Draws of multipliers where all are too many, and their seed; by
#'   default that of the fit.
#' @param context For coefficients: a context, or `"all"`.
#' @param ... Not used.
#' @return `replicates()`: a matrix with a row per replicate and a named column per row
#'   of `tidy(x)`; `NaN` where undefined, every bit as in Python. `influence()` and
#'   `wild()`: a tibble. The others: a result.
#' @name result-methods
#' @examplesIf pyexpr::pyexpr_available()
#' result <- compare_models(clips, score, c(au_intensity, au_count), subject,
#'   metrics = "correlation", n_boot = 500, seed = 1)
#' dim(replicates(result))
#' tidy(adjust_tests(result, "holm"))[c("term", "p.value", "adj.p.value")]
#' sign_flip(result, n_flips = 999)
#' head(influence(result))
NULL

#' @rdname result-methods
#' @export
boot_interval <- function(x, method = NULL, confidence = NULL) {
  call <- rlang::current_env()
  can(x, replicated, call)
  method_of(x, "interval", list(method = one(method), confidence = one(confidence)), call)
}

#' @rdname result-methods
#' @export
adjust_tests <- function(x, rule) {
  call <- rlang::current_env()
  can(x, c(replicated, "pyexpr_coefficients", "pyexpr_invariance"), call)
  given(rule, "\"holm\" or \"max_t\"", call = call)
  choice(rule, c("holm", "max_t"), call, "rule")
  method_of(x, "adjust", list(rule = unname(rule)), call)
}

#' @rdname result-methods
#' @export
boot_extend <- function(x, n) {
  call <- rlang::current_env()
  can(x, replicated, call)
  method_of(x, "extend", list(n = one(n)), call)
}

#' @rdname result-methods
#' @export
replicates <- function(x, context = NULL) {
  call <- rlang::current_env()
  can(x, c(replicated, "pyexpr_coefficients"), call)
  if (inherits(x, "pyexpr_coefficients") && is.null(context)) {
    data_error(sprintf("`context` must name a context or \"all\": %s.", listed(x$contexts)), call)
  }
  if (!is.null(context)) context <- as.character(as_label(one(context)))
  found <- ask("replicates", list(key = key_of(x, call), context = context), call)
  values <- found$values
  colnames(values) <- found$labels
  values
}

#' @rdname result-methods
#' @export
sign_flip <- function(x, n_flips = 10000) {
  call <- rlang::current_env()
  can(x, "pyexpr_comparison", call)
  found <- ask("method", list(key = key_of(x, call), name = "sign_flip", n_flips = one(n_flips)), call)
  new_result(found, "pyexpr_sign_flip")
}

#' @rdname result-methods
#' @importFrom stats influence
#' @export
influence.pyexpr_result <- function(model, ...) {
  call <- rlang::current_env()
  can(model, replicated, call, "model")
  method_of(model, "influence", list(), call)
}

#' @rdname result-methods
#' @export
wild <- function(x, n_boot = 9999, seed = NULL) {
  call <- rlang::current_env()
  can(x, "pyexpr_coefficients", call)
  method_of(x, "wild", list(n_boot = one(n_boot), seed = one(seed)), call)
}

makers <- c(pyexpr_comparison = "compare_models()", pyexpr_bootstrap = "cluster_bootstrap()",
  pyexpr_coefficients = "context_coefficients()", pyexpr_cfa_bootstrap = "bootstrap_cfa()",
  pyexpr_invariance = "invariance()", pyexpr_models = "fit_models()")

replicated <- c("pyexpr_comparison", "pyexpr_bootstrap", "pyexpr_cfa_bootstrap")

can <- function(x, classes, call, arg = "x") {
  given(x, "a result", arg, call)
  if (!inherits(x, classes)) {
    data_error(sprintf("`%s` must be a result of %s, not %s.", arg,
      paste0("`", makers[classes], "`", collapse = " or "), described_type(x)), call)
  }
}
