"""What the notes and reasons of coefficients say."""

from __future__ import annotations

from pyexpr.base.messages import Template, say

# What tables and sentences of the report say already, in its own words.
NOTE_WEIGHTS = Template(
    "weights_are_described",
    "{column estimate}, {column boot_std_error}, {column procedure_low} and "
    "{column procedure_high} describe the regularised weights and how the procedure varies "
    "over subjects; they are no test",
    report="",
)()
NOTE_SLOPES = Template(
    "slopes_are_tested",
    "{column tested_estimate} and what follows it are slopes per standard deviation pooled within "
    "contexts; only these are tested",
    report="",
)()
NOTE_OWN_INTERCEPTS = Template(
    "own_intercepts",
    "slopes over all are within contexts: each context has an intercept of its own",
)()
NOTE_ONE_INTERCEPT = Template(
    "one_intercept",
    "slopes over all have one intercept, so that differences between the means of contexts are "
    "part of them",
)()
NOTE_DESPARSIFIED = Template(
    "desparsified_slopes",
    "slopes are desparsified, not least squares: {why}{alike}; their standard errors come from "
    "refits without each subject in turn",
)
ASKED_FOR = Template("asked_for", "asked for")()
NOTE_POOLED = Template(
    "tests_of_pooled_labels",
    "tests and the weights over all are of {call y_pooled}, other weights of {call y}",
    report="tests, and the weights over all contexts, are of the pooled factor scores, other "
    "weights of each context's own scores",
)()
NOTE_DROPPED = Template(
    "rows_without_feature",
    "{n_dropped:count row, was, were} left out: a feature or the label is missing",
)
OTHER_WEIGHTS = Template(
    "not_the_models_weights",
    "the weights of {models} are not the model's: it was fitted on other rows or, with "
    "{retune=True}, has another penalty",
    report="the weights of {models} are not the model's: it was fitted on other rows or has "
    "another penalty",
)
MANY_FEATURES = Template("many_features", "{features} features for {subjects} subjects {where}")
COLLINEAR = Template("nearly_collinear", "features are nearly collinear {where}")
IN_CONTEXT = Template("in_context", "in context {context:label}")
METHODS_APART = say(
    "weights are described by percentiles of refits, and slopes tested by Student's t with the "
    "variance that {cr=} names; {tests=} chooses how slopes are estimated"
)

# Why a number is missing.
NO_VARIATION = Template("no_variation", "no variation between subjects to judge by")()
NEEDS_ONE = Template("needs_one_subject", "undefined without one of the subjects")()
OF_WEIGHTS = Template("of_weights", "weights: {reason}")
IN_A_CONTEXT = Template("in_a_context", "in a context, {reason}")
TOO_FEW_SUBJECTS = Template("too_few_for_test", "too few subjects for this test")()
NO_SLOPE = Template("constant_feature", "the feature is constant here")()
DEPENDENT = Template(
    "dependent_feature",
    "the feature is a linear combination of the others here: leave one of them out",
)()
NOT_CONVERGED = Template(
    "elastic_net_not_converged",
    "the elastic net on all rows did not converge: look for nearly collinear features, or use a "
    "larger alpha",
)()
NO_REPLICATES = Template("no_replicates", "no replicates were made")()
ONE_REPLICATE = Template("one_replicate", "one replicate gives no standard error")()
LEVERAGE = Template(
    "leverage_of_one_subject",
    "subject {subject:label} has {share:percent} of the slope's leverage, so that nothing shows "
    "how it varies between subjects",
)
DIFFERENT_LABELS = Template(
    "weights_of_different_labels", "the contexts' weights are of different labels"
)()
DIFFERENT_PENALTIES = Template(
    "weights_of_different_penalties", "the contexts' weights have different penalties"
)()
