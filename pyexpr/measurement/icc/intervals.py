"""From mean squares to intraclass correlations with intervals and tests.

Everything is expressed by a signal theta, the target variance over the error variance of one
rating. The reliability of the mean of k ratings is k theta / (1 + k theta) (Spearman-Brown), so a
form and its limits are stepped up and down together.

References
----------
McGraw, K. O. and Wong, S. P. (1996). Forming inferences about some intraclass correlation
coefficients. Psychological Methods, 1, 30-46, with the correction in 1, 390.
https://doi.org/10.1037/1082-989X.1.1.30
Wald, A. (1940). A note on the analysis of variance with unequal class frequencies. Annals of
Mathematical Statistics, 11, 96-100.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyexpr.base.checks import confidence_level, real_number, whole_number
from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template
from pyexpr.base.results import Result
from pyexpr.core.icc import OneWaySquares, TwoWaySquares, wald_limit
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.icc.forms import Form, find_form
from pyexpr.measurement.icc.plot import icc_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAN = math.nan
EPSILON = 2.0**-52

NO_RATINGS = Template("no_ratings", "there are no ratings")()
ONE_TARGET = Template("one_target", "there is only one {thing target}")()
ONE_RATING_EACH = Template(
    "one_rating_each",
    "every {thing target} has only one rating, so error cannot be separated from differences "
    "between {thing targets}",
)()
ALL_EQUAL = Template("all_equal", "all ratings are equal")()
NO_ERROR = Template(
    "no_error", "the ratings of a {thing target} never differ (error mean square 0)"
)()
NO_TARGETS = Template(
    "targets_alike",
    "the means of the {thing targets} do not differ (mean square 0), so there is no interval",
)()
NOTHING_LEFT = Template(
    "only_raters_differ", "{thing targets} and error have mean square 0: only raters differ"
)()
NOT_ENCLOSED = Template(
    "not_enclosed",
    "the approximation of the interval fails for these data: the interval does not contain the "
    "estimate",
)()
WALD_NOT_ENCLOSED = Template(
    "wald_not_enclosed",
    "Wald's exact interval does not contain the estimate, which is negative and comes from "
    "unequal numbers of ratings",
)()
NO_LOWER_LIMIT = Template(
    "no_lower_limit",
    "the lower limit for one rating is too negative for the Spearman-Brown formula, so there "
    "is no lower limit",
)()
NO_STEP_UP = Template(
    "no_step_up", "the estimate is too negative for the Spearman-Brown formula with k ratings"
)()


@dataclass(frozen=True, slots=True)
class Signal:
    """One family of forms (one-way, agreement, consistency) for one group of ratings.

    ``theta``, ``low`` and ``high`` are signals; ``statistic`` tests that targets do not
    differ; ``k`` is the number of ratings behind the average form.
    """

    theta: float
    low: float
    high: float
    statistic: float
    df1: float
    df2: float
    p_value: float
    k: float
    n_targets: int
    n_ratings: int
    method: str
    reason: str = ""


def f_quantile(probability: float, df1: float, df2: float) -> float:
    """Quantile of the F distribution, without the cost of `scipy.stats`."""
    from scipy.special import fdtri

    return float(fdtri(df1, df2, probability))


def f_tail(statistic: float, df1: float, df2: float) -> float:
    """Probability that F exceeds `statistic`; NaN for NaN."""
    if math.isnan(statistic):
        return NAN
    if statistic == math.inf:
        return 0.0
    from scipy.special import fdtrc

    return float(fdtrc(df1, df2, statistic))


def reliability_at(theta: float, k: float) -> float:
    """Reliability of the mean of k ratings: -inf at the pole, NaN beyond it."""
    if math.isinf(theta):
        return 1.0 if theta > 0 else NAN
    scale = 1 + k * theta
    if abs(scale) <= 4 * EPSILON:
        return -math.inf
    return k * theta / scale if scale > 0 else NAN


def signal_of(reliability: float, k: float) -> float:
    """Return theta from a reliability: the inverse of `reliability_at`."""
    return math.inf if reliability == 1 else reliability / (k * (1 - reliability))


def ratio(numerator: float, denominator: float) -> float:
    """Divide, with x / 0 = inf for x > 0 and 0 / 0 = NaN."""
    if denominator == 0:
        return math.inf if numerator > 0 else NAN
    return numerator / denominator


def _undefined(signal: Signal, reason: str) -> Signal:
    return replace(signal, theta=NAN, low=NAN, high=NAN, reason=reason)


def _f_limits(
    statistic: float, df1: float, df2: float, k: float, level: float
) -> tuple[float, ...]:
    upper = 1 - (1 - level) / 2
    low = statistic / f_quantile(upper, df1, df2)
    high = statistic * f_quantile(upper, df2, df1)
    return (low - 1) / k, (high - 1) / k


def one_way_signal(squares: OneWaySquares, confidence: float) -> Signal:
    """ICC(1,.) from its mean squares: the F interval if balanced, Wald's exact one if not."""
    df1 = float(squares.n_targets - 1)
    df2 = float(squares.n_ratings - squares.n_targets)
    between, within = squares.ms_between, squares.ms_within
    statistic = ratio(between, within)
    signal = Signal(
        theta=squares.signal,
        low=NAN,
        high=NAN,
        statistic=statistic,
        df1=df1,
        df2=df2,
        p_value=f_tail(statistic, df1, df2),
        k=squares.n0,
        n_targets=squares.n_targets,
        n_ratings=squares.n_ratings,
        method="F" if squares.balanced else "Wald",
    )
    if squares.n_ratings == 0:
        return _undefined(replace(signal, df1=NAN, df2=NAN), NO_RATINGS)
    if squares.n_targets == 1:
        return _undefined(signal, ONE_TARGET)
    if df2 == 0:
        return _undefined(signal, ONE_RATING_EACH)
    if within == 0:
        if between == 0:
            return _undefined(signal, ALL_EQUAL)
        return replace(signal, low=math.inf, high=math.inf, reason=NO_ERROR)
    if between == 0:
        return replace(signal, theta=-1 / squares.n0, reason=NO_TARGETS)
    if squares.balanced:
        low, high = _f_limits(statistic, df1, df2, squares.n0, confidence)
    else:
        tail = (1 - confidence) / 2
        low = wald_limit(squares, f_quantile(1 - tail, df1, df2))
        high = wald_limit(squares, f_quantile(tail, df1, df2))
    reason = "" if low <= signal.theta <= high else WALD_NOT_ENCLOSED
    return replace(signal, low=low, high=high, reason=reason)


def _two_way(two: TwoWaySquares, theta: float, method: str) -> Signal:
    n, k = two.n_targets, two.n_raters
    df1, df2 = float(n - 1), float((n - 1) * (k - 1))
    statistic = ratio(two.ms_targets, two.ms_error)
    p_value = f_tail(statistic, df1, df2)
    return Signal(theta, NAN, NAN, statistic, df1, df2, p_value, float(k), n, n * k, method)


def consistency_signal(two: TwoWaySquares, confidence: float) -> Signal:
    """ICC(C,.) from the mean squares of a complete table, with the F interval."""
    signal = _two_way(two, two.signal_consistency, "F")
    if two.ms_error == 0:
        if two.ms_targets == 0:
            return _undefined(signal, ALL_EQUAL if two.ms_raters == 0 else NOTHING_LEFT)
        return replace(signal, low=math.inf, high=math.inf, reason=NO_ERROR)
    if two.ms_targets == 0:
        return replace(signal, theta=-1 / signal.k, reason=NO_TARGETS)
    low, high = _f_limits(signal.statistic, signal.df1, signal.df2, signal.k, confidence)
    return replace(signal, low=low, high=high)


def agreement_signal(two: TwoWaySquares, confidence: float) -> Signal:
    """ICC(A,.) from the mean squares of a complete table, with McGraw and Wong's interval."""
    signal = _two_way(two, two.signal_agreement, "McGraw-Wong")
    error = two.ms_raters + (two.n_targets - 1) * two.ms_error
    if error == 0:
        if two.ms_targets == 0:
            return _undefined(signal, ALL_EQUAL)
        return replace(signal, low=math.inf, high=math.inf, reason=NO_ERROR)
    if two.ms_targets == 0:
        return replace(signal, reason=NO_TARGETS)
    n, k, theta = two.n_targets, two.n_raters, two.signal_agreement
    a = k * theta / n
    b = 1 + k * theta * (n - 1) / n
    mixed = (a * two.ms_raters + b * two.ms_error) ** 2
    v = mixed / ((a * two.ms_raters) ** 2 / (k - 1) + (b * two.ms_error) ** 2 / ((n - 1) * (k - 1)))
    upper = 1 - (1 - confidence) / 2
    low_f = f_quantile(upper, n - 1, v)
    high_f = f_quantile(upper, v, n - 1)
    low = n * (two.ms_targets - low_f * two.ms_error) / (k * low_f * error)
    high = n * (high_f * two.ms_targets - two.ms_error) / (k * error)
    return replace(signal, low=low, high=high, reason="" if low <= theta <= high else NOT_ENCLOSED)


def form_row(form: Form, signal: Signal, k: float | None) -> dict[str, Any]:
    """One row of the table: a form at its k, or at the requested k."""
    at = 1.0 if not form.average else (signal.k if k is None else k)
    estimate = reliability_at(signal.theta, at)
    low, high = reliability_at(signal.low, at), reliability_at(signal.high, at)
    reason = signal.reason
    if math.isnan(estimate) and not math.isnan(signal.theta):
        high, reason = NAN, NO_STEP_UP
    elif math.isnan(low) and not math.isnan(signal.low):
        low, reason = -math.inf, reason or NO_LOWER_LIMIT
    return {
        "form": form.name,
        "shrout_fleiss": form.shrout_fleiss,
        "estimate": estimate,
        "conf_low": low,
        "conf_high": high,
        "statistic": signal.statistic,
        "df1": signal.df1,
        "df2": signal.df2,
        "p_value": signal.p_value,
        "n_targets": signal.n_targets,
        "n_ratings": signal.n_ratings,
        "k": at,
        "method": signal.method,
        "reason": reason,
    }


@dataclass(frozen=True, slots=True, repr=False)
class ICCInterval(Result):
    """The interval of a published intraclass correlation.

    Attributes
    ----------
    form, estimate, conf_low, conf_high : str, float, float, float
        The form, the published coefficient, and its limits at the level `confidence`.
    statistic, df1, df2, p_value : float
        F test of the null hypothesis that targets do not differ.
    n_targets, k : int
        The number of targets, and of ratings per target.
    confidence : float
        Level of the interval.
    """

    form: str
    estimate: float
    conf_low: float
    conf_high: float
    statistic: float
    df1: float
    df2: float
    p_value: float
    n_targets: int
    k: int
    confidence: float

    def tidy(self) -> pd.DataFrame:
        """Return the interval as a table of one row."""
        import pandas as pd

        names = [name for name in type(self).__slots__ if name != "confidence"]
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    @drawn("the form")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the ICC with its interval.

        Examples
        --------
        >>> figure = icc_interval(0.879, n_targets=20, k=3).plot(width_mm=85)
        >>> float(figure.axes[0].get_xlim()[0])
        0.0
        """
        table = self.tidy().assign(method="F", reason="")
        return icc_figure(table, (), confidence=self.confidence, names=names, width_mm=width_mm)

    def heading(self) -> str:
        """Return a sentence that says what the interval refers to."""
        return (
            f"{100 * self.confidence:g} % F interval of a published {self.form}, "
            f"{self.n_targets} targets, {self.k} ratings each"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the method and the level."""
        return {"method": "F", "confidence": self.confidence}


def icc_interval(
    icc: float,
    *,
    n_targets: int,
    k: int,
    confidence: float = 0.95,
    form: str = "ICC(1,k)",
) -> ICCInterval:
    r"""Compute the interval of a published intraclass correlation.

    Parameters
    ----------
    icc : float
        The published coefficient, below 1.
    n_targets : int
        Number of targets (clips), at least 2.
    k : int
        Ratings per target, at least 2, the same for all targets.
    confidence : float
        Level of the interval.
    form : str
        ``ICC(1,1)``, ``ICC(1,k)``, ``ICC(C,1)`` or ``ICC(C,k)``. The agreement forms
        also depend on the variance between raters, which cannot be inferred from the coefficient.

    Returns
    -------
    ICCInterval
        With ``estimate``, ``conf_low``, ``conf_high``, the F test of the targets, ``tidy()``.

    Raises
    ------
    DataError
        If no ratings can give this coefficient, or for an agreement form.

    Notes
    -----
    The coefficient implies :math:`F = 1 / (1 - ICC(1,k))`, with :math:`N - 1` and :math:`N(k - 1)`
    degrees of freedom (consistency: :math:`(N - 1)(k - 1)`); the limits are :math:`1 - F_q / F` at
    the quantiles of F (Shrout and Fleiss 1979, McGraw and Wong 1996). A missing coefficient (NaN)
    is an error.

    Checked against: `psych::ICC` and the intervals printed in the paper.

    Examples
    --------
    >>> found = icc_interval(0.879, n_targets=20, k=3)
    >>> round(found.conf_low, 3), round(found.conf_high, 3)
    (0.748, 0.948)
    """
    chosen = find_form(form)
    level = confidence_level(confidence)
    if chosen.family == "agreement":
        raise DataError(
            f"the interval of {chosen.name} requires the mean square of the raters, which "
            "cannot be derived from a published coefficient; use icc() on the ratings"
        )
    icc = real_number(icc, argument="icc")
    n_targets = whole_number(n_targets, argument="n_targets", least=2)
    k = whole_number(k, argument="k", least=2)
    single = not chosen.average
    if not icc < 1 or (single and icc < -1 / (k - 1)):
        bound = f" and at least {-1 / (k - 1):.3f} for k = {k}" if single else ""
        raise DataError(f"a published {chosen.name} must be below 1{bound}, not {icc}")
    statistic = 1 + k * signal_of(icc, 1 if single else k)
    df1 = float(n_targets - 1)
    df2 = float((n_targets if chosen.family == "one_way" else n_targets - 1) * (k - 1))
    limits = _f_limits(statistic, df1, df2, k, level)
    low, high = (reliability_at(theta, 1 if single else k) for theta in limits)
    p_value = f_tail(statistic, df1, df2)
    return ICCInterval(
        chosen.name,
        float(icc),
        low,
        high,
        statistic,
        df1,
        df2,
        p_value,
        int(n_targets),
        int(k),
        level,
    )
