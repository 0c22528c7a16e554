# What Python computed, as an S3 object that outlives the session: all tables are
# here; only what needs new numbers goes back to Python, by a key.

# `data` and `own`: the user's frame, and the columns of it that appear in tables.
# `plain`: tables of data, in which every column keeps its name.
new_result <- function(found, class, data = NULL, own = character(), plain = character(), ...) {
  tables <- lapply(stats::setNames(nm = names(found$tables)), function(name) {
    table <- found$tables[[name]]
    # A row about the whole has broom's word for how many rows were used.
    if (name == "glance") names(table)[names(table) == "n"] <- "nobs"
    result_table(table, data, if (name %in% plain) names(table) else own)
  })
  structure(
    list(
      tables = tables, heading = found$heading, notes = as.character(found$notes),
      provenance = found$provenance, handle = new_handle(found$key), saved = found$saved, ...
    ),
    class = c(class, "pyexpr_result"), own = own
  )
}

result_table <- function(table, data = NULL, own = character()) {
  names(table) <- broom(names(table), own)
  for (name in intersect(own, intersect(names(table), names(data)))) {
    table[[name]] <- like(table[[name]], data[[name]])
  }
  table[] <- lapply(names(table), function(name) {
    if (name %in% own) table[[name]] else without_nan(table[[name]])
  })
  table
}

# In results a number that does not exist is NA.
without_nan <- function(x) {
  if (is.double(x)) x[is.nan(x)] <- NA_real_
  x
}

# Labels become again what they were: a factor with the user's levels, integer64, a date.
like <- function(x, original) {
  if (is.factor(original)) {
    return(factor_of(match(x, utf8(levels(original))), levels(original), is.ordered(original)))
  }
  if (is.character(original) && is.character(x)) {
    # In a locale that does not know its letters the same text may be marked in another way.
    at <- match(x, utf8(as.vector(original)))
    return(if (anyNA(at[!is.na(x)])) x else as.vector(original)[at])
  }
  if (inherits(original, "integer64") && is.numeric(x)) return(bit64::as.integer64(x))
  if (is.character(x) && !is.character(original)) {
    at <- match(x, as.character(as_label(original)))
    return(if (anyNA(at[!is.na(x)])) x else unname(original[at]))
  }
  if (is.double(original) && is.integer(x)) return(as.double(x))
  x
}

# A key of an object in Python. When R has no more use for it, the next call says so:
# Python must not be called while R collects garbage.
new_handle <- function(key) hold(new.env(parent = emptyenv()), key)

hold <- function(handle, key) {
  handle$key <- as.integer(key)
  assign(as.character(handle$key), rlang::new_weakref(handle), envir = state$held)
  reg.finalizer(handle, function(h) {
    state$released <- c(state$released, h$key)
    rm(list = as.character(h$key), envir = state$held)
  })
  handle
}

# Not so if it was read from a file or came from another process, or is a copy that was read
# in this very session: only the one that was made here keeps the object in Python.
is_held <- function(handle) {
  made_here <- state$held[[as.character(handle$key)]]
  !is.null(made_here) && identical(rlang::wref_key(made_here), handle)
}

key_of <- function(x, call) {
  start(call)
  if (!is_held(x$handle)) revive(x, call)
  x$handle$key
}

# The object in Python is made again from the bytes beside the tables, when it is first needed.
revive <- function(x, call) {
  if (is.null(x$saved)) {
    data_error(paste(
      "this result was computed in another session, and only its tables are here;",
      "compute it again."
    ), call)
  }
  token <- if (!is.null(x$statistic)) function_token(x$statistic)
  key <- ask("revive", list(saved = node(kind = "raw", value = x$saved), `function` = token$id), call)
  # Copies of a result share the handle, and so what is made for one of them.
  hold(x$handle, key)
  # The function lives as long as the object that calls it.
  x$handle$token <- token
}

# A method of the kept object; the answer is a result of the same class.
method_of <- function(x, name, arguments, call) {
  found <- ask("method", c(list(key = key_of(x, call), name = name), arguments), call)
  if (is.data.frame(found)) return(result_table(found, own = attr(x, "own")))
  continued(found, x)
}

# What Python made of the object of `x`.
continued <- function(found, x) {
  result <- new_result(found, class(x)[1], x$tables$tidy, attr(x, "own"))
  # What else the object carries, such as the function it calls.
  more <- setdiff(names(x), names(result))
  result[more] <- unclass(x)[more]
  result
}

#' Tables of a result
#'
#' @description
#' `tidy()` returns a table of a result as a tibble, `glance()` a summary in one row, `summary()`
#' all information about how the numbers were computed, and `as.data.frame()` the table as a plain
#' data frame.
#'
#' The tables of each result, for `tidy(x, table)`:
#'
#' | result of | tables |
#' |---|---|
#' | [context_contrasts()] | `"tidy"`, `"omnibus"` |
#' | [agreement()] | `"tidy"`, `"by_category"`, `"counts"` |
#' | [rater_diagnostics()] | `"tidy"`, `"by_rater"`, `"scale_use"` |
#' | [trace_reliability()] | `"tidy"`, `"lags"`, `"traces"`, `"frames"`, `"mean_trace"` |
#' | [icc()] | `"tidy"`, `"counts"`, `"mean_reliability"` |
#' | [multilevel_icc()] | `"tidy"`, `"components"`, `"counts"` |
#' | [variance_components()] | `"tidy"`, `"counts"` |
#' | [d_study()] of variance components | `"tidy"`, `"cheapest"` (with `target`) |
#' | [plan_study()] | `"tidy"`, `"required"` |
#' | [fit_cfa()] | `"tidy"`, `"glance"`, `"loadings"`, `"standardized"`, `"reliability"` |
#' | [invariance()] | `"tidy"`, `"glance"`, `"contrasts"`, `"estimates"`, `"fit_measures"` |
#' | [context_coefficients()] | `"tidy"`, `"contrasts"`, `"omnibus"` |
#' | [error_slopes()] | `"tidy"`, `"contrasts"`, `"omnibus"` |
#' | [sensitivity()] | `"tidy"`, `"summary"`, `"specifications"`, `"work"` |
#' | [pooled_coefficients()] | `"tidy"`, `"contrasts"`, `"variation"`, `"variances"` |
#' | [person_slopes()] | `"tidy"`, `"reliability"` |
#' | [extract_features()] | `"tidy"`, `"quality"`, `"recordings"`, `"dropped"` |
#' | [fit_models()] | `"tidy"`, `"predictions"`, `"tuning"`, `"weights"` (coefficients of linear models), `"folds"`, `"left_out"`, `"warned"`, `"constant"`; of classes `"unseen"` (classes that a fit did not have) |
#' | [run_study()] | `"tidy"`, and all tables of the study: `names(x$tables)` |
#' | [movement_series()] | `"tidy"`, `"dropped"` |
#' | [synchrony()] | `"tidy"`, `"windows"` |
#' | all others | `"tidy"` |
#'
#' @section Names of columns:
#' Columns that also exist in broom have the names of broom: `term`, `estimate`, `std.error`,
#' `statistic`, `df`, `p.value`, `adj.p.value`, `conf.low`, `conf.high`, `std.all`; in `glance()`
#' `nobs`, `AIC`, `BIC`, `logLik`, `rmsea.conf.low`, `rmsea.conf.high`. All other names have
#' underscores, as in Python: `n_clusters`, `tested_std_error`. Columns of your data keep their
#' names. A column that groups a result must not have the name of a column of its tables.
#'
#' @section Order of rows:
#' Groups and contexts are in the order of their sorted labels, in R and in Python, so that no
#' number depends on the levels of a factor. A factor is returned with its own levels;
#' `dplyr::arrange()` sorts the rows by them.
#'
#' @section Saving:
#' A result contains everything it needs, including data and replicates. After `saveRDS()` and
#' `readRDS()`, from knitr's cache, or in another process, its tables and figures are available
#' without Python. Further computations ([boot_interval()], [boot_extend()], [cfa_scores()] of new
#' data, [d_study()], ...) give exactly the same numbers; they start Python when it is first needed.
#' If the replicates of [compare_models()] exceed one megabyte, they are not saved but drawn again
#' from the seed. A result saved by another version of pyexpr can be used if its components are
#' still the same. Otherwise an error names that version; tables and figures are still available.
#'
#' @param x,object A result of this package.
#' @param table Name of a table. An unknown name is an error that lists all tables.
#' @param ... Not used. A `conf.level` other than that of the result is an error: the
#'   level is `confidence` in the call that made it.
#' @param row.names,optional As in [as.data.frame()]; not used.
#' @return A tibble; for `glance()` with a single row; for `as.data.frame()` a data frame.
#' @name result-tables
#' @examplesIf pyexpr::pyexpr_available()
#' found <- icc_interval(0.879, n_targets = 20, k = 3)
#' tidy(found)
#' glance(found)
#' summary(found)
NULL

#' @rdname result-tables
#' @export
tidy.pyexpr_result <- function(x, table = "tidy", ...) {
  one(table)
  refuse_level(list(...)$conf.level, x$provenance$confidence, rlang::current_env())
  if (!table %in% names(x$tables)) {
    data_error(sprintf("there is no table `%s`; this result has %s.", table,
      listed(names(x$tables), 30L)), rlang::current_env())
  }
  x$tables[[table]]
}

refuse_level <- function(wanted, level, call, by = "tidy()") {
  if (is.null(wanted) || is.null(level) || isTRUE(all.equal(wanted, level))) return(invisible())
  data_error(sprintf(paste("the intervals of this result are at %s, and %s cannot change them:",
    "give `confidence = %s` where the result is made."), format(level), by, shown_value(wanted)), call)
}

#' @rdname result-tables
#' @export
glance.pyexpr_result <- function(x, ...) {
  if (!is.null(x$tables$glance)) return(x$tables$glance)
  facts <- Filter(function(v) is.atomic(v) && length(v) == 1L, x$provenance)
  tibble::as_tibble(facts)
}

#' @rdname result-tables
#' @export
as.data.frame.pyexpr_result <- function(x, row.names = NULL, optional = FALSE, ...) {
  as.data.frame(x$tables$tidy)
}

#' @rdname result-tables
#' @export
print.pyexpr_result <- function(x, ...) {
  print_heading(x$heading)
  cat("\n")
  show_table(x$tables$tidy, ...)
  print_notes(x$notes)
  invisible(x)
}

print_heading <- function(text) {
  cat(paste0(strwrap(text, width = getOption("width")), "\n"), sep = "")
}

# Names of columns stay whole, and so do those of models, indicators and features, or
# "a - b" would look like "a": what does not fit is listed below the table.
show_table <- function(table, ...) {
  old <- options(pillar.min_title_chars = Inf, pillar.min_chars = 24)
  on.exit(options(old))
  print(table, ...)
}

print_notes <- function(notes) {
  if (!length(notes)) return(invisible())
  cat("\n")
  for (note in notes) {
    lines <- strwrap(full_stop(paste("Note:", note)), exdent = 2, width = getOption("width"))
    cat(paste0(lines, "\n"), sep = "")
  }
}

#' @rdname result-tables
#' @export
summary.pyexpr_result <- function(object, ...) {
  structure(list(result = object), class = "summary.pyexpr_result")
}

#' @export
print.summary.pyexpr_result <- function(x, ...) {
  result <- x$result
  print_heading(result$heading)
  for (name in names(result$tables)) {
    cat("\n", name, "\n", sep = "")
    show_table(result$tables[[name]], n = Inf, width = Inf)
  }
  print_notes(result$notes)
  facts <- facts_of(result$provenance)
  if (length(facts)) cat("\nHow it was computed\n", paste0("  ", facts, "\n"), sep = "")
  invisible(x)
}

# A line per fact. Lists without names are tables, which are shown above.
facts_of <- function(facts, within = NULL) {
  unlist(lapply(names(facts), function(name) {
    value <- facts[[name]]
    label <- c(within, if (nzchar(name)) name)
    if (is.list(value)) return(facts_of(value, label))
    if (!length(value)) return(NULL)
    shown <- if (is.numeric(value)) vapply(value, format, "") else value
    paste0(paste(label, collapse = "."), ": ", paste(shown, collapse = ", "))
  }))
}
