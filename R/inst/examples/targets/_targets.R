# The comparison of two models as a pipeline of targets. In a new folder:
#   file.copy(system.file("examples", "targets", "_targets.R", package = "pyexpr"), ".")
#   targets::tar_make()
# targets stores the tables of the results: tibbles, which can be read in any later session.
library(targets)
tar_option_set(packages = "pyexpr")

indicators <- c("response", "emotion", "motion")

list(
  tar_target(known, clips[complete.cases(clips), ]),
  tar_target(agreement, tidy(icc(ratings, c(subject, context, clip), score, context = question,
    form = "ICC(1,k)", cluster = subject))),
  tar_target(loadings, tidy(fit_cfa(known, all_of(indicators), context = context), "loadings")),
  tar_target(split, tidy(split_subjects(known, subject, context = context,
    proportions = c(0.5, 0, 0.5), seed = 1))),
  tar_target(test, {
    part <- split$part[match(known$subject, split$subject)]
    train <- known[part == "train", ]
    test <- known[part == "test", ]
    test$face <- predict(lm(score ~ context * (au_count + au_intensity), train), test)
    test$head <- predict(lm(score ~ context * (head_displacement + head_velocity), train), test)
    test
  }),
  tar_target(comparison, tidy(compare_models(test, score, c(face, head), cluster = subject,
    n_boot = 500, seed = 1))),
  tar_target(better, comparison$estimate[comparison$metric == "correlation" &
    comparison$term == "face - head"])
)
