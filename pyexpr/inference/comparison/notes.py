"""Notes and reasons of comparisons."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTE_LEVELS = Template(
    "levels_not_tested",
    "single models are not tested on {metrics}; differences are tested against {nulls}",
)
NOTE_TESTED = Template(
    "levels_tested",
    "metrics of single models are tested for {levels}; differences are tested against {nulls}",
)
NOTE_NO_LEVEL = Template(
    "no_level_tested",
    "metrics of single models are not tested; differences are tested against {nulls}",
)
NULL_OF_METRIC = Template("null_of_metric", "{null:g} ({metric:metric})")
TESTED_AGAINST = Template("tested_against", "{metric:metric} against {against:.3g}")
NOTE_POSITIVE = Template("positive_class", "the positive class is {positive:label}")
NOTE_TAKEN_AS_ONE = Template(
    "classes_taken_as_one",
    "there are several classes, and all except {positive:label} are combined into one: {rest}",
)
NOTE_THRESHOLD = Template(
    "class_from_number",
    "for predictions that are numbers, {positive:label} is predicted from {threshold:g} on",
)
NOTE_RAREST = Template(
    "rarest_class",
    "the rarest class, {label:label}, has {n:count row} of {subjects:count subject}",
)
NOTE_RARE = Template(
    "rarest_class_is_rare",
    "{rarest}: with so few, intervals of balanced_accuracy, f1 and kappa have less than "
    "nominal coverage; see the page on coverage for classes",
    report="{rarest}: with so few, intervals of balanced accuracy, F1 and kappa have less than "
    "nominal coverage",
)
NOTE_UNITS = Template(
    "averaged_over_units",
    "every metric is computed in each unit of column {per:label} and averaged over units with "
    "equal weights; subjects are resampled with all of their units",
)
NOTE_UNITS_LEFT_OUT = Template(
    "units_left_out",
    "{metric:metric}{where} is averaged over {used} of {total} units, the same for all models; "
    "left out: {why}",
)
IN_CONTEXT = Template("of_one_context", " in context {context:label}")
SMALL_UNITS = Template("small_units", "{n} with fewer than {fewest} rows")
UNDEFINED_UNITS = Template(
    "undefined_units",
    "{n} in which it is undefined for some model ({unit} {label:label}, {model:model})",
)
NOTE_NRMSE = Template(
    "nrmse_divisor", "NRMSE is RMSE divided by {score_range:g}, the width of the score"
)
NOTE_RATIOS = Template(
    "ratios_of_errors",
    "ratios of errors ('/') are below 1 if the first error is smaller; their intervals and "
    "tests (against 1) are computed for the logarithm",
)()
NOTE_FOLDS = Template(
    "averages_over_folds",
    "correlation, concordance and R2, pooled and between subjects, are computed within folds "
    "({fold}) and averaged; errors and metrics within subjects are computed over all folds",
    report="correlation, concordance and R², pooled and between subjects, are computed within "
    "folds ({fold}) and averaged; errors and metrics within subjects are computed over all "
    "folds",
)
NOTE_FOLDS_TOO = Template(
    "more_averages_over_folds",
    "correlation, concordance and R2, pooled and between subjects, are computed within folds "
    "({fold}) and averaged (as is {metrics}); errors and metrics within subjects are computed "
    "over all folds",
    report="correlation, concordance and R², pooled and between subjects, are computed within "
    "folds ({fold}) and averaged (as is {metrics}); errors and metrics within subjects are "
    "computed over all folds",
)
NOTE_FOLDS_CLASSES = Template(
    "average_of_auc_over_folds",
    "AUC is computed within folds ({fold}) and averaged; metrics of predicted classes, and "
    "Brier's score, are computed over all folds",
)
OWN_METRIC = Template("metric_by_name", "{metric:metric}")
NOTE_DROPPED = Template(
    "rows_without_prediction",
    "{n_dropped:count row, was, were} left out because the truth or a prediction is missing",
)
NOTE_OWN_ROWS = Template(
    "model_lacks_rows", "{name:model} has missing rows: {evaluated} of the {used} rows"
)
NOTE_OWN_ALL = Template(
    "own_rows_over_all",
    "rows of a context called 'all' are used for the results over all contexts; nothing was "
    "computed over all rows of the table",
)()
NOTE_DIFFERENT_CRITERIA = Template(
    "marked_different_criteria",
    "differences marked 'different criteria' compare models evaluated with different truths",
)()
NOTE_DIFFERENT_ROWS = Template(
    "marked_different_rows",
    "differences marked 'different rows' compare models evaluated on different rows",
)()

# Reasons why a metric has no value.
NO_ERRORS = Template("no_errors_no_ratio", "the error of {model:model} is 0, so there is no ratio")
NO_COMMON_ROW = Template("no_common_row", "no row has both {prediction:model} and {truth:model}")
IN_FOLD = Template("undefined_in_fold", "{reason} in fold {fold:label}")
TORN_FOLDS = Template(
    "subjects_in_several_folds",
    "the folds of subjects differ between contexts, so the rows of a subject were predicted by "
    "several models; see the results of single contexts",
)()
OF_LEFT_OUT = Template(
    "prediction_of_left_out_truth",
    "prediction {prediction:model} is the mean truth of the other subjects, or increases with "
    "it, as for a cross-validated model without information, whose {below} for this reason "
    "alone; name the folds in {fold=}",
    report="prediction {prediction:model} is the mean truth of the other subjects, or increases "
    "with it, as for a cross-validated model without information, whose {below} for this "
    "reason alone",
)
BELOW_ZERO = Template("correlation_below_zero", "correlation is below 0")()
AUC_BELOW_HALF = Template("auc_below_half", "AUC is below 1/2")()
SINGLE_IN_FOLD = Template(
    "single_subject_in_fold",
    "fold {fold:label} contains a single subject (leave-one-out), so no model predicts two "
    "subjects and they cannot be compared; predict in folds of several subjects, or use "
    "{metric:metric}",
    report="fold {fold:label} contains a single subject (leave-one-out), so no model predicts two "
    "subjects and they cannot be compared",
)
SINGLE_WITHOUT_WITHIN = Template(
    "single_subject_in_fold_alone",
    "fold {fold:label} contains a single subject (leave-one-out), so no model predicts two "
    "subjects and they cannot be compared; predict in folds of several subjects",
    report="fold {fold:label} contains a single subject (leave-one-out), so no model predicts two "
    "subjects and they cannot be compared",
)
FEW_IN_FOLD = Template(
    "few_subjects_in_fold",
    "fold {fold:label} contains {subjects} subjects, too few for {metric:metric} (at least 4 "
    "are required, so that 3 remain if one is left out)",
)
CONSTANT_PREDICTION = Template("prediction_does_not_vary", "prediction {name:model} {how}")
CONSTANT_TRUTH = Template("truth_does_not_vary", "truth {name:model} {how}")
IS_CONSTANT = Template("is_constant", "is constant")()
NOT_VARYING = Template("does_not_vary", "does not vary {part} subjects")
VARIES_LITTLE = Template(
    "varies_too_little",
    "varies so little{where} relative to its size that rounding of its values could change the "
    "correlation by more than .001; subtract the same number from truth and predictions before "
    "they are rounded",
)
ONE_CLASS = Template(
    "truth_of_one_class",
    "truth {truth:model} is of one class",
    report="the truth is of one class",
)
ONE_CLASS_IN_BOTH = Template(
    "one_class_in_every_row",
    "truth and prediction {prediction:model} are {label:label} in every row",
)
NO_ROW_OF_CLASS = Template(
    "no_row_of_class",
    "no row of truth {truth:model} is {label:label}",
    report="no row is of class {label:label}",
)
NO_ROW_OR_PREDICTION = Template(
    "no_row_nor_prediction_of_class",
    "no row is {label:label} or is predicted as such by {prediction:model}",
)
NOT_FINITE = Template(
    "function_not_finite",
    "{metric:metric} is {value} on these rows",
    report="{metric:metric} has no finite value on these rows",
)
NO_UNIT = Template(
    "no_unit_has_a_value", "no {unit} has a value of {metric:metric} for {model:model}"
)
