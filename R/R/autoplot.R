#' Pictures of results
#'
#' Points with their confidence intervals, drawn by ggplot2 from the tidy table: a
#' level and its interval is one line, and 0 is marked where differences are shown.
#'
#' @param object A result of [icc()], [d_study()], [fit_cfa()], [invariance()],
#'   [compare_models()], [cluster_bootstrap()] or [context_coefficients()].
#' @param what For a comparison, `"models"` or `"differences"`; for coefficients,
#'   `"tested"` (slopes with confidence intervals) or `"weights"` (regularised weights
#'   with the interval of the procedure).
#' @param ... Not used.
#' @return A ggplot.
#' @name autoplot.pyexpr_result
#' @examplesIf pyexpr::pyexpr_available() && requireNamespace("ggplot2", quietly = TRUE)
#' library(ggplot2)
#' autoplot(icc(ratings, c(subject, context, clip), score, by = question, cluster = subject))
NULL

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_icc <- function(object, ...) {
  table <- object$tables$tidy
  own <- attr(object, "own")
  table$group <- if (length(own)) do.call(paste, c(table[own], sep = ", ")) else "all"
  plot <- range_plot(table, "estimate", "conf.low", "conf.high", "form") +
    ggplot2::labs(x = "Intraclass correlation", y = NULL)
  if (length(own)) plot <- plot + ggplot2::facet_wrap(ggplot2::vars(.data$group))
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_d_study <- function(object, ...) {
  table <- object$tables$tidy
  own <- attr(object, "own")
  table$group <- do.call(paste, c(unname(as.list(table[c(own, "form")])), sep = ", "))
  ggplot2::ggplot(table, ggplot2::aes(x = .data$k, y = .data$estimate)) +
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high),
      fill = "grey80", na.rm = TRUE) +
    ggplot2::geom_line(na.rm = TRUE) +
    ggplot2::geom_point(na.rm = TRUE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$group)) +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = "Raters", y = "Reliability of their mean") +
    ggplot2::theme_bw()
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_cfa <- function(object, ...) {
  table <- object$tables$standardized
  table <- table[table$op == "=~", ]
  plot <- range_plot(table, "estimate", "conf.low", "conf.high", "rhs") +
    ggplot2::labs(x = "Standardised loading", y = NULL)
  own <- attr(object, "own")
  if (length(own)) plot <- plot + ggplot2::facet_wrap(own)
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_comparison <- function(object, what = "models", ...) {
  call <- rlang::current_env()
  choice(what, c("models", "differences"), call)
  table <- object$tables$tidy
  difference <- grepl(" - ", table$term, fixed = TRUE)
  # Not shown: differences between contexts, and ratios, which are on another scale.
  other <- grepl(" - ", table$context, fixed = TRUE) |
    grepl(" / ", paste(table$term, table$context), fixed = TRUE)
  table <- table[difference == (what == "differences") & !other, ]
  if (!nrow(table)) data_error("there is one model, so there are no differences.", call)
  table$context <- factor(table$context, unique(table$context))
  table$metric <- factor(table$metric, unique(table$metric))
  plot <- range_plot(table, "estimate", "conf.low", "conf.high", "term") +
    ggplot2::facet_grid(ggplot2::vars(.data$context), ggplot2::vars(.data$metric), scales = "free_x") +
    ggplot2::labs(x = if (what == "models") "Estimate" else "Difference", y = NULL)
  if (what == "differences") plot <- plot + zero_line()
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_invariance <- function(object, ...) {
  table <- object$tables$contrasts
  if (!nrow(table)) {
    data_error("there are no contrasts to draw; the notes of the result say why.",
      rlang::current_env())
  }
  table$contrast <- factor(table$contrast, unique(table$contrast))
  range_plot(table, "estimate", "conf.low", "conf.high", "term") + zero_line() +
    ggplot2::facet_grid(ggplot2::vars(.data$contrast),
      ggplot2::vars(paste0(.data$level, " (", .data$scale, ")")), scales = "free_x") +
    ggplot2::labs(x = "Difference between groups", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_bootstrap <- function(object, ...) {
  range_plot(object$tables$tidy, "estimate", "conf.low", "conf.high", "term") +
    ggplot2::labs(x = "Estimate", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_coefficients <- function(object, what = "tested", ...) {
  choice(what, c("tested", "weights"), rlang::current_env())
  table <- object$tables$tidy
  columns <- if (what == "tested") c("tested_estimate", "conf.low", "conf.high") else
    c("estimate", "procedure_low", "procedure_high")
  label <- if (what == "tested") "Slope per standard deviation, with confidence interval" else
    "Regularised weight, with interval of the procedure"
  table$context <- factor(table$context, unique(table$context))
  range_plot(table, columns[1], columns[2], columns[3], "feature") + zero_line() +
    ggplot2::facet_wrap(ggplot2::vars(.data$context)) +
    ggplot2::labs(x = label, y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_result <- function(object, ...) {
  drawn <- c("icc()", "d_study()", "fit_cfa()", "invariance()", "compare_models()",
    "cluster_bootstrap()", "context_coefficients()")
  data_error(sprintf("there is no picture of %s; there is one of the results of %s.",
    described_type(object), listed(drawn)), rlang::current_env())
}

range_plot <- function(table, estimate, low, high, term) {
  table[[term]] <- factor(table[[term]], rev(unique(table[[term]])))
  ggplot2::ggplot(table, ggplot2::aes(x = .data[[estimate]], y = .data[[term]])) +
    ggplot2::geom_linerange(ggplot2::aes(xmin = .data[[low]], xmax = .data[[high]]), na.rm = TRUE) +
    ggplot2::geom_point(na.rm = TRUE) +
    ggplot2::theme_bw()
}

# There are no half raters.
whole_breaks <- function(limits) {
  at <- pretty(limits)
  at[at == round(at)]
}

zero_line <- function() ggplot2::geom_vline(xintercept = 0, linetype = "dashed", colour = "grey50")

choice <- function(x, choices, call, arg = "what") {
  if (!is.character(x) || length(x) != 1L || !x %in% choices) {
    data_error(sprintf("`%s` must be %s, not %s.", arg,
      paste0("\"", choices, "\"", collapse = " or "), shown_value(x)), call)
  }
}
