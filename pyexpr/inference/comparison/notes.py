"""What the notes and reasons of comparisons say."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTE_LEVELS = Template(
    "levels_not_tested",
    "levels of RMSE, NRMSE, MAE and R2 are not tested; differences are, against 0",
    report="levels of RMSE, NRMSE, MAE and R² are not tested; differences are, against 0",
)()
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
    "predicts, over folds, a model that learned nothing, and its correlation is below 0 for that "
    "alone; name the folds with {fold=}",
    report="prediction {prediction:model} is the mean truth of the other subjects, or rises with "
    "it: so predicts, over folds, a model that learned nothing, and its correlation is below 0 for "
    "that alone",
)
SINGLE_IN_FOLD = Template(
    "single_subject_in_fold",
    "fold {fold:label} holds a single subject (leave-one-out): no model predicts two subjects, so "
    "that nothing compares them but the left-out truth; predict in folds of several subjects, or "
    "ask for {metric:metric}",
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
