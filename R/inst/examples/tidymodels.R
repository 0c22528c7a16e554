# Two models of tidymodels, resampled by groups of subjects. Creates `collected`, a table that
# compare_models() accepts. Requires rsample, parsnip, workflows and tune:
#   source(system.file("examples", "tidymodels.R", package = "pyexpr"))
known <- pyexpr::clips[stats::complete.cases(pyexpr::clips), ]

# A subject is in one fold, so that a model is evaluated on people to whom it was not fitted.
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
