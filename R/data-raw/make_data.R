# Makes data/*.rda: Rscript data-raw/make_data.R, with the package and Python installed.
library(pyexpr)

folder <- file.path(tempdir(), "study")
simulated <- simulate_study(folder, subjects = 30, seed = 20)
ratings <- tibble::as_tibble(utils::read.csv(file.path(folder, "ratings.csv")))

recordings <- utils::read.csv(file.path(folder, "recordings.csv"))
recordings$openface <- file.path(folder, recordings$openface)
features <- tidy(extract_features(recordings, schedule = "bp4d_plus", fps = 25))

keys <- c("subject", "context", "clip")
means <- stats::aggregate(score ~ subject + context + clip + question, ratings, mean)
wide <- stats::reshape(means, idvar = keys, timevar = "question", direction = "wide")
names(wide) <- sub("^score\\.", "", names(wide))
clips <- merge(wide[c(keys, "response", "emotion", "motion")],
  features[c(keys, names(features)[7:20])], by = keys, sort = FALSE)
clips <- clips[order(clips$subject, match(clips$context, unique(ratings$context)), clips$clip), ]
clips <- tibble::as_tibble(clips)
clips$score <- cfa_scores(clips, c(response, emotion, motion), context = context)$score
clips <- clips[c(keys, "response", "emotion", "motion", "score", names(features)[7:20])]

save(ratings, file = "data/ratings.rda", compress = "xz", version = 2)
save(clips, file = "data/clips.rda", compress = "xz", version = 2)
