#' Check the installation
#'
#' Reports what is installed, what is missing, and how to install it: R, reticulate, lavaan, Python
#' and its packages. It never fails; if Python is missing, this is a row of the table.
#'
#' @return An object with [tidy()][result-tables]: one row per component, `status` (`"ok"`,
#'   `"missing"` or `"problem"`), what it is needed for, and how to fix a problem.
#' @export
#' @examples
#' doctor()
doctor <- function() {
  here <- rbind(
    finding("R", as.character(getRversion()), "ok", "everything", ""),
    finding("pyexpr (R)", as.character(utils::packageVersion("pyexpr")), "ok", "everything", ""),
    finding("reticulate", as.character(utils::packageVersion("reticulate")), "ok",
      "the way to Python", ""),
    suggested("lavaan", "the factor model in this session"),
    suggested("ggplot2", "autoplot()")
  )
  found <- tryCatch(ask("doctor"), pyexpr_error = function(e) e)
  if (inherits(found, "condition")) {
    text <- conditionMessage(found)
    here <- rbind(here, finding("Python", "", "missing", "everything", text))
    result <- doctor_result(here, "", NULL)
    result$heading <- sprintf("pyexpr in R %s: Python was not found", getRversion())
    return(result)
  }
  table <- found$tables$tidy
  # What this R says of itself is better than what a child of Python finds.
  table <- table[!table$component %in% c("R", "lavaan", "rpy2-rinterface"), ]
  versions <- ask("versions")
  table$remedy[table$component == "python"] <- versions$executable
  table$component[table$component == "python"] <- "Python"
  doctor_result(rbind(here, table), paste("pyexpr on", found$provenance$platform), found$key)
}

finding <- function(component, version, status, needed_for, remedy) {
  tibble::tibble(component = component, version = version, status = status,
    needed_for = needed_for, remedy = remedy)
}

suggested <- function(name, needed_for) {
  if (requireNamespace(name, quietly = TRUE)) {
    return(finding(name, as.character(utils::packageVersion(name)), "ok", needed_for, ""))
  }
  finding(name, "", "missing", needed_for, sprintf("install.packages(\"%s\")", name))
}

doctor_result <- function(table, heading, key) {
  bad <- table[table$status != "ok", ]
  notes <- sprintf("%s (%s): %s. %s", bad$component, bad$needed_for, bad$status, bad$remedy)
  heading <- sprintf("%s: %d of %d components are ok", heading, sum(table$status == "ok"), nrow(table))
  facts <- list(n_components = nrow(table), n_ok = sum(table$status == "ok"))
  new_result(list(tables = list(tidy = table), heading = heading, notes = notes,
    provenance = facts, key = if (is.null(key)) 0L else key), "pyexpr_doctor")
}

#' @export
print.pyexpr_doctor <- function(x, ...) {
  print_heading(x$heading)
  cat("\n")
  table <- x$tables$tidy
  shown <- c("component", "version", "status", "needed_for")
  lines <- do.call(paste, c(lapply(table[shown], format), sep = "  "))
  cat(paste0(trimws(lines, "right"), "\n"), sep = "")
  print_notes(x$notes)
  invisible(x)
}
