# Two models of tidymodels, resampled by groups of subjects: makes `collected`, of which
# compare_models() takes as it is. Needs rsample, parsnip, workflows and tune:
#   source(system.file("examples", "tidymodels.R", package = "pyexpr"))
known <- pyexpr::clips[stats::complete.cases(pyexpr::clips), ]

# A subject is in one fold: a model is judged on people it has not seen.
set.seed(1)
folds <- rsample::group_vfold_cv(known, group = subject, v = 10)

resampled <- function(formula) {
  flow <- workflows::workflow(formula, parsnip::linear_reg())
  fits <- tune::fit_resamples(flow, folds, control = tune::control_resamples(save_pred = TRUE))
  tune::collect_predictions(fits)
}

collected <- dplyr::bind_rows(
  face = resampled(score ~ context * (au_count + au_intensity)),
  head = resampled(score ~ context * (head_displacement + head_velocity)),
  .id = "wflow_id"
)
