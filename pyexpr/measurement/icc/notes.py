"""Notes of intraclass correlations."""

from __future__ import annotations

from pyexpr.base.messages import Template

# The table of the report has no test.
NOTE_TEST = Template(
    "icc_tests_targets",
    "{column statistic} and {column p_value} test whether targets differ (MSB/MSW or MSR/MSE), "
    "not whether raters differ",
    report="",
)()
NOTE_CLUSTER = Template(
    "icc_jackknife",
    "the interval comes from leaving out one subject at a time; {column statistic} and "
    "{column p_value} are the t test of the hypothesis that the ICC is 0, with {column df1} "
    "degrees of freedom (fewer than subjects - 1 if some subjects are outliers)",
    report="the interval comes from leaving out one subject at a time",
)()
NOTE_BOTH = Template(
    "icc_raters_count",
    "the interval of the agreement forms also accounts for the sampling of raters, with one "
    "independent value per rater; its {column p_value} corresponds to the interval and has no "
    "statistic",
    report="the interval of the agreement forms also accounts for the sampling of raters, with "
    "one independent value per rater",
)()
NOTE_BOOTSTRAP = Template(
    "icc_bootstrap_t",
    "the interval is the cluster bootstrap-t of {n_boot} replicates of whole subjects; "
    "{column p_value} tests the hypothesis that the ICC is 0 (statistic: -log(1 - ICC) divided "
    "by its jackknife standard error)",
    report="the interval is the cluster bootstrap-t of {n_boot} replicates of whole subjects",
)
NOTE_MISSING = Template("missing_ratings", "{missing:count missing rating, was, were} left out")
NOTE_SINGLE = Template(
    "one_single_rating",
    "{single:count target, has, have} one rating: it contributes to the mean square between "
    "{thing targets} but not to the mean square within {thing targets}",
)
NOTE_SINGLES = Template(
    "single_ratings",
    "{single:count target, has, have} one rating: they contribute to the mean square between "
    "{thing targets} but not to the mean square within {thing targets}",
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
    "{raters=} was not given, so only the one-way forms are computed: the two-way forms "
    "require the rater of each rating",
    # The report requests only the one-way form, which needs no raters.
    report="",
)()
NOTE_TWO_WAY = Template(
    "labels_of_raters",
    "the agreement and consistency forms are valid only if a rater's label denotes the same "
    "person throughout; slots 1, 2, ... that are filled by different people do not",
)()
NOTE_REML = Template(
    "icc_by_reml",
    "cells of the table of {thing targets} by raters are missing: the agreement and "
    "consistency forms are computed from variance components estimated by REML (average forms "
    "at the harmonic mean of the numbers of ratings); there is no F test",
)()
NOTE_DELTA = Template(
    "icc_delta_method",
    "with missing cells the interval is computed by the delta method on log(1/(1 - ICC))",
)()
NOTE_SHARED = Template(
    "targets_share_subjects",
    "several targets belong to one subject and the intervals treat targets as independent, so "
    "they are too narrow; {cluster='subject'} accounts for this",
    report="several clips belong to one subject and the intervals treat clips as independent, so "
    "they are too narrow",
)()
NOTE_RATERS = Template(
    "one_way_and_raters",
    "no interval of a one-way form accounts for raters who rate many {thing targets}",
)()
PROJECTED = Template(
    "spearman_brown",
    "the projection (Spearman-Brown) assumes that further raters are like those in the data, "
    "and that {thing targets} vary as much",
)()
NOT_ADJUSTED = Template(
    "iccs_not_judged_together",
    "their p-values test whether an ICC is 0, and are not adjusted for multiple tests; for "
    "simultaneous intervals of m ICCs use {call confidence=1 - 0.05/m}",
    report="",
)()
