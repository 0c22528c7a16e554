# Names of columns and sentences: what Python says, in the words of R.

# The rule of names: a column that broom has, too, bears broom's name; every other one
# is written with underscores, here as in Python. Columns of the user stay as they are.
broom_names <- c(
  std_error = "std.error", p_value = "p.value", p_adjusted = "adj.p.value",
  conf_low = "conf.low", conf_high = "conf.high", std_all = "std.all",
  aic = "AIC", bic = "BIC", logl = "logLik",
  rmsea_conf_low = "rmsea.conf.low", rmsea_conf_high = "rmsea.conf.high"
)

broom <- function(names, own = character()) {
  change <- names %in% setdiff(names(broom_names), own)
  names[change] <- broom_names[names[change]]
  names
}

# Python refuses its own names of columns; these are names of results in R alone.
refuse_names_of_results <- function(names, arg, call) {
  taken <- intersect(names, broom_names)
  if (length(taken)) {
    column_error(sprintf(paste("`%s` names the column `%s`, and the tables of results have a",
      "column of that name themselves; rename it."), arg, taken[1]), call)
  }
}

# Errors and warnings: arguments, values and types.
r_words <- function(text) vapply(text, sentence, "", USE.NAMES = FALSE)

# Notes and reasons, which speak of tables and their columns besides.
r_notes <- function(text) vapply(text, sentence, "", of_tables = TRUE, USE.NAMES = FALSE)

sentence <- function(text, of_tables = FALSE) {
  # What is quoted is the user's own: names of columns, labels, files.
  quoted <- "(?<![\\w])(['\"])(?:(?!\\1).)*\\1(?!\\w)"
  own <- regmatches(text, gregexpr(quoted, text, perl = TRUE))[[1]]
  for (i in seq_along(own)) text <- sub(own[i], sprintf("\001%d\001", i), text, fixed = TRUE)

  name <- "(?<![\\w`./\\\\-])([a-z][a-z0-9_]*)"
  value <- "(True|False|None|\001\\d+\001|-?[0-9][0-9.e+-]*[0-9]|[0-9])"
  text <- gsub(paste0(name, "=\\[([^\\[\\]]*)\\]"), "`\\1 = c(\\2)`", text, perl = TRUE)
  text <- gsub(paste0(name, "=", value), "`\\1 = \\2`", text, perl = TRUE)
  text <- gsub(paste0(name, "=(?![\\w=(\\[])"), "`\\1`", text, perl = TRUE)
  text <- gsub("(?<=not )\\[([^\\[\\]]*)\\]", "c(\\1)", text, perl = TRUE)
  # Whole numbers are written without a point in R.
  text <- gsub("(?<![\\w.])(-?\\d+)\\.0(?!\\.?\\w)", "\\1", text, perl = TRUE)
  for (word in names(python_words)) {
    text <- gsub(sprintf("(?<![\\w.])%s(?!\\w)", word), python_words[[word]], text, perl = TRUE)
  }
  if (of_tables) {
    # What is a method in Python is a table here.
    text <- gsub("\\b(mean_reliability|contrasts)\\(\\)", "tidy(x, \"\\1\")", text, perl = TRUE)
    for (column in names(broom_names)) {
      text <- gsub(sprintf("\\b%s\\b", column), broom_names[[column]], text)
    }
  }

  for (i in seq_along(own)) text <- sub(sprintf("\001%d\001", i), own[i], text, fixed = TRUE)
  text
}

python_words <- c(
  True = "TRUE", False = "FALSE", None = "NULL", "NaN" = "NA", nan = "NA", inf = "Inf",
  # A method of Python that has another name here.
  "interval(?=\\()" = "boot_interval",
  # In R folds of whole subjects are made by tidymodels.
  "px\\.subject_folds" = "rsample::group_vfold_cv()",
  # Of a factor as.numeric() alone gives the codes of its levels.
  X = "`data`", "pandas\\.to_numeric" = "as.numeric(as.character(x))", "a dictionary" = "a list",
  "a mapping of names to numbers" = "numbers with names", "schedules\\.BP4D_PLUS" = "\"bp4d_plus\""
)

listed <- function(x, most = 8L) {
  text <- paste0("`", utils::head(x, most), "`", collapse = ", ")
  if (length(x) > most) sprintf("%s and %d more", text, length(x) - most) else text
}

near_names <- function(name, names) {
  if (!length(names)) return("it has no columns")
  distance <- utils::adist(name, names, ignore.case = TRUE)[1, ]
  near <- names[distance <= max(1, nchar(name) %/% 3)]
  if (length(near)) {
    near <- near[order(distance[distance <= max(1, nchar(name) %/% 3)])]
    return(sprintf("did you mean %s?", listed(utils::head(near, 3L))))
  }
  sprintf("it has %s", listed(names, 12L))
}

# A value as a user would write it.
shown_value <- function(x) {
  if (!is.atomic(x) || length(x) != 1L) return(described_type(x))
  if (is.character(x) && !is.na(x)) sprintf("\"%s\"", x) else format(x)
}
