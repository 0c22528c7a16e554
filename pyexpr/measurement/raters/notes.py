"""Notes of the diagnostics of raters, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

ALONE = Template(
    "rater_shares_no_target",
    "no {thing target} of this rater was rated by another rater",
)()
NOT_THREE = Template(
    "rater_error_needs_three",
    "the error of one rater can be told from that of another only with three raters who rated "
    "common {thing targets}",
)()
NEGATIVE = Template(
    "rater_error_negative",
    "the estimate of the error variance is negative ({variance:.3g}): the rater's error is too "
    "small to be told from 0",
)
FLAT = Template(
    "rater_does_not_vary",
    "the ratings of this rater, or the means of the others, do not vary over common "
    "{thing targets}",
)()
NO_ORDER = Template("rater_order_constant", "the order of this rater's ratings does not vary")()
NO_DRIFT = Template(
    "rater_drift_open",
    "the ratings do not tell this rater's drift from differences between {thing targets}",
)()
NO_ICC = Template(
    "icc_without_rater_undefined",
    "the ICC of all raters, or that without this rater, is undefined",
)()
TWO_RATERS = Template(
    "icc_without_rater_needs_three", "without this rater fewer than two raters are left"
)()
NOTE_BIAS = Template(
    "rater_bias_defined",
    "{column bias} is how much higher a rater rates than the mean of the raters, adjusted for the "
    "{thing targets} that each rated; negative values are those of severe raters",
    # Studies do not compute it, and so for the next.
    report="",
)()
NOTE_BLOCKS = Template(
    "raters_in_blocks",
    "{blocks} groups of raters share no {thing target}{where}: bias and drift compare a rater only "
    "with the raters of the same group (column {column block})",
    report="",
)
NOTE_DRIFT = Template(
    "rater_drift_defined",
    "drift is the change of a rater's bias per {unit}, less the mean drift of the raters; a drift "
    "that all raters share cannot be seen in it",
)
NOTE_ICC = Template(
    "icc_change_defined",
    "icc_change is {form} without the rater minus {form} of all raters: positive values are those "
    "of raters without whom the others agree more",
)
NOTE_UNIT = Template(
    "raters_resampled",
    "intervals refer to these raters and further {units}",
)
NOTE_FEW = Template(
    "raters_few_units",
    "there are only {n} {units}{where}: treat intervals from fewer than 20 as approximate",
)
NO_ERRORS = (
    "studentized intervals require a standard error within each replicate, which the diagnostics "
    "of raters do not have; use jackknife_t, percentile, basic, normal or bca"
)
