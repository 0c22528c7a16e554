"""Notes of coefficients of agreement, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template, say

NO_PAIRS = Template(
    "agreement_needs_two_ratings",
    "no target has two ratings, so that agreement cannot be observed",
)()
ONE_CATEGORY = Template(
    "agreement_one_category",
    "all ratings fall into one category, so that agreement beyond chance is undefined",
)()
NEVER_USED = Template("category_never_used", "no rating falls into this category")()
NO_PAIRS_HERE = Template(
    "category_without_pairs", "no target with this category has a second rating"
)()
ONE_UNIT = Template("agreement_one_unit", "there is only one {unit}, so there is no interval")
UNDEFINED_WITHOUT = Template(
    "agreement_undefined_without_one",
    "the coefficient is undefined if one of the {units} is left out, so there is no interval",
)
NO_CHANGE = Template(
    "agreement_no_spread", "leaving out a {unit} changes nothing, so there is no interval"
)
UNDEFINED_DRAWS = Template(
    "agreement_undefined_draws",
    "the coefficient or its standard error is undefined in {undefined} of {n_boot} replicates",
)
NOTE_JACKKNIFE = Template(
    "agreement_jackknife",
    "the interval comes from leaving out one {unit} at a time; {column statistic} and "
    "{column p_value} are the t test of the hypothesis that the coefficient is 0",
    report="the interval comes from leaving out one {unit} at a time",
)
NOTE_BOOTSTRAP = Template(
    "agreement_bootstrap_t",
    "the interval is the bootstrap-t of {n_boot} replicates of {units}; {column p_value} "
    "tests the hypothesis that the coefficient is 0",
    report="the interval is the bootstrap-t of {n_boot} replicates of {units}",
)
NOTE_RATERS_FIXED = Template(
    "agreement_raters_fixed",
    "the intervals refer to these raters and further {thing targets}; they do not account for the "
    "sampling of raters",
)()
NOTE_NO_RATERS = Template(
    "agreement_raters_unknown",
    "{raters=} was not given, so {names} is left out, which requires the rater of each rating",
    # Studies do not compute it.
    report="",
)
NOTE_SINGLE = Template(
    "agreement_single_ratings",
    "{single:count target, has, have} one rating, which shows how often each category is used, "
    "but not agreement",
)
NOTE_RARE = Template(
    "agreement_rare_category",
    "a category holds under 10 % of the ratings of fewer than 30 {units}: the intervals of "
    "chance-corrected coefficients then cover about 90 % instead of 95 %",
)
NOT_ADJUSTED = say(
    "their p-values test whether a coefficient is 0, and are not adjusted for multiple tests; for "
    "simultaneous intervals of m coefficients use {call confidence=1 - 0.05/m}"
)
