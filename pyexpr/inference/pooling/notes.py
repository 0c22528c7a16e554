"""Notes of pooled slopes, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template, say

NOT_ADJUSTED = say(
    "pooling draws the slopes of contexts together instead; the test that a feature's slope is the "
    "same in all contexts is in {table variation()}"
)
NO_TUNING = "the slopes are those of a multilevel model and have no penalty"
NO_DRAWS = "the intervals require no draws"
FEW_SUPPORTED = Template(
    "pooling_few_supported_contexts",
    "fewer than {fewest} contexts have a slope that several subjects determine, so that nothing "
    "shows how far it differs between contexts",
)
NO_SPREAD = Template(
    "pooling_no_spread", "boundary: the slopes are estimated not to differ between contexts"
)()
NOTE_MODEL = Template(
    "pooling_model",
    "slopes are in units of the label per standard deviation of the feature pooled within "
    "contexts; a feature's slopes are assumed to be normally distributed over contexts",
)()
NOTE_ESTIMATES = Template(
    "pooling_estimates",
    "{column estimate} is the slope drawn towards the common slope, {column separate_estimate} "
    "that of the context alone with the same weights of subjects",
    report="the pooled slope is drawn towards the common slope; the separate slope is that of the "
    "context alone",
)()
NOTE_INTERVALS = Template(
    "pooling_intervals",
    "the intervals hold on average over the contexts, and not for a context chosen because its "
    "slope differs most from the others",
)()
NOTE_FEW_CONTEXTS = Template(
    "pooling_few_contexts",
    "with {n:count context}, little is known about how far slopes differ: the intervals of the "
    "common slope and of the spread are wide, and pooling gains little",
)
NOTE_SUBJECTS = {
    "intercepts": Template(
        "pooling_intercepts", "in the model, subjects differ in their intercepts"
    )(),
    "slopes": Template(
        "pooling_subject_slopes", "in the model, subjects differ in their intercepts and slopes"
    )(),
    "contexts": Template(
        "pooling_subjects_in_contexts",
        "in the model, subjects differ in their intercepts and slopes, also in single contexts",
    )(),
}
