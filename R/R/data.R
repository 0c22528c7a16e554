#' Simulated ratings of clips
#'
#' Each clip of 30 simulated subjects was rated by six of 60 raters on three questions, from 0 to 4.
#' The data were created by [simulate_study()] with seed 20.
#'
#' @format A tibble with 8,640 rows: `subject`, `context` (startle, pain, disgust),
#'   `clip` (within subject and context), `rater` (a person; each clip has six of them),
#'   `question` (response, emotion, motion) and `score`.
#' @source `data-raw/make_data.R`
"ratings"

#' Simulated clips: mean ratings and features
#'
#' The clips of [ratings] with the means of their ratings, the factor scores of the model of their
#' context, and the features of their simulated recordings.
#'
#' @format A tibble with 480 rows: `subject`, `context`, `clip`; `response`, `emotion`,
#'   `motion` (means over raters, 0 to 4); `score` (Bartlett); and the fourteen
#'   features of [extract_features()] (units: px, px/s, mm, mm/s, degrees, degrees/s;
#'   intensities 0 to 5).
#' @source `data-raw/make_data.R`
"clips"

#' Predictions of two models, as tidymodels gives them
#'
#' What `tune::collect_predictions()` gives for two linear models of [clips], resampled in
#' ten folds of whole subjects, and bound by `dplyr::bind_rows()`.
#'
#' @format A tibble with 938 rows: `wflow_id` (face, head), `id` (the fold), `.pred`,
#'   `.row` (of the complete rows of [clips]), `score`, and `.config`.
#' @source `system.file("examples", "tidymodels.R", package = "pyexpr")`
"collected"
