"""Notes on fitted models."""

from __future__ import annotations

from pyexpr.base.messages import Template

WITHIN_FOLDS = Template(
    "models_within_folds",
    "correlation and R2 are averages of those within folds; intervals and differences are those of "
    "{call compare()}",
    report="correlation and R² are averages of those within folds",
)()
AUC_WITHIN_FOLDS = Template(
    "auc_within_folds",
    "AUC is the average of those within folds; intervals and differences are those of "
    "{call compare()}",
    report="AUC is the average of those within folds",
)()
OVER_REPEATS = Template(
    "mean_of_repeats",
    "each number is the mean of {n} repeats; {call over_repeats()} shows what they differ by",
    report="each number is the mean of {n} repeats",
)
TWO_LABELS = Template(
    "two_labels",
    "models over all contexts learn {pooled:label} and are judged by it; models per context "
    "{own:label}",
)
ONE_CONTEXT = Template(
    "one_context_of_models",
    "there is one context: models per context, or with the context as a feature, are those over "
    "all",
)()
ROWS_LEFT_OUT = Template("rows_left_out", "{n:count row, is, are} left out: {reasons}")
#: Of a study's models, too.
NOT_VARYING = Template(
    "feature_does_not_vary",
    "feature {name:label} does not vary among the rows of {n:count fit}, so that those models "
    "cannot tell what it does",
)
WARNED = Template("model_warned", "model {model:label} warned in {n:count fit}: {message}")
NO_PROBABILITIES = Template(
    "model_without_probabilities",
    "model {model:label} gives no probabilities, so that it has no AUC and no Brier's score",
)
CLASS_NOT_FITTED = Template(
    "class_not_fitted",
    "class {label:label} is not among the rows of {n:count fit}, nor among those that they "
    "predict; its probability is 0 there",
)
