"""What the notes and reasons of comparisons say."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTE_LEVELS = Template(
    "levels_not_tested", "levels of {metrics} are not tested; differences are, against 0"
)
NOTE_TESTED = Template("levels_tested", "levels are tested of {levels}; differences are, against 0")
NOTE_NO_LEVEL = Template("no_level_tested", "no level is tested; differences are, against 0")()
TESTED_AGAINST = Template("tested_against", "{metric:metric} against {against:.3g}")
NOTE_POSITIVE = Template("positive_class", "the positive class is {positive:label}")
NOTE_TAKEN_AS_ONE = Template(
    "classes_taken_as_one",
    "there are several classes, and all but {positive:label} are taken as one: {rest}",
)
NOTE_THRESHOLD = Template(
    "class_from_number",
    "where a prediction is a number, {positive:label} is predicted from {threshold:g} on",
)
NOTE_RAREST = Template(
    "rarest_class",
    "the rarest class, {label:label}, has {n:count row} of {subjects:count subject}",
)
NOTE_RARE = Template(
    "rarest_class_is_rare",
    "{rarest}: with so few, intervals of balanced_accuracy, f1 and kappa hold the truth less often "
    "than their level says; see the page on coverage for classes",
    report="{rarest}: with so few, intervals of balanced accuracy, F1 and kappa hold the truth "
    "less often than their level says",
)
NOTE_UNITS = Template(
    "averaged_over_units",
    "every metric is computed in each unit of column {per:label} and averaged over units, each "
    "counting once; subjects are resampled with all of theirs",
)
NOTE_UNITS_LEFT_OUT = Template(
    "units_left_out",
    "{metric:metric}{where} is averaged over {used} of {total} units, of every model alike; left "
    "out: {why}",
)
IN_CONTEXT = Template("of_one_context", " in context {context:label}")
SMALL_UNITS = Template("small_units", "{n} with fewer than {fewest} rows")
UNDEFINED_UNITS = Template(
    "undefined_units", "{n} in which some model has none ({unit} {label:label}, {model:model})"
)
NOTE_NRMSE = Template(
    "nrmse_divisor", "NRMSE is RMSE divided by {score_range:g}, the width of the score"
)
NOTE_RATIOS = Template(
    "ratios_of_errors",
    "ratios of errors ('/') are below 1 where the first errs less; their intervals and tests, "
    "against 1, are of the logarithm",
)()
NOTE_FOLDS = Template(
    "averages_over_folds",
    "correlation, concordance and R2, pooled and between subjects, are averages of those within "
    "folds ({fold}); errors and what is within subjects are over all folds",
    report="correlation, concordance and R², pooled and between subjects, are averages of those "
    "within folds ({fold}); errors and what is within subjects are over all folds",
)
NOTE_FOLDS_TOO = Template(
    "more_averages_over_folds",
    "correlation, concordance and R2, pooled and between subjects, are averages of those within "
    "folds ({fold}) (so is {metrics}); errors and what is within subjects are over all folds",
    report="correlation, concordance and R², pooled and between subjects, are averages of those "
    "within folds ({fold}) (so is {metrics}); errors and what is within subjects are over all "
    "folds",
)
NOTE_FOLDS_CLASSES = Template(
    "average_of_auc_over_folds",
    "AUC is the average of those within folds ({fold}); metrics of predicted classes, and Brier's "
    "score, are over all folds",
)
OWN_METRIC = Template("metric_by_name", "{metric:metric}")
NOTE_DROPPED = Template(
    "rows_without_prediction",
    "{n_dropped:count row, was, were} left out because the truth or a prediction is missing",
)
NOTE_OWN_ROWS = Template("model_lacks_rows", "{name:model} lacks rows: {judged} of the {used} rows")
NOTE_OWN_ALL = Template(
    "own_rows_over_all",
    "rows of a context called 'all' are taken as those over all contexts; nothing was computed "
    "over all rows of the table",
)()
NOTE_DIFFERENT_CRITERIA = Template(
    "marked_different_criteria",
    "differences marked 'different criteria' compare models judged by different truths",
)()
NOTE_DIFFERENT_ROWS = Template(
    "marked_different_rows",
    "differences marked 'different rows' compare models judged on different rows",
)()

# Why a metric has no value.
NO_ERRORS = Template("no_errors_no_ratio", "{model:model} makes no error here: no ratio")
NO_COMMON_ROW = Template("no_common_row", "no row has both {prediction:model} and {truth:model}")
IN_FOLD = Template("undefined_in_fold", "{reason} in fold {fold:label}")
TORN_FOLDS = Template(
    "subjects_in_several_folds",
    "subjects are in several folds here, each by context, so that a subject's rows are of several "
    "models: see the contexts",
)()
OF_LEFT_OUT = Template(
    "prediction_of_left_out_truth",
    "prediction {prediction:model} is the mean truth of the other subjects, or rises with it: so "
    "predicts, over folds, a model that learned nothing, and its {below} for that alone; name the "
    "folds with {fold=}",
    report="prediction {prediction:model} is the mean truth of the other subjects, or rises with "
    "it: so predicts, over folds, a model that learned nothing, and its {below} for that alone",
)
BELOW_ZERO = Template("correlation_below_zero", "correlation is below 0")()
AUC_BELOW_HALF = Template("auc_below_half", "AUC is below 1/2")()
SINGLE_IN_FOLD = Template(
    "single_subject_in_fold",
    "fold {fold:label} holds a single subject (leave-one-out): no model predicts two subjects, so "
    "that nothing compares them but the left-out truth; predict in folds of several subjects, or "
    "ask for {metric:metric}",
    report="fold {fold:label} holds a single subject (leave-one-out): no model predicts two "
    "subjects, so that nothing compares them but the left-out truth",
)
SINGLE_WITHOUT_WITHIN = Template(
    "single_subject_in_fold_alone",
    "fold {fold:label} holds a single subject (leave-one-out): no model predicts two subjects, so "
    "that nothing compares them but the left-out truth; predict in folds of several subjects",
    report="fold {fold:label} holds a single subject (leave-one-out): no model predicts two "
    "subjects, so that nothing compares them but the left-out truth",
)
FEW_IN_FOLD = Template(
    "few_subjects_in_fold",
    "fold {fold:label} holds {subjects} subjects, too few for {metric:metric} (4, so that 3 remain "
    "where one is left out)",
)
STILL_PREDICTION = Template("prediction_does_not_vary", "prediction {name:model} {how}")
STILL_TRUTH = Template("truth_does_not_vary", "truth {name:model} {how}")
IS_CONSTANT = Template("is_constant", "is constant")()
NOT_VARYING = Template("does_not_vary", "does not vary {part} subjects")
VARIES_LITTLE = Template(
    "varies_too_little",
    "varies so little{where} beside its size that rounding of its values could move the "
    "correlation by more than .001; subtract one number from truth and predictions alike, before "
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
    "no row is {label:label}, nor is predicted to be by {prediction:model}",
)
NOT_FINITE = Template(
    "function_not_finite",
    "{metric:metric} is {value} on these rows",
    report="{metric:metric} has no finite value on these rows",
)
NO_UNIT = Template(
    "no_unit_has_a_value", "no {unit} has a value of {metric:metric} for {model:model}"
)
