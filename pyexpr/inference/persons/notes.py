"""Notes of the slopes of persons, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

FEW_ROWS = Template(
    "persons_few_rows",
    "the subject has only {n:count row}; at least {fewest} are required (the number of contexts of "
    "the subject, plus 2, and {min_rows=})",
    report="the subject has only {n:count row}; at least {fewest} are required",
)
CONSTANT_SIGNAL = Template(
    "persons_constant_signal", "the signal does not vary within the subject (and context)"
)()
CONSTANT_SCORE = Template(
    "persons_constant_score", "the score does not vary within the subject (and context)"
)()
EXACT = Template(
    "persons_exact", "the correlation is 1 or -1, so that it has no finite transformation"
)()
FEW_SUBJECTS = Template(
    "persons_few_subjects",
    "at least {fewest} subjects with an estimate are required, and there are only {n}",
)
NO_HALVES = Template(
    "persons_no_halves",
    "fewer than {fewest} subjects have an estimate from both halves of their rows",
)
EXPLAINED = Template(
    "persons_errors_explain",
    "boundary: the estimates differ no more than their standard errors explain",
)()
NO_ERRORS = Template(
    "persons_no_errors", "the scores are explained without error, so that there is no interval"
)()
NOTE_SLOPES = Template(
    "persons_slopes",
    "slopes are in units of {score:label} per unit of {signal:label}",
)
NOTE_CORRELATIONS = Template(
    "persons_correlations",
    "correlations are averaged, shrunk and assessed as atanh(r); the mean and the shrunken values "
    "are transformed back, the standard deviation is not",
)()
NOTE_WITHIN = Template(
    "persons_within_contexts",
    "differences between the means of the contexts of a subject do not contribute",
)()
NOTE_RELIABILITY = Template(
    "persons_reliability",
    "reliability is the share of the variance between the estimates that is variance between "
    "persons; it refers to as many rows per person as there are",
)()
NOTE_SHRUNKEN = Template(
    "persons_shrunken",
    "{column shrunken} is drawn towards the mean; it predicts a person better, but has a smaller "
    "variance than the true values, and should not be correlated with other variables",
    report="shrunken values are drawn towards the mean; they predict a person better, but have a "
    "smaller variance than the true values, and should not be correlated with other variables",
)()
NOTE_DROPPED = Template(
    "persons_rows_left_out",
    "{n:count row, was, were} left out because the score or the signal is missing",
)
NOTE_SUBJECTS = Template(
    "persons_left_out",
    "{n:count subject, has, have} no estimate; the column {column reason} says why",
    report="{n:count subject, has, have} no estimate",
)
