# What an R user sees for bad input.

test_that("bad input is one sentence, in R's words", {
  need_python()
  expect_snapshot(error = TRUE, {
    icc(ratings, c(subject, contxt, clip), score)
    icc(ratings, c(subject, context, clip), question, cluster = subject)
    icc(as.list(ratings), subject, score)
    icc(ratings, c(subject, context, clip), score, cluster = subject, confidence = 95)
    icc(ratings, c(subject, context, clip), score, cluster = subject, form = "ICC(A,k)")
    icc_interval(1.2, n_targets = 20, k = 3)
    cfa_scores(clips, c(response, emotion))
    cfa_scores(transform(clips, motion = 1), c(response, emotion, motion))
    cfa_scores(clips, c(response, emotion, motion), engine = "mplus")
    cfa_scores(3)
    compare_models(clips, score, c(au_intensity, lstm), cluster = subject)
    compare_models(clips, score, au_intensity, cluster = NULL)
    compare_models(clips[1:5, ], score, au_intensity, cluster = subject)
    compare_models(clips[0, ], score, au_intensity, cluster = subject)
    compare_models(clips, score, au_intensity, cluster = subject, n_boot = 1.5)
    compare_models(clips, score, au_intensity, cluster = subject, seed = NA)
    compare_models(clips, predictions = au_intensity, cluster = subject)
    context_coefficients(clips, score, c(score, au_intensity), context, subject)
    invariance(clips, c(response, emotion, motion), group = 1)
    split_subjects(clips, subject, proportions = c(0.5, 0.2))
    d_study(clips, 3)
    tidy(icc_interval(0.8, 20, 3), "counts")
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
      "column 'p_value' is True", "the p_value is NaN", "see contrasts()"
    )),
    c(
      "`k` must be a number, not NULL", "`engine = 'host'` needs R", "give `allow = TRUE`",
      "column 'p_value' is TRUE", "the p.value is NA", "see tidy(x, \"contrasts\")"
    )
  )
  expect_identical(pyexpr:::r_words(character()), character())
})
