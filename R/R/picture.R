# What the pictures share: rows of estimates with intervals, and the words around them.

# A row per label of `term`; with `series` several marks in each, told apart by shape and
# colour. `holds` is what every axis must hold. With `panels`, the columns of the panels, a reason
# that several rows of a panel share is written once.
range_plot <- function(table, term, told, series = NULL, holds = NULL, label = wrapped,
                       panels = NULL, hollow = without_interval(table), hollow_is = "no interval") {
  table$.term <- factor(table[[term]], rev(unique(table[[term]])))
  table$.low <- ifelse(is.na(table$conf.low), table$estimate, table$conf.low)
  table$.high <- ifelse(is.na(table$conf.high), table$estimate, table$conf.high)
  missing <- is.na(table$estimate)
  table$.hollow <- ifelse(hollow & !missing, table$estimate, NA_real_)
  table$.said <- ifelse(missing, reasons(table), NA_character_)
  if (!is.null(panels)) table$.said <- once(table$.said, do.call(paste, c(table[panels], sep = "\r")))
  # All layers have all rows, or each would be dodged in its own way.
  beside <- if (is.null(series)) "identity" else ggplot2::position_dodge(0.7)
  plot <- ggplot2::ggplot(table, ggplot2::aes(x = .data$estimate, y = .data$.term)) +
    ggplot2::geom_linerange(ggplot2::aes(xmin = .data$.low, xmax = .data$.high),
      position = beside, na.rm = TRUE) +
    ggplot2::geom_point(position = beside, na.rm = TRUE) +
    ggplot2::geom_point(ggplot2::aes(x = .data$.hollow), position = beside, colour = "white",
      size = 0.7, na.rm = TRUE, show.legend = FALSE) +
    arrowheads(table$.low, "<", -Inf, beside) + arrowheads(table$.high, ">", Inf, beside) +
    ggplot2::geom_text(ggplot2::aes(x = -Inf, label = .data$.said), position = beside,
      hjust = -0.05, size = 2.3, fontface = "italic", colour = "grey40", na.rm = TRUE,
      show.legend = FALSE) +
    ggplot2::scale_x_continuous(n.breaks = 5, labels = short_numbers) +
    ggplot2::scale_y_discrete(labels = label) +
    ggplot2::labs(caption = caption_of(table, told,
      if (any(!is.na(table$.hollow))) paste("hollow:", hollow_is),
      if (any(is.infinite(c(table$.low, table$.high)))) "arrowhead: no limit")) +
    printed()
  if (!is.null(holds)) plot <- plot + ggplot2::expand_limits(x = holds)
  if (is.null(series)) plot else plot + told_apart(table, series)
}

# Of equal texts in a group only the one in the middle.
once <- function(said, group) {
  middle <- stats::ave(seq_along(said), paste(group, said, sep = "\r"),
    FUN = function(i) i[(length(i) + 1L) %/% 2L])
  ifelse(middle == seq_along(said), said, NA_character_)
}

# Letters of a size for print, and no number over another in a narrow panel.
printed <- function() {
  list(ggplot2::theme_bw(base_size = 9),
    ggplot2::theme(strip.text.y = ggplot2::element_text(angle = 0)),
    ggplot2::guides(x = ggplot2::guide_axis(check.overlap = TRUE)))
}

short_numbers <- function(x) ifelse(is.na(x), NA_character_, formatC(x, format = "g"))

without_interval <- function(table) is.na(table$conf.low) & is.na(table$conf.high)

# An infinite limit ends at the edge of the panel.
arrowheads <- function(limit, shape, edge, beside) {
  if (!any(is.infinite(limit))) return(NULL)
  ggplot2::geom_point(ggplot2::aes(x = ifelse(is.infinite(limit), edge, NA_real_)), shape = shape,
    size = 3, position = beside, na.rm = TRUE, show.legend = FALSE)
}

# In print without colour shapes tell series apart; the first is on top, as its label is.
told_apart <- function(table, series) {
  labels <- rev(unique(as.character(table[[series]])))
  # Okabe and Ito (2008), "Color universal design", without yellow, too pale on white.
  colours <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
  shapes <- c(16, 15, 17, 18, 4, 8)
  at <- rev(seq_along(labels)) - 1L
  mapped <- ggplot2::aes(colour = factor(as.character(.data[[series]]), labels),
    shape = factor(as.character(.data[[series]]), labels))
  guide <- ggplot2::guide_legend(reverse = TRUE, title.position = "top")
  list(mapped,
    ggplot2::scale_colour_manual(values = colours[at %% 7L + 1L], labels = wrapped, guide = guide),
    ggplot2::scale_shape_manual(values = shapes[at %% 6L + 1L], labels = wrapped, guide = guide),
    ggplot2::labs(colour = wrapped(series), shape = wrapped(series)),
    ggplot2::theme(legend.position = "bottom"))
}

reasons <- function(table) {
  if (is.null(table[["reason"]])) return(rep("undefined", nrow(table)))
  wrapped(ifelse(is.na(table$reason) | table$reason == "", "undefined", table$reason), 16)
}

# For a panel one text on what is missing in it: "1, 2: why".
missing_by_panel <- function(table, panels) {
  parts <- split(table, lapply(table[panels], function(x) factor(x, unique(x))), drop = TRUE)
  found <- lapply(parts, function(part) {
    missing <- part[is.na(part$estimate), ]
    if (!nrow(missing)) return(NULL)
    said <- vapply(split(missing, missing$reason), function(those) {
      if (nrow(those) == nrow(part)) return(those$reason[1])
      paste0(paste(those$k, collapse = ", "), ": ", those$reason[1])
    }, "")
    cbind(part[1, panels], said = wrapped(paste(said, collapse = "; "), 16))
  })
  do.call(rbind, c(list(cbind(table[0, panels], said = character())), unname(found)))
}

# A series per combination of numbers of levels of `facets`, side by side at each number `k`.
with_series <- function(table, facets) {
  parts <- lapply(facets, function(name) paste0(name, ": ", format(table[[paste0("n_", name)]])))
  table$.series <- if (length(facets)) do.call(paste, c(parts, sep = ", ")) else rep("", nrow(table))
  place <- match(table$.series, unique(table$.series))
  step <- 0.02 * max(diff(range(table$k)), 1)
  table$.at <- table$k + step * (place - (max(place) + 1) / 2)
  table
}

# How the intervals were made, from the result. A sign-flip test has none.
told_of <- function(object) {
  table <- object$tables$tidy
  methods <- if (is.null(table[["method"]])) object$provenance$method else table$method
  rules <- unique(as.character(table[["adjustment"]]))
  list(confidence = object$provenance$confidence, methods = unique(methods),
    rules = rules[!is.na(rules) & nzchar(rules)])
}

caption_of <- function(table, told, ...) {
  methods <- told$methods[!is.na(told$methods) & nzchar(told$methods)]
  level <- if (!is.null(told$confidence)) {
    paste0(format(100 * told$confidence), " % interval",
      if (length(methods)) paste0(" (", paste(methods, collapse = "; "), ")"),
      if (length(told$rules)) paste0("; of what is tested together simultaneous, by ",
        paste(simultaneous[told$rules], collapse = ", ")))
  }
  said <- c(level, ...)
  if (length(said)) paste(strwrap(said, 48), collapse = "\n")
}

# Holm's steps are of p-values alone.
simultaneous <- c(holm = "Bonferroni", max_t = "max-T")

quantities <- c(loading = "Loading", std_loading = "Standardised loading",
  residual_variance = "Residual variance", score_weight = "Weight in the score",
  score_reliability = "Reliability of the score")

by_columns <- function(own) ggplot2::vars(!!!rlang::syms(own))

by_context_and_metric <- function() {
  ggplot2::facet_grid(ggplot2::vars(.data$context), ggplot2::vars(.data$metric), scales = "free_x",
    labeller = ggplot2::labeller(.rows = function(x) wrapped(x, 12), .cols = metric_names))
}

metric_names <- function(x) {
  of_part <- grepl("_(within|between)$", x)
  part <- ifelse(of_part, sub(".*_", " ", x), "")
  base <- ifelse(of_part, sub("_(within|between)$", "", x), x)
  known <- c(nrmse = "NRMSE", rmse = "RMSE", mae = "MAE", auc = "AUC", f1 = "F1",
    f1_macro = "Macro F1", brier = "Brier score", r2 = "R\u00b2")
  name <- ifelse(base %in% names(known), known[base],
    paste0(toupper(substr(base, 1, 1)), gsub("_", " ", substring(base, 2))))
  wrapped(paste0(name, ifelse(nzchar(part), paste0(part, " subjects"), "")), 22)
}

# Labels of panels, in lines of so many letters.
short_names <- function(width) ggplot2::labeller(.default = function(x) wrapped(x, width))

# Blanks for underscores, in lines.
wrapped <- function(x, width = 22) {
  vapply(gsub("_", " ", as.character(x), fixed = TRUE), function(text) {
    paste(strwrap(text, width), collapse = "\n")
  }, "", USE.NAMES = FALSE)
}

p_text <- function(p) {
  ifelse(p < 0.001, "p < .001", paste("p =", sub("^0", "", sprintf("%.3f", p))))
}

# The order of a table is that of its picture.
in_order <- function(table, names) {
  table[names] <- lapply(table[names], function(x) factor(x, unique(x)))
  table
}

# There are no half raters.
whole_breaks <- function(limits) {
  at <- pretty(limits)
  at[at == round(at)]
}

zero_line <- function(at = 0) {
  ggplot2::geom_vline(xintercept = at, linetype = "dashed", colour = "grey50")
}

choice <- function(x, choices, call, arg = "what") {
  if (!is.character(x) || length(x) != 1L || !x %in% choices) {
    data_error(sprintf("`%s` must be %s, not %s.", arg,
      paste0("\"", choices, "\"", collapse = " or "), shown_value(x)), call)
  }
}
