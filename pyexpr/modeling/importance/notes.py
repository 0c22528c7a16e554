"""Notes of the importance of features, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

OF_FITTED = Template(
    "importance_of_fitted",
    "the intervals refer to the fitted models: they count the subjects on whom the models are "
    "tested, and take the models as given; {interval_for='procedure'} counts the subjects of "
    "training, too",
    report="the intervals refer to the fitted models: they count the subjects on whom the models "
    "are tested, and take the models as given",
)()
OF_MODELS = Template(
    "importance_of_models",
    "the intervals refer to the fitted models: they count the subjects of these rows, to which the "
    "models must not have been fitted, and take the models as given",
)()
OF_PROCEDURE = Template(
    "importance_of_procedure",
    "the intervals refer to the procedure: every subject in turn was left out of testing and of "
    "training, and the models were fitted again; the estimates are those of the fitted models",
)()
NOTE_ROWS = Template(
    "importance_rows",
    "each clip is given the values of clips of other subjects in the same context{fold}: the "
    "importance of all variation, between and within subjects",
)
NOTE_WITHIN = Template(
    "importance_within",
    "each clip is given the values of other clips of the same subject in the same context: the "
    "importance of the variation within subjects",
)()
NOTE_SUBJECTS = Template(
    "importance_subjects",
    "each subject's mean in the context is replaced by that of another subject{fold}, and its "
    "deviations from the mean are kept: the importance of the variation between subjects",
)
AND_FOLD = Template("importance_and_fold", " and fold")()
NOTE_DONORS = Template(
    "importance_donors",
    "each clip is predicted with the values of up to {n} others; {n_repeats='all'} takes all of "
    "them",
    report="each clip is predicted with the values of up to {n} others",
)
NOTE_OUTSIDE = Template(
    "importance_outside",
    "{share:.2g} % of the exchanged values of {name:label} lie outside the range of its observed "
    "values, where the model was not fitted",
)
NOTE_APART = Template(
    "importance_correlated",
    "{first:label} and {second:label} correlate by {r:.2f} and are exchanged separately: each can "
    "seem unimportant because the model has the other; {groups='correlated'} exchanges them "
    "together",
    report="{first:label} and {second:label} correlate by {r:.2f} and are exchanged separately: "
    "each can seem unimportant because the model has the other",
)
NOTE_CARRIERS = Template(
    "importance_few_carriers",
    "the variation of {term:label} between subjects{where} is worth that of {worth:.1f} subjects "
    "with equal variation. In simulated studies with skewed features, {level:percent} intervals of "
    "variation between subjects covered as little as {least}; treat them as too short if few "
    "subjects have much higher values than the others",
)
NOTE_FEW = Template(
    "importance_rows_without_donors",
    "{n:count row, is, are} left out before and after the exchange: {why}",
)
WHY_FEW_SUBJECTS = Template(
    "importance_few_subjects",
    "there are fewer than 3 subjects in the same context{fold}",
)
WHY_ONE_CLIP = Template(
    "importance_one_clip", "the subject has no other clip in the same context{fold}"
)
NOTE_INCOMPLETE = Template("importance_incomplete", "{n:count row, is, are} left out: {reasons}")
NOTE_OTHER_FIT = Template(
    "importance_other_fit",
    "model {name:model} gave other predictions when it was fitted again; its importance is that "
    "of the models fitted last, which a fixed random_state would prevent",
)
NOTE_UNITS = Template(
    "importance_units",
    "an importance is in units of the metric: it can differ between contexts because the scores or "
    "the features vary more in one of them",
)()
NOTE_CONTRASTS = Template(
    "importance_contrasts",
    "a row states by how much the importance is larger in the first {what} than in the second; a "
    "family of adjusted tests consists of all pairs of {whats} of one {of}",
)
CONSTANT_PREDICTION = Template(
    "importance_constant", "the truth or the prediction does not vary among the rows{fold}"
)
OF_SOME_FOLD = Template("importance_of_some_fold", " of some fold")()
NO_ROWS = Template("importance_no_rows", "no row has another one with which to exchange values")()
CLASS_ABSENT = Template(
    "importance_class_absent",
    "some class does not occur among the rows, or everything is of one class",
)()
FEW_CARRIERS = Template(
    "importance_too_few_carriers",
    "the variation that is exchanged comes from few subjects: it is worth that of {worth:.1f} "
    "subjects with equal variation, and an interval needs {least:g}",
)
NOTHING_EXCHANGED = Template(
    "importance_nothing_exchanged",
    "no value differs from those for which it is exchanged, so nothing is known about the "
    "importance",
)()
SAME_CLASSES = Template(
    "importance_same_classes",
    "the exchange changes the predicted class of no clip, so the variation cannot be estimated; "
    "log loss and Brier's score show smaller changes",
)()
IN_CONTEXT = Template("importance_in_context", "in context {context:label}, {why}")
OF_FEATURE = Template("importance_of_feature", "for {term:label}, {why}")
