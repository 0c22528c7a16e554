#' Fit models, and predict subjects to which they were not fitted
#'
#' @description
#' Fits elastic nets of pyexpr, and any regressor or classifier of scikit-learn by its name, to a
#' table with one row per clip, with cross-validation over folds of whole subjects or with one
#' split. All models, with all ways in which the context enters, are fitted to the same rows and
#' predict the same subjects. Tuning uses only subjects to which the models are fitted. The same
#' seed gives identical results in R and in Python, with any number of processes.
#'
#' Rows in which the label, a feature or a covariate is missing are left out and listed with the
#' reason (`tidy(x, "left_out")`). Checked against scikit-learn's `cross_val_predict` and
#' `GridSearchCV` on the same folds.
#'
#' @param data A data frame, one row per clip.
#' @param label Column to be predicted: numbers, or classes (see `kind`).
#' @param features Numeric columns: `c(au_count, au_intensity)`, `starts_with("AU")`.
#' @param cluster Column of the subject of each row.
#' @param context Column of the context of each row. Contexts are in the order of their sorted
#'   labels, or in that of an ordered factor.
#' @param clip Column that identifies a row within its subject and context. By default rows are
#'   numbered.
#' @param models A named list of models: `"elastic_net"`, the full name of a class of
#'   scikit-learn such as `"sklearn.ensemble.RandomForestRegressor"`, or a [model_spec()] of one
#'   with parameters and a grid. `NULL` is `list(elastic_net = "elastic_net")`. For classes, models
#'   are classifiers, such as `"sklearn.linear_model.LogisticRegression"`, and the elastic net is a
#'   logistic regression with that penalty.
#' @param context_as How the context enters the models, any of `"separate"` (one model per context),
#'   `"pooled"` (one model over all contexts) and `"feature"` (one model over all contexts, with an
#'   indicator column of 0 and 1 for each context). With only one context these are identical, and
#'   `"pooled"` is used.
#' @param scheme `"cross_validation"`: folds of subjects, each predicted by models fitted to the
#'   others; or `"split"`: training, validation and test subjects.
#' @param folds,repeats Number of folds, and number of repeats of the cross-validation with other
#'   folds.
#' @param inner_folds Number of folds of subjects for tuning within the fitted rows.
#' @param proportions Proportions of training, validation and test subjects, for `scheme = "split"`.
#' @param adjust_for Covariates that enter every model in addition to the features: numbers as they
#'   are, and text and factors as an indicator column of 0 and 1 for each category.
#' @param label_pooled Numeric column that models over all contexts predict and are evaluated with,
#'   if it is not `label`.
#' @param kind `"regression"` or `"classification"`: whether the label is a number or a class. By
#'   default factors, text and logical columns are treated as classes, and numbers as numbers; for a
#'   label of 0 and 1 use `"classification"`. Classes are text or integers; there may be at most 50.
#'   `TRUE` is 1.
#' @param positive The positive class for AUC, F1 and Brier's score, such as `"yes"`, `TRUE` or 1.
#'   It is 1 if the classes are 0 and 1. With more than two classes, all others are combined into
#'   one when models are evaluated.
#' @param trusted Python packages from which estimators may be imported. Importing a package runs
#'   its code.
#' @param seed Seed, 0 or larger. Repeat r, counted from 0, uses `seed + r` for its folds, its inner
#'   folds, and every random state that is not given.
#' @param n_jobs Number of fits at a time: -1 is one per processor, `NULL` (the default) is 1. Results
#'   do not depend on it.
#' @param progress Whether to show a progress bar.
#' @param ... Not used. Arguments with the names that other packages use, such as `outcome` or
#'   `subject`, are an error that refers to the right argument.
#'
#' @section Classes:
#' A grid is searched for the lowest log loss, or for the highest accuracy if a model gives no
#' probabilities. `tidy(x, "predictions")` contains the predicted class, with the values of the
#' label (a factor with its levels, text, logical), and the probability of each class, in columns
#' such as `probability_yes`; those of a logical label are `probability_0` and `probability_1`. They
#' are `NA` for models that give no probabilities. A baseline that uses only the proportions of the
#' classes is `model_spec("sklearn.dummy.DummyClassifier", params = list(strategy = "prior"))`.
#'
#' Folds consist of whole subjects and are not balanced by class. Classes are in the order of their
#' sorted names, not of a factor's levels.
#'
#' @return An object with [tidy()][result-tables] (the performance of the models, with one row per
#'   metric, model and context), `tidy(x, "predictions")` (one row per predicted clip, repeat, model
#'   and way in which the context enters) and the other tables; `glance()`. It can be passed to
#'   [compare_models()] for differences with intervals and tests. [over_repeats()] shows the
#'   variation between repeats, and [fit_all()] fits models for new data.
#'
#'   In cross-validation, correlation and R2 are computed within folds and averaged, weighted by
#'   their numbers of rows.
#' @seealso [model_spec()], [fit_all()], [compare_models()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' fitted <- fit_models(clips, label = score, features = c(au_count, au_intensity),
#'   cluster = subject, context = context, context_as = "pooled",
#'   models = list(
#'     net = "elastic_net",
#'     ridge = model_spec("sklearn.linear_model.Ridge", grid = list(alpha = c(1, 10)), scale = TRUE)
#'   ))
#' fitted
#' compare_models(fitted, metrics = "correlation")
#'
#' # Models for data to come
#' final <- fit_all(fitted)
#' predict(final, clips[1:3, ])
#'
#' # A label of classes
#' fit_models(transform(clips, expressive = ifelse(score > 0, "yes", "no")), label = expressive,
#'   features = c(au_count, au_intensity), cluster = subject, positive = "yes",
#'   models = list(logit = "sklearn.linear_model.LogisticRegression"))
fit_models <- function(data, label, features, cluster, context = NULL, clip = NULL, models = NULL,
                       context_as = c("separate", "pooled"), scheme = "cross_validation",
                       folds = 5, repeats = 1, inner_folds = 5, proportions = c(0.6, 0.2, 0.2),
                       adjust_for = NULL, label_pooled = NULL, kind = NULL, positive = NULL,
                       trusted = "sklearn", seed = 0, n_jobs = NULL, progress = interactive(),
                       ...) {
  call <- rlang::current_env()
  refuse_dots("fit_models", call, c(
    outcome = "what is predicted is `label`", y = "what is predicted is `label`",
    truth = "what is predicted is `label`", subject = "the column of the subjects is `cluster`",
    subjects = "the column of the subjects is `cluster`"
  ))
  given(data, "a data frame", call = call)
  label <- column(rlang::enquo(label), data, "label", call, required = TRUE)
  features <- columns(rlang::enquo(features), data, "features", call, required = TRUE)
  cluster <- column(rlang::enquo(cluster), data, "cluster", call, required = TRUE)
  context <- column(rlang::enquo(context), data, "context", call)
  clip <- column(rlang::enquo(clip), data, "clip", call)
  adjust_for <- columns(rlang::enquo(adjust_for), data, "adjust_for", call)
  label_pooled <- column(rlang::enquo(label_pooled), data, "label_pooled", call)
  values <- unique(one_column(data[[label]]))
  used <- unique(c(label, label_pooled, features, cluster, context, clip, adjust_for))
  asked <- list(
    data = table_node(data, used, call = call, labels = c(cluster, context, clip)),
    label = label, features = many(features), cluster = cluster, context = context, clip = clip,
    models = models_node(models, call), context_as = many(context_as), scheme = one(scheme),
    folds = one(folds), repeats = one(repeats), inner_folds = one(inner_folds),
    proportions = many(unname(proportions)), adjust_for = many(as.character(adjust_for)),
    label_pooled = label_pooled, kind = one(kind), positive = class_named(one(positive), values),
    trusted = many(trusted), seed = one(seed), n_jobs = one(n_jobs), progress = flag(progress)
  )
  found <- ask("fit_models", asked, call)
  result <- new_result(found, "pyexpr_models")
  # Of numbers no value of the label is kept.
  if (identical(found$provenance$kind, "classification")) result$classes <- values
  result$tables <- with_labels(result$tables, data, cluster, context, clip)
  result$tables <- lapply(result$tables, with_classes, result$classes)
  result$asked <- asked
  result$needed <- unique(c(features, adjust_for, context))
  result$context <- context
  result
}

# Clusters and clips as the user has them. A context stays text, as it may be "all".
with_labels <- function(tables, data, cluster, context, clip) {
  for (name in names(tables)) {
    table <- tables[[name]]
    if (!is.null(table[["cluster"]])) table$cluster <- like(table$cluster, data[[cluster]])
    if (!is.null(table[["clip"]]) && !is.null(clip)) table$clip <- like(table$clip, data[[clip]])
    tables[[name]] <- table
  }
  tables
}

# `values` are those of the user's label; NULL of a label of numbers.
with_classes <- function(table, values) {
  if (is.null(values)) return(table)
  for (name in intersect(c("truth", "prediction", "class"), names(table))) {
    table[[name]] <- like_label(table[[name]], values)
  }
  table
}

# Python has the classes 0 and 1 of a logical label.
like_label <- function(x, values) {
  if (is.logical(values) && is.numeric(x)) as.logical(x) else like(x, values)
}

# The value of the label that the user names, by which `values == x` would find it: a class of a
# factor of 0 and 1 is text in Python, whatever its name is written like.
class_named <- function(x, values) {
  at <- if (is.null(x)) NA else match(as.character(x), as.character(values))
  if (is.na(at)) x else if (is.factor(values)) as.character(values[at]) else values[at]
}

#' Specify a model for fit_models()
#'
#' @param estimator `"elastic_net"`, the full name of a class of scikit-learn, or of another
#'   package that is named in `trusted`, such as `"sklearn.ensemble.RandomForestRegressor"`; or an
#'   estimator created with reticulate.
#' @param params A named list of parameters of the estimator; those of a step of a pipeline as
#'   `step__name`.
#' @param grid A named list of values of parameters to choose from, by the lowest squared error (for
#'   classes the lowest log loss) over inner folds of subjects; or a list of such lists.
#' @param scale Whether to standardise the features (mean 0, standard deviation 1 with divisor n)
#'   on the rows to which each model is fitted. The elastic net always does this.
#' @section Numbers:
#' R does not distinguish integers from other numbers without a fractional part. If the default of a
#' parameter is a floating-point number in Python, such as `max_features = 1.0` of a forest (all
#' features), the value is passed as one; otherwise it is passed as an integer. `1L` is always an
#' integer: one feature. `NULL` is Python's `None`.
#' @return A list for `models` of [fit_models()].
#' @seealso [fit_models()]
#' @export
#' @examples
#' model_spec("sklearn.ensemble.RandomForestRegressor", params = list(n_estimators = 100),
#'   grid = list(max_depth = list(3, 10, NULL)))
model_spec <- function(estimator, params = NULL, grid = NULL, scale = FALSE) {
  call <- rlang::current_env()
  given(estimator, "the full name of a class, such as \"sklearn.linear_model.Ridge\"", call = call)
  if (!is_estimator(estimator)) {
    data_error(sprintf("`estimator` must be the full name of a class, such as %s, not %s.",
      "\"sklearn.linear_model.Ridge\"", shown_value(estimator)), call)
  }
  refuse_nameless(params, "params", "list(n_estimators = 100)", call)
  several <- is.list(grid) && is.null(names(grid)) && length(grid) > 0L
  for (one in if (several) grid else list(grid)) {
    refuse_nameless(one, "grid", "list(max_depth = c(3, 10))", call)
  }
  structure(list(estimator = estimator, params = as_list(params),
    grid = if (several) lapply(grid, as_list) else as_list(grid), scale = flag(scale)),
    class = "pyexpr_model_spec")
}

#' @export
print.pyexpr_model_spec <- function(x, ...) {
  name <- if (is.character(x$estimator)) x$estimator else described_type(x$estimator)
  cat("A model for fit_models(): ", name, if (x$scale) ", features standardised", "\n", sep = "")
  said <- function(values) {
    paste(vapply(values, function(one) paste(deparse(one), collapse = " "), ""), collapse = ", ")
  }
  for (part in intersect(c("params", "grid"), names(x)[lengths(x) > 0L])) {
    for (one in if (is.null(names(x[[part]]))) x[[part]] else list(x[[part]])) {
      cat("  ", part, ": ", paste0(names(one), " = ", vapply(one, function(value) said(list(value)), ""),
        collapse = ", "), "\n", sep = "")
    }
  }
  invisible(x)
}

is_estimator <- function(x) {
  inherits(x, "python.builtin.object") || (is.character(x) && length(x) == 1L && !is.na(x))
}

as_list <- function(x) if (is.null(x)) NULL else as.list(x)

# Parameters have names, each once.
refuse_nameless <- function(x, arg, example, call) {
  if (is.null(x)) return(invisible())
  if (!is.list(x) && !is.atomic(x)) {
    data_error(sprintf("`%s` must be a named list, such as `%s`, not %s.", arg, example,
      described_type(x)), call)
  }
  if (!length(x)) return(invisible())
  if (is.null(names(x)) || !all(nzchar(names(x)))) {
    data_error(sprintf("`%s` must name each parameter: `%s`.", arg, example), call)
  }
  if (anyDuplicated(names(x))) {
    data_error(sprintf("`%s` names `%s` more than once.", arg, names(x)[anyDuplicated(names(x))]),
      call)
  }
}

# --- models on the way to Python ---------------------------------------------------

models_node <- function(models, call) {
  if (is.null(models)) return(NULL)
  if (inherits(models, "pyexpr_model_spec") || !(is.list(models) || is.character(models)) ||
      is.null(names(models)) || !all(nzchar(names(models)))) {
    data_error(paste("`models` must be a named list of models, such as",
      "`list(net = \"elastic_net\", forest = \"sklearn.ensemble.RandomForestRegressor\")`."), call)
  }
  doubled <- names(models)[duplicated(names(models))]
  if (length(doubled)) {
    data_error(sprintf("`models` names the model `%s` more than once.", doubled[1]), call)
  }
  dictionary(lapply(stats::setNames(nm = names(models)), function(name) {
    model_wire(name, models[[name]], call)
  }))
}

model_wire <- function(name, model, call) {
  where <- sprintf("model `%s`", name)
  if (!inherits(model, "pyexpr_model_spec")) {
    if (!is_estimator(model)) {
      data_error(sprintf("%s must be the full name of a class, or a model_spec(), not %s.", where,
        shown_value(model)), call)
    }
    return(estimator_wire(model, call))
  }
  several <- is.list(model$grid) && is.null(names(model$grid))
  grid <- if (several) node(kind = "list", items = lapply(model$grid, function(one) {
    unclass(grid_wire(one, where, call))
  })) else if (!is.null(model$grid)) grid_wire(model$grid, where, call)
  dictionary(list(estimator = estimator_wire(model$estimator, call),
    params = if (!is.null(model$params)) exact_dictionary(model$params, where, call),
    grid = grid, scale = model$scale))
}

# An estimator of reticulate's is handed over in Python, and goes by its key.
estimator_wire <- function(x, call) {
  if (is.character(x)) return(unname(x))
  start(call)
  node(kind = "object", key = as.integer(state$keep(x)))
}

grid_wire <- function(grid, where, call) {
  dictionary(lapply(grid, function(values) {
    node(kind = "list", items = lapply(as.list(values), exact, where = where, call = call))
  }))
}

exact_dictionary <- function(x, where, call) {
  node(kind = "dict", names = utf8(names(x)),
    items = lapply(unname(as.list(x)), exact, where = where, call = call))
}

# A value of a parameter: numbers with the type that they have in R.
exact <- function(x, where, call) {
  if (is.null(x)) return(NULL)
  if (is.factor(x)) x <- as.character(x)
  if (inherits(x, "python.builtin.object")) return(unclass(estimator_wire(x, call)))
  if (is.list(x) || (is.atomic(x) && !is.null(names(x)))) {
    if (!is.null(names(x))) return(unclass(exact_dictionary(x, where, call)))
    return(list(kind = "list", items = lapply(x, exact, where = where, call = call)))
  }
  if (!is.atomic(x) || is.object(x)) {
    data_error(sprintf("%s: a parameter must be numbers, text, TRUE, FALSE or NULL, not %s.", where,
      described_type(x)), call)
  }
  if (anyNA(x)) {
    data_error(sprintf("%s: a parameter is NA; `NULL` is what Python calls None.", where), call)
  }
  if (length(x) != 1L) {
    return(list(kind = "list", items = lapply(x, exact, where = where, call = call)))
  }
  if (is.double(x)) list(kind = "exact", value = as.vector(x)) else to_wire(x)
}

# --- what a result goes on with ----------------------------------------------------

# Arguments of compare_models() that a result of fit_models() determines.
refuse_told <- function(named, call) {
  told <- intersect(named, c("truth", "predictions", "cluster", "context", "stratify",
    "fold", "per", "rows"))
  if (length(told)) {
    data_error(sprintf(paste("`%s` is known from fit_models(); leave it out, and name what is",
      "asked, as in `compare_models(x, metrics = \"rmse\")`."), told[1]), call)
  }
}

# compare_models() of a result of fit_models(), with the options that the user gave.
compare_fitted <- function(x, options, call) {
  options$positive <- class_named(options$positive, x$classes)
  found <- ask("compare_fitted", c(list(key = key_of(x, call)), options), call)
  new_result(found, "pyexpr_comparison")
}

#' Variation between repeats of a cross-validation
#'
#' @param x A result of [fit_models()] with several repeats.
#' @param metrics As in [compare_models()].
#' @param ... Further arguments of [compare_models()], such as `n_boot` or `confidence`.
#' @return A tibble: `metric`, `term`, `context`, `estimate`, `conf.low` and `conf.high` of
#'   `compare_models(x)`; `sd_repeats` (standard deviation, divisor n - 1), `lowest` and `highest`
#'   of the estimates of the repeats. The interval describes variation between subjects, and more
#'   repeats hardly shorten it.
#' @seealso [fit_models()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' fitted <- fit_models(clips, score, c(au_count, au_intensity), subject, context_as = "pooled",
#'   models = list(ols = "sklearn.linear_model.LinearRegression"), repeats = 3)
#' over_repeats(fitted)
#' }
over_repeats <- function(x, metrics = c("rmse", "correlation"), ...) {
  call <- rlang::current_env()
  can(x, "pyexpr_models", call)
  options <- lapply(list(...), one)
  options$positive <- class_named(options$positive, x$classes)
  found <- ask("over_repeats", c(list(key = key_of(x, call), metrics = many(metrics)), options), call)
  result_table(found)
}

#' Compare models as procedures: intervals that count the subjects of training, too
#'
#' The intervals of `compare_models(x)` take the fitted models as given, and count the subjects on
#' whom they are tested. Fitted to other subjects, the models would be others. Whether a kind of
#' model is better is a question on the procedure, which these intervals answer.
#'
#' @param x A result of [fit_models()], evaluated by folds, of this session.
#' @param metrics As in [compare_models()].
#' @param method `"jackknife"`: every subject in turn is left out of testing and of training, and
#'   all models are fitted again without it. Any metric. `"corrected_t"`: the corrected resampled t
#'   of Nadeau and Bengio (2003), without further fits, but with several `repeats` in
#'   [fit_models()]. `"nested"`: nested cross-validation (Bates, Hastie and Tibshirani 2024), which
#'   refers to the model fitted to all subjects instead of the procedure; metrics `"rmse"`,
#'   `"nrmse"` and `"mae"`.
#' @param confidence Level of the intervals.
#' @param score_range As in [compare_models()].
#' @param progress Whether to show a progress bar. If you interrupt the call, the result `x` keeps
#'   the further fits that are finished, and the next call continues with the others.
#' @return A result whose [tidy()] has the intervals, and beside them (`fixed_error`, `fixed_low`,
#'   `fixed_high`) those of `compare_models(x)`. The first of its notes states which question the
#'   intervals answer. The page "Is one kind of model better than another?" of pyexpr's
#'   documentation describes the methods and their coverage. `autoplot()` draws it as it draws a
#'   comparison.
#' @seealso [fit_models()], [compare_models()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' fitted <- fit_models(clips, score, c(au_count, au_intensity), subject, context_as = "pooled",
#'   models = list(ols = "sklearn.linear_model.LinearRegression"), repeats = 3)
#' compare_procedures(fitted, "rmse", method = "corrected_t")
#' }
compare_procedures <- function(x, metrics = c("rmse", "correlation"), method = "jackknife",
                               confidence = 0.95, score_range = NULL, progress = interactive()) {
  call <- rlang::current_env()
  can(x, "pyexpr_models", call)
  asked <- list(key = key_of(x, call), metrics = many(metrics), method = one(method),
    confidence = one(confidence), score_range = one(score_range), progress = flag(progress))
  new_result(ask("compare_procedures", asked, call), "pyexpr_procedures")
}

#' Fit every model to all rows, for new data
#'
#' Tuning uses inner folds of all subjects. The performance of these models is estimated by the
#' cross-validation, not by their fit to these rows. They are fitted to the data stored in the
#' result, so this also works after `readRDS()`, in another session or process.
#'
#' @param x A result of [fit_models()].
#' @param object,newdata The result of `fit_all()`, and a data frame with the features and
#'   covariates, and the context if there are several. A missing value is an error.
#' @param data As `newdata`.
#' @param ... Not used.
#' @return `fit_all()`: an object whose [tidy()][result-tables] has the chosen parameters.
#'   `predict()`: a tibble with one row per row of `newdata` and one column per model; if the
#'   context enters in several ways, columns are named as in `compare_models(x)`. For classes these
#'   columns contain the predicted class, with the values of the label, followed by a column `model:
#'   class` for each class and each model that gives probabilities. `augment()`: the data with these
#'   columns, whose names begin with a point. `predict()` of the result of [fit_models()] itself
#'   first fits the models to all rows.
#' @seealso [fit_models()]
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' \donttest{
#' fitted <- fit_models(clips, score, c(au_count, au_intensity), subject, context_as = "pooled",
#'   models = list(ols = "sklearn.linear_model.LinearRegression"))
#' final <- fit_all(fitted)
#' predict(final, clips[1:3, ])
#' augment(final, clips[1:3, c("subject", "au_count", "au_intensity")])
#' }
fit_all <- function(x) {
  call <- rlang::current_env()
  can(x, "pyexpr_models", call)
  found <- if (is_held(x$handle)) ask("fit_all", list(key = x$handle$key), call)
  if (is.null(found)) found <- fitted_anew(x$asked, call)
  new_result(found, "pyexpr_final_models", asked = x$asked, needed = x$needed, context = x$context,
    classes = x$classes)
}

# In another session there are no estimators, and they are fitted again from the same data.
fitted_anew <- function(asked, call) {
  if (holds_object(asked$models)) {
    data_error(paste("models that were made by reticulate are gone with their session; call",
      "fit_models() again, or name the classes as text."), call)
  }
  ask("fit_all_anew", asked, call)
}

holds_object <- function(node) {
  is.list(node) && (identical(node$kind, "object") || any(vapply(node, holds_object, NA)))
}

#' @rdname fit_all
#' @export
predict.pyexpr_final_models <- function(object, newdata, ...) {
  predictions_of(object, newdata, "newdata", rlang::current_env())
}

#' @rdname fit_all
#' @export
augment.pyexpr_final_models <- function(x, data, ...) {
  found <- predictions_of(x, data, "data", rlang::current_env())
  # By $<- and [[<-, of which data.table has methods.
  for (name in names(found)) data[[paste0(".", name)]] <- found[[name]]
  data
}

#' @rdname fit_all
#' @export
predict.pyexpr_models <- function(object, newdata, ...) {
  call <- rlang::current_env()
  given(newdata, paste("a data frame; predictions of the rows that were fitted are",
    "`tidy(x, \"predictions\")`"), call = call)
  predictions_of(fit_all(object), newdata, "newdata", call)
}

predictions_of <- function(x, data, arg, call) {
  if (missing(data)) data_error(sprintf("`%s` is missing: give a data frame.", arg), call)
  if (!is_held(x$handle)) hold(x$handle, fitted_anew(x$asked, call)$key)
  rows <- table_node(data, x$needed, arg, call, labels = x$context)
  found <- ask("predict_models", list(key = x$handle$key, data = rows), call)
  if (is.null(x$classes)) return(found$predictions)
  found$predictions[] <- lapply(found$predictions, like_label, x$classes)
  tibble::as_tibble(c(found$predictions, found$probabilities), .name_repair = "minimal")
}

#' @export
print.pyexpr_models <- function(x, ...) {
  print_heading(x$heading)
  cat("\n")
  show_table(wide_metrics(x$tables$tidy), ...)
  print_notes(x$notes)
  invisible(x)
}

# A column per metric, for print.
wide_metrics <- function(table) {
  keys <- intersect(c("model", "context_as", "context"), names(table))
  row <- do.call(paste, c(unname(lapply(table[keys], as.character)), sep = "\r"))
  first <- !duplicated(row)
  wide <- table[first, keys]
  for (metric in unique(table$metric)) {
    own <- table$metric == metric
    wide[[metric]] <- table$estimate[own][match(row[first], row[own])]
  }
  for (name in c("n", "n_clusters")) wide[[name]] <- table[[name]][first]
  wide
}
