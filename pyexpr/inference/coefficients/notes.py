"""Notes and reasons of coefficients."""

from __future__ import annotations

from pyexpr.base.messages import Template, say

# Notes whose content the tables and sentences of the report already state.
NOTE_WEIGHTS = Template(
    "weights_are_described",
    "{column estimate}, {column boot_std_error}, {column procedure_low} and "
    "{column procedure_high} describe the regularised weights and their variation over "
    "resampled subjects; they are not a test",
    report="",
)()
NOTE_SLOPES = Template(
    "slopes_are_tested",
    "{column tested_estimate} and the columns after it refer to slopes per standard deviation "
    "pooled within contexts; only these are tested",
    report="",
)()
NOTE_OWN_INTERCEPTS = Template(
    "own_intercepts",
    "slopes over all contexts are those within contexts: each context has its own intercept",
)()
NOTE_ONE_INTERCEPT = Template(
    "one_intercept",
    "slopes over all contexts have one intercept, so differences between the means of contexts "
    "contribute to them",
)()
NOTE_DESPARSIFIED = Template(
    "desparsified_slopes",
    "slopes are desparsified, not least squares: {why}{alike}; their standard errors come from "
    "refits without each subject in turn",
)
REQUESTED = Template("requested", "requested")()
NOTE_POOLED = Template(
    "tests_of_pooled_labels",
    "tests and the weights over all contexts use {call y_pooled}; the weights of single "
    "contexts use {call y}",
    report="tests and the weights over all contexts use the pooled factor scores; the weights of "
    "single contexts use the scores of their context",
)()
NOTE_DROPPED = Template(
    "rows_without_feature",
    "{n_dropped:count row, was, were} left out because a feature or the label is missing",
)
OTHER_WEIGHTS = Template(
    "not_the_models_weights",
    "the weights of {models} differ from those of the model, which was fitted to other rows "
    "or, with {retune=True}, has another penalty",
    report="the weights of {models} differ from those of the model, which was fitted to other "
    "rows or has another penalty",
)
MANY_FEATURES = Template("many_features", "{features} features for {subjects} subjects {where}")
COLLINEAR = Template("nearly_collinear", "features are nearly collinear {where}")
IN_CONTEXT = Template("in_context", "in context {context:label}")
METHODS_APART = say(
    "weights are described by percentiles of refits, and slopes are tested by Student's t with "
    "the variance named in {cr=}; {tests=} determines how slopes are estimated"
)

# Reasons why a number is missing.
NO_VARIATION = Template("no_variation", "there is no variation between subjects")()
NEEDS_ONE = Template("needs_one_subject", "undefined if one of the subjects is left out")()
OF_WEIGHTS = Template("of_weights", "weights: {reason}")
IN_A_CONTEXT = Template("in_a_context", "in a context, {reason}")
TOO_FEW_SUBJECTS = Template("too_few_for_test", "too few subjects for this test")()
NO_SLOPE = Template("constant_feature", "the feature is constant")()
DEPENDENT = Template(
    "dependent_feature",
    "the feature is a linear combination of the others; leave one of them out",
)()
NOT_CONVERGED = Template(
    "elastic_net_not_converged",
    "the elastic net fitted to all rows did not converge; check for nearly collinear features, "
    "or use a larger alpha",
)()
NO_REPLICATES = Template("no_replicates", "there are no replicates")()
ONE_REPLICATE = Template("one_replicate", "one replicate gives no standard error")()
LEVERAGE = Template(
    "leverage_of_one_subject",
    "subject {subject:label} has {share:percent} of the slope's leverage, so its variation "
    "between subjects cannot be estimated",
)
DIFFERENT_LABELS = Template(
    "weights_of_different_labels", "the weights of the contexts refer to different labels"
)()
DIFFERENT_PENALTIES = Template(
    "weights_of_different_penalties", "the contexts' weights have different penalties"
)()
