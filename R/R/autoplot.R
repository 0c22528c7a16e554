#' Figures of results
#'
#' @description
#' Draws points with their confidence intervals from the tidy table, using ggplot2. Each estimate
#' and its interval is one line, 0 or the null value is marked if there is one, and the caption
#' states the level and the method of the intervals. An infinite limit ends in an arrowhead, a value
#' without an interval is drawn as a hollow point, and a missing value is replaced by its reason.
#'
#' Names of contexts, models and indicators are shown with spaces instead of underscores. The figure
#' is an ordinary ggplot: add a theme, or save it at its printed size with
#' `ggplot2::ggsave("figure.pdf", width = 180, height = 80, units = "mm")`.
#'
#' @param object A result of [icc()], [icc_interval()], [multilevel_icc()], [variance_components()],
#'   [agreement()], [rater_diagnostics()], [d_study()], [fit_cfa()], [bootstrap_cfa()],
#'   [invariance()], [compare_models()] (also of [fit_models()]), [compare_procedures()],
#'   [context_contrasts()], [rating_ceiling()], [feature_importance()], [sign_flip()],
#'   [cluster_bootstrap()], [context_coefficients()], [pooled_coefficients()], [person_slopes()],
#'   [sensitivity()], [error_slopes()] or [plan_study()].
#' @param conclusion For a sensitivity analysis, what is drawn: a named list with some of `quantity`,
#'   `context`, `metric` and `term`. By default the first difference of two models.
#' @param what For a comparison of models or procedures, `"models"` or `"differences"`; for coefficients,
#'   `"tested"` (slopes with confidence intervals) or `"weights"` (regularised weights
#'   with the interval of the procedure); for a bootstrapped factor model some of
#'   `"loading"`, `"std_loading"`, `"residual_variance"`, `"score_weight"` and
#'   `"score_reliability"`, by default all, a panel each.
#' @param ... Not used.
#' @return A ggplot.
#' @name autoplot.pyexpr_result
#' @examplesIf pyexpr::pyexpr_available() && requireNamespace("ggplot2", quietly = TRUE)
#' library(ggplot2)
#' autoplot(icc(ratings, c(subject, context, clip), score, context = question, cluster = subject))
NULL

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_icc <- function(object, ...) {
  own <- attr(object, "own")
  plot <- range_plot(object$tables$tidy, "form", told_of(object), holds = c(0, 1)) +
    zero_line() +
    ggplot2::labs(x = "Intraclass correlation", y = NULL)
  if (length(own)) plot <- plot + ggplot2::facet_wrap(by_columns(own), labeller = short_names(22))
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_agreement <- function(object, ...) {
  own <- attr(object, "own")
  plot <- range_plot(object$tables$tidy, "coefficient", told_of(object), holds = c(0, 1)) +
    zero_line() +
    ggplot2::labs(x = "Agreement of raters", y = NULL)
  if (length(own)) plot <- plot + ggplot2::facet_wrap(by_columns(own), labeller = short_names(22))
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_raters <- function(object, ...) {
  table <- object$tables$tidy
  table <- table[table$quantity %in% c("bias", "error_sd"), ]
  range_plot(table, "rater", told_of(object), holds = 0) +
    zero_line() +
    ggplot2::labs(x = "In units of the ratings", y = NULL) +
    ggplot2::facet_grid(by_columns(attr(object, "own")), ggplot2::vars(.data$quantity))
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_icc_interval <- function(object, ...) autoplot.pyexpr_icc(object, ...)

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_d_study <- function(object, ...) {
  table <- object$tables$tidy
  panels <- c(attr(object, "own"), "form")
  ggplot2::ggplot(table, ggplot2::aes(x = .data$k, y = .data$estimate)) +
    # A panel without any limit would end the drawing.
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high),
      table[!without_interval(table), ], fill = "grey80", na.rm = TRUE) +
    ggplot2::geom_line(na.rm = TRUE) +
    ggplot2::geom_point(na.rm = TRUE) +
    ggplot2::geom_text(ggplot2::aes(x = -Inf, y = -Inf, label = .data$said),
      missing_by_panel(table, panels), hjust = -0.05, vjust = -0.3, size = 2.3,
      fontface = "italic", colour = "grey40") +
    ggplot2::facet_wrap(by_columns(panels), labeller = short_names(22)) +
    ggplot2::expand_limits(y = c(0, 1)) +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = "Number of raters", y = "Reliability of their mean",
      caption = caption_of(table, told_of(object))) +
    printed()
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_multilevel_icc <- function(object, ...) {
  told <- told_of(object)
  told$methods <- "jackknife"
  panels <- c(attr(object, "own"), "level")
  range_plot(in_order(object$tables$tidy, "level"), "form", told, holds = c(0, 1), panels = panels) +
    zero_line() +
    ggplot2::facet_wrap(by_columns(panels), labeller = short_names(22)) +
    ggplot2::labs(x = "Intraclass correlation", y = NULL)
}

# Standard deviations, in the units of the ratings.
#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_components <- function(object, ...) {
  table <- object$tables$tidy
  numbers <- c("estimate", "conf.low", "conf.high")
  table[numbers] <- lapply(table[numbers], sqrt)
  own <- attr(object, "own")
  plot <- range_plot(table, "effect", told_of(object), holds = 0, panels = as.character(own)) +
    ggplot2::labs(x = "Standard deviation of the effect", y = NULL)
  if (length(own)) plot <- plot + ggplot2::facet_wrap(by_columns(own), labeller = short_names(22))
  plot
}

# By the levels of the first facet with several numbers; a line is a combination of the others.
#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_design_study <- function(object, ...) {
  own <- attr(object, "own")
  table <- in_order(object$tables$tidy, "coefficient")
  several <- names(Filter(function(x) length(x) > 1L, object$provenance$numbers))
  lines <- length(several) > 0L
  if (!lines) several <- sub("^n_", "", setdiff(names(table), own)[1])
  table$k <- table[[paste0("n_", several[1])]]
  table <- with_series(table, several[-1])
  panels <- c(own, "coefficient")
  target <- object$provenance$target
  told <- told_of(object)
  told$methods <- character()
  ggplot2::ggplot(table, ggplot2::aes(x = .data$.at, y = .data$estimate)) +
    ggplot2::geom_linerange(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high), na.rm = TRUE) +
    ggplot2::geom_point(na.rm = TRUE) +
    (if (lines) ggplot2::geom_line(na.rm = TRUE)) +
    ggplot2::geom_text(ggplot2::aes(x = -Inf, y = -Inf, label = .data$said),
      missing_by_panel(table, panels), hjust = -0.05, vjust = -0.3, size = 2.3,
      fontface = "italic", colour = "grey40", inherit.aes = FALSE) +
    (if (!is.null(target)) ggplot2::geom_hline(yintercept = target, linetype = "dashed", colour = "grey50")) +
    ggplot2::facet_wrap(by_columns(panels), ncol = 2, labeller = short_names(22)) +
    ggplot2::expand_limits(y = c(0, 1)) +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = paste("Number of levels of", wrapped(several[1])), y = "Reliability",
      caption = caption_of(table, told, if (!is.null(target)) "dashed: target")) +
    printed() +
    (if (length(several) > 1L) list(told_apart(table, ".series"), ggplot2::labs(colour = NULL, shape = NULL)))
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_cfa <- function(object, ...) {
  table <- object$tables$standardized
  table <- in_order(table[table$op == "=~", ], "lhs")
  own <- attr(object, "own")
  plot <- range_plot(table, "rhs", told_of(object), holds = c(0, 1)) + zero_line() +
    ggplot2::labs(x = "Standardised loading", y = NULL)
  if (nlevels(table$lhs) > 1) {
    return(plot + ggplot2::facet_grid(ggplot2::vars(.data$lhs), by_columns(own),
      scales = "free_y", space = "free_y", labeller = short_names(14)))
  }
  if (length(own)) plot <- plot + ggplot2::facet_wrap(by_columns(own), labeller = short_names(22))
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_cfa_bootstrap <- function(object, what = NULL, ...) {
  table <- object$tables$tidy
  if (is.null(what)) what <- names(quantities)
  wrong <- setdiff(what, names(quantities))
  if (!is.character(what) || !length(what) || length(wrong)) {
    data_error(sprintf("`what` must be some of %s, not %s.",
      paste0("\"", names(quantities), "\"", collapse = ", "),
      shown_value(if (length(wrong)) wrong[1] else what)), rlang::current_env())
  }
  table <- table[table$quantity %in% what, ]
  table$quantity <- factor(quantities[table$quantity], quantities)
  own <- attr(object, "own")
  if (length(unique(what)) == 1L) {
    plot <- range_plot(table, "term", told_of(object), holds = 0) + zero_line() +
      ggplot2::labs(x = quantities[[what[1]]], y = NULL)
    if (length(own)) plot <- plot + ggplot2::facet_wrap(by_columns(own), labeller = short_names(22))
    return(plot)
  }
  range_plot(table, "term", told_of(object), series = if (length(own)) own, holds = 0) +
    zero_line() +
    ggplot2::facet_wrap("quantity", ncol = 1, scales = "free") +
    ggplot2::labs(x = NULL, y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_invariance <- function(object, ...) {
  table <- object$tables$contrasts
  if (!nrow(table)) {
    data_error("there are no contrasts to draw; the notes of the result say why.",
      rlang::current_env())
  }
  table$differs <- paste(c(metric = "Loadings", scalar = "Intercepts")[table$level],
    c("log ratio" = "(log ratio)", ratio = "(ratio to the first)",
      indicator = "(indicator's unit)")[table$scale])
  told <- told_of(object)
  told$methods <- character()
  range_plot(in_order(table, c("contrast", "differs")), "term", told,
    hollow = table$freed | without_interval(table),
    hollow_is = if (any(table$freed)) "free in every context" else "no interval") + zero_line() +
    ggplot2::facet_grid(ggplot2::vars(.data$contrast), ggplot2::vars(.data$differs),
      scales = "free_x", labeller = ggplot2::labeller(.rows = function(x) wrapped(x, 10),
        .cols = function(x) wrapped(x, 18))) +
    ggplot2::labs(x = "Difference between contexts", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_comparison <- function(object, what = "models", ...) {
  call <- rlang::current_env()
  choice(what, c("models", "differences"), call)
  table <- object$tables$tidy
  # Not shown: differences between contexts, and ratios, which are on another scale.
  table <- table[!nzchar(table$second_context), ]
  table <- table[table$kind == if (what == "models") "level" else "difference", ]
  if (!nrow(table)) data_error("there is one model, so there are no differences.", call)
  plot <- range_plot(in_order(table, c("context", "metric")), "term", told_of(object),
    # An error's distance from 0 says how large it is.
    holds = if (what == "models") 0) +
    by_context_and_metric() +
    ggplot2::labs(x = if (what == "models") "Estimate" else "Difference", y = NULL)
  if (what == "differences") plot <- plot + zero_line()
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_procedures <- function(object, what = "models", ...) {
  autoplot.pyexpr_comparison(object, what)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_contrasts <- function(object, ...) {
  table <- object$tables$tidy
  # Ratios are on a scale of their own.
  table <- in_order(table[table$kind == "difference", ], c("context", "metric"))
  range_plot(table, "term", told_of(object)) + zero_line() + by_context_and_metric() +
    ggplot2::labs(x = "Difference between contexts", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_ceiling <- function(object, ...) {
  drawn <- c(ceiling = "Ceiling", correlation = "Truth", error_free_correlation = "Error-free score")
  table <- object$tables$tidy
  table <- table[table$metric %in% names(drawn), ]
  table$metric <- unname(drawn[table$metric])
  table <- in_order(table, c("context", "metric"))
  range_plot(table, "term", told_of(object), holds = c(0, 1)) + by_context_and_metric() +
    ggplot2::labs(x = "Correlation", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_importance <- function(object, ...) {
  table <- object$tables$tidy
  first <- table$metric[1]
  table <- table[table$metric == first, ]
  errors <- c("rmse", "mse", "mae", "brier", "log_loss")
  worse <- if (first %in% errors) "Increase" else "Decrease"
  importance_plot(table, object, sprintf("%s of %s", worse, importance_metric(first)))
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_importance_contrasts <- function(object, ...) {
  table <- object$tables$tidy
  first <- table$metric[1]
  importance_plot(table[table$metric == first, ], object,
    sprintf("Difference of importance (%s)", importance_metric(first)))
}

# Within a sentence.
importance_metric <- function(name) {
  known <- c(mse = "mean squared error", correlation = "correlation", accuracy = "accuracy",
    balanced_accuracy = "balanced accuracy", kappa = "kappa", f1_macro = "macro F1",
    log_loss = "log loss")
  unname(if (name %in% names(known)) known[name] else metric_names(name))
}

# Features with intervals, a panel per context, and models by their marks.
importance_plot <- function(table, object, title) {
  table <- in_order(table, c("context", "term"))
  several <- length(unique(table$model)) > 1L
  range_plot(table, "term", told_of(object), series = if (several) "model", holds = 0) + zero_line() +
    ggplot2::facet_wrap("context", labeller = short_names(22)) +
    ggplot2::labs(x = title, y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_sign_flip <- function(object, ...) {
  table <- object$tables$tidy
  if (!nrow(table)) data_error("there are no differences to draw.", rlang::current_env())
  # The test gives no intervals.
  table$conf.low <- table$conf.high <- NA_real_
  table <- in_order(table, c("context", "metric"))
  range_plot(table, "term", list(), hollow = is.na(table$p.value), hollow_is = "not tested") +
    zero_line() +
    ggplot2::geom_text(ggplot2::aes(label = p_text(.data$p.value)), size = 2.3, hjust = "inward",
      vjust = -0.8, na.rm = TRUE) +
    by_context_and_metric() +
    ggplot2::labs(x = "Difference, p by the sign-flip test", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_bootstrap <- function(object, ...) {
  plot <- range_plot(object$tables$tidy, "term", told_of(object)) +
    ggplot2::labs(x = "Estimate", y = NULL)
  null <- unique(object$null)
  if (length(null) == 1L) plot <- plot + zero_line(null)
  plot
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_coefficients <- function(object, what = "tested", ...) {
  choice(what, c("tested", "weights"), rlang::current_env())
  table <- object$tables$tidy
  tested <- what == "tested"
  if (!tested) {
    table$conf.low <- table$procedure_low
    table$conf.high <- table$procedure_high
    # The reasons are those of the slopes.
    table$reason <- "undefined"
  } else {
    table$estimate <- table$tested_estimate
  }
  told <- told_of(object)
  told$methods <- if (!tested) "percentile, of the procedure" else character()
  range_plot(in_order(table, "context"), "feature", told, label = identity,
    hollow = if (tested) without_interval(table) else table$estimate == 0,
    hollow_is = if (tested) "no interval" else "exactly 0") + zero_line() +
    ggplot2::facet_wrap(ggplot2::vars(.data$context), labeller = short_names(22)) +
    ggplot2::labs(x = if (tested) "Slope per standard deviation" else "Regularised weight",
      y = NULL)
}

# A row per specification, sorted by its estimate; what differs from the base is its label.
#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_sensitivity <- function(object, conclusion = list(), ...) {
  table <- conclusion_of(object$tables$tidy, conclusion, rlang::current_env())
  base <- table[table$base, ]
  changed <- vapply(seq_len(nrow(table)), function(i) {
    differs <- object$entries[vapply(object$entries, function(entry) {
      !identical(table[[entry]][i], base[[entry]])
    }, NA)]
    if (table$base[i]) "base" else paste(differs, "=", table[i, differs], collapse = ", ")
  }, "")
  table$.specification <- make.unique(changed, sep = " ")
  table$.base <- ifelse(table$base, "base", "other specification")
  table <- table[order(table$estimate), ]
  excluded <- !is.na(table$excludes_null) & table$excludes_null
  plot <- range_plot(table, ".specification", told_of(object), hollow = !excluded,
    hollow_is = "the interval includes the null value") +
    ggplot2::aes(colour = .data$.base, shape = .data$.base) +
    ggplot2::scale_colour_manual(values = c(base = "#D55E00", "other specification" = "black")) +
    ggplot2::scale_shape_manual(values = c(base = 18, "other specification" = 16)) +
    ggplot2::labs(x = paste0(base$metric, ": ", base$term, " (", base$context, ")"), y = NULL,
      colour = NULL, shape = NULL)
  if (is.na(base$null)) plot else plot + zero_line(base$null)
}

conclusion_of <- function(table, conclusion, call) {
  keys <- c("quantity", "context", "metric", "term")
  if (!is.list(conclusion) || length(setdiff(names(conclusion), keys))) {
    data_error(sprintf("`conclusion` must be a list with some of %s.", listed(keys, 4L)), call)
  }
  rows <- table[table$base, ]
  for (key in names(conclusion)) {
    known <- unique(rows[[key]])
    if (!conclusion[[key]] %in% known) {
      data_error(sprintf("`%s` of `conclusion` must be one of %s.", key,
        listed(known, length(known))), call)
    }
    rows <- rows[rows[[key]] == conclusion[[key]], ]
  }
  first <- rows[order(rows$quantity != "difference", rows$context != "all"), ][1, ]
  table[Reduce(`&`, lapply(keys, function(key) table[[key]] == first[[key]])), ]
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_error_slopes <- function(object, ...) {
  table <- in_order(object$tables$tidy, c("context", "property"))
  range_plot(table, "term", told_of(object)) + zero_line() +
    ggplot2::facet_grid(ggplot2::vars(.data$property), ggplot2::vars(.data$context),
      labeller = short_names(22)) +
    ggplot2::labs(x = "Change of the absolute error per standard deviation", y = NULL)
}

# Arrows from the separate slope of a context to the pooled one; a grey line is the common slope.
#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_pooled <- function(object, ...) {
  table <- in_order(object$tables$tidy, "feature")
  common <- in_order(object$tables$variation, "feature")
  range_plot(table, "context", told_of(object), label = identity, panels = "feature") +
    zero_line() +
    ggplot2::geom_vline(ggplot2::aes(xintercept = .data$common_slope), common,
      colour = "grey70") +
    ggplot2::geom_segment(ggplot2::aes(x = .data$separate_estimate, xend = .data$estimate,
      y = .data$context, yend = .data$context), table[!is.na(table$estimate), ],
      arrow = ggplot2::arrow(length = ggplot2::unit(1.2, "mm")), colour = "grey30",
      inherit.aes = FALSE) +
    ggplot2::geom_point(ggplot2::aes(x = .data$separate_estimate, y = .data$context),
      table[!is.na(table$estimate), ], shape = 1, inherit.aes = FALSE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$feature), labeller = short_names(22)) +
    ggplot2::labs(x = "Pooled slope per standard deviation (circle: separate slope)", y = NULL)
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_persons <- function(object, ...) {
  table <- object$tables$tidy
  table <- table[!is.na(table$estimate), ]
  table$at <- rank(table$estimate, ties.method = "first")
  ggplot2::ggplot(table, ggplot2::aes(x = .data$estimate, y = .data$at)) +
    ggplot2::geom_linerange(ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = "grey60") +
    ggplot2::geom_point(shape = 1) +
    ggplot2::geom_point(ggplot2::aes(x = .data$shrunken)) +
    ggplot2::scale_y_continuous(breaks = NULL) +
    ggplot2::labs(x = "Estimate (circle) and shrunken estimate (dot)", y = "Subjects, in order") +
    printed()
}

# Power by subjects: the band is the uncertainty of the pilot, the line that of the simulation.
#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_plan <- function(object, ...) {
  table <- object$tables$tidy
  table$k <- table$n_subjects
  varies <- function(name) {
    name %in% names(table) && any(tapply(table[[name]], table$context, function(x) length(unique(x)) > 1L))
  }
  facets <- Filter(function(name) varies(paste0("n_", name)), c("clips", "raters"))
  table <- with_series(table, facets)
  told <- told_of(object)
  told$methods <- character()
  level <- paste0(format(100 * told$confidence), " %")
  band <- table[!is.na(table$pilot_low), ]
  ggplot2::ggplot(table, ggplot2::aes(x = .data$.at, y = .data$power)) +
    (if (nrow(band)) ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$pilot_low, ymax = .data$pilot_high,
      group = .data$.series), band, fill = "grey60", alpha = 0.3, inherit.aes = TRUE, colour = NA,
      show.legend = FALSE)) +
    ggplot2::geom_hline(yintercept = object$provenance$power, linetype = "dashed", colour = "grey50") +
    ggplot2::geom_linerange(ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high)) +
    ggplot2::geom_line(ggplot2::aes(group = .data$.series)) +
    ggplot2::geom_point() +
    ggplot2::facet_wrap(ggplot2::vars(factor(.data$context, unique(table$context))),
      labeller = short_names(22)) +
    ggplot2::expand_limits(y = c(0, 1)) +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::labs(x = "Number of subjects", y = "Power",
      caption = paste(c(paste("line:", level, "interval, error of the simulation"),
        if (nrow(band)) paste("grey:", level, "band, uncertainty of the pilot"),
        paste("dashed: power", format(object$provenance$power))), collapse = "\n")) +
    printed() +
    (if (length(facets)) list(told_apart(table, ".series"), ggplot2::labs(colour = NULL, shape = NULL)))
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_models <- function(object, ...) {
  data_error(paste("models are drawn with the intervals of a comparison:",
    "`plot(compare_models(x))`."), rlang::current_env())
}

#' @rdname autoplot.pyexpr_result
#' @exportS3Method ggplot2::autoplot
autoplot.pyexpr_result <- function(object, ...) {
  drawn <- c("icc()", "icc_interval()", "multilevel_icc()", "variance_components()", "agreement()",
    "rater_diagnostics()", "d_study()", "fit_cfa()", "bootstrap_cfa()", "invariance()",
    "compare_models()", "compare_procedures()", "context_contrasts()", "rating_ceiling()", "feature_importance()",
    "sign_flip()", "cluster_bootstrap()", "context_coefficients()", "pooled_coefficients()",
    "person_slopes()", "sensitivity()", "error_slopes()",
    "plan_study()")
  data_error(sprintf("there is no picture of %s; there is one of the results of %s.",
    described_type(object), listed(drawn, length(drawn))), rlang::current_env())
}
