# Columns named in the language of tidyselect.

named <- function(quo, data = clips) pyexpr:::named_in(rlang::enquo(quo), data, "x", NULL)

test_that("selections are those of tidyselect", {
  expect_identical(named(starts_with("au")), c("au_count", "au_intensity"))
  expect_identical(named(response:motion), c("response", "emotion", "motion"))
  expect_identical(named(-c(subject:score)), names(clips)[8:21])
  expect_identical(named(where(is.character)), c("subject", "context"))
  expect_identical(named(ends_with("velocity") & !contains("head")),
    setdiff(grep("velocity$", names(clips), value = TRUE), "head_velocity"))
  expect_identical(named(2:3), c("context", "clip"))
  expect_identical(named(matches("^gaze")), c("gaze_displacement", "gaze_velocity"))
  held <- c("score", "motion")
  expect_identical(named(all_of(held)), held)
  expect_identical(named(c(all_of(held), response:emotion)), c(held, "response", "emotion"))
  expect_identical(named(any_of(c("score", "nowhere"))), "score")
  expect_identical(named(c(face = au_intensity, starts_with("head_v"))),
    c(face = "au_intensity", head_velocity = "head_velocity"))
  expect_identical(named(c(m = starts_with("head"))),
    c(m1 = "head_displacement", m2 = "head_velocity"))
  expect_identical(named(list(a = starts_with("au"), b = list(values = response:motion))),
    list(a = c("au_count", "au_intensity"), b = list(values = c("response", "emotion", "motion"))))
  # What is no selection is what it was.
  expect_identical(named(NULL), NULL)
  expect_identical(named(FALSE), FALSE)
  expect_identical(named("f =~ response + emotion"), "f =~ response + emotion")
  # A column may bear the name of a helper or a variable.
  expect_identical(named(c(starts_with, a), data.frame(starts_with = 1, a = 2)), c("starts_with", "a"))
  twice <- data.frame(q1 = 1, q2 = 2, z = 3, z = 4, check.names = FALSE)
  expect_identical(named(starts_with("q"), twice), c("q1", "q2"))
})

test_that("every verb takes selections", {
  need_python()
  wide <- data.frame(clip = letters[1:6], r1 = c(9, 6, 8, 7, 10, 6), r2 = c(2, 1, 4, 1, 5, 2),
    r3 = c(5, 3, 6, 2, 6, 4))
  expect_identical(tidy(icc(wide, ratings = where(is.numeric))), tidy(icc(wide[-1])))
  expect_identical(tidy(icc(wide, ratings = -clip)), tidy(icc(wide, ratings = r1:r3)))
  by_name <- fit_cfa(clips, c(response, emotion, motion))
  expect_identical(tidy(fit_cfa(clips, response:motion)), tidy(by_name))
  expect_identical(tidy(fit_cfa(clips, list(expressiveness = response:motion))), tidy(by_name))
  found <- compare_models(clips, score, c(face = au_intensity, starts_with("head_v")), subject, n_boot = 0,
    metrics = "correlation", pairwise = FALSE)
  expect_identical(tidy(found)$term, c("face", "head_velocity"))
  human <- compare_models(clips, motion, list(human = response:emotion), subject, n_boot = 0)
  expect_identical(unique(tidy(human)$term), "human")
  expect_identical(
    tidy(context_coefficients(clips, score, starts_with("au"), context, subject, 0.1, 0.5, n_boot = 0)),
    tidy(context_coefficients(clips, score, c(au_count, au_intensity), context, subject, 0.1, 0.5,
      n_boot = 0)))
  expect_identical(tidy(split_subjects(clips, matches("^subj"))), tidy(split_subjects(clips, subject)))
})

test_that("a selection that finds nothing, or a number that is data, is refused", {
  expect_error(named(starts_with("zz")), "`starts_with\\(\"zz\"\\)` selects no column of `data`",
    class = "pyexpr_column_error")
  expect_error(named(c(starts_with("au"), scor)), "no column `scor`.*did you mean `score`",
    class = "pyexpr_column_error")
  expect_error(named(respons:motion), "did you mean `response`", class = "pyexpr_column_error")
  expect_error(named(where(5)), "select them, such as `starts_with\\(\"q\"\\)`, not by `where\\(5\\)`",
    class = "pyexpr_column_error")
  expect_error(named(40:50), "not by `40:50`", class = "pyexpr_column_error")
  values <- c(1, 2)
  expect_error(split_subjects(clips, values), "not <numeric>", class = "pyexpr_column_error")
})
