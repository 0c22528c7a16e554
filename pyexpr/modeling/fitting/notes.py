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
#: Of a study's models, too.
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
