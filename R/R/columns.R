# Columns as the user names them: bare, as strings, in c() or list(), by a variable that
# holds names, or in the language of tidyselect: starts_with("q"), q1:q4, -id, where(f).

# The value of a quosure in which every column of `data` stands for its own name, and
# all_of(names) is `names`, unless a column or variable of that name is meant. What is no
# value of that kind is a selection, alone or within list().
named_in <- function(quo, data, arg, call) {
  given(data, "a data frame", call = call)
  if (!is.data.frame(data)) table_node(data, call = call)
  mask <- stats::setNames(as.list(names(data)), names(data))
  mask <- mask[!is.na(names(mask)) & nzchar(names(mask)) & !duplicated(names(mask))]
  if (!"all_of" %in% all.vars(rlang::quo_get_expr(quo))) mask[["all_of"]] <- identity
  # Names in `a:b` are no numbers, which R says in a warning first.
  value <- tryCatch(suppressWarnings(rlang::eval_tidy(quo, mask)), error = identity)
  if (!inherits(value, "error") && !is_selection(value, quo, mask)) return(value)
  if (rlang::quo_is_call(quo, "list")) {
    parts <- lapply(rlang::call_args(rlang::quo_get_expr(quo)), rlang::new_quosure,
      env = rlang::quo_get_env(quo))
    return(lapply(parts, named_in, data = data, arg = arg, call = call))
  }
  selected(quo, data, mask, arg, call)
}

# Numbers written out, `2:4`, select by position; those of a variable may be data. A helper
# of tidyselect may be another function where other packages are attached (testthat's matches).
is_selection <- function(value, quo, mask) {
  if (!rlang::quo_is_call(quo)) return(FALSE)
  is.function(value) ||
    (is.numeric(value) && all(all.vars(rlang::quo_get_expr(quo)) %in% names(mask)))
}

# Names of the columns that tidyselect selects, with new names where the user gave some.
selected <- function(quo, data, mask, arg, call) {
  if (rlang::quo_is_symbol(quo)) no_column(rlang::as_name(quo), data, arg, call)
  known <- intersect(names(data), names(mask))
  # A plain table: methods of the user's class of table have no part in this.
  columns <- tibble::new_tibble(unclass_columns(data)[match(known, names(data))], nrow = nrow(data))
  at <- tryCatch(tidyselect::eval_select(quo, columns), error = function(e) {
    missing <- if (inherits(e, "vctrs_error_subscript_oob")) e$i else unknown_in(quo, mask)
    if (is.character(missing)) no_column(missing[1], data, arg, call)
    column_error(sprintf(
      "`%s` must name columns of `data`, bare or in quotes, such as %s, not by `%s`.", arg,
      "`c(a, b)`, or select them, such as `starts_with(\"q\")`", said_in(quo)), call)
  })
  if (!length(at)) {
    column_error(sprintf("`%s`: `%s` selects no column of `data`; %s", arg, said_in(quo),
      full_stop(near_names("", names(data)))), call)
  }
  renamed <- names(at) != known[at]
  stats::setNames(known[at], if (any(renamed)) names(at))
}

# An expression as the user wrote it, on one line.
said_in <- function(quo) {
  text <- paste(trimws(deparse(rlang::quo_get_expr(quo))), collapse = " ")
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}

# The first symbol of an expression that is neither a column nor a variable.
unknown_in <- function(quo, mask) {
  env <- rlang::quo_get_env(quo)
  for (name in all.vars(rlang::quo_get_expr(quo))) {
    if (!name %in% names(mask) && !exists(name, envir = env)) return(name)
  }
  NULL
}

# What the column of contexts is called elsewhere, or was here once.
other_context <- c("by", ".by", "group", "contexts")

# `...` of a verb, whose frame is `call`: names of another time or package are answered by a
# sentence, all else is refused. `former`: further names, with what to say of them.
refuse_dots <- function(verb, call, former = character()) {
  former <- c(stats::setNames(rep("the column of contexts is `context`", length(other_context)),
    other_context), former)
  # Not evaluated: a bare name of a column is no variable.
  given <- names(eval(quote(substitute(list(...))), call))
  known <- intersect(given, names(former))
  if (length(known)) {
    data_error(sprintf("`%s()` has no argument `%s`; %s.", verb, known[1], former[[known[1]]]), call)
  }
  rlang::check_dots_empty(env = call, call = call)
}

# Names of columns, checked; NULL where there are none.
columns <- function(quo, data, arg, call, required = FALSE, one = FALSE) {
  given(data, "a data frame", call = call)
  if (rlang::quo_is_missing(quo)) {
    column_error(sprintf("`%s` is missing: name %s of `data`.", arg,
      if (one) "a column" else "columns"), call)
  }
  value <- named_in(quo, data, arg, call)
  check_columns(value, data, arg, call, required = required, one = one)
}

column <- function(quo, data, arg, call, required = FALSE) {
  columns(quo, data, arg, call, required = required, one = TRUE)
}

# One column of subjects, or two of rows that belong to two persons or to crossed clusters.
cluster_columns <- function(quo, data, arg, call, required = FALSE) {
  found <- columns(quo, data, arg, call, required = required)
  if (length(found) > 2L) {
    column_error(sprintf("`%s` must name one column of `data`, or two columns of rows that %s, not %d.",
      arg, "belong to two persons or clusters", length(found)), call)
  }
  found
}

# Two columns cross as a list.
one_or_two <- function(columns) if (length(columns) == 2L) many(columns) else columns

check_columns <- function(value, data, arg, call, required = FALSE, one = FALSE) {
  wanted <- if (one) "one column" else "columns"
  if (is.null(value) && !required) return(NULL)
  if (!is.character(value) || anyNA(value) || (one && length(value) != 1L) || !length(value)) {
    column_error(sprintf("`%s` must name %s of `data`, bare or in quotes, not %s.", arg, wanted,
      if (!is.character(value)) described_type(value) else if (anyNA(value)) "NA" else
        sprintf("%d of them", length(value))), call)
  }
  absent <- setdiff(value, names(data))
  if (length(absent)) no_column(absent[1], data, arg, call)
  unname(value)
}

no_column <- function(name, data, arg, call) {
  column_error(sprintf("`data` has no column `%s`, which `%s` names; %s", name, arg,
    full_stop(near_names(name, names(data)))), call)
}

full_stop <- function(text) ifelse(grepl("[.?!]$", text), text, paste0(text, "."))

column_error <- function(message, call) {
  abort(message, class = c("pyexpr_column_error", "pyexpr_data_error", "pyexpr_error"), call = call)
}

data_error <- function(message, call) {
  abort(message, class = c("pyexpr_data_error", "pyexpr_error"), call = call)
}

# Refuses an argument that was not given; `what` it should be.
given <- function(x, what, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (missing(x)) data_error(sprintf("`%s` is missing: give %s.", arg, what), call)
}

# TRUE or FALSE; NULL passes.
flag <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  given(x, "TRUE or FALSE", arg, call)
  if (is.null(x) || isTRUE(unname(x)) || isFALSE(unname(x))) return(unname(x))
  data_error(sprintf("`%s` must be TRUE or FALSE, not %s.", arg, shown_value(x)), call)
}

# One value that is not missing, as Python wants it; NULL passes.
one <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  given(x, "a value", arg, call)
  if (is.null(x)) return(NULL)
  if (!is.atomic(x) || length(x) != 1L || is.na(x)) {
    said <- if (is.atomic(x) && length(x) == 1L) "NA" else
      if (is.atomic(x)) sprintf("%d of them", length(x)) else described_type(x)
    data_error(sprintf("`%s` must be one value, not %s.", arg, said), call)
  }
  unname(x)
}
