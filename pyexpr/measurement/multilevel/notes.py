"""Notes and reasons of multilevel ICCs."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTE_LEVELS = Template(
    "multilevel_levels",
    "{column level} is what is told apart: a target among those of its subject, a subject by its "
    "mean over very many targets (only raters are error), or by its mean over few targets",
    # This note is not used in studies, which do not compute the quantity.
    report="",
)()
TOO_FEW_LEVELS = Template(
    "multilevel_too_few_levels",
    "the variances cannot be separated; several subjects, several targets of a subject and several "
    "raters are required",
)()
NOTE_NESTED_SUBJECTS = Template(
    "multilevel_nested_in_subjects",
    "each rater rated one subject only, which does not separate raters from subjects: the ICCs of "
    "the level subject and the consistency of means of subjects cannot be estimated",
)()
NOTE_NESTED_TARGETS = Template(
    "multilevel_nested_in_targets",
    "the variance of raters cannot be separated from error, so only the one-way forms can be "
    "estimated",
)()
NOTE_Q = Template(
    "multilevel_q",
    "ICC(Q,k) is for comparing means of partly different raters: q, the share of the variance of "
    "raters that remains in a difference, is between that of ICC(C,k), 0, and of ICC(A,k), 1/k",
)()
NOTE_RATERS_NORMAL = Template(
    "multilevel_raters_normal",
    "the intervals of the agreement forms assume that raters are a random sample of normally "
    "distributed severity, and are wide with few raters",
)()
NOTE_FEW = Template(
    "multilevel_few_subjects",
    "with fewer than 20 subjects the intervals are less accurate (docs/coverage_components.md)",
    report="with fewer than 20 subjects the intervals are less accurate",
)()
