# The whole analysis of a simulated study from R, with garbage collections between
# the calls:
#   source(system.file("examples", "whole_analysis.R", package = "pyexpr"), echo = TRUE)
library(pyexpr)
doctor()

folder <- file.path(tempdir(), "demo")
simulated <- simulate_study(folder, subjects = 24, seed = 1)
simulated
invisible(gc())

# Ratings: reliability, the factor model fitted by lavaan in this session, scores
ratings <- tibble::as_tibble(read.csv(file.path(folder, "ratings.csv")))
agreement <- icc(ratings, c(subject, context, clip), score, context = question, form = "ICC(1,k)",
  cluster = subject)
tidy(agreement)[c("question", "estimate", "conf.low", "conf.high", "k")]
invisible(gc())

means <- aggregate(score ~ subject + context + clip + question, ratings, mean)
means <- reshape(means, idvar = c("subject", "context", "clip"), timevar = "question",
  direction = "wide")
names(means) <- sub("^score\\.", "", names(means))
fit <- fit_cfa(means, c(response, emotion, motion), context = context)
fit$heading
tidy(fit, "loadings")[c("context", "indicator", "std_loading")]
invisible(gc())

scores <- cfa_scores(fit)
scores
invisible(gc())

same <- invariance(means, c(response, emotion, motion), context = context, cluster = subject)
tidy(same)[c("level", "statistic", "df1", "df2", "p.value")]
invisible(gc())

# Recordings: features of every clip
recordings <- read.csv(file.path(folder, "recordings.csv"))
recordings$openface <- file.path(folder, recordings$openface)
features <- extract_features(recordings, schedule = "bp4d_plus", fps = 25, progress = FALSE)
features$heading
invisible(gc())

# One table, split by subject; two models fitted in R and evaluated on the test subjects
means$score <- scores$score
table <- merge(means, tidy(features), by = c("subject", "context", "clip"))
table <- table[complete.cases(table[c("score", "au_count", "head_velocity")]), ]
split <- split_subjects(table, subject, context = context, proportions = c(0.5, 0, 0.5), seed = 1)
split
table <- augment(split, table)
train <- table[table$.part == "train", ]
test <- table[table$.part == "test", ]
test$face <- predict(lm(score ~ context * (au_count + au_intensity), train), test)
test$head <- predict(lm(score ~ context * (head_displacement + head_velocity), train), test)
invisible(gc())

comparison <- compare_models(test, score, c(face, head), subject, metrics = c("rmse", "correlation"),
  n_boot = 2000, seed = 1)
tidy(comparison)[c("metric", "term", "estimate", "conf.low", "conf.high", "p.value")]
invisible(gc())

coefficients <- context_coefficients(train, score, c(au_count, au_intensity, head_displacement),
  context, subject, n_boot = 500, seed = 1)
tidy(coefficients, "omnibus")[c("feature", "statistic", "df1", "df2", "p.value")]
invisible(gc())

# The whole analysis with a study file
study <- run_study(simulated$study_file, progress = FALSE)
study$heading
wanted <- tidy(study)
wanted[wanted$context == "all" & wanted$metric == "correlation", c("term", "estimate", "conf.low",
  "conf.high")]
invisible(gc())

# lavaan fitted in this R, and rpy2 was never imported
fit$provenance$engine
"rpy2" %in% names(reticulate::import("sys")$modules)
unlink(folder, recursive = TRUE)
