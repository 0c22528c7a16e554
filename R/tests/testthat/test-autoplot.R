# Pictures show every number of the table, and a reason for what is not there.

# To build a plot takes as long as to draw it: what is looked at is what was drawn.
built <- local({
  last <- list()
  function(plot) {
    if (!identical(plot, last$plot)) last <<- list(plot = plot, built = ggplot2::ggplot_build(plot))
    last$built
  }
})

layer <- function(plot, i) built(plot)$data[[i]]

# All of it is drawn, to no file: what is only wrong when drawn is found, too.
drawn <- function(plot) {
  expect_s3_class(plot, "ggplot")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_no_warning(plot(ggplot2::ggplot_gtable(built(plot))))
  invisible(plot)
}

# Where marks and intervals are drawn, in the order of the table.
expect_shown <- function(plot, table) {
  drawn(plot)
  intervals <- layer(plot, 1)
  marks <- layer(plot, 2)
  expect_setequal(marks$x, table$estimate)
  expect_setequal(intervals$xmin, table$conf.low)
  expect_setequal(intervals$xmax, table$conf.high)
}

said <- function(plot) {
  texts <- lapply(seq_along(plot$layers), function(i) layer(plot, i)$label)
  texts <- unlist(texts)
  unique(gsub("\n", " ", texts[!is.na(texts)]))
}

test_that("reliabilities are drawn, and reasons where there are none", {
  need_python()
  skip_if_not_installed("ggplot2")
  found <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
  expect_shown(ggplot2::autoplot(found), tidy(found))
  expect_identical(ggplot2::autoplot(found)$labels$caption, "95 % interval (subject jackknife)")
  published <- icc_interval(0.879, 20, 3, confidence = 0.9)
  plot <- ggplot2::autoplot(published)
  expect_shown(plot, tidy(published))
  expect_identical(plot$labels$caption, "90 % interval (F)")

  plan <- drawn(ggplot2::autoplot(d_study(found, 1:3)))
  ticks <- ggplot2::layer_scales(plan)$x$get_breaks()
  expect_identical(ticks, round(ticks))
  flat <- ratings
  flat$score[flat$question == "emotion"] <- 3
  flat <- icc(flat, c(subject, context, clip), score, context = question, cluster = subject)
  expect_identical(said(drawn(ggplot2::autoplot(flat))), "all ratings are equal")
  expect_identical(said(drawn(ggplot2::autoplot(d_study(flat, 1:3)))), "all ratings are equal")
  # A column with a blank in its name.
  named <- stats::setNames(ratings, sub("question", "my question", names(ratings)))
  named <- icc(named, c(subject, context, clip), score, context = "my question", cluster = subject)
  expect_shown(ggplot2::autoplot(named), tidy(named))
})

test_that("components, multilevel reliabilities and plans are drawn", {
  need_python()
  skip_if_not_installed("ggplot2")
  set.seed(5)
  rated <- expand.grid(rater = 1:3, clip = 1:3, subject = 1:10, context = c("calm", "pain"))
  rated$score <- rnorm(10)[rated$subject] + rnorm(3)[rated$rater] + rnorm(180)
  facets <- c("subject", "clip", "rater")
  found <- variance_components(rated, score, all_of(facets), nested = list(clip = subject), context = context)
  roots <- tidy(found)
  roots[c("estimate", "conf.low", "conf.high")] <- sqrt(roots[c("estimate", "conf.low", "conf.high")])
  expect_shown(ggplot2::autoplot(found), roots)
  levels <- multilevel_icc(rated, clip, score, subject, rater, context)
  shown <- tidy(levels)
  # Where there is no interval the line has no length.
  none <- is.na(shown$conf.low)
  shown$conf.low[none] <- shown$conf.high[none] <- shown$estimate[none]
  expect_shown(ggplot2::autoplot(levels), shown)
  plan <- d_study(found, list(rater = c(2, 4), clip = c(3, 6)), target = 0.8)
  plot <- drawn(ggplot2::autoplot(plan))
  expect_setequal(layer(plot, 2)$y, tidy(plan)$estimate)
  drawn(ggplot2::autoplot(d_study(found)))
  # A reason that all rows of a panel share is written once.
  rated$score[rated$context == "calm"] <- 3
  flat <- variance_components(rated, score, all_of(facets), nested = list(clip = subject), context = context)
  expect_length(said(drawn(ggplot2::autoplot(flat))), 1)
  expect_identical(sum(!is.na(layer(ggplot2::autoplot(flat), 4)$label)), 1L)
})

test_that("factor models are drawn", {
  need_python()
  skip_if_not_installed("ggplot2")
  fit <- fit_cfa(clips, c(response, emotion, motion), context = context)
  wanted <- tidy(fit, "standardized")
  expect_shown(ggplot2::autoplot(fit), wanted[wanted$op == "=~", ])
  two <- fit_cfa(clips, list(a = c(response, emotion, motion), b = c(au_intensity, au_count,
    pitch_displacement)))
  plot <- ggplot2::autoplot(two)
  drawn(plot)
  expect_identical(levels(plot$data$lhs), c("a", "b"))
  contrasts <- invariance(clips, c(response, emotion, motion), context, subject)
  expect_shown(ggplot2::autoplot(contrasts), tidy(contrasts, "contrasts"))
  freed <- invariance(clips, c(response, emotion, motion), context, subject, free = emotion)
  plot <- drawn(ggplot2::autoplot(freed))
  expect_match(plot$labels$caption, "hollow: free in every context", fixed = TRUE)
  freed <- tidy(freed, "contrasts")
  hollow <- layer(plot, 3)$x
  expect_setequal(hollow[!is.na(hollow)], freed$estimate[freed$freed])
})

test_that("refits of the factor model are drawn, all quantities or some", {
  need_python()
  skip_if_not_installed("ggplot2")
  refits <- bootstrap_cfa(clips, c(response, emotion, motion), cluster = subject, context = context,
    n_boot = 50)
  table <- tidy(refits)
  plot <- ggplot2::autoplot(refits)
  expect_shown(plot, table)
  # Groups stand side by side, the first on top, in shapes of their own.
  marks <- layer(plot, 2)
  expect_length(unique(marks$shape), 3)
  expect_identical(nrow(unique(marks[c("PANEL", "y")])), nrow(table))
  first <- marks[marks$PANEL == 1 & marks$y > 2.5, ]
  expect_identical(first$x[order(-first$y)],
    table$estimate[table$quantity == "loading" & table$term == "response"])
  expect_identical(levels(plot$data$quantity), unname(pyexpr:::quantities))
  expect_setequal(names(pyexpr:::quantities), table$quantity)
  expect_shown(ggplot2::autoplot(refits, "std_loading"), table[table$quantity == "std_loading", ])
  two <- c("score_weight", "score_reliability")
  expect_shown(ggplot2::autoplot(refits, two), table[table$quantity %in% two, ])
  expect_error(ggplot2::autoplot(refits, "loadings"), "`what` must be some of \"loading\"",
    class = "pyexpr_data_error")
  drawn(ggplot2::autoplot(bootstrap_cfa(clips, c(response, emotion, motion), cluster = subject,
    n_boot = 20)))
})

test_that("comparisons and their tests are drawn", {
  need_python()
  skip_if_not_installed("ggplot2")
  result <- compare_models(clips, score, c(au_intensity, au_count), subject, context = context,
    ratio = TRUE, n_boot = 0)
  table <- tidy(result)
  within <- table[table$context %in% c(as.character(unique(clips$context)), "all"), ]
  plot <- ggplot2::autoplot(result)
  expect_shown(plot, within[within$term %in% c("au_intensity", "au_count"), ])
  expect_identical(levels(plot$data$metric), c("rmse", "correlation"))
  expect_shown(ggplot2::autoplot(result, "differences"),
    within[within$term == "au_intensity - au_count", ])
  # The sign in a name makes no difference of it.
  signs <- transform(clips, context = sub("pain", "pre - post", context))
  named <- compare_models(signs, score, c("net - large" = au_intensity, "net" = au_count), subject,
    context = context, metrics = "rmse", n_boot = 0)
  table <- tidy(named)
  levels <- table[table$kind == "level", ]
  expect_true("pre - post" %in% levels$context)
  expect_shown(ggplot2::autoplot(named), levels)
  differences <- table[table$first_model == "net - large" & table$second_model == "net", ]
  expect_equal(unique(differences$kind), "difference")
  expect_shown(ggplot2::autoplot(named, "differences"), differences)
  judged <- ggplot2::autoplot(adjust_tests(result, "holm"), "differences")
  expect_match(judged$labels$caption, "simultaneous, by\\s+Bonferroni")

  test <- sign_flip(result, n_flips = 99)
  plot <- drawn(ggplot2::autoplot(test))
  expect_setequal(layer(plot, 2)$x, tidy(test)$estimate)
  expect_identical(sort(said(plot)), sort(unique(pyexpr:::p_text(tidy(test)$p.value))))
  expect_identical(pyexpr:::p_text(c(0.0001, 0.005, 1)), c("p < .001", "p = .005", "p = 1.000"))
})

test_that("statistics and coefficients are drawn", {
  need_python()
  skip_if_not_installed("ggplot2")
  mean_of <- function(d, w) c(mean_score = stats::weighted.mean(d$score, w), n = sum(w))
  found <- cluster_bootstrap(clips, mean_of, subject, n_boot = 20, null = 0.5)
  plot <- ggplot2::autoplot(boot_interval(found, confidence = 0.8))
  drawn(plot)
  lines <- unlist(lapply(seq_along(plot$layers), function(i) layer(plot, i)$xintercept))
  expect_identical(lines, 0.5)
  expect_match(plot$labels$caption, "^80 % interval")
  coefficients <- context_coefficients(clips, score, au_intensity, context, subject, alpha = 0.1,
    l1_ratio = 0.5, n_boot = 20)
  table <- tidy(coefficients)
  slopes <- data.frame(estimate = table$tested_estimate, table[c("conf.low", "conf.high")])
  expect_shown(ggplot2::autoplot(coefficients), slopes)
  weights <- data.frame(estimate = table$estimate, conf.low = table$procedure_low,
    conf.high = table$procedure_high)
  expect_shown(ggplot2::autoplot(coefficients, "weights"), weights)
})

test_that("an infinite limit ends in an arrowhead, and what has no interval is hollow", {
  skip_if_not_installed("ggplot2")
  table <- tibble::tibble(row = c("a", "b", "c"), estimate = c(1, 2, NA),
    conf.low = c(-Inf, NA, NA), conf.high = c(2, NA, NA), reason = c("", "", "too few"))
  plot <- drawn(pyexpr:::range_plot(table, "row", list(confidence = 0.95)))
  expect_identical(plot$labels$caption,
    "95 % interval\nhollow: no interval\narrowhead: no limit")
  expect_identical(said(plot), "too few")
  heads <- layer(plot, 4)
  expect_identical(heads$x, c(-Inf, NA, NA))
  expect_identical(layer(plot, 3)$x, c(NA, 2, NA))
})

test_that("what has no picture says what has one", {
  need_python()
  skip_if_not_installed("ggplot2")
  table <- structure(list(tables = list()), class = c("pyexpr_features", "pyexpr_result"))
  expect_error(ggplot2::autoplot(table), "there is one of the results of `icc()`", fixed = TRUE,
    class = "pyexpr_data_error")
})

test_that("plans are drawn with the band of the pilot", {
  need_python()
  skip_if_not_installed("ggplot2")
  plan <- plan_study(n_subjects = c(20, 40), n_clips = c(3, 6), difference = 0.2,
    metric = "correlation", n_studies = 50,
    published = list(correlation = 0.3, between_models = 0.5, icc = 0.3, n_subjects = 20, n_clips = 6))
  plot <- drawn(ggplot2::autoplot(plan))
  expect_identical(ggplot2::layer_data(plot, 1)$ymin, tidy(plan)$pilot_low)
  expect_setequal(ggplot2::layer_data(plot, 5)$y, tidy(plan)$power)
  expect_match(plot$labels$caption, "uncertainty of the pilot")
})
