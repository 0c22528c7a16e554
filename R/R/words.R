# Names of columns, and words of R's own errors. What Python says comes in the words of R: see
# pyexpr/hosted/voice.py, which holds the same names of broom's.

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
    column_error(sprintf(paste("`%s` names the column `%s`, but the tables of results have a",
      "column with this name; rename it."), arg, taken[1]), call)
  }
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

# A value as a user would write it.
shown_value <- function(x) {
  if (!is.atomic(x) || length(x) != 1L) return(described_type(x))
  if (is.character(x) && !is.na(x)) sprintf("\"%s\"", x) else format(x)
}
