#' Fit any models, and predict subjects that they have not seen
#'
#' @description
#' Elastic nets of pyexpr and any regressor of scikit-learn, by name, on a table with a row per
#' clip: cross-validated over folds of whole subjects, or on one split. All models, and all ways
#' that the context enters, are fitted to the same rows and predict the same subjects; what is
#' tuned is tuned on subjects among those to be fitted. The same seed gives the same bytes here and
#' in Python, with any number of processes.
#'
#' Rows in which the label, a feature or a covariate is missing are left out and listed with the
#' reason (`tidy(x, "left_out")`). Checked against scikit-learn's `cross_val_predict` and
#' `GridSearchCV` on the same folds.
#'
#' @param data A data frame, one row per clip.
#' @param label Column of what is predicted.
#' @param features Columns of numbers: `c(au_count, au_intensity)`, `starts_with("AU")`.
#' @param cluster Column of the subject of each row.
#' @param context Column of the context of each row. Contexts come in the order of their sorted
#'   labels; an ordered factor gives another.
#' @param clip Column that names a row within its subject and context; by default rows are
#'   numbered.
#' @param models A named list of models: `"elastic_net"`, the full name of a class of
#'   scikit-learn such as `"sklearn.ensemble.RandomForestRegressor"`, or a [model_spec()] of one
#'   with parameters and a grid. `NULL` is `list(elastic_net = "elastic_net")`.
#' @param context_as How the context enters, any of `"separate"` (one model per context),
#'   `"pooled"` (one over all) and `"feature"` (one over all, with a column of 0 and 1 for each
#'   context). With one context all are the same, and there is `"pooled"`.
#' @param scheme `"cross_validation"`: folds of subjects, each predicted by models of the others;
#'   or `"split"`: training, validation and test subjects.
#' @param folds,repeats Number of folds, and how often the cross-validation is repeated with other
#'   folds.
#' @param inner_folds Folds of subjects that tune, among the rows to be fitted.
#' @param proportions Of training, validation and test subjects, for `scheme = "split"`.
#' @param adjust_for Covariates that enter every model beside the features: numbers as they are,
#'   text and factors as a column of 0 and 1 for each category.
#' @param label_pooled Column of what models over all contexts learn and are judged by, where it
#'   is not `label`.
#' @param trusted Packages of Python that estimators may come from. Importing one runs its code.
#' @param seed From 0. Repeat r, counted from 0, is made with `seed + r`: its folds, its inner
#'   folds, and every random state that is not given.
#' @param n_jobs Processes; `NULL` is 1, -1 one per core.
#' @param progress Whether to show a bar.
#' @param ... Not used. What the columns are called elsewhere, such as `outcome` or `subject`, is
#'   an error that names the argument.
#'
#' @return An object with [tidy()][result-tables] (how well the models predict: a row per metric,
#'   model and context), `tidy(x, "predictions")` (a row per clip predicted, repeat, model and way
#'   that the context enters) and the other tables; `glance()`. It goes into [compare_models()] as
#'   it is, for differences with intervals and tests; [over_repeats()] shows what repeats differ
#'   by, and [fit_all()] fits models for new data.
#'
#'   Under cross-validation correlation and R2 are averages of those within folds, weighted with
#'   their rows.
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
fit_models <- function(data, label, features, cluster, context = NULL, clip = NULL, models = NULL,
                       context_as = c("separate", "pooled"), scheme = "cross_validation",
                       folds = 5, repeats = 1, inner_folds = 5, proportions = c(0.6, 0.2, 0.2),
                       adjust_for = NULL, label_pooled = NULL, trusted = "sklearn", seed = 0,
                       n_jobs = NULL, progress = interactive(), ...) {
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
  used <- unique(c(label, label_pooled, features, cluster, context, clip, adjust_for))
  asked <- list(
    data = table_node(data, used, call = call, labels = c(cluster, context, clip)),
    label = label, features = many(features), cluster = cluster, context = context, clip = clip,
    models = models_node(models, call), context_as = many(context_as), scheme = one(scheme),
    folds = one(folds), repeats = one(repeats), inner_folds = one(inner_folds),
    proportions = many(unname(proportions)), adjust_for = many(as.character(adjust_for)),
    label_pooled = label_pooled, trusted = many(trusted), seed = one(seed), n_jobs = one(n_jobs),
    progress = flag(progress)
  )
  found <- ask("fit_models", asked, call)
  result <- new_result(found, "pyexpr_models")
  result$tables <- with_labels(result$tables, data, cluster, context, clip)
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

#' A model for fit_models(), with its parameters
#'
#' @param estimator `"elastic_net"`, the full name of a class of scikit-learn, or of another
#'   package that is named in `trusted`, such as `"sklearn.ensemble.RandomForestRegressor"`; or an
#'   estimator that was made by reticulate.
#' @param params A named list of parameters of the estimator; those of a step of a pipeline as
#'   `step__name`.
#' @param grid A named list of values of parameters to choose from, by the lowest squared error
#'   over inner folds of subjects; or a list of such lists.
#' @param scale Whether to standardise the features (mean 0, standard deviation 1 with divisor n)
#'   on the rows that each model is fitted to. The elastic net does so by itself.
#' @section Numbers:
#' R does not tell a whole number from one that happens to be whole. A parameter whose default is
#' a number with a point in Python, such as the `max_features = 1.0` of a forest (all features),
#' gets one; all others get a whole number. `1L` is always a whole number: one feature. `NULL` is
#' Python's `None`.
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

# What compare_models() is told by a result of fit_models().
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
  found <- ask("compare_fitted", c(list(key = key_of(x, call)), options), call)
  new_result(found, "pyexpr_comparison")
}

#' What repeats of a cross-validation differ by
#'
#' @param x A result of [fit_models()] with several repeats.
#' @param metrics As in [compare_models()].
#' @param ... Further arguments of [compare_models()], such as `n_boot` or `confidence`.
#' @return A tibble: `metric`, `term`, `context`, `estimate`, `conf.low` and `conf.high` of
#'   `compare_models(x)`; `sd_repeats` (divisor n - 1), `lowest` and `highest` of the repeats' own
#'   estimates. The interval is of subjects, and more repeats hardly shrink it.
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
  found <- ask("over_repeats", c(list(key = key_of(x, call), metrics = many(metrics)),
    lapply(list(...), one)), call)
  result_table(found)
}

#' Fit every model to all rows, for data to come
#'
#' Tuning is by inner folds of all subjects. How good such models are is what the folds have shown,
#' not what they reach on these rows. They are fitted from the data that the result carries, so
#' also after `readRDS()`, in another session or process.
#'
#' @param x A result of [fit_models()].
#' @param object,newdata What `fit_all()` returned, and a data frame with the features and
#'   covariates, and the context where there are several. A missing value is an error.
#' @param data As `newdata`.
#' @param ... Not used.
#' @return `fit_all()`: an object whose [tidy()][result-tables] has the parameters that were chosen.
#'   `predict()`: a tibble with a row per row of `newdata` and a column per model; where a model
#'   enters in several ways, columns are called as in `compare_models(x)`. `augment()`: the data
#'   with these columns, a point before each name. `predict()` of the result of [fit_models()]
#'   itself fits all rows first.
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
  new_result(found, "pyexpr_final_models", asked = x$asked, needed = x$needed, context = x$context)
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
  ask("predict_models", list(key = x$handle$key, data = rows), call)
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
