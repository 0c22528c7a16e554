# The predictions of tidymodels: tune::collect_predictions() gives a row per model and
# prediction, compare_models() wants a row per clip and a column per model.

# Whether a table is one of tune, with the predictions of its models below one another.
is_collected <- function(data, predictions) {
  if (!is.data.frame(data) || !".row" %in% names(data)) return(FALSE)
  if (".pred" %in% names(data)) {
    return(rlang::quo_is_missing(predictions) ||
      identical(rlang::quo_get_expr(predictions), quote(.pred)) ||
      identical(rlang::quo_get_expr(predictions), ".pred"))
  }
  ".pred_class" %in% names(data) && rlang::quo_is_missing(predictions)
}

# One row per row of the resampled data: its columns, `truth`, a column per model, the fold.
unfolded <- function(data, truth, rows, fold, call) {
  data <- plain_tibble(data)
  if (!".pred" %in% names(data)) {
    data_error(paste("`data` holds predicted classes (`.pred_class`), and models are compared by",
      "predictions that are numbers (`.pred`)."), call)
  }
  if (!nrow(data)) data_error("`data` has no rows: there are no predictions.", call)
  model <- models_in(data)
  resample <- folds_in(data)
  row <- data$.row
  again <- which(duplicated(data.frame(model, row)))
  if (length(again)) refuse_repeats(data, model, row, again[1], call)
  if (is.null(resample) && !fold) {
    data_error(paste("`data` has no column `id`, so that the folds are not known: ask for",
      "`collect_predictions(x, summarize = FALSE)`, or name their column by `fold`."), call)
  }
  at <- sort(unique(row))
  first <- match(at, row)
  wide <- data[first, setdiff(names(data), names_of_tune)]
  wide[[truth]] <- alike(data[[truth]], row, first, truth, call)
  wide <- with_rows(wide, rows, at, truth, call)
  if (!is.null(resample)) wide$.fold <- alike(resample, row, first, "fold", call)
  models <- list()
  for (name in unique(model)) {
    column <- sprintf(".pred_%d", length(models) + 1L)
    mine <- model == name
    wide[[column]] <- data$.pred[mine][match(at, row[mine])]
    models[[name]] <- column
  }
  list(data = wide, models = models, fold = if (!is.null(resample)) ".fold")
}

names_of_tune <- c("id", "id2", "id3", ".pred", ".row", ".config", "wflow_id", "preproc", "model")

# A workflow is named by its id, a candidate of tuning by `.config`; both where both differ.
models_in <- function(data) {
  flow <- data[["wflow_id"]]
  config <- data[[".config"]]
  if (is.null(config)) config <- rep(".pred", nrow(data))
  flow <- if (!is.null(flow)) as.character(flow)
  if (is.null(flow)) return(if (length(unique(config)) == 1L) rep(".pred", nrow(data)) else config)
  several <- tapply(config, flow, function(x) length(unique(x)) > 1L)
  unname(ifelse(several[flow], paste(flow, config), flow))
}

# `id` alone, or with `id2` (and `id3`) where resampling is nested in repeats or groups.
folds_in <- function(data) {
  ids <- intersect(c("id", "id2", "id3"), names(data))
  if (!length(ids)) return(NULL)
  do.call(paste, c(lapply(ids, function(name) as.character(data[[name]])), sep = ", "))
}

refuse_repeats <- function(data, model, row, at, call) {
  folds <- folds_in(data)
  if (is.null(folds)) {
    data_error(sprintf(paste("row %s has several predictions by the model `%s`, and no column `id`",
      "tells them apart; bind results of several workflows by",
      "`dplyr::bind_rows(first = a, second = b, .id = \"wflow_id\")`."), format(row[at]), model[at]),
      call)
  }
  both <- folds[model == model[at] & row == row[at]]
  keep <- if ("id2" %in% names(data)) data$id[1] else both[1]
  if (length(unique(both)) == 1L) {
    data_error(sprintf(paste("row %s has several predictions by the model `%s` in the fold `%s`: what",
      "belongs to different workflows needs a column `wflow_id`."), format(row[at]), model[at],
      both[1]), call)
  }
  data_error(sprintf(paste("the model `%s` predicts row %s in `%s` and in `%s`: repeats have folds of",
    "their own, and one prediction per row is compared; keep one repeat, such as",
    "`data[data$id == \"%s\", ]`%s."), model[at], format(row[at]), both[1], both[2], keep,
    if ("id2" %in% names(data)) "" else ", or resample by cross-validation, which predicts each row once"),
    call)
}

# The value of each row, which all models must agree in.
alike <- function(values, row, first, what, call) {
  mine <- values[first][match(row, row[first])]
  differs <- which(!(is.na(values) & is.na(mine)) & (is.na(values) != is.na(mine) | values != mine))
  if (length(differs)) {
    i <- differs[1]
    data_error(if (what == "fold") sprintf(paste("row %s is in the fold `%s` for one model and in `%s`",
      "for another; resample all models by the same folds."), format(row[i]), mine[i], values[i])
    else sprintf("row %s has two values of `%s`, %s and %s; its models predict different data.",
      format(row[i]), what, format(mine[i]), format(values[i])), call)
  }
  values[first]
}

# The columns of the data that was resampled, which tune does not keep.
with_rows <- function(wide, rows, at, truth, call) {
  if (is.null(rows)) return(wide)
  if (!is.data.frame(rows)) table_node(rows, arg = "rows", call = call)
  if (nrow(rows) < max(at)) {
    data_error(sprintf(paste("`rows` has %d rows, and there is a prediction of row %s: give the data",
      "frame that was resampled, with all its rows."), nrow(rows), format(max(at))), call)
  }
  rows <- plain_tibble(rows)[at, ]
  own <- rows[[truth]]
  differs <- which(is.na(own) != is.na(wide[[truth]]) | own != wide[[truth]])
  if (!is.null(own) && length(differs)) {
    i <- differs[1]
    data_error(sprintf(paste("row %s of `rows` has the %s %s, and the predictions are of %s: give the",
      "data frame that was resampled, with its rows in their order."), format(at[i]), truth,
      format(own[i]), format(wide[[truth]][i])), call)
  }
  rows[[truth]] <- wide[[truth]]
  # A column of both, such as a tuned parameter's name, is that of the data.
  more <- setdiff(names(wide), names(rows))
  rows[more] <- wide[more]
  rows
}

# A column of a table of tune, without the data that was resampled.
column_of_tune <- function(quo, data, arg, call, read = column) {
  tryCatch(read(quo, data, arg, call), pyexpr_column_error = function(e) {
    column_error(paste(conditionMessage(e), "tune keeps the outcome alone: give `rows`, the data",
      "frame that was resampled."), call)
  })
}
