"""Notes on fitted models."""

from __future__ import annotations

from pyexpr.base.messages import Template

WITHIN_FOLDS = Template(
    "models_within_folds",
    "correlation and R2 are computed within folds and averaged; {call compare()} gives "
    "intervals and differences",
    report="correlation and R² are computed within folds and averaged",
)()
AUC_WITHIN_FOLDS = Template(
    "auc_within_folds",
    "AUC is computed within folds and averaged; {call compare()} gives intervals and differences",
    report="AUC is computed within folds and averaged",
)()
OVER_REPEATS = Template(
    "mean_of_repeats",
    "each number is the mean of {n} repeats; {call over_repeats()} shows their variation",
    report="each number is the mean of {n} repeats",
)
TWO_LABELS = Template(
    "two_labels",
    "models over all contexts predict {pooled:label} and are evaluated with it; models per "
    "context use {own:label}",
)
ONE_CONTEXT = Template(
    "one_context_of_models",
    "there is only one context: models per context, or with the context as a feature, equal "
    "those over all contexts",
)()
ROWS_LEFT_OUT = Template("rows_left_out", "{n:count row, is, are} left out: {reasons}")
#: Also for the models of a study.
NOT_VARYING = Template(
    "feature_does_not_vary",
    "feature {name:label} does not vary among the rows of {n:count fit}, so its effect cannot "
    "be estimated in those models",
)
WARNED = Template(
    "model_warned", "model {model:label} issued a warning in {n:count fit}: {message}"
)
NO_PROBABILITIES = Template(
    "model_without_probabilities",
    "model {model:label} does not provide probabilities, so it has no AUC and no Brier's score",
)
CLASS_NOT_FITTED = Template(
    "class_not_fitted",
    "class {label:label} occurs neither in the rows of {n:count fit} nor in the rows that they "
    "predict; its probability is 0 there",
)
NO_FOLD_VALUES = Template("no_values_of_folds", "fewer than 2 folds have a value")()
UNDEFINED_FOLDS = Template("undefined_in_folds", "undefined in {n} of {total} folds")
PERFECT = Template("no_error_at_all", "the error is 0, so its variation cannot be estimated")()
OF_PROCEDURE = Template(
    "interval_of_procedure",
    "the intervals refer to the procedure: how well models perform that are fitted in the same "
    "way to about {fitted} of {subjects} other subjects; they count the subjects to which models "
    "are fitted as well as those on which they are tested",
)
OF_FITTED = Template(
    "interval_of_fitted_model",
    "the intervals refer to these fitted models: how well the models fitted to these {subjects} "
    "subjects predict other subjects; the models of the procedure with other training subjects "
    "may perform differently",
)
FIXED = Template(
    "interval_of_fixed_models",
    "{column fixed_low} and {column fixed_high} are those of {call compare()}, which takes the "
    "models as given and counts the tested subjects only",
    report="the fixed limits take the models as given and count the tested subjects only",
)()
