#' Split subjects into training, validation and test parts
#'
#' No subject is in two parts. Subjects that appear in the same contexts form a stratum, and
#' strata are divided proportionally. The result depends only on the set of labels, not on the
#' order of the rows, and the same seed gives the same split in R and in Python.
#'
#' @param data A data frame, or a vector of the subject of each row (then `context` is
#'   a vector too).
#' @param subjects Column of the subjects.
#' @param context Column of the contexts; `NULL` is one stratum.
#' @param proportions Proportions of training, validation and test, which sum to 1.
#' @param seed Seed, 0 or larger.
#' @return An object with [tidy()][result-tables] (`subject`, `part`); [augment()] adds
#'   the column `.part` to a data frame, which keeps its class.
#' @export
#' @examplesIf pyexpr::pyexpr_available()
#' split <- split_subjects(clips, subject, context = context, seed = 1)
#' split
#' table(augment(split, clips)$.part)
split_subjects <- function(data, subjects = NULL, context = NULL,
                           proportions = c(0.6, 0.2, 0.2), seed = 0, ...) {
  call <- rlang::current_env()
  refuse_dots("split_subjects", call)
  given(data, "a data frame, or a vector of subjects", call = call)
  if (is.data.frame(data)) {
    subjects <- columns(rlang::enquo(subjects), data, "subjects", call, required = TRUE, one = TRUE)
    context <- column(rlang::enquo(context), data, "context", call)
  } else if (is.atomic(data) && !is.null(data)) {
    if (!rlang::quo_is_null(rlang::enquo(subjects))) {
      data_error("`data` holds the subjects themselves, so `subjects` has no column to name.", call)
    }
    data <- with_contexts(data, context, call)
    subjects <- "subject"
    context <- if (length(data) == 2L) "context"
  } else {
    table_node(data, call = call)
  }
  found <- ask("split_subjects", list(
    data = table_node(data, c(subjects, context), call = call, labels = c(subjects, context)),
    subjects = subjects, context = context, proportions = many(unname(proportions)),
    seed = one(seed)), call)
  result <- new_result(found, "pyexpr_split", tibble::tibble(subject = data[[subjects]]), "subject")
  result$subjects <- subjects
  result
}

with_contexts <- function(subjects, contexts, call) {
  if (is.null(contexts)) return(tibble::tibble(subject = subjects))
  if (!is.atomic(contexts) || length(contexts) != length(subjects)) {
    data_error(sprintf("`context` must be a vector as long as `data` (%d), not %s.",
      length(subjects), if (is.atomic(contexts)) length(contexts) else described_type(contexts)), call)
  }
  tibble::tibble(subject = subjects, context = contexts)
}

#' @param x A split.
#' @param subject Column of the subjects in `data`; by default the one that was
#'   used for the split.
#' @param ... Not used. Arguments with the names that other packages use for the column of contexts,
#'   such as `group` or `.by`, are an error that refers to `context`.
#' @rdname split_subjects
#' @export
augment.pyexpr_split <- function(x, data, subject = NULL, ...) {
  call <- rlang::current_env()
  given(data, "a data frame", call = call)
  name <- column(rlang::enquo(subject), data, "subject", call)
  if (is.null(name)) name <- check_columns(x$subjects, data, "subject", call, one = TRUE)
  parts <- x$tables$tidy
  at <- match(as.character(as_label(data[[name]])), as.character(as_label(parts$subject)))
  if (anyNA(at)) {
    strangers <- unique(as.character(data[[name]][is.na(at)]))
    abort(sprintf("these subjects are not in this split of %d: %s.", nrow(parts), listed(strangers)),
      class = c("pyexpr_study_error", "pyexpr_data_error", "pyexpr_error"),
      call = call)
  }
  # By $, of which data.table has a method.
  data$.part <- factor(parts$part[at], c("train", "validation", "test"))
  data
}
