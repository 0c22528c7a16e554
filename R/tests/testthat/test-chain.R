chain_tables <- function() {
  set.seed(3)
  rows <- data.frame(subject = rep(1:10, each = 6), task = rep(c("calm", "tense"), 30),
    clip = rep(1:3, each = 2, times = 10))
  rows$smile <- rnorm(60)
  rows$nod <- rnorm(60)
  rows$felt <- rows$smile + rnorm(60)
  rated <- merge(rows[c("subject", "task", "clip", "felt")],
    expand.grid(item = c("joy", "warmth", "energy"), rater = 1:3))
  rated$score <- rated$felt + 0.8 * rnorm(nrow(rated))
  rows$felt <- rated$felt <- NULL
  list(rows = rows, rated = rated)
}

test_that("the whole analysis is resampled as in Python", {
  need_python()
  tables <- chain_tables()
  resampled <- function(...) suppressWarnings(bootstrap_chain(tables$rows, tables$rated,
    c(smile, nod), c(subject, task, clip), subject, context = task, ratings = score,
    question = item, model = list(joyful = c("joy", "warmth", "energy")), folds = 3,
    metrics = "rmse", seed = 2, ..., progress = FALSE))
  ridge <- model_spec("elastic_net", params = list(alpha = c(0.1, 1), l1_ratio = 0))
  found <- resampled(models = list(ridge = ridge), n_boot = 19)
  table <- tidy(found)
  expect_identical(unique(table$step), c("reliability", "factor_model", "models"))
  models <- table[table$step == "models", ]
  expect_equal(models$error_ratio, models$std.error / models$fixed_error)
  expect_true(all(models$conf.low < models$estimate & models$estimate < models$conf.high))
  expect_match(found$notes[[1]], "every step is computed again")
  named_tables(unlist(found$notes))

  # Without scikit-learn's models, and without a factor model.
  expect_error(resampled(models = list(ols = "sklearn.linear_model.LinearRegression")),
    "elastic nets only")
  expect_error(resampled(method = "bca"), "`method` must be one of")
  expect_match(capture.output(print(found))[1], "The whole analysis of 10 subjects")
})
