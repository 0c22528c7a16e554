# The table of tune::collect_predictions(): `collected` is one.

known <- clips[stats::complete.cases(clips), ]

compared <- function(data, ..., rows = known) {
  compare_models(data, truth = score, cluster = subject, rows = rows, n_boot = 99, ...)
}

test_that("workflows are models, and resamples folds", {
  need_python()
  found <- compared(collected)
  wide <- transform(known, face = NA, head = NA, part = NA)
  for (name in c("face", "head")) {
    mine <- collected[collected$wflow_id == name, ]
    wide[[name]][mine$.row] <- mine$.pred
    wide$part[mine$.row] <- mine$id
  }
  by_hand <- compare_models(wide, score, c(face, head), subject, fold = part, n_boot = 99)
  expect_identical(tidy(found), tidy(by_hand))
  # The order of the rows does not matter, nor the class of the table.
  expect_identical(tidy(compared(as.data.frame(collected)[rev(seq_len(nrow(collected))), ]))$estimate,
    tidy(found)$estimate[c(2, 1, 3, 5, 4, 6)] * c(1, 1, -1, 1, 1, -1))
  contexts <- compared(collected, context = context, metrics = "correlation")
  expect_true(all(c("pain", "startle") %in% tidy(contexts)$context))
  # Columns joined to the table serve as well as `rows`.
  joined <- cbind(collected, known[collected$.row, c("subject", "context")])
  expect_identical(tidy(compared(joined, rows = NULL)), tidy(found))
})

test_that("candidates of tuning are models, and a test set is one fold", {
  need_python()
  one <- collected[collected$wflow_id == "face", names(collected) != "wflow_id"]
  expect_identical(unique(tidy(compared(one))$term), ".pred")
  expect_identical(tidy(compared(one, predictions = .pred)), tidy(compared(one)))
  tuned <- rbind(one, transform(one, .config = "Preprocessor1_Model2", .pred = .pred / 2))
  expect_identical(tidy(compared(tuned, metrics = "rmse"))$term,
    c("Preprocessor1_Model1", "Preprocessor1_Model2", "Preprocessor1_Model1 - Preprocessor1_Model2"))
  both <- rbind(collected, transform(collected[collected$wflow_id == "head", ],
    .config = "Preprocessor1_Model2"))
  expect_identical(tidy(compared(both, metrics = "rmse", pairwise = FALSE))$term,
    c("face", "head Preprocessor1_Model1", "head Preprocessor1_Model2"))
  test <- transform(one, id = "train/test split")
  plain <- compare_models(transform(known, p = one$.pred[order(one$.row)]), score, p, subject,
    n_boot = 99)
  expect_equal(tidy(compared(test))$estimate, tidy(plain)$estimate)
})

test_that("what is not one prediction per row and model is refused", {
  need_python()
  one <- collected[collected$wflow_id == "face", names(collected) != "wflow_id"]
  repeats <- rbind(transform(one, id2 = id, id = "Repeat1"), transform(one, id2 = id, id = "Repeat2"))
  moved <- collected
  moved$id[moved$wflow_id == "head" & moved$.row == 5] <- "Resample99"
  other <- collected
  other$score[3] <- 9
  classes <- collected
  names(classes)[names(classes) == ".pred"] <- ".pred_class"
  expect_snapshot(error = TRUE, {
    compared(repeats)
    compared(rbind(one, transform(one, id = "Bootstrap1")))
    compared(rbind(one, one))
    compared(collected[names(collected) != "id"])
    compared(moved)
    compared(other)
    compared(classes)
    compared(collected, rows = NULL)
    compared(collected, rows = clips)
    compared(collected, rows = known[1:10, ])
    compared(known, predictions = au_count)
    compared(collected[0, ])
  })
})
