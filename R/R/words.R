# The sentences of Python in the words of R.

r_words <- function(text) {
  vapply(text, r_sentence, "", USE.NAMES = FALSE)
}

r_sentence <- function(text) {
  # What is quoted is the user's own: names of columns, labels, files.
  quoted <- "(?<![\\w])(['\"])(?:(?!\\1).)*\\1(?!\\w)"
  own <- regmatches(text, gregexpr(quoted, text, perl = TRUE))[[1]]
  for (i in seq_along(own)) text <- sub(own[i], sprintf("\001%d\001", i), text, fixed = TRUE)

  name <- "(?<![\\w`.])([a-z][a-z0-9_]*)"
  value <- "(True|False|None|\001\\d+\001|-?[0-9][0-9.e+-]*[0-9]|[0-9])"
  text <- gsub(paste0(name, "=", value), "`\\1 = \\2`", text, perl = TRUE)
  text <- gsub(paste0(name, "=(?![\\w=(\\[])"), "`\\1`", text, perl = TRUE)
  text <- gsub("(?<=not )\\[([^\\[\\]]*)\\]", "c(\\1)", text, perl = TRUE)
  words <- c(True = "TRUE", False = "FALSE", None = "NULL", "NaN" = "NA")
  for (word in names(words)) {
    text <- gsub(sprintf("\\b%s\\b", word), words[[word]], text, perl = TRUE)
  }
  # What is a method in Python is a table here.
  tables <- "(mean_reliability|counts|contrasts|omnibus|reliability|loadings|estimates|fit_measures)"
  text <- gsub(paste0("\\b", tables, "\\(\\)"), "tidy(x, \"\\1\")", text, perl = TRUE)
  text <- gsub("\\bschedules\\.([A-Z0-9_]+)", "\"\\L\\1\"", text, perl = TRUE)
  text <- gsub("\\bpx\\.", "", text, perl = TRUE)
  columns <- "\\b(?:[a-z]+_)?(?:std_error|p_value|conf_low|conf_high|std_all)\\b"
  for (found in unique(regmatches(text, gregexpr(columns, text, perl = TRUE))[[1]])) {
    text <- gsub(found, dotted(found), text, fixed = TRUE)
  }

  for (i in seq_along(own)) text <- sub(sprintf("\001%d\001", i), own[i], text, fixed = TRUE)
  text
}

# broom's names: std_error is std.error. Names of the user's columns stay.
dotted <- function(names, own = character()) {
  broom <- "std_error|p_value|conf_low|conf_high|std_all"
  change <- grepl(broom, names) & !names %in% own
  names[change] <- gsub("_", ".", names[change], fixed = TRUE)
  names[names == "p_adjusted" & !names %in% own] <- "adj.p.value"
  names
}

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
