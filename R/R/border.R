# The border to Python. Everything crosses as one raw vector of serialize() and
# comes back as one, so that no version of reticulate converts a number, an NA or
# a factor. pyexpr/hosted/tables.py is the other side of the tables, and says what
# becomes of each type; pyexpr/hosted/values.py that of everything else.

# A vector that stays a list in Python even if it has one element.
many <- function(x, arg = rlang::caller_arg(x), call = rlang::caller_env()) {
  if (is.null(x)) return(NULL)
  # Of numbers Python says what is wrong; a name that is NA would be no name there.
  if (!is.numeric(x) && anyNA(x)) {
    data_error(sprintf("`%s` has NA among its values; leave it out.", arg), call)
  }
  node(kind = "many", value = plain_vector(x))
}

# A named list or vector that is a dictionary in Python.
dictionary <- function(x) {
  node(kind = "dict", names = utf8(as.character(names(x))),
    items = lapply(unname(as.list(x)), to_wire))
}

node <- function(...) structure(list(...), class = "pyexpr_node")

to_wire <- function(x) {
  if (is.null(x)) return(NULL)
  if (inherits(x, "pyexpr_node")) return(unclass(x))
  if (is.list(x) && !is.null(names(x))) return(unclass(dictionary(x)))
  if (is.list(x)) return(list(kind = "list", items = lapply(x, to_wire)))
  if (!is.atomic(x)) abort("only data can go to Python", .internal = TRUE)
  if (!is.null(names(x))) return(unclass(dictionary(x)))
  list(kind = if (length(x) == 1L) "scalar" else "many", value = plain_vector(x))
}

plain_vector <- function(x) {
  if (is.factor(x)) x <- as.character(x)
  if (inherits(x, "integer64")) return(writeBin(as.vector(unclass(x)), raw()))
  if (is.character(x)) return(utf8(as.vector(x)))
  as.vector(unclass(x))
}

# A data frame for Python. `needed` are the columns it will use (NULL: all); of the
# others those that cannot cross stay behind. `labels` are those of which only the
# distinct values matter.
table_node <- function(data, needed = NULL, arg = "data", call = rlang::caller_env(),
                       labels = character()) {
  if (!is.data.frame(data)) {
    abort(sprintf("`%s` must be a data frame, not %s.", arg, described_type(data)),
      class = c("pyexpr_data_error", "pyexpr_error"), call = call)
  }
  n <- nrow(data)
  plain <- lapply(lapply(as.list(data), one_column), unclassed)
  columns <- lapply(plain, `[[`, "values")
  said <- vapply(plain, `[[`, "", "note")
  names <- if (is.null(names(columns))) character() else names(columns)
  if (anyNA(names)) {
    abort(sprintf("a column of `%s` has no name (NA); name it.", arg),
      class = c("pyexpr_column_error", "pyexpr_data_error", "pyexpr_error"), call = call)
  }
  problems <- vapply(columns, column_problem, "")
  used <- if (is.null(needed)) rep(TRUE, length(names)) else names %in% needed
  doubled <- !is.null(needed) & names %in% names[duplicated(names)]
  if (any(doubled & used)) {
    twice <- names[doubled & used][1]
    abort(sprintf("`%s` has %d columns named `%s`; give each a name of its own.", arg,
      sum(names == twice), twice),
      class = c("pyexpr_column_error", "pyexpr_data_error", "pyexpr_error"), call = call)
  }
  bad <- which(nzchar(problems) & used)
  if (length(bad)) {
    abort(sprintf("column `%s` of `%s` %s.", names[bad[1]], arg, problems[bad[1]]),
      class = c("pyexpr_column_error", "pyexpr_data_error", "pyexpr_error"), call = call)
  }
  for (i in which(nzchar(said) & used)) {
    rlang::inform(sprintf("Column `%s` of `%s` %s.", names[i], arg, said[i]),
      class = "pyexpr_unclassed")
  }
  kept <- !nzchar(problems) & !doubled
  of_labels <- names %in% labels
  columns[of_labels] <- lapply(columns[of_labels], as_label)
  node(kind = "table", n = n, names = utf8(names[kept]),
    columns = unname(lapply(columns[kept], column_node)))
}

# scale() and others give a matrix of one column, which is a column.
one_column <- function(x) if (is.matrix(x) && ncol(x) == 1L) as.vector(x) else x

# Numbers with a class that says more about them, as plain numbers, and what was left behind
# in the words of a note: labels of SPSS, Stata and SAS (haven), durations, time series, units.
unclassed <- function(x) {
  if (inherits(x, "haven_labelled") && is.numeric(x)) {
    missing <- declared_missing(x)
    note <- "has value labels: its numbers are used"
    if (any(missing)) {
      codes <- listed(format(sort(unique(unclass(x)[missing]))))
      note <- sprintf(ngettext(sum(missing),
        "%s, and %d value that it declares missing (%s) is missing",
        "%s, and %d values that it declares missing (%s) are missing"), note, sum(missing), codes)
    }
    x <- as.vector(unclass(x))
    x[missing] <- NA
    return(list(values = x, note = note))
  }
  if (inherits(x, "difftime")) {
    return(list(values = as.vector(unclass(x)),
      note = sprintf("is a duration: its numbers are used, in %s", attr(x, "units"))))
  }
  if (inherits(x, "units")) {
    return(list(values = as.vector(unclass(x)),
      note = sprintf("has a unit: its numbers are used, in %s", format_unit(x))))
  }
  if (inherits(x, "ts") && is.null(dim(x))) {
    return(list(values = as.vector(unclass(x)), note = ""))
  }
  list(values = x, note = "")
}

# SPSS declares values (na_values) and a range (na_range) missing; haven keeps them as numbers.
declared_missing <- function(x) {
  numbers <- as.vector(unclass(x))
  missing <- numbers %in% attr(x, "na_values")
  range <- attr(x, "na_range")
  if (length(range) == 2L) missing <- missing | (numbers >= range[1] & numbers <= range[2])
  missing & !is.na(numbers)
}

format_unit <- function(x) {
  unit <- attr(x, "units")
  over <- paste(unit$denominator, collapse = "*")
  paste0(paste(unit$numerator, collapse = "*"), if (nzchar(over)) paste0("/", over))
}

# A label as Python should write it: 1 and not 1.0, FALSE, 2020-01-02. Numbers stay
# numbers, so that 10 comes after 9; like() makes of them what they were.
as_label <- function(x) {
  if (inherits(x, "Date") || is.logical(x)) return(as.character(x))
  whole <- is.double(x) && !is.object(x) && all(is.na(x) | (x == floor(x) & abs(x) < 2^31))
  if (whole) as.integer(x) else x
}

# In a locale without letters beyond ASCII (cron, Slurm, containers) R does not know what
# the bytes of a text read from a file mean, and enc2utf8() writes them out as <c3><bc>.
utf8 <- function(x) {
  unknown <- Encoding(x) == "unknown"
  if (any(unknown) && !isTRUE(l10n_info()$`UTF-8`) && !isTRUE(l10n_info()$`Latin-1`)) {
    bytes <- x[unknown]
    Encoding(bytes) <- ifelse(validUTF8(bytes), "UTF-8", "unknown")
    x[unknown] <- bytes
  }
  enc2utf8(x)
}

# "" for a column that can cross, else what is wrong with it.
column_problem <- function(x) {
  if (is.data.frame(x) || is.matrix(x) || is.array(x)) {
    return("is itself a table; make each of its columns a column")
  }
  if (inherits(x, "POSIXlt")) return("")
  if (is.list(x)) return("is a list; unnest it, or leave it out")
  known <- c("factor", "ordered", "Date", "POSIXct", "POSIXt", "integer64", "AsIs")
  strange <- setdiff(oldClass(x), c(known, "glue", "character"))
  if (length(strange)) {
    return(sprintf(
      "has the class <%s>, which cannot go to Python; turn it into numbers, text or a factor",
      strange[1]
    ))
  }
  if (is.character(x) && !all(validUTF8(utf8(unique(as.vector(x)))))) {
    return("holds text in an unknown encoding; convert it with iconv()")
  }
  if (typeof(x) %in% c("double", "integer", "logical", "character")) return("")
  sprintf("has the type %s, which cannot go to Python", typeof(x))
}

column_node <- function(x) {
  if (inherits(x, "POSIXlt")) x <- as.POSIXct(x)
  if (is.factor(x)) {
    # A level that is NA, of addNA(), is a missing value all the same.
    known <- which(!is.na(levels(x)))
    codes <- match(as.integer(x), known, nomatch = 0L) - 1L
    return(list(type = "factor", levels = utf8(levels(x)[known]), codes = bytes_of(codes),
      ordered = is.ordered(x)))
  }
  if (inherits(x, "Date")) return(list(type = "Date", data = bytes_of(as.double(unclass(x)))))
  if (inherits(x, "POSIXct")) {
    return(list(type = "POSIXct", data = bytes_of(as.double(unclass(x))), tz = zone_of(x)))
  }
  if (inherits(x, "integer64")) {
    return(list(type = "integer64", data = bytes_of(as.vector(unclass(x)))))
  }
  if (is.character(x)) {
    x <- as.vector(x)
    levels <- unique(x)
    levels <- levels[!is.na(levels)]
    codes <- match(x, levels, nomatch = 0L) - 1L
    return(list(type = "character", levels = utf8(levels), codes = bytes_of(codes)))
  }
  list(type = typeof(x), data = bytes_of(as.vector(x)))
}

bytes_of <- function(x) writeBin(x, raw())

# Times without a zone are instants all the same; they come back in UTC.
zone_of <- function(x) {
  zone <- attr(x, "tzone")[1]
  if (is.null(zone) || !nzchar(zone)) "UTC" else zone
}

# --- back ---------------------------------------------------------------------

from_wire <- function(x) {
  if (!is.list(x) || is.null(x$kind)) return(if (identical(x, list())) character() else x)
  switch(x$kind,
    list = lapply(unname(x$items), from_wire),
    dict = stats::setNames(lapply(unname(x$items), from_wire), as.character(x$names)),
    table = from_table(x),
    array = from_array(x)
  )
}

from_array <- function(x) {
  dim <- as.integer(x$dim)
  values <- readBin(x$data, "double", n = prod(dim))
  if (length(dim) > 1L) array(values, dim) else values
}

from_table <- function(x) {
  columns <- lapply(unname(x$columns), from_column, n = x$n)
  names(columns) <- as.character(x$names)
  tibble::new_tibble(columns, nrow = x$n)
}

from_column <- function(x, n) {
  read <- function(what, name = "data") readBin(x[[name]], what, n = n)
  switch(x$type,
    double = read("double"),
    integer = read("integer"),
    logical = as.logical(read("integer")),
    character = as.character(x$levels)[index_of(read("integer", "codes"))],
    factor = factor_of(index_of(read("integer", "codes")), as.character(x$levels), x$ordered),
    # A date that is NaN is printed as "NaN".
    Date = structure(without_nan(read("double")), class = "Date"),
    POSIXct = structure(without_nan(read("double")), class = c("POSIXct", "POSIXt"), tzone = x$tz),
    integer64 = structure(read("double"), class = "integer64")
  )
}

index_of <- function(codes) {
  codes[codes < 0L] <- NA
  codes + 1L
}

factor_of <- function(codes, levels, ordered) {
  structure(codes, levels = levels, class = c(if (ordered) "ordered", "factor"))
}

described_type <- function(x) {
  if (is.null(x)) "NULL" else sprintf("<%s>", class(x)[1])
}
