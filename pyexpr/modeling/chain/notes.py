"""Notes of a resampled analysis."""

from __future__ import annotations

from pyexpr.base.messages import Template

WHAT = Template(
    "chain_what",
    "one subject is left out, or subjects are drawn, once, and every step is computed again: "
    "reliability, factor model, scores, scaling, tuning, models and metrics; the intervals of "
    "models refer to the procedure, fitted to about {fitted} of {subjects} subjects",
)
FIXED = Template(
    "chain_fixed",
    "{column fixed_error}, {column fixed_low} and {column fixed_high} are those of the usual "
    "comparison, which takes scores and models as given; {column error_ratio} is the standard "
    "error of the whole analysis divided by that one. Reliability and factor models come first, so "
    "nothing before them could be taken as given",
    report="the fixed limits take scores and models as given; reliability and factor models come "
    "first, so nothing before them could be taken as given",
)()
FEWER_DISTINCT = Template(
    "chain_fewer_distinct",
    "a draw has about 63 % of the subjects, so its models are worse than those of all subjects and "
    "percentile intervals are shifted towards worse performance",
)()
UNRATED = Template(
    "chain_unrated", "{n:count row, was, were} left out because the clip has no ratings"
)
WITHOUT_FEATURES = Template(
    "chain_without_features",
    "{n:count rated clip, has, have} no row of features: its ratings enter reliability and factor "
    "model only",
)
INCOMPLETE = Template(
    "chain_incomplete", "{n:count row, is, are} left out of the models: {reasons}"
)
UNDEFINED = Template(
    "chain_undefined",
    "in {n} of {n_boot} draws some quantity is undefined, mostly because a factor model has no "
    "proper solution; these draws are left out of its interval",
)
