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
)
EXACT = Template(
    "components_no_residual", "the effects explain the ratings completely: the residual is 0"
)()
AT_BOUND = Template("components_at_bound", "boundary: the variance is estimated as 0")()
NOT_CONVERGED = Template(
    "components_not_converged", "REML did not converge, so the variances are not reported"
)()
