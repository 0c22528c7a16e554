#' Split subjects into training, validation and test parts
#'
#' No subject is ever in two parts; strata of subjects that appear in the same
#' contexts share the parts in proportion. Only the set of labels matters, never the
#' order of the rows, and the same seed gives the same split here and in Python.
#'
#' @param data A data frame, or a vector of the subject of each row.
#' @param subjects Column of the subjects.
#' @param contexts Column of the contexts; `NULL` is one stratum.
#' @param proportions Of training, validation and test; they sum to 1.
#' @param seed From 0.
#' @return An object with [tidy()][result-tables] (`subject`, `part`); [augment()] adds
#'   the column `.part` to a data frame, which keeps its class.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' split <- split_subjects(clips, subject, contexts = context, seed = 1)
#' split
#' table(augment(split, clips)$.part)
split_subjects <- function(data, subjects = NULL, contexts = NULL,
                           proportions = c(0.6, 0.2, 0.2), seed = 0) {
  call <- rlang::current_env()
  if (is.data.frame(data)) {
    subjects <- columns(rlang::enquo(subjects), data, "subjects", call, required = TRUE, one = TRUE)
    contexts <- column(rlang::enquo(contexts), data, "contexts", call)
  } else if (is.atomic(data) && !is.null(data)) {
    data <- tibble::tibble(subject = data)
    subjects <- "subject"
    contexts <- NULL
  } else {
    table_node(data, call = call)
  }
  found <- ask("split_subjects", list(data = table_node(data, c(subjects, contexts), call = call),
    subjects = subjects, contexts = contexts, proportions = many(unname(proportions)),
    seed = one(seed)), call)
  result <- new_result(found, "pyexpr_split", tibble::tibble(subject = data[[subjects]]), "subject")
  result$subjects <- subjects
  result
}

#' @param x A split.
#' @param subject Column of the subjects in `data`; by default the one the split was
#'   made with.
#' @param ... Not used.
#' @rdname split_subjects
#' @export
augment.pyexpr_split <- function(x, data, subject = NULL, ...) {
  call <- rlang::current_env()
  name <- column(rlang::enquo(subject), data, "subject", call)
  if (is.null(name)) name <- check_columns(x$subjects, data, "subject", call, one = TRUE)
  parts <- x$tables$tidy
  at <- match(as.character(data[[name]]), as.character(parts$subject))
  if (anyNA(at)) {
    strangers <- unique(as.character(data[[name]][is.na(at)]))
    abort(sprintf("these subjects are not in this split of %d: %s.", nrow(parts), listed(strangers)),
      class = c("pyexpr_study_error", "pyexpr_data_error", "pyexpr_error"),
      call = call)
  }
  data[[".part"]] <- factor(parts$part[at], c("train", "validation", "test"))
  data
}
