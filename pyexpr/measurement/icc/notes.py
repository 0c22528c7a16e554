"""What the notes of intraclass correlations say."""

from __future__ import annotations

from pyexpr.base.messages import Template

# The table of the report has no test.
NOTE_TEST = Template(
    "icc_tests_targets",
    "{column statistic} and {column p_value} test that targets do not differ (MSB/MSW or "
    "MSR/MSE), not raters",
    report="",
)()
NOTE_CLUSTER = Template(
    "icc_jackknife",
    "the interval comes from leaving out one subject at a time; {column statistic} and "
    "{column p_value} are the t test, on {column df1} degrees of freedom, that the ICC is 0 "
    "(fewer than subjects - 1 where some subjects stand out)",
    report="the interval comes from leaving out one subject at a time",
)()
NOTE_BOTH = Template(
    "icc_raters_count",
    "the interval of the agreement forms respects raters, too, who count as so many values as "
    "there are raters; its {column p_value} goes with it and has no statistic",
    report="the interval of the agreement forms respects raters, too, who count as so many values "
    "as there are raters",
)()
NOTE_BOOTSTRAP = Template(
    "icc_bootstrap_t",
    "the interval is the cluster bootstrap-t of {n_boot} replicates of whole subjects; "
    "{column p_value} tests that the ICC is 0 (statistic: -log(1 - ICC) over its error by the "
    "jackknife)",
    report="the interval is the cluster bootstrap-t of {n_boot} replicates of whole subjects",
)
NOTE_MISSING = Template("missing_ratings", "{missing:count missing rating, was, were} left out")
NOTE_SINGLE = Template(
    "one_single_rating",
    "{single:count target, has, have} one rating: it counts in the mean square between "
    "{thing targets} and adds nothing to the one within",
)
NOTE_SINGLES = Template(
    "single_ratings",
    "{single:count target, has, have} one rating: they count in the mean square between "
    "{thing targets} and add nothing to the one within",
)
NOTE_UNEQUAL = Template(
    "unequal_ratings",
    "{thing targets} have unequal numbers of ratings: ICC(1,k) is the reliability at the effective "
    "number k = n0{elsewhere}",
)
# What holds where there is the result and not only its table.
MEANS_ELSEWHERE = Template(
    "means_elsewhere",
    "; {table mean_reliability} gives that of the means used",
    report="",
)()
NOTE_NO_RATERS = Template(
    "raters_unknown",
    "{raters=} was not given, so only the one-way forms are shown: the two-way forms need to know "
    "who gave each rating",
    # Which forms need raters is no question there: only the one-way form is asked for.
    report="",
)()
NOTE_TWO_WAY = Template(
    "labels_of_raters",
    "the agreement and consistency forms hold only if a rater's label is the same person "
    "throughout; slots 1, 2, ... filled by changing people are not",
)()
NOTE_REML = Template(
    "icc_by_reml",
    "cells of the table of {thing targets} by raters are missing: its agreement and consistency "
    "forms come from variance components by REML (average forms at the harmonic mean of the "
    "numbers of ratings); there is no F test",
)()
NOTE_DELTA = Template(
    "icc_delta_method",
    "with missing cells the interval is by the delta method on log(1/(1 - ICC))",
)()
NOTE_SHARED = Template(
    "targets_share_subjects",
    "several targets belong to one subject and the intervals treat targets as independent, so "
    "they are too narrow: {cluster='subject'} respects subjects",
    report="several clips belong to one subject and the intervals treat clips as independent, so "
    "they are too narrow",
)()
NOTE_RATERS = Template(
    "one_way_and_raters",
    "no interval of a one-way form respects raters who rate many {thing targets} each",
)()
PROJECTED = Template(
    "spearman_brown",
    "the projection (Spearman-Brown) assumes further raters like those at hand, and "
    "{thing targets} as varied",
)()
NOT_JUDGED_TOGETHER = Template(
    "iccs_not_judged_together",
    "their p-values test that an ICC is 0, which nobody asks of several together; for intervals "
    "of m ICCs that hold at once give {call confidence=1 - 0.05/m}",
    report="",
)()
