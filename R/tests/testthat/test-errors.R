# What an R user sees for bad input.

test_that("bad input is one sentence, in R's words", {
  need_python()
  comparison <- compare_models(clips, score, c(au_intensity, au_count), cluster = subject, n_boot = 0)
  expect_snapshot(error = TRUE, {
    icc(ratings, c(subject, contxt, clip), score)
    icc(ratings, c(subject, context, clip), question, cluster = subject)
    icc(as.list(ratings), subject, score)
    icc(ratings, c(subject, context, clip), score, cluster = subject, confidence = 95)
    icc(ratings, c(subject, context, clip), score, cluster = subject)
    icc(ratings, c(subject, context, clip), score, context = question, cluster = subject, form = "ICC(A,k)")
    icc_interval(1.2, n_targets = 20, k = 3)
    cfa_scores(clips, c(response, emotion))
    cfa_scores(transform(clips, motion = 1), c(response, emotion, motion))
    cfa_scores(clips, c(response, emotion, motion), engine = "mplus")
    cfa_scores(3)
    cfa_scores(fit_cfa(clips, c(response, emotion, motion)), clips[c("response", "score")])
    compare_models(clips, score, c(au_intensity, lstm), cluster = subject)
    compare_models(clips, score, au_intensity, cluster = NULL)
    compare_models(clips[1:5, ], score, au_intensity, cluster = subject)
    compare_models(clips[0, ], score, au_intensity, cluster = subject)
    compare_models(clips, score, au_intensity, cluster = subject, n_boot = 1.5)
    compare_models(clips, score, au_intensity, cluster = subject, seed = NA)
    compare_models(clips, predictions = au_intensity, cluster = subject)
    context_coefficients(clips, score, c(score, au_intensity), context, subject)
    invariance(clips, c(response, emotion, motion), context = 1)
    split_subjects(clips, subject, proportions = c(0.5, 0.2))
    d_study(clips, 3)
    tidy(icc_interval(0.8, 20, 3), "counts")
    compare_models(clips, score, au_intensity, cluster = subject, metrics = 3)
    compare_models(clips, score, au_intensity, cluster = subject, null = Inf)
    compare_models(clips, score, c(a = au_intensity, a = au_count), cluster = subject)
    compare_models(transform(clips, au_count = "1"), score, au_count, cluster = subject)
    context_coefficients(clips[0, ], score, au_intensity, context, subject)
    fit_cfa(clips, "response ~~ emotion")
    bootstrap_cfa(clips, list(a = c(response, emotion), b = c(motion, score)), subject)
    icc(transform(ratings, conf.low = question), subject, score, context = conf.low, cluster = FALSE)
    fit_cfa(transform(clips, p.value = context), c(response, emotion, motion), context = p.value)
    extract_features("a.csv", schedule = 3)
    run_study("a.toml", output = 3)
    adjust_tests(comparison, "bonf")
    adjust_tests(comparison, NULL)
    boot_extend(comparison, 1.5)
    fit_cfa(clips, response:motn)
    fit_cfa(clips, starts_with("zz"))
    icc(ratings, c(subject, context, clip), names(ratings)[9], cluster = subject)
    fit_cfa(clips, c(response, emotion, motion), cluster = clips$subject)
    compare_models(clips, score, au_intensity, cluster = subject, metrics = NA)
    tidy(comparison, conf.level = 0.9)
  })
})

test_that("files are named in errors", {
  need_python()
  folder <- tempfile("files")
  dir.create(folder)
  old <- setwd(folder)
  on.exit(setwd(old))
  file.create("empty.csv")
  writeLines("a,b\n1,2", "other.csv")
  writeLines("title = 3", "bad.toml")
  expect_snapshot(error = TRUE, {
    read_openface("nowhere.csv")
    read_openface("empty.csv")
    read_openface("other.csv")
    read_openface(c("a.csv", "b.csv"))
    extract_features("other.csv")
    extract_features("other.csv", schedule = "bp4d")
    run_study("nowhere.toml")
    run_study("bad.toml")
  })
})

test_that("conditions have classes, and no traceback of Python in the message", {
  need_python()
  error <- tryCatch(compare_models(clips, score, subject, cluster = subject), error = identity)
  expect_s3_class(error, c("pyexpr_column_error", "pyexpr_data_error", "pyexpr_error"))
  expect_no_match(conditionMessage(error), "Traceback")
  expect_match(error$python_traceback, "Traceback")
  expect_identical(as.character(error$call[[1]]), "compare_models")
  reason <- tryCatch(cfa_scores(clips, c(response, emotion)), error = identity)
  expect_identical(reason$reason, "too_few_indicators")
})

test_that("the sentences of Python speak R", {
  expect_identical(
    pyexpr:::r_words(c(
      "k= must be a number, not None", "engine='host' needs R", "give allow=True",
      "column 'p_value' is True", "alpha= must be above 0, not [0.1, nan]", "not -inf",
      "make numbers of it first (pandas.to_numeric)", "column 'X' of X, not 3.0",
      "lavaan 0.6.14 gave 1.05"
    )),
    c(
      "`k` must be a number, not NULL", "`engine = 'host'` needs R", "give `allow = TRUE`",
      "column 'p_value' is TRUE", "`alpha` must be above 0, not c(0.1, NA)", "not -Inf",
      "make numbers of it first (as.numeric(as.character(x)))", "column 'X' of `data`, not 3",
      "lavaan 0.6.14 gave 1.05"
    )
  )
  expect_identical(pyexpr:::r_words(character()), character())
})

test_that("notes name tables and columns of R", {
  expect_identical(
    pyexpr:::r_notes(c("the p_value is NaN", "see contrasts()", "'p_value'", "boot_std_error")),
    c("the p.value is NA", "see tidy(x, \"contrasts\")", "'p_value'", "boot_std_error")
  )
})

test_that("what is the user's own is not translated", {
  need_python()
  folder <- tempfile("seed=1 None ")
  dir.create(folder)
  old <- setwd(folder)
  on.exit(setwd(old))
  writeLines("a,b\n1,2", "counts() k=2.csv")
  writeLines(c("frame, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz",
    "1, 0.00, 0.98, 1, 1, 2, 500", "2, 0.04, 0.98, 1, 2, 2, 500"), "rate=5.csv")
  for (f in c(read_openface, describe_openface, function(x) extract_features(x, every = 1))) {
    expect_error(f("none k=2.csv"), "'none k=2.csv': there is no such file", fixed = TRUE)
    expect_error(f("counts() k=2.csv"), "'counts() k=2.csv': not an OpenFace", fixed = TRUE)
  }
  where <- file.path(folder, "True.csv")
  expect_error(read_openface(where), sprintf("'%s': there", where), fixed = TRUE)
  segment <- data.frame(context = "all", start = 0, end = 3, clip = 1)
  expect_error(extract_features("rate=5.csv", segment, on_short = "error"),
    "'rate=5.csv': a recording .*`on_short = 'drop'`")
  expect_error(run_study("nan=1.toml"), "'nan=1.toml'", fixed = TRUE)
})
