test_that("columns are bare names, strings, or variables that hold names", {
  need_python()
  bare <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
  text <- icc(ratings, c("subject", "context", "clip"), "score", context = "question",
    cluster = "subject")
  names <- c("subject", "context", "clip")
  held <- icc(ratings, names, "score", context = question, cluster = "subject")
  expect_identical(tidy(bare), tidy(text))
  expect_identical(tidy(bare), tidy(held))
  # As tidyverse users write it, with or without tidyselect.
  one <- "score"
  programmed <- icc(ratings, all_of(names), .data[[one]], context = !!rlang::sym("question"),
    cluster = subject)
  expect_identical(tidy(bare), tidy(programmed))
  within <- function(data, what) icc(data, names, {{ what }}, context = question, cluster = subject)
  expect_identical(tidy(bare), tidy(within(ratings, score)))
  # Whatever columns and variables are called.
  called <- transform(ratings, all_of = score, all_of_them = 1)
  expect_identical(tidy(bare), tidy(icc(called, all_of(names), all_of, context = question, cluster = subject)))
  all_of <- names
  expect_identical(tidy(bare), tidy(icc(ratings, all_of, score, context = question, cluster = subject)))
})

test_that("icc() gives back Shrout and Fleiss (1979), table 4", {
  need_python()
  wide <- data.frame(a = c(9, 6, 8, 7, 10, 6), b = c(2, 1, 4, 1, 5, 2),
    c = c(5, 3, 6, 2, 6, 4), d = c(8, 2, 8, 6, 9, 7))
  found <- tidy(icc(wide))
  expect_identical(round(found$estimate, 2), c(0.17, 0.44, 0.29, 0.62, 0.71, 0.91))
  expect_identical(names(found)[1:5], c("form", "shrout_fleiss", "estimate", "conf.low", "conf.high"))
})

test_that("labels keep the class that came in", {
  need_python()
  data <- ratings
  data$question <- factor(data$question, c("response", "emotion", "motion"))
  found <- tidy(icc(data, c(subject, context, clip), score, context = question, form = "ICC(1,k)",
    cluster = FALSE))
  expect_identical(levels(found$question), levels(data$question))
  groups <- tidy(fit_cfa(transform(clips, context = factor(context)), c(response, emotion, motion),
    context = context))
  expect_s3_class(groups$context, "factor")
})

test_that("cfa_scores() is a tibble aligned with the rows, score first", {
  need_python()
  scores <- cfa_scores(clips, c(response, emotion, motion))
  expect_s3_class(scores, "tbl_df")
  expect_identical(names(scores), c("score", "se", "reason"))
  expect_identical(nrow(scores), nrow(clips))
  turned <- cfa_scores(clips[480:1, ], c(response, emotion, motion))
  # The order of the rows moves the last digits of the estimates.
  expect_equal(rev(turned$score), scores$score, tolerance = 1e-9)
  holes <- as.data.frame(clips)
  holes$motion[3] <- NA
  found <- cfa_scores(holes, list(f = c(response, emotion, motion)))
  expect_true(is.na(found$score[3]) && !is.nan(found$score[3]))
  expect_identical(found$reason[3], "missing indicator")
  fit <- fit_cfa(clips, c(response, emotion, motion))
  # One row or many at once: another order of the same sums.
  expect_equal(cfa_scores(fit, clips[7, ])$score, cfa_scores(fit)$score[7], tolerance = 1e-13)
})

test_that("lavaan's syntax and named factors mean the same", {
  need_python()
  one <- tidy(fit_cfa(clips, c(response, emotion, motion)))
  two <- tidy(fit_cfa(clips, "expressiveness =~ response + emotion + motion"))
  expect_identical(one, two)
})

test_that("a split keeps subjects apart, and augment() the class of the frame", {
  need_python()
  split <- split_subjects(clips, subject, context = context, seed = 1)
  frame <- augment(split, as.data.frame(clips))
  expect_identical(class(frame), "data.frame")
  expect_true(all(rowSums(table(frame$subject, frame$.part) > 0) == 1))
  again <- split_subjects(clips[sample(nrow(clips)), ], "subject", context = "context", seed = 1)
  expect_identical(tidy(again), tidy(split))
  numbers <- tidy(split_subjects(rep(101:130, 3), seed = 2))
  expect_identical(numbers$subject, 101:130)
  # 1e5 and 100000L are one subject.
  thousands <- split_subjects(data.frame(subject = 1:30 * 1e5), subject)
  expect_false(anyNA(augment(thousands, data.frame(subject = 1:30 * 100000L))$.part))
  expect_snapshot(augment(split, data.frame(subject = c("S001", "X"))), error = TRUE)
})

test_that("models can be renamed, have several columns, and their own truth", {
  need_python()
  named <- compare_models(clips, score, c(face = au_intensity, au_count), subject,
    metrics = "correlation", n_boot = 0)
  expect_identical(tidy(named)$term, c("face", "au_count", "face - au_count"))
  own <- compare_models(clips, score,
    list(face = au_intensity, human = list(values = c(response, emotion), truth = c(emotion, motion))),
    subject, metrics = "correlation", n_boot = 0)
  # Every model is judged on the rows that all have.
  used <- clips[!is.na(clips$au_intensity), ]
  expected <- mean(c(cor(used$response, used$emotion), cor(used$emotion, used$motion)))
  at <- tidy(own)$term == "human"
  # The mean of two correlations: rounding.
  expect_equal(tidy(own)$estimate[at], expected, tolerance = 1e-12)
})

test_that("other intervals come from the same draws", {
  need_python()
  result <- compare_models(clips, score, c(au_intensity, au_count), subject, metrics = "correlation",
    n_boot = 199, seed = 5)
  values <- replicates(result)
  expect_identical(dim(values), c(199L, 3L))
  expect_identical(colnames(values)[1], "correlation: au_intensity: all")
  expect_identical(replicates(boot_interval(result, "percentile", 0.9)), values)
  expect_identical(replicates(boot_extend(result, 10))[1:199, ], values)
  first <- compare_models(clips, score, c(au_intensity, au_count), subject, metrics = "correlation",
    n_boot = 100, seed = 5)
  later <- compare_models(clips, score, c(au_intensity, au_count), subject, metrics = "correlation",
    n_boot = 99, seed = 5, first_replicate = 100)
  expect_identical(replicates(join_results(later, first)), values)
  expect_identical(tidy(join_results(list(first, later))), tidy(result))
  expect_match(later$notes, "join_results() joins them", fixed = TRUE, all = FALSE)
  expect_error(join_results(first, first), "the replicates 0 to 99", class = "pyexpr_data_error")
  expect_error(join_results(first, 1), "must be a result of", class = "pyexpr_data_error")
  expect_true("adj.p.value" %in% names(tidy(adjust_tests(result, "holm"))))
  expect_identical(nrow(influence(result)), 90L)
  expect_identical(tidy(sign_flip(result, 99))$term, "au_intensity - au_count")
})

test_that("correlations of predictions from folds are within them", {
  need_python()
  used <- clips[!is.na(clips$au_intensity), ]
  used$part <- as.integer(factor(used$subject)) %% 4
  result <- compare_models(used, score, au_intensity, subject, metrics = c("correlation", "rmse"),
    fold = part, n_boot = 0)
  parts <- split(used, used$part)
  within <- vapply(parts, function(one) cor(one$score, one$au_intensity), 0)
  expected <- weighted.mean(within, vapply(parts, nrow, 0L))
  # Sums in another order: rounding.
  expect_equal(tidy(result)$estimate[1], expected, tolerance = 1e-12)
  expect_equal(tidy(result)$estimate[2], sqrt(mean((used$score - used$au_intensity)^2)),
    tolerance = 1e-12)
})

test_that("an R statistic has the replicates of compare_models()", {
  need_python()
  used <- clips[!is.na(clips$au_intensity), ]
  rmse <- function(data, weights) {
    sqrt(sum(weights * (data$score - data$au_intensity)^2) / sum(weights))
  }
  ours <- cluster_bootstrap(used, rmse, subject, n_boot = 99, seed = 7)
  theirs <- compare_models(used, score, au_intensity, subject, metrics = "rmse", n_boot = 99, seed = 7)
  # Sums in another order: rounding.
  expect_equal(as.numeric(replicates(ours)), as.numeric(replicates(theirs)), tolerance = 1e-12)
  # The function lives as long as the result that calls it.
  invisible(gc(full = TRUE))
  cluster_bootstrap(used, function(data, w) sum(w), subject, n_boot = 20)
  longer <- boot_extend(boot_interval(ours, "percentile"), 5)
  expect_identical(replicates(longer)[1:99, 1], replicates(ours)[, 1])
  again <- cluster_bootstrap(used, rmse, subject, n_boot = 104, seed = 7)
  expect_identical(replicates(longer), replicates(again))
  # Joined, the functions of both calls are one.
  rest <- cluster_bootstrap(used, rmse, subject, n_boot = 5, seed = 7, first_replicate = 99)
  expect_identical(replicates(boot_extend(join_results(rest, ours), 1))[1:104, 1], replicates(again)[, 1])
  several <- cluster_bootstrap(clips, function(data, w) c(a = sum(w), b = 2), subject, n_boot = 20)
  expect_identical(tidy(several)$term, c("a", "b"))
  expect_snapshot(cluster_bootstrap(clips, function(data, w) stop("no way"), subject), error = TRUE)
  expect_snapshot(cluster_bootstrap(clips, function(data, w) "text", subject), error = TRUE)
})

test_that("a statistic names each of its numbers once", {
  need_python()
  stopped <- function(statistic) {
    conditionMessage(expect_error(cluster_bootstrap(clips, statistic, subject, n_boot = 2),
      class = "pyexpr_function_error")$parent)
  }
  expect_match(stopped(function(data, w) c(a = 1, b = 2, a = 3)), "`a` comes twice")
  expect_match(stopped(function(data, w) c(a = 1, 2)), "number 2 of 2 has no name")
  expect_match(stopped(function(data, w) c(1, 2)), "number 1 of 2 has no name")
})

test_that("warnings and messages of a statistic reach the user's handlers, as they are", {
  need_python()
  own <- structure(class = c("own", "warning", "condition"), list(message = "look", call = NULL))
  speaks <- function(data, w) {
    warning(own)
    message("heard")
    sum(w)
  }
  run <- function() cluster_bootstrap(clips, speaks, subject, n_boot = 2)
  # By a handler that leaves the call, and by ones that go on.
  expect_identical(tryCatch(run(), warning = identity), own)
  said <- tryCatch(suppressWarnings(run()), message = identity)
  expect_identical(conditionMessage(said), "heard\n")
  expect_s3_class(said, "simpleMessage")
  counts <- c(own = 0, message = 0)
  found <- withCallingHandlers(run(),
    own = function(w) {
      counts["own"] <<- counts["own"] + 1
      invokeRestart("muffleWarning")
    },
    message = function(m) {
      counts["message"] <<- counts["message"] + 1
      invokeRestart("muffleMessage")
    })
  # The estimate, 2 replicates, 30 subjects left out.
  expect_identical(counts, c(own = 33, message = 33))
  expect_s3_class(found, "pyexpr_bootstrap")
  expect_silent(icc_interval(0.8, 20, 3))
  # rlang's messages end with their line only when they are shown.
  informs <- function(data, w) {
    if (all(w == 1)) rlang::inform("by rlang")
    sum(w)
  }
  shown <- utils::capture.output(
    found <- cluster_bootstrap(clips, informs, subject, n_boot = 2), type = "message")
  expect_true("by rlang" %in% shown)
  # A statistic may ask this package too.
  few <- clips[clips$subject %in% unique(clips$subject)[1:8], ]
  asks <- function(data, w) nrow(tidy(compare_models(few, score, au_count, subject, n_boot = 0)))
  warned <- testthat::capture_warnings(cluster_bootstrap(few, asks, subject, n_boot = 2))
  # The estimate, 2 replicates, 8 subjects left out.
  expect_length(grep("there are only 8 subjects", warned), 11)
})

test_that("slopes equal lm() where there is one penalty and no clusters matter", {
  need_python()
  used <- clips[complete.cases(clips), ]
  result <- context_coefficients(used, score, c(au_intensity, head_velocity), context, subject,
    alpha = 0.1, l1_ratio = 0.5, n_boot = 50)
  table <- tidy(result)
  pain <- used[used$context == "pain", ]
  within <- function(x) {
    sqrt(sum(tapply(x, used$context, function(v) sum((v - mean(v))^2))) / length(x))
  }
  slopes <- coef(lm(score ~ I(au_intensity / within(used$au_intensity)) +
    I(head_velocity / within(used$head_velocity)), pain))[-1]
  # The same least squares by another decomposition.
  expect_equal(table$tested_estimate[table$context == "pain"], unname(slopes), tolerance = 1e-10)
  expect_identical(dim(replicates(result, "all")), c(50L, 2L))
  expect_identical(nrow(tidy(result, "contrasts")), 6L)
  per_context <- context_coefficients(used, score, au_intensity, context, subject, l1_ratio = 0.5,
    alpha = c(disgust = 0.1, pain = 0.2, startle = 0.3, all = 0.4), n_boot = 10)
  expect_identical(tidy(per_context)$alpha, c(0.1, 0.2, 0.3, 0.4))
})

test_that("fit_cfa() takes directions, ordered factors, equal loadings and lavaan's options", {
  need_python()
  named <- fit_cfa(transform(clips, emotion = -emotion), c(response, emotion, motion),
    positive = emotion)
  expect_identical(sign(tidy(named, "loadings")$loading), c(-1, 1, -1))
  by_factor <- fit_cfa(clips, list(f = c(response, emotion, motion)), positive = list(f = "motion"))
  expect_true(all(tidy(by_factor, "loadings")$loading > 0))
  equal <- fit_cfa(clips, c(response, emotion), equal_loadings = TRUE)
  expect_equal(diff(tidy(equal, "loadings")$loading), 0, tolerance = 1e-6)
  turned <- bootstrap_cfa(transform(clips, response = -response), c(response, emotion, motion),
    subject, n_boot = 50, positive = emotion)
  expect_identical(sign(tidy(turned)$estimate[1:3]), c(-1, 1, 1))
  expect_identical(unique(tidy(turned)$method), "jackknife_t")
  skip_if_not_installed("lavaan")
  cut3 <- function(x) cut(x, quantile(x, c(0, .4, .8, 1)), c("low", "middle", "high"),
    include.lowest = TRUE, ordered_result = TRUE)
  answers <- data.frame(response = cut3(clips$response), emotion = cut3(clips$emotion),
    motion = cut3(clips$motion))
  fit <- fit_cfa(answers, c(response, emotion, motion))
  lavaan_fit <- lavaan::cfa("f =~ response + emotion + motion", answers, std.lv = TRUE)
  wanted <- lavaan::parameterEstimates(lavaan_fit)
  found <- tidy(fit)
  for (op in c("=~", "|")) {
    expect_equal(found$estimate[found$op == op], wanted$est[wanted$op == op], tolerance = 1e-4)
    expect_equal(found$std.error[found$op == op], wanted$se[wanted$op == op], tolerance = 1e-4)
  }
  scores <- cfa_scores(fit, method = "regression")
  expect_equal(scores$score, as.numeric(lavaan::lavPredict(lavaan_fit)), tolerance = 1e-3)
  expect_equal(cfa_scores(fit, answers[3:4, ], method = "regression")$score, scores$score[3:4])
  numbers <- as.data.frame(lapply(answers, as.integer))
  expect_equal(tidy(fit_cfa(numbers, c(response, emotion, motion), ordered = TRUE))$estimate,
    found$estimate)
  expect_identical(glance(fit_cfa(numbers, c(response, emotion, motion)))$estimator, "ML")
  four <- transform(clips, extra = response + rnorm(nrow(clips)))
  more <- modification_indices(fit_cfa(four, c(response, emotion, motion, extra)))
  expect_identical(names(more), c("lhs", "op", "rhs", "mi", "p.value", "epc", "sepc_all"))
  expect_false(is.unsorted(rev(more$mi)))
  expect_error(fit_cfa(clips, c(response, emotion, motion), lavaan_options = list(std.lv = FALSE)),
    "may not set 'std.lv'", fixed = TRUE)
  expect_error(fit_cfa(clips, c(response, emotion, motion), lavaan_options = list(TRUE)),
    "must be a named list", fixed = TRUE)
  expect_error(fit_cfa(clips, c(response, emotion, motion), ordered = nowhere), "nowhere")
})

test_that("invariance() and bootstrap_cfa() speak of contexts and subjects", {
  need_python()
  found <- invariance(clips, c(response, emotion, motion), context = context, cluster = subject)
  expect_identical(tidy(found)$level, c("configural", "metric", "scalar"))
  expect_type(tidy(found)$df1, "integer")
  free <- invariance(clips, c(response, emotion, motion), context = context, cluster = subject,
    free = motion)
  expect_identical(tidy(free)$df1[2], 2L)
  boot <- suppressWarnings(bootstrap_cfa(clips, c(response, emotion, motion), subject, n_boot = 200))
  expect_identical(dim(replicates(boot)), c(200L, nrow(tidy(boot))))
})

openface <- function(lines) {
  path <- tempfile(fileext = ".csv")
  writeLines(c("frame, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz", lines), path)
  path
}

test_that("OpenFace files become a tibble with a log", {
  need_python()
  path <- openface(c("1, 0.00, 0.98, 1, 1, 2, 500", "2, 0.04, 0.98, 1, 2, 2, 500",
    "4, 0.12, 0.10, 0, 0, 0, 0"))
  found <- read_openface(path, groups = "pose_translation")
  expect_s3_class(found, "tbl_df")
  expect_identical(names(found)[6:8], paste0("pose_translation_", c("x", "y", "z")))
  expect_identical(found$pose_translation_x, c(1, 2, NA, NA))
  expect_identical(glance(found)$frames_missing, 1L)
  expect_identical(tidy(found)$unit, "mm")
  expect_output(print(found), "4 frames at\\s+25\\s+per\\s+second")
  expect_identical(nrow(describe_openface(path)), 1L)
})

test_that("a table of another tracker is read by its layout", {
  need_python()
  table <- data.frame(ms = 0:49 * 40, who = "anna", a0 = 0:49, b0 = 0, a1 = 5, b1 = 1)
  found <- read_tracks(table, points = c("a{}", "b{}"), units = "px", time = "ms",
    time_unit = "ms", person = "who")
  expect_identical(found$landmarks_2d_x0, as.numeric(0:49))
  expect_identical(glance(found)$fps, 25)
  expect_identical(tidy(found)$unit, "px")
  own <- tempfile(fileext = ".toml")
  writeLines(c("time.column = 'ms'", "points = {x = 'a{}', y = 'b{}', unit = 'px'}"), own)
  path <- tempfile(fileext = ".csv")
  write.csv(table, path, row.names = FALSE)
  expect_identical(describe_tracks(path, own)$frames, 50L)
  features <- extract_features(path, every = 2, layout = own)
  # One of two points moves 1 px a frame, so 5 px a step.
  expect_equal(tidy(features)$points_displacement, 2.5, tolerance = 1e-12)
  expect_error(read_tracks(path), "proves no layout", class = "pyexpr_data_error")
  writeLines(c("time.column = 'ms'", "blendshapes = {columns = 'a*', unit = 'cm'}"), own)
  means <- tidy(extract_features(path, every = 2, layout = own), "means")
  expect_identical(means$blendshape_1, 5)
})

test_that("features of paths and of a table are the same", {
  need_python()
  frame <- 0:149
  path <- openface(sprintf("%d, %.2f, 0.98, 1, %.1f, 0, 500", frame + 1, frame / 25, 1.2 * frame))
  one <- extract_features(path, every = 3)
  # 30 mm/s in steps of 0.2 s.
  expect_equal(tidy(one)$head_displacement, c(6, 6), tolerance = 1e-12)
  manifest <- data.frame(subject = 7L, context = factor("all"), openface = path, extra = I(list(1)))
  table <- extract_features(manifest, every = 3)
  expect_identical(tidy(table)$head_displacement, tidy(one)$head_displacement)
  expect_identical(tidy(table)$subject, c(7L, 7L))
  expect_identical(unlist(one$units["head_displacement"]), c(head_displacement = "mm per step"))
  segments <- data.frame(context = "all", start = 0, end = 3, clip = 1)
  expect_identical(nrow(tidy(extract_features(path, segments))), 1L)
  # Numbers of clips, as in `ratings`; and an empty table can be joined as a full one.
  expect_identical(tidy(one)$clip, 1:2)
  expect_identical(vapply(tidy(table, "dropped"), typeof, ""), c(subject = "integer",
    context = "integer", clip = "integer", openface = "character", reason = "character"))
  short <- tidy(extract_features(path, data.frame(context = "all", start = 0:1 * 30, end = 3 + 0:1 * 30)),
    "dropped")
  expect_identical(short$clip, 2L)
  # Labels come back as they were given.
  numbers <- data.frame(context = c(2, 2), start = c(0, 3), end = c(3, 6), clip = c(10, 20))
  found <- tidy(extract_features(data.frame(subject = 1, context = 2, openface = path), numbers))
  expect_identical(as.list(found[c("subject", "context", "clip")]),
    list(subject = c(1, 1), context = c(2, 2), clip = c(10, 20)))
  thousands <- data.frame(context = "all", start = c(0, 3), end = c(3, 6), clip = c(1e5, 2e5))
  expect_identical(tidy(extract_features(path, thousands))$clip, c(1e5, 2e5))
  # A column whose name only begins so is another.
  segment <- tibble::tibble(context = "all", start = 0, end = 3, clip_name = "a")
  expect_silent(named <- extract_features(path, segment))
  expect_identical(tidy(named)$clip, 1L)
  expect_error(extract_features(data.frame(subject = 1, context = 2, openface_file = path), every = 3),
    "no column 'openface'", class = "pyexpr_column_error")
})

test_that("contrasts of contexts, and equivalence", {
  need_python()
  result <- compare_models(clips, score, c(au_intensity, au_count), subject, context = context,
    metrics = "rmse", n_boot = 99)
  found <- context_contrasts(result)
  table <- tidy(found)
  whole <- tidy(result)
  by <- function(term, context) whole$estimate[whole$term == term & whole$context == context]
  both <- table[table$term == "au_intensity - au_count", ][1, ]
  expect_equal(both$estimate, by("au_intensity", both$context) - by("au_count", both$context))
  expect_identical(unique(tidy(found, "omnibus")$term), unique(table$term))
  expect_identical(dim(replicates(found)), c(99L, nrow(table)))
  expect_true(all(c("adj.p.value") %in% names(tidy(adjust_tests(found, "holm")))))
  same <- tidy(equivalence(result, c(-100, 100)))
  expect_identical(unique(same$conclusion), "equivalent")
  expect_identical(tidy(equivalence(result, list(rmse = c(-100, 100)))), same)
  expect_error(equivalence(result, c(1, -1)), "begin below", class = "pyexpr_data_error")
  expect_error(equivalence(icc_interval(0.8, 20, 3), c(0, 1)), class = "pyexpr_data_error")
})

test_that("rating_ceiling() is r divided by the root of the reliability", {
  need_python()
  set.seed(3)
  true <- rnorm(120)
  scores <- true + matrix(rnorm(360), 120)
  rated <- data.frame(clip = rep(1:120, 3), score = c(scores))
  rows <- data.frame(clip = 1:120, subject = rep(1:24, each = 5), y = rowMeans(scores),
    model = 0.5 * true + 0.4 * rnorm(120))
  found <- rating_ceiling(rows, rated, y, c("my model" = model), clip, subject, ratings = score, n_boot = 50)
  table <- tidy(found)
  value <- function(metric) table$estimate[table$metric == metric]
  # One-way analysis of variance by R.
  squares <- anova(lm(score ~ factor(clip), rated))$`Mean Sq`
  reliability <- 1 - squares[2] / squares[1]
  expect_equal(value("reliability"), reliability)
  expect_equal(value("error_free_correlation"), cor(rows$y, rows$model) / sqrt(reliability))
  expect_identical(unique(table$term), c("y", "my model"))
  expect_identical(dim(replicates(found)), c(50L, 8L))
  expect_identical(nobs(found), 120L)
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
  expect_error(rating_ceiling(rows, rated, model, model, clip, subject, ratings = score),
    "weighted sum of the mean ratings", class = "pyexpr_column_error")
})

test_that("variance_components() gives back lme4's components of the Dyestuff data", {
  need_python()
  # lme4::Dyestuff, from Davies and Goldsmith (1972).
  dyestuff <- data.frame(
    batch = factor(rep(LETTERS[1:6], each = 5)),
    yield = c(
      1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560,
      1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445
    )
  )
  found <- variance_components(dyestuff, yield, batch, replicates = TRUE)
  # lme4's vignette: lmer(Yield ~ 1 + (1 | Batch), Dyestuff).
  expect_equal(coef(found), c(batch = 1764.05, residual = 2451.25), tolerance = 1e-6)
  expect_identical(nobs(found), 30L)
  limits <- unlist(tidy(found)[1, c("conf.low", "conf.high")], use.names = FALSE)
  expect_identical(unname(confint(found, "batch")[1, ]), limits)
  expect_error(confint(found, level = 0.9), "give `confidence = 0.9`", class = "pyexpr_data_error")
  expect_error(variance_components(dyestuff, yield, batch), "`replicates = TRUE`", fixed = TRUE,
    class = "pyexpr_data_error")
  expect_error(variance_components(dyestuff, yield, batch, nested = "batch"),
    "`nested` must name in which facet a facet is nested, such as `list(clip = subject)`.",
    fixed = TRUE, class = "pyexpr_data_error")
})

test_that("components, multilevel ICCs and d_study() follow from R's analysis of variance", {
  need_python()
  set.seed(2)
  rated <- expand.grid(rater = c("ann", "ben", "cem"), clip = 1:4, subject = 1:12)
  target <- interaction(rated$subject, rated$clip)
  rated$score <- rnorm(12)[rated$subject] + rnorm(48)[target] + rnorm(3)[rated$rater] +
    rnorm(36)[interaction(rated$subject, rated$rater)] + rnorm(144)
  model <- score ~ factor(subject) * rater + factor(subject):factor(clip)
  squares <- anova(lm(model, rated))$`Mean Sq`
  names(squares) <- c("subject", "rater", "subject:rater", "clip", "residual")
  error <- squares[["residual"]]
  clip <- (squares[["clip"]] - error) / 3
  both <- (squares[["subject:rater"]] - error) / 4
  rater <- (squares[["rater"]] - squares[["subject:rater"]]) / 48
  subject <- (squares[["subject"]] - 3 * clip - 4 * both - error) / 12
  wanted <- c(subject = subject, rater = rater, clip = clip, "subject:rater" = both, residual = error)
  expect_gt(min(wanted), 0)

  found <- variance_components(rated, score, c(subject, clip, rater), nested = list(clip = subject))
  expect_equal(coef(found)[names(wanted)], wanted, tolerance = 1e-5)
  effects <- variance_components(rated, score, c(subject, clip, rater), c(clip = "subject"),
    effects = list(subject, clip, rater, c(subject, rater)))
  expect_identical(tidy(effects), tidy(found))

  plan <- d_study(found, list(rater = c(3, 6), clip = 4), target = 0.5, cost = c(rater = 2),
    cost_per_rating = 1)
  relative <- clip / 4 + both / 6 + error / 24
  expect_equal(tidy(plan)$estimate[3:4], tolerance = 1e-5,
    subject / (subject + c(relative, relative + rater / 6)))
  expect_identical(tidy(plan)$cost, c(18, 18, 36, 36))
  expect_identical(tidy(plan, "cheapest")$criterion, rep(c("estimate", "conf.low"), 2))
  expect_identical(names(d_study(found)$tables), "tidy")
  expect_equal(tidy(d_study(found, fixed = "rater"))$estimate[1], tolerance = 1e-5,
    (subject + both / 3) / (subject + both / 3 + clip / 4 + error / 12))
  expect_error(d_study(found, c(2, 4)), "such as `list(rater = c(2, 4))`", fixed = TRUE,
    class = "pyexpr_data_error")
  expect_error(d_study(found, list(ratr = 2)), "did you mean 'rater'", class = "pyexpr_data_error")
  expect_error(d_study(found, raters = 4), "numbers of levels are in `n`", class = "pyexpr_data_error")

  levels <- multilevel_icc(rated, clip, score, subject, raters = rater)
  expect_equal(coef(levels)[c("target: ICC(A,k)", "subject: ICC(C,1)")], tolerance = 1e-5,
    c("target: ICC(A,k)" = clip / (clip + (rater + error) / 3), "subject: ICC(C,1)" = subject / (subject + both)))
  expect_identical(nobs(levels), 144L)
  expect_equal(sort(tidy(levels, "components")$estimate), sort(unname(wanted)), tolerance = 1e-5)
  expect_error(multilevel_icc(rated, clip, score, subject, raters = rater, k = 0), "`k` must be at least 1",
    class = "pyexpr_data_error")
})

test_that("agreement() gives back Krippendorff (2011) and the kappas of psych", {
  need_python()
  wide <- data.frame(
    a = c(1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA), b = c(1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3),
    c = c(NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA), d = c(1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA)
  )
  levels <- c("nominal", "ordinal", "interval", "ratio")
  alpha <- vapply(levels, function(level) {
    coef(agreement(wide, coefficient = "krippendorff_alpha", level = level))
  }, 0)
  expect_equal(round(unname(alpha), 3), c(0.743, 0.815, 0.849, 0.797))
  grades <- c("low", "medium", "high")
  two <- data.frame(a = grades[c(1, 2, 3, 3, 2, 1, 2, 2, 1)], b = grades[c(1, 2, 3, 2, 2, 1, 3, 2, 2)])
  two[] <- lapply(two, factor, levels = grades, ordered = TRUE)
  ours <- function(weights) coef(agreement(two, coefficient = "cohen_kappa", weights = weights))
  # psych::cohen.kappa() 2.2.9: kappa, and weighted kappa.
  expect_equal(unname(ours("identity")), 0.470588235294118)
  expect_equal(unname(ours("quadratic")), 0.666666666666667)
  found <- agreement(two, level = "ordinal")
  expect_identical(tidy(found, "by_category")$category, grades)
  expect_identical(nobs(found), 18L)
  expect_error(agreement(two, level = "ordinary"), "ordinal", class = "pyexpr_data_error")
})

test_that("further features, the series behind them, and synchrony", {
  need_python()
  frame <- 0:149
  path <- openface(sprintf("%d, %.2f, 0.98, 1, %.1f, 0, 500", frame + 1, frame / 25, 1.2 * frame))
  found <- extract_features(path, every = 3, extra = c("variability", "acceleration"))
  # From the first bin to the last of 15, 6 mm apart.
  expect_equal(tidy(found)$head_range, c(84, 84), tolerance = 1e-12)
  expect_identical(found$units$head_jerk, "mm/s^3")
  expect_error(extract_features(path, every = 3, extra = "regoins"), "regions",
    class = "pyexpr_data_error")
  expect_error(extract_features(path, every = 3, extra = "expression_means"),
    "no recording has any", class = "pyexpr_data_error")
  manifest <- data.frame(subject = 7L, context = factor("all"), openface = path)
  series <- movement_series(manifest)
  expect_identical(tidy(series)$subject, rep(7L, 30))
  expect_equal(tidy(series)$head_displacement, c(NA, rep(6, 29)), tolerance = 1e-12)
  expect_identical(tidy(movement_series(manifest, layout = "auto")), tidy(series))
  frames <- tidy(movement_series(path, rate = NULL))
  expect_equal(frames$head_x, 1.2 * frame, tolerance = 1e-12)
  # The second person does the same 1 s later, at 5 values a second.
  dyads <- do.call(rbind, lapply(1:4, function(d) {
    moves <- sin((1:305)^2 * d)
    rbind(data.frame(dyad = d, person = "a", time = 0:299 / 5, way = moves[6:305]),
      data.frame(dyad = d, person = "b", time = 0:299 / 5, way = moves[1:300]))
  }))
  found <- synchrony(dyads, "way", window = 20, lag = 2, measure = "peak")
  expect_equal(tidy(found)$p.value[5], 1 / 24)
  windows <- tidy(found, "windows")
  expect_equal(windows$correlation[windows$lag == 1], rep(1, nrow(windows) / 21))
  expect_error(synchrony(dyads, "way", measure = "peaks"), "peak", class = "pyexpr_data_error")
})

test_that("rows of repeated subjects are not taken for independent in silence", {
  need_python()
  expect_error(
    cluster_bootstrap(clips, function(d, w) sum(w), cluster = NULL, n_boot = 20),
    "column 'subject' has repeated values", class = "pyexpr_data_error"
  )
})

test_that("a forked R asks its own lavaan", {
  need_python()
  # R does not fork on Windows; the gate runs on Linux.
  skip_on_os("windows")
  here <- fit_cfa(clips, c(response, emotion, motion))$provenance$engine
  forked <- parallel::mclapply(1:2, function(i) {
    found <- fit_cfa(clips, c(response, emotion, motion))
    gc()
    found$provenance$engine
  })
  expect_identical(forked, list(here, here))
})

# Some of each kind of result, for what holds of all.
# Made once for all tests that look at each of them: they take seconds, and none is changed.
results <- local({
  made <- NULL
  function() {
    if (!is.null(made)) return(made)
    agreement <- icc(ratings, c(subject, context, clip), score, context = question, cluster = subject)
    unequal <- icc(ratings[-1, ], c(subject, context, clip), score, context = question, cluster = subject)
    indicators <- c("response", "emotion", "motion")
    comparison <- compare_models(clips, score, c(au_intensity, au_count), subject, context = context,
      n_boot = 99)
    coefficients <- context_coefficients(clips, score, c(au_intensity, head_velocity), context,
      subject, alpha = 0.1, l1_ratio = 0.5, n_boot = 20)
    made <<- list(
      agreement, unequal, d_study(agreement, 1:3), icc_interval(0.8, 20, 3),
      fit_cfa(clips, indicators), fit_cfa(clips, indicators, context, subject),
      invariance(clips, indicators, context, subject),
      suppressWarnings(bootstrap_cfa(clips, indicators, subject, n_boot = 99)),
      comparison, adjust_tests(comparison, "holm"), sign_flip(comparison, 99), coefficients,
      adjust_tests(coefficients, "max_t"), split_subjects(clips, subject), doctor(),
      cluster_bootstrap(clips, function(d, w) sum(w), subject, n_boot = 20)
    )
    made
  }
})

test_that("names of columns are broom's, or have underscores", {
  need_python()
  dots <- c("std.error", "p.value", "adj.p.value", "conf.low", "conf.high", "std.all",
    "rmsea.conf.low", "rmsea.conf.high")
  for (result in results()) {
    for (table in result$tables) {
      odd <- setdiff(grep(".", names(table), fixed = TRUE, value = TRUE), dots)
      expect_identical(odd, character())
      expect_false(any(names(table) %in% names(pyexpr:::broom_names)))
      expect_false(anyDuplicated(names(table)) > 0)
    }
  }
  whole <- glance(fit_cfa(clips, c(response, emotion, motion)))
  expect_true(all(c("AIC", "BIC", "logLik") %in% names(whole)))
  expect_identical(whole$nobs, 480L)
})

test_that("columns of the user keep their names", {
  need_python()
  data <- transform(ratings, p = question)
  names(data)[names(data) == "p"] <- "std_all"
  found <- icc(data, c(subject, context, clip), score, context = std_all, cluster = FALSE)
  expect_identical(names(tidy(found))[1], "std_all")
  expect_identical(names(tidy(found, "counts"))[1], "std_all")
  # Questions of a study.
  table <- tibble::tibble(p_value = 1, reason = "as Python says it")
  made <- pyexpr:::new_result(
    list(tables = list(tidy = table, scores = table), heading = "", notes = NULL, key = 0L), "x",
    plain = "scores"
  )
  expect_identical(names(tidy(made)), c("p.value", "reason"))
  expect_identical(names(tidy(made, "scores")), c("p_value", "reason"))
  expect_identical(tidy(made)$reason, "as Python says it")
})

test_that("tables that notes name are there", {
  need_python()
  named <- 0
  for (result in results()) {
    tables <- named_tables(result$notes)
    expect_identical(setdiff(tables, names(result$tables)), character())
    named <- named + length(tables)
  }
  expect_gt(named, 1)
})

test_that("results print within the width of the console, in R's words", {
  need_python()
  old <- options(width = 60, cli.unicode = FALSE)
  on.exit(options(old))
  for (result in results()) {
    lines <- utils::capture.output(print(result))
    # doctor() has a table of its own.
    if (!inherits(result, "pyexpr_doctor")) expect_lte(max(nchar(lines)), 60)
    all <- c(lines, utils::capture.output(print(summary(result))))
    expect_no_match(all, "\\b(None|NaN|nan|True|False|np\\.)\\b")
    # A difference is not cut to the name of its first model, and a form not to "ICC(1,".
    if (inherits(result, "pyexpr_comparison")) expect_match(lines, "au_intensity - au_count", all = FALSE)
    if (inherits(result, "pyexpr_icc")) expect_match(lines, "ICC\\(1,k\\) +ICC\\(1,k\\)", all = FALSE)
  }
})

test_that("one row about the whole, of every result", {
  need_python()
  for (result in results()) expect_identical(nrow(glance(result)), 1L)
})

test_that("classes, ranks and recordings are compared as in Python", {
  need_python()
  set.seed(1)
  data <- data.frame(subject = rep(1:25, each = 8), recording = rep(1:50, each = 4))
  latent <- rnorm(25)[data$subject] + rnorm(200)
  data$y <- factor(ifelse(latent > 0, "yes", "no"), levels = c("yes", "no"))
  data$p <- plogis(latent + rnorm(200))
  data$said <- ifelse(data$p >= 0.5, "yes", "no")
  found <- tidy(compare_models(data, y, p, subject, metrics = c("auc", "accuracy", "brier"),
    positive = "yes", n_boot = 0))
  is <- data$y == "yes"
  w <- wilcox.test(data$p[is], data$p[!is], exact = FALSE)$statistic / (sum(is) * sum(!is))
  expect_equal(found$estimate, c(unname(w), mean(is == (data$p >= 0.5)), mean((data$p - is)^2)))
  labels <- compare_models(data, y, said, subject, metrics = "accuracy", n_boot = 0)
  expect_identical(tidy(labels)$estimate, found$estimate[2])
  data$latent <- latent
  each <- compare_models(data, latent, p, subject, metrics = "spearman", per = recording, n_boot = 0)
  by <- vapply(split(data, data$recording), function(d) cor(d$latent, d$p, method = "spearman"), 0)
  expect_equal(tidy(each)$estimate, mean(by))
  high <- compare_models(data, y, p, subject, metrics = "f1", positive = "yes", threshold = 0.9,
    n_boot = 0)
  n <- sum(is & data$p >= 0.9)
  expect_equal(tidy(high)$estimate, 2 * n / (sum(is) + sum(data$p >= 0.9)))
  expect_error(compare_models(data, y, p, subject, metrics = list(function(t, p) 1)),
    "`metrics` takes names", class = "pyexpr_data_error")
})

test_that("the width of the score and the intercepts are handed on, and said", {
  need_python()
  expect_error(compare_models(clips, score, au_count, subject, metrics = "nrmse", n_boot = 0),
    "score_range", class = "pyexpr_data_error")
  wide <- compare_models(clips, score, au_count, subject, metrics = "nrmse", n_boot = 0,
    score_range = 14)
  rmse <- compare_models(clips, score, au_count, subject, metrics = "rmse", n_boot = 0)
  expect_equal(tidy(wide)$estimate, tidy(rmse)$estimate / 14)
  expect_match(paste(wide$notes, collapse = " "), "divided by 14", fixed = TRUE)
  used <- clips[complete.cases(clips), ]
  slopes <- lapply(c("context", "common"), function(intercepts) {
    found <- context_coefficients(used, score, c(au_count, au_intensity), context, subject,
      alpha = 0.1, l1_ratio = 0.5, n_boot = 0, intercepts = intercepts)
    expect_identical(found$provenance$intercepts, intercepts)
    found <- tidy(found)
    expect_true(all(found$n_effective > 1))
    found$tested_estimate[found$context == "all"]
  })
  scale <- function(x) sqrt(mean((x - ave(x, used$context))^2))
  per_sd <- c(scale(used$au_count), scale(used$au_intensity))
  within <- lm(score ~ 0 + au_count + au_intensity + context, used)
  common <- lm(score ~ au_count + au_intensity, used)
  expect_equal(slopes[[1]], unname(coef(within)[1:2]) * per_sd)
  expect_equal(slopes[[2]], unname(coef(common)[2:3]) * per_sd)
})

test_that("a factor of factors is lavaan's, from syntax", {
  need_python()
  skip_if_not_installed("lavaan")
  data <- lavaan::HolzingerSwineford1939
  model <- "visual =~ x1 + x2 + x3
    textual =~ x4 + x5 + x6
    speed =~ x7 + x8 + x9
    g =~ visual + textual + speed"
  fit <- fit_cfa(data, model)
  theirs <- lavaan::cfa(model, data, std.lv = TRUE, meanstructure = TRUE)
  wanted <- lavaan::parameterEstimates(theirs)
  found <- tidy(fit)
  at <- match(paste(wanted$lhs, wanted$op, wanted$rhs), paste(found$lhs, found$op, found$rhs))
  expect_equal(found$estimate[at], wanted$est, tolerance = 1e-4)
  expect_equal(found$std.error[at], wanted$se, tolerance = 1e-4)
  expect_equal(as.numeric(glance(fit)$chisq), as.numeric(lavaan::fitMeasures(theirs, "chisq")),
    tolerance = 1e-6)
  scores <- cfa_scores(fit, method = "regression")
  expect_equal(scores$score_g, as.numeric(lavaan::lavPredict(theirs)[, "g"]), tolerance = 1e-4)
  expect_true(all(is.finite(cfa_scores(fit)$score_g)))
  expect_true("omega_h" %in% tidy(fit, "reliability")$quantity)
  turned <- cfa_scores(fit_cfa(data, model, positive = list(g = "speed", speed = "x8")))
  expect_equal(turned$score_g, cfa_scores(fit)$score_g)
  expect_error(fit_cfa(data, model, positive = list(g = "x8")), "not an indicator of")
  expect_error(fit_cfa(data, "f =~ x1 + x2 + x3 \n g =~ x4 + x5 + x6 \n h =~ f + g"),
    "needs at least three")
})

test_that("parquet files give the result of the data frame", {
  need_python()
  folder <- tempfile()
  dir.create(folder)
  rows <- data.frame(subject = rep(1:24, each = 5), task = rep(c("joy", "pain"), 60),
    y = sin(1:120), a = cos(1:120), b = sin(1:120) + cos(3 * (1:120)))
  utils::write.csv(rows, file.path(folder, "rows.csv"), row.names = FALSE)
  python(sprintf(paste("import pandas",
    "pandas.read_csv(r'%s/rows.csv').to_parquet(r'%s/rows.parquet')", sep = "\n"), folder, folder))
  path <- file.path(folder, "rows.parquet")
  from_files <- compare_models(path, truth = y, predictions = c(first = a, b), cluster = "subject",
    context = task, n_boot = 50, seed = 1)
  read <- utils::read.csv(file.path(folder, "rows.csv"))
  in_memory <- compare_models(read, truth = y, predictions = c(first = a, b), cluster = subject,
    context = task, n_boot = 50, seed = 1)
  expect_identical(tidy(from_files), tidy(in_memory))
  expect_identical(replicates(from_files), replicates(in_memory))
  expect_error(compare_models(folder, truth = y, predictions = c(a, nope), cluster = subject),
    "no column `nope`", class = "pyexpr_column_error")
  expect_error(compare_models("absent.parquet", truth = y, predictions = a, cluster = subject),
    "does not exist", class = "pyexpr_data_error")
  expect_error(compare_models(path, truth = y, predictions = a, cluster = subject,
    metrics = "spearman"), "order of all rows", class = "pyexpr_data_error")
})

test_that("error_slopes() is least squares within contexts, with a picture", {
  need_python()
  set.seed(1)
  rows <- data.frame(subject = rep(letters[1:24], each = 6), task = c("a", "b"), y = rnorm(144),
    share = runif(144, 0.5, 1))
  rows$p <- rows$y + (1.6 - rows$share) * rnorm(144)
  rows$q <- rows$y + rnorm(144)
  found <- error_slopes(rows, y, c(p, q), share, subject, context = task)
  table <- tidy(found)
  # Least squares within contexts, per standard deviation within contexts.
  scale <- sqrt(mean((rows$share - stats::ave(rows$share, rows$task))^2))
  error <- abs(rows$y - rows$p)
  own <- stats::lm(error ~ task + share:task, rows)
  p <- table[table$term == "p" & table$context != "all", ]
  expect_equal(p$estimate, unname(stats::coef(own)[3:4]) * scale)
  expect_named(found$tables, c("tidy", "contrasts", "omnibus"))
  expect_identical(nrow(tidy(found, "contrasts")), 3L)
  expect_error(error_slopes(rows, y, p, p, subject), "`properties` names 'p'", fixed = TRUE)
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
})

test_that("sensitivity() has a row per specification, and a picture", {
  need_python()
  folder <- tempfile()
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  set.seed(2)
  rows <- expand.grid(subject = sprintf("p%02d", 1:12), clip = 1:4)
  rows$smile <- rnorm(48)
  rows$joy <- rows$smile + rnorm(48)
  utils::write.csv(rows, file.path(folder, "features.csv"), row.names = FALSE)
  writeLines(c("[data]", "features = 'features.csv'", "contexts = false", "[label]",
    "method = 'column'", "column = 'joy'", "[evaluation]", "scheme = 'cross_validation'",
    "folds = 2", "inner_folds = 2", "[models.elastic_net]", "alpha = [0.1]", "l1_ratio = [0.5]",
    "[compare]", "n_boot = 50"), file.path(folder, "study.toml"))
  found <- sensitivity(file.path(folder, "study.toml"),
    list(compare.methods = "percentile", evaluation.folds = c(3, 4)), of = "comparison",
    progress = FALSE)
  table <- tidy(found)
  expect_identical(unique(table$specification), 0:3)
  expect_identical(unique(table$evaluation.folds), c("2", "3", "4"))
  expect_identical(tidy(found, "specifications")$failed, rep(FALSE, 4))
  expect_error(sensitivity(file.path(folder, "study.toml"), list(compare.method = "bca")),
    "did you mean 'methods'", fixed = TRUE)
  expect_error(sensitivity(file.path(folder, "study.toml"), c("a", "b")), "`grid` must name")
  skip_if_not_installed("ggplot2")
  plot <- ggplot2::autoplot(found, conclusion = list(metric = "correlation"))
  expect_s3_class(plot, "ggplot")
  labels <- unique(plot$data$.specification)
  expect_true(all(c("base", "evaluation.folds = 3") %in% labels))
  expect_error(ggplot2::autoplot(found, conclusion = list(metric = "auc")), "must be one of")
})

pooled_rows <- function() {
  set.seed(3)
  rows <- expand.grid(clip = 1:3, task = c("joy", "fear", "pain", "rest"), subject = 1:22)
  rows$smile <- rnorm(nrow(rows))
  rows$score <- c(0.9, 0.2, 0.1, 0.5)[rows$task] * rows$smile + rnorm(nrow(rows))
  rows
}

test_that("pooled_coefficients() are between the separate slopes and the common one", {
  need_python()
  rows <- pooled_rows()
  found <- pooled_coefficients(rows, score, smile, context = task, cluster = subject,
    subject_effects = "slopes")
  table <- tidy(found)
  common <- tidy(found, "variation")$common_slope
  kept <- (table$estimate - common) / (table$separate_estimate - common)
  expect_true(all(kept > 0 & kept < 1))
  # Without differences between subjects, separate slopes would be those of lm().
  separate <- sapply(table$context, function(task) {
    coef(lm(score ~ smile, rows[rows$task == task, ]))[["smile"]]
  })
  centred <- rows$smile - ave(rows$smile, rows$task)
  expect_equal(table$separate_estimate, unname(separate) * sqrt(mean(centred^2)), tolerance = 0.05)
  expect_true(all(c("separate_estimate", "shrinkage", "conf.low", "p.value") %in% names(table)))
  expect_identical(nrow(tidy(found, "contrasts")), 6L)
  expect_identical(tidy(found, "variances")$group, c("context", "subject", "subject", "residual"))
  expect_error(pooled_coefficients(rows, score, c(smile, score), context = task,
    cluster = subject), "is the label", class = "pyexpr_column_error")
  few <- rows[rows$task %in% c("joy", "fear"), ]
  expect_error(pooled_coefficients(few, score, smile, context = task, cluster = subject),
    "at least 3 contexts", class = "pyexpr_data_error")
  skip_if_not_installed("ggplot2")
  expect_no_warning(ggplot2::ggplot_build(ggplot2::autoplot(found)))
})

test_that("person_slopes() are those of lm()", {
  need_python()
  rows <- pooled_rows()
  found <- person_slopes(rows, score, smile, cluster = subject, context = task)
  own <- rows[rows$subject == 5, ]
  theirs <- summary(lm(score ~ smile + task, own))$coefficients["smile", ]
  row <- tidy(found)[5, ]
  expect_equal(row$estimate, unname(theirs[1]))
  expect_equal(row$std.error, unname(theirs[2]))
  expect_identical(tidy(found, "reliability")$quantity,
    c("mean", "std_dev", "reliability", "odd_even"))
  expect_error(person_slopes(rows, score, smile, cluster = subject, kind = "rank"), "must be one of",
    class = "pyexpr_data_error")
  skip_if_not_installed("ggplot2")
  expect_no_warning(ggplot2::ggplot_build(ggplot2::autoplot(found)))
})

test_that("plan_study() has the power of R's t test, and its tables", {
  need_python()
  sd <- sqrt((1.15^2 + 1 - 2 * 0.25 * 1.15) / 10)
  wanted <- stats::power.t.test(60, 0.15, sd, type = "one.sample", strict = TRUE)$power
  plan <- plan_study(n_subjects = c(30, 60), n_clips = 5, difference = 0.15, metric = "rmse",
    published = list(rmse = 1, between_errors = 0.5, icc = 0), n_studies = 1000, seed = 2)
  expect_equal(tidy(plan)$power[2], wanted, tolerance = 0.07)
  expect_true(all(is.na(tidy(plan)$pilot_low)))
  expect_match(tidy(plan)$reason[1], "size of the published study is not known")
  expect_identical(tidy(plan, "required")$power, 0.8)
  expect_match(plan$notes[1], "conf.low and conf.high", fixed = TRUE)
  found <- plan_study(clips, 20, difference = 0.1, metric = "correlation", truth = score,
    predictions = c(au_count, emotion), cluster = subject, context = context, n_studies = 50)
  expect_identical(unique(tidy(found)$context), c(sort(unique(as.character(clips$context))), "all"))
  expect_error(plan_study(clips, 20, difference = 0.1, metric = "correlation", truth = score,
    predictions = c(au_count, emotion), cluster = subject, n_clips = 5000),
    "`n_clips` is 5000", fixed = TRUE, class = "pyexpr_data_error")
  expect_error(plan_study(n_subjects = 20, slope = 1, published = c(1, 2)),
    "`published` must name numbers", class = "pyexpr_data_error")
})
