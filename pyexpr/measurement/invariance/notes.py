"""Notes and reasons of tests of invariance."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTHING_CONSTRAINED = Template("nothing_held", "no parameters are constrained to be equal")()
NEEDS_EVERYONE = Template("needs_every_subject", "undefined if any of the subjects is left out")()
TEST_SHOWN = Template("f_test_shown", "F({df1}, {df2:g}) = {statistic:.2f}, {p_value:p}")
# Only if the result is available, and not only its tables.
SEE_CONTRASTS = Template("see_contrasts", "; see {table contrasts}", report="")()
SEE_INTERVALS = Template("see_intervals", "; see the intervals of {table contrasts}", report="")()
DIFFER = Template("contexts_differ", "{level}: the {what} differ between contexts ({test}){see}.")
NO_EVIDENCE = Template(
    "no_evidence_of_difference",
    "{level}: no evidence that the {what} differ ({test}), which is not evidence that they are "
    "equal{see}.",
)
PRESUMES_LOADINGS = Template(
    "scalar_presumes_loadings",
    "The scalar test assumes equal loadings, which the metric test rejects.",
)()
NOT_TESTED = Template(
    "invariance_undefined", "The jackknife tests are undefined for these data: {reason}."
)
WITHOUT_SOME = Template(
    "refits_without_solution",
    "Without {n_undefined} of {n_subjects} subjects some context has no solution.",
)
LITTLE_POWER = Template(
    "little_power", "There are only {n_subjects} subjects: the tests have little power."
)
SIGNS_DIFFER = Template(
    "ratios_differ_in_sign",
    "The loadings of {odd}, as ratios to that of {reference:label}, differ in sign between "
    "contexts: these ratios are compared without logarithms.",
)
HEYWOOD = Template("heywood", "In {groups} a residual variance is not positive (Heywood case).")
FREE_EVERYWHERE = Template(
    "free_everywhere",
    "Free in every context: loadings of {loadings}, intercepts of {intercepts}.",
)
NOTE_LAVAAN = Template(
    "contexts_as_independent",
    "The columns {column lavaan_*} come from lavaan, which treats contexts as independent. If "
    "contexts share subjects, its tests do not have the nominal size.",
    report="Changes in fit come from lavaan, which treats contexts as independent. If contexts "
    "share subjects, its tests do not have the nominal size.",
)()
NOTE_CUTOFFS = Template(
    "customary_cutoffs",
    "Customary cut-offs for lavaan's changes in fit (Chen, 2007): a decrease of CFI by more "
    "than .010, with an increase of RMSEA by .015 or of SRMR by .030 (metric) or .010 "
    "(scalar). They come from simulations of independent groups with hundreds of cases, and "
    "are not tests.",
)()
LAVAAN_EMPTY = Template("lavaan_empty", "lavaan's columns are empty: {reason}.")
LAVAAN_LEVEL = Template("lavaan_without_level", "lavaan's {level} model: {reason}.")
LAVAAN_NOT_USED = Template(
    "lavaan_not_asked",
    "{engine='native'}: lavaan was not used",
    report="lavaan was not used",
)()
# Why there is no test.
UNDEFINED_WITHOUT = Template(
    "contrasts_undefined_without",
    "the contrasts are undefined without {undefined} of {n_subjects} subjects",
)
TOO_FEW_SUBJECTS = Template(
    "contrasts_need_subjects", "{contrasts} contrasts need at least {needed} subjects"
)
NO_CHANGE = Template(
    "contrast_without_change", "some contrast does not change if subjects are left out"
)()
DEPENDENT = Template(
    "contrasts_dependent", "the contrasts are not linearly independent over subjects"
)()
OTHER_MODEL = Template(
    "tests_of_one_factor",
    "they are available only for one factor with free loadings; only lavaan's tests are given",
)()
INCOMPLETE = Template(
    "tests_need_complete_rows",
    "they require complete rows, and {missing='fiml'} keeps incomplete ones",
    report="they require complete rows",
)()
