#' Compare models by resampling whole subjects
#'
#' @description
#' Computes metrics of every model and all differences between models, over all rows and within
#' contexts. Intervals and tests account for the dependence of the clips of a subject. The same seed
#' gives identical results in R, in Python and on the command line, with any number of threads.
#'
#' Rows in which the truth or any prediction is missing are left out for all models, and counted.
#' Checked against `boot::boot.ci` on the same replicates.
#'
#' @param data A data frame, one row per clip; or the path of a parquet file or of a folder of them,
#'   see below; or a result of [fit_models()], which contains the truth, the predictions, the
#'   subjects, contexts and folds. Only options are then given, `seed` is by default that of the
#'   folds, and metrics are computed within folds and averaged over repeats.
#' @param truth Column of the true score.
#' @param predictions Columns of predictions, `c(elastic_net, lstm)`, or named,
#'   `c("elastic net" = elastic_net)`. A model with several columns, or with a separate truth, is a
#'   list: `list(lstm = lstm, human = list(values = c(r1, r2), truth = c(o1, o2)))`.
#' @param cluster Column of the subjects. Use `NULL` only if the rows are independent; each row is
#'   then a separate cluster. It is an error if a column `subject` has repeated values. Two columns
#'   are for rows that belong to two clusters, such as dyads, `c(person_a, person_b)`, or crossed
#'   clusters, `c(subject, stimulus)`: rows are of dyads if the columns have labels in common.
#' @param metrics Metrics of numbers: `"rmse"`, `"nrmse"`, `"mae"`, `"correlation"`, `"spearman"`,
#'   `"concordance"`, `"r2"`, `"bias"`; each also with `_within` (deviations from the subject's
#'   means; not spearman) or `_between` (means of subjects). Metrics of classes: `"auc"`,
#'   `"accuracy"`, `"balanced_accuracy"`, `"f1"`, `"f1_macro"`, `"kappa"`, `"brier"`; the truth then
#'   consists of classes (a factor, text, logical, or integers), and predictions are probabilities
#'   of the positive class, or classes. Other regression metrics of scikit-learn can be named, such
#'   as `"median_absolute_error"`. Custom functions are available only in Python, because R would be
#'   called for every replicate; [cluster_bootstrap()] accepts an R function.
#' @param context Column of the contexts. Models are compared within each context and over all rows
#'   (context `"all"`), and each model is compared between contexts. Contexts are in the order of
#'   their sorted labels; the order of a factor's levels is not used.
#' @param pairwise Whether to compute the differences between models.
#' @param ratio Whether to compute ratios of errors in addition to their differences (term `"p /
#'   q"`, tested against 1).
#' @param n_boot Number of bootstrap replicates.
#' @param method Method of the intervals: `"jackknife_t"` (the default, recommended),
#'   `"percentile"`, `"basic"`, `"normal"`, `"bca"`, `"studentized"`, `"studentized_et"`.
#' @param confidence Level of the intervals.
#' @param null Null value for the tests of a single model's correlation, spearman and concordance.
#'   AUC is tested against 1/2.
#' @param null_difference Null value for the tests of differences between models and between
#'   contexts, in units of the metric, such as -0.02; or a named vector with the value of each metric,
#'   such as `c(rmse = -0.02)`. Intervals do not depend on it, and ratios are tested against 1.
#' @param stratify Column of the strata within which subjects are drawn.
#' @param fold Column of the fold in which each row was predicted, if predictions come from
#'   cross-validation. Correlation, concordance and R2, pooled and between subjects, are then
#'   computed within folds and averaged, weighted by their numbers of rows, because over folds even
#'   models without information are negatively correlated with the truth. Errors are computed over
#'   all rows. A subject must be in one fold, or in one fold within each context.
#' @param adjust `NULL`, `"holm"` or `"max_t"`: adjust the tests of the differences, with one family
#'   per metric and context.
#' @param seed Seed of the random numbers, 0 or larger. The same seed gives identical results.
#' @param n_threads Number of threads, by default one per core. Results do not depend on it.
#' @param progress Whether to show a progress bar.
#' @param score_range Width of the score, the highest possible minus the lowest, by which
#'   `"nrmse"` divides RMSE: 100 for a score from 0 to 100, 7 for factor scores from -3.5 to
#'   3.5. It is required for `"nrmse"`, and the notes of the result state it.
#' @param positive The positive class, to which predicted probabilities, `"auc"`, `"f1"` and
#'   `"brier"` refer. It is 1 if the classes are 0 and 1, and for a result of [fit_models()] the one
#'   given there. With more than two classes, all others are combined into one.
#' @param threshold The positive class is predicted if the prediction is at least this number, by
#'   default 1/2 for probabilities.
#' @param per Column of a unit within a subject, such as the recording. Every metric is computed in
#'   each unit and averaged over units. Units in which a metric is undefined for some model are left
#'   out for all models, and counted.
#' @param first_replicate Number of the first replicate, counted from 0. The random numbers of a
#'   replicate depend only on the seed and its number, so several calls, on one machine or many, can
#'   each compute a range of the replicates: `first_replicate = 500, n_boot = 1500` those numbered
#'   500 to 1,999. [join_results()] joins the results.
#' @param rows For predictions of tidymodels: the data frame that was resampled, see below.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#'
#' @section Predictions of tidymodels:
#' `data` can be the table that `tune::collect_predictions()` returns: one row per prediction with
#' the columns `.pred`, `.row`, `.config` and the outcome, which `truth` names; `predictions` is
#' left out. Each workflow (`wflow_id`), and each candidate of tuning (`.config`), is a model. The
#' resamples (`id`, with `id2`) are the folds, unless `fold` names others;
#' `rsample::group_vfold_cv()` keeps the rows of a subject in one fold. Columns that the table of
#' tune does not contain, such as the subject, are taken from `rows`. Results of workflows that were
#' fitted one by one are bound by `dplyr::bind_rows(linear = a, forest = b, .id = "wflow_id")`.
#' Repeats and bootstraps predict a row several times, in separate folds, and are an error; use one
#' repeat.
#'
#' @section Rows beyond memory:
#' If `data` is a path, the files are read in batches, and only sums per subject are in memory, so
#' that there may be hundreds of millions of rows. The results are identical to those of the data
#' frame with the same rows in the same order. Columns are named as those of a data frame. Metrics
#' of numbers are available, other than `"spearman"`, which depends on the order of all rows; so
#' are contexts, folds, strata, units and models with a separate truth. A folder is read in the
#' order of the names of its files, all of which must have the same columns and types; folders such
#' as `task=joy` become a column `task`. Contexts that are an ordered factor are in its order.
#' @return An object with [tidy()][result-tables] (one row per metric, term and context; its last
#'   columns identify the row, whatever characters the names contain: `kind`, which is `"level"`,
#'   `"difference"` or `"ratio"`, `first_model`, `second_model`, `first_context` and
#'   `second_context`, where the second is `""` if there is only one), `glance()`, `autoplot()`, and
#'   [replicates()], [boot_interval()], [adjust_tests()], [sign_flip()], [boot_extend()] and
#'   `influence()`, which do not need the data again.
#' @references Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their
#'   Application. \doi{10.1017/CBO9780511802843}
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
                           method = NULL, confidence = 0.95, null = 0, null_difference = 0,
                           stratify = NULL, fold = NULL, adjust = NULL, seed = 0, n_threads = NULL,
                           progress = interactive(), score_range = NULL, positive = NULL,
                           threshold = NULL, per = NULL, rows = NULL, first_replicate = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("compare_models", call)
  given(data, "a data frame", call = call)
  files <- NULL
  if (is_path(data)) {
    files <- path.expand(data)
    data <- columns_of_files(files, call)
  }
  if (inherits(data, "pyexpr_models")) {
    named <- setdiff(names(match.call())[-1], "data")
    refuse_told(named, call)
    options <- mget(named, envir = call)
    single <- setdiff(named, c("metrics", "null_difference"))
    options[single] <- lapply(single, function(name) one(options[[name]], name, call))
    if (!is.null(options$metrics)) options$metrics <- many(metrics)
    if ("null_difference" %in% named) options$null_difference <- null_of(null_difference, call)
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
  by_tune <- !is.null(found) && is.null(rows)
  of_rows <- if (by_tune) column_of_tune else column
  cluster <- rlang::enquo(cluster)
  cluster <- if (by_tune) column_of_tune(cluster, data, "cluster", call, cluster_columns) else
    cluster_columns(cluster, data, "cluster", call)
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
    table = if (!is.null(files)) files else
      table_node(data, used, call = call, labels = c(cluster, context, stratify, fold, per)),
    truth = truth, predictions = models, cluster = one_or_two(cluster), metrics = many(metrics),
    context = context, pairwise = flag(pairwise), ratio = flag(ratio), n_boot = one(n_boot),
    method = one(method), confidence = one(confidence), null = one(null),
    null_difference = null_of(null_difference, call), stratify = stratify,
    fold = fold, adjust = one(adjust), seed = one(seed), n_threads = one(n_threads),
    progress = flag(progress), score_range = one(score_range), positive = one(positive),
    threshold = one(threshold), per = per, first_replicate = one(first_replicate)
  ), call)
  new_result(found, "pyexpr_comparison")
}

# One number, or numbers named by metrics.
null_of <- function(null_difference, call) {
  if (is.null(names(null_difference))) return(one(null_difference, "null_difference", call))
  dictionary(lapply(as.list(null_difference), one, "null_difference", call))
}

is_path <- function(data) is.character(data) && length(data) == 1L && !is.na(data)

# A data frame without rows that has the columns of parquet files: columns are selected from it.
columns_of_files <- function(path, call) {
  names <- as.character(unlist(ask("file_columns", list(path = path), call)))
  columns <- rep(list(numeric()), length(names))
  tibble::new_tibble(stats::setNames(columns, names), nrow = 0L)
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

#' Further computations from a result
#'
#' @description
#' Computations from a result that do not need the data again, also after it was loaded in another
#' session. `boot_interval()`, `boot_extend()` and `adjust_tests()` correspond to the Python methods
#' `.interval()`, `.extend()` and `.adjust()`, whose names are used by lubridate, dplyr and other
#' packages.
#'
#' * `boot_interval()`: intervals by another method or at another level, from the same draws.
#' * `adjust_tests()`: p-values adjusted by Holm's method or max-T, with simultaneous intervals.
#'   With Holm's method these are Bonferroni intervals, which may include 0 although the adjusted
#'   p-value is below the significance level.
#' * `boot_extend()`: more replicates, as if all had been requested at once.
#' * `join_results()`: the parts of an analysis that were computed in several calls, on one machine
#'   or many, as one result: ranges of replicates of the same data, options and seed
#'   (`first_replicate`), whose joined result is identical to that of one call.
#' * `replicates()`: the bootstrap replicates.
#' * `sign_flip()`: tests of the differences between models by exchanging predictions within
#'   subjects. The tests are exact only for the hypothesis that the predictions are exchangeable.
#' * `context_contrasts()`: differences between contexts of a comparison, of each model and of each
#'   difference between two models (a difference of differences), with intervals and tests;
#'   `tidy(x, "omnibus")` tests each over all contexts at once. Of [feature_importance()]: whether a
#'   feature is more important in one context than in another.
#' * `equivalence()`: two one-sided tests of whether differences lie within a region of practically
#'   equal values.
#' * `influence()`: the change of every quantity if each subject is left out.
#' * `wild()`: tests of slopes and contrasts by the wild cluster bootstrap under the null
#'   hypothesis.
#'
#' @param x,model A result of [compare_models()], [rating_ceiling()], [cluster_bootstrap()],
#'   [context_coefficients()] or [bootstrap_cfa()]; for `adjust_tests()` also of [invariance()],
#'   whose contrasts are adjusted; for `adjust_tests()`, `context_contrasts()` and `influence()` also
#'   of [feature_importance()].
#' @param method,confidence As in [compare_models()]; `NULL` leaves them unchanged.
#' @param rule `"holm"` or `"max_t"`.
#' @param n Number of additional replicates.
#' @param null_difference Null value of the tests of contrasts, as for [compare_models()]; the
#'   omnibus test is against 0.
#' @param n_flips Number of random flips if there are too many to enumerate all.
#' @param region Lowest and highest value that is practically equal, such as `c(-0.02, 0.02)`, or a
#'   named list with the region of each metric.
#' @param alpha Level of each one-sided test.
#' @param n_boot,seed Number of draws of multipliers if there are too many to enumerate all, and
#'   their seed, by default that of the fit.
#' @param context For coefficients: a context, or `"all"`.
#' @param ... For `join_results()` results of one function, or a list of them, in any order;
#'   otherwise not used.
#' @return `replicates()`: a matrix with a row per replicate and a named column per row
#'   of `tidy(x)`; `NaN` if undefined, identical to those in Python. `influence()` and `wild()`: a
#'   tibble. The others: a result.
#' @name result-methods
#' @examplesIf pyexpr::pyexpr_available()
#' result <- compare_models(clips, score, c(au_intensity, au_count), subject,
#'   metrics = "correlation", n_boot = 500, seed = 1)
#' dim(replicates(result))
#' tidy(adjust_tests(result, "holm"))[c("term", "p.value", "adj.p.value")]
#' sign_flip(result, n_flips = 999)
#' equivalence(result, c(-0.1, 0.1))
#' head(influence(result))
#'
#' # The first 500 replicates, and in another session those that follow
#' later <- compare_models(clips, score, c(au_intensity, au_count), subject,
#'   metrics = "correlation", n_boot = 300, first_replicate = 500, seed = 1)
#' dim(replicates(join_results(result, later)))
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
  can(x, c(replicated, "pyexpr_coefficients", "pyexpr_invariance", without_draws), call)
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
join_results <- function(...) {
  call <- rlang::current_env()
  parts <- list(...)
  if (length(parts) == 1L && !inherits(parts[[1]], "pyexpr_result")) parts <- parts[[1]]
  if (!length(parts)) data_error("`join_results()` was given no result.", call)
  for (part in parts) can(part, c(replicated, "pyexpr_coefficients"), call, "...")
  # Its function, where there is one, draws the further replicates of all.
  first <- parts[[which.min(vapply(parts, function(x) x$provenance$first_replicate, 0))]]
  keys <- vapply(parts, key_of, 0L, call = call)
  continued(ask("join", list(keys = many(keys)), call), first)
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
#' @export
context_contrasts <- function(x, null_difference = 0) {
  call <- rlang::current_env()
  can(x, c("pyexpr_comparison", "pyexpr_importance"), call)
  if (inherits(x, "pyexpr_importance")) {
    if (!identical(null_difference, 0)) {
      data_error("`null_difference` is for comparisons of models; leave it out.", call)
    }
    found <- ask("method", list(key = key_of(x, call), name = "contrasts"), call)
    return(new_result(found, "pyexpr_importance_contrasts"))
  }
  new_result(ask("method", list(key = key_of(x, call), name = "contrasts",
    null_difference = null_of(null_difference, call)), call), "pyexpr_contrasts")
}

#' @rdname result-methods
#' @export
equivalence <- function(x, region, alpha = 0.05) {
  call <- rlang::current_env()
  can(x, replicated, call)
  given(region, "two numbers", call = call)
  region <- if (is.list(region)) lapply(region, many) else many(region)
  found <- ask("method", list(key = key_of(x, call), name = "equivalence", region = region,
    alpha = one(alpha)), call)
  new_result(found, "pyexpr_equivalence")
}

#' @rdname result-methods
#' @importFrom stats influence
#' @export
influence.pyexpr_result <- function(model, ...) {
  call <- rlang::current_env()
  can(model, c(replicated, without_draws), call, "model")
  method_of(model, "influence", list(), call)
}

#' @rdname result-methods
#' @export
wild <- function(x, n_boot = 9999, seed = NULL) {
  call <- rlang::current_env()
  can(x, "pyexpr_coefficients", call)
  method_of(x, "wild", list(n_boot = one(n_boot), seed = one(seed)), call)
}

makers <- c(pyexpr_comparison = "compare_models()", pyexpr_contrasts = "context_contrasts()",
  pyexpr_ceiling = "rating_ceiling()", pyexpr_bootstrap = "cluster_bootstrap()",
  pyexpr_coefficients = "context_coefficients()", pyexpr_cfa_bootstrap = "bootstrap_cfa()",
  pyexpr_invariance = "invariance()", pyexpr_models = "fit_models()",
  pyexpr_importance = "feature_importance()",
  pyexpr_importance_contrasts = "context_contrasts()")

replicated <- c("pyexpr_comparison", "pyexpr_contrasts", "pyexpr_ceiling", "pyexpr_bootstrap",
  "pyexpr_cfa_bootstrap")

# Of these intervals are by the jackknife alone.
without_draws <- c("pyexpr_importance", "pyexpr_importance_contrasts")

can <- function(x, classes, call, arg = "x") {
  given(x, "a result", arg, call)
  if (!inherits(x, classes)) {
    data_error(sprintf("`%s` must be a result of %s, not %s.", arg,
      paste0("`", makers[classes], "`", collapse = " or "), described_type(x)), call)
  }
}
