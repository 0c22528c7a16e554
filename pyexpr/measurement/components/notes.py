"""Notes and reasons of variance components, and of the studies planned from them."""

from __future__ import annotations

from pyexpr.base.messages import Template

FEW_SUBJECTS = Template(
    "components_few_subjects",
    "an interval requires at least {fewest} levels of the object of measurement",
)
FEW_LEVELS = Template(
    "components_few_levels", "the effect has too few levels to tell how far it varies"
)()
NO_REPLICATE = Template(
    "components_undefined_without_one",
    "the estimate is undefined if one of the objects of measurement is left out, so there is no "
    "interval",
)()
ERROR_AT_BOUND = Template(
    "components_error_at_bound",
    "the error variance is estimated as 0 or below if one of the objects of measurement is left "
    "out, so there is no interval",
)()
TOO_LARGE = Template(
    "components_too_large", "there are too many levels for leaving out each object in turn"
)()
ALIKE = Template(
    "components_alike",
    "the ratings do not separate the variances of {names}; leave one of them out of {effects=}",
    report="the ratings do not separate the variances of {names}",
)
EXACT = Template(
    "components_no_residual", "the effects explain the ratings completely: the residual is 0"
)()
AT_BOUND = Template("components_at_bound", "boundary: the variance is estimated as 0")()
NOT_CONVERGED = Template(
    "components_not_converged", "REML did not converge, so the variances are not reported"
)()
NOT_ADJUSTED = Template(
    "components_not_adjusted",
    "the table has no p-values; for simultaneous intervals of m quantities use "
    "{call confidence=1 - 0.05/m}",
    report="",
)()
NOTE_REML = Template(
    "components_reml",
    "variances are estimated by REML, none below 0; {column share} is the share of an effect in "
    "the variance of a single rating",
    report="variances are estimated by REML, none below 0",
)()
NOTE_RESIDUAL = Template(
    "components_residual",
    "the residual includes {names}, which the ratings do not separate from it",
)
NOTE_OUTER = Template(
    "components_outer",
    "the intervals of {names} assume a normal distribution, and are wide with few levels",
)
NOTE_MEANS = Template(
    "components_means",
    "{column conf_low} and {column conf_high} assume that the numbers of levels are chosen, and "
    "that further levels are like those in the ratings",
    report="the intervals assume that further levels are like those in the ratings",
)()
NOTE_SEM = Template(
    "components_sem",
    "{column sem} is the standard error of measurement, and {column mdc} the smallest difference "
    "between two scores of an object that exceeds their error with {confidence:g} % confidence",
    report="the minimal detectable change is the smallest difference between two scores that "
    "exceeds their error with {confidence:g} % confidence",
)
NOTE_FIXED = Template(
    "components_fixed",
    "the levels of {names} are fixed: the score refers to these levels, not to others like them",
)
NO_VARIANCE = Template(
    "components_no_variance", "all variances of the coefficient are estimated as 0"
)()
NOT_REACHED = Template(
    "components_not_reached", "none of the designs reaches {target:g}; try larger numbers"
)
