"""Synchrony of two people's movement, tested against pairs of people who never met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.checks import is_number, whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, counted, listed, near_names
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame, require_columns
from pyexpr.base.versions import versions
from pyexpr.behavior.features.dyads import Dyads, read_dyads
from pyexpr.behavior.features.lagged import Measure, Measured, Windows, measured
from pyexpr.core.streams import PARTNERS, checked_seed, generator

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike

#: A correlation of fewer values says nothing.
FEWEST_BINS: Final = 5
# Statistics that differ by rounding alone are ties, and ties count.
_TIE = 1e-12

_NO_WINDOW = Template(
    "no_window", "no window in which both people move and enough of both is known"
)
_NO_TEST = Template("one_dyad", "a test needs at least two dyads with windows")
_FEW_DYADS = Template(
    "few_dyads_for_test",
    "with {dyads} dyads there are {n} ways to pair people, so that no p-value of all dyads can be "
    "below {least:.2g}",
)
_UNDEFINED = Template(
    "undefined_pseudo_dyads",
    "{n:count pseudo-dyad has, of the pseudo-dyads have} no window: means are over the others",
)
_CHANCE = Template(
    "absolute_has_no_zero",
    "the measure is positive without any synchrony: what counts is its difference from "
    "pseudo-dyads",
)()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SynchronyResult(Result):
    """Synchrony of dyads, compared with that of people who never met.

    Attributes
    ----------
    table : DataFrame
        One row per dyad, and one for all dyads; see `synchrony`.
    correlations : float64 array, shape (dyads, windows, lags)
        Of the dyads in the order of the table; NaN where undefined.
    starts, lags : float64 arrays, shapes (windows,) and (lags,)
        The start of each window, in seconds from the beginning of the dyad, and the lags in
        seconds. At positive lags the first person leads.
    pairs : float64 array, shape (dyads, dyads)
        Synchrony of each first person with each second person: dyads on the diagonal, and
        pseudo-dyads elsewhere.
    options : dict
        The arguments, among them the seed and n_permutations, and whether all permutations were
        used.
    remarks : tuple of str
        What a reader of the table must know.
    """

    table: pd.DataFrame
    correlations: NDArray[np.float64]
    starts: NDArray[np.float64]
    lags: NDArray[np.float64]
    pairs: NDArray[np.float64]
    options: dict[str, Any]
    remarks: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return `table`: a row per dyad, and one of all."""
        return self.table

    def windows(self) -> pd.DataFrame:
        """Return the correlations behind the table: a row per dyad, window and lag.

        Columns: dyad, start (s), lag (s), correlation.
        """
        import pandas as pd

        dyads = list(self.table["dyad"])[:-1]
        index = pd.MultiIndex.from_product(
            [dyads, self.starts, self.lags], names=["dyad", "start", "lag"]
        )
        return pd.DataFrame({"correlation": self.correlations.ravel()}, index=index).reset_index()

    def heading(self) -> str:
        """Return what was computed of how many dyads."""
        return (
            f"Synchrony of {self.options['series']} in {counted(len(self.pairs), 'dyad')}: "
            f"windows of {self.options['window']:g} s, lags to {self.options['lag']:g} s"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the options and versions."""
        return {"options": self.options, "versions": versions("pandas")}

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the table must know."""
        return self.remarks


@stoppable("synchrony was computed")
def synchrony(
    data: FrameLike,
    *,
    series: str = "head_displacement",
    dyad: str = "dyad",
    person: str = "person",
    time: str = "time",
    window: float = 30.0,
    step: float | None = None,
    lag: float = 5.0,
    measure: Measure = "absolute",
    min_valid: float = 0.8,
    n_permutations: int = 9999,
    seed: int = 0,
) -> SynchronyResult:
    r"""Measure the synchrony of two people's movement, and compare it with pseudo-dyads.

    Computes windowed lagged cross-correlations, which are Pearson's r between windows of the two
    series at each lag. The synchrony of dyads is compared with that of pseudo-dyads, which combine
    people from different dyads.

    Parameters
    ----------
    data : DataFrame
        One row per dyad, person and time, such as the table of `movement_series` with an added
        column of dyads. Other columns are ignored.
    series, dyad, person, time : str
        Columns of the measurement, the dyad, the person, and the time (in seconds, on an even
        grid). The first person of a dyad is the one whose label comes first in sorted order.
        Labels may be roles ("infant", "mother") or names.
    window, lag : float
        Length of a window, and largest lag between the windows of the two people, in seconds.
    step : float, optional
        Seconds between windows. By default the length of a window.
    measure : {"absolute", "signed", "peak"}
        With ``z = atanh(r)``: the mean of ``|z|`` over windows and lags; the mean of ``z``; or
        the mean over windows of the largest ``|z|`` over lags.
    min_valid : float
        Minimum proportion of observed pairs of values in a window, above 0 and at most 1.
    n_permutations : int
        Number of random permutations of partners. If no more than this number exist (the
        factorial of the number of dyads), all of them are used.
    seed : int

    Returns
    -------
    SynchronyResult
        Its table has one row per dyad and one for ``"all"``, the mean over dyads: dyad, first,
        second, estimate, pseudo_mean and pseudo_sd (of the pseudo-dyads that contain one of its
        people; for "all", of all pseudo-dyads), difference (estimate minus pseudo_mean),
        effect_size (difference / pseudo_sd), p_value, first_leads and second_leads (the mean of
        ``|z|``, or of z if signed, at positive and at negative lags), n_windows, n_pseudo, reason.

    Raises
    ------
    ColumnError, DataError
        If a column is missing, a dyad does not consist of two people, a person has two rows at
        one time, times are not evenly spaced, or an argument is invalid.

    Notes
    -----
    **Windows.** At a lag of l >= 0, the window of the first person begins at t and that of the
    second person at t + l. At a lag of -l, the window of the first person begins at t + l, so that
    exchanging the two people only reverses the lags [1]_. All windows at all lags lie within the
    longest dyad.

    **Missing values.** A correlation is computed from the pairs in which both values are observed.
    It is undefined if there are fewer such pairs than `min_valid` requires, or if one of the two
    series is constant. Missing values are not imputed. Correlations with an absolute value above
    1 - 1e-9 are set to this limit.

    **Test.** Under the null hypothesis it makes no difference who was paired with whom, so the
    second people can be exchanged between dyads. The mean over dyads is compared with the means
    for permutations of the second people, with times counted from the beginning of each dyad:
    ``p = (1 + #{T* >= T}) / (1 + n)``, or ``#{T* >= T} / dyads!`` if all permutations are used. For
    ``signed`` the test is two-sided, by the distance from the mean of all pairs. Whole series are
    exchanged, so no assumption about their autocorrelation is needed, and effects that are common
    to all dyads (a task, a decrease of movement) are present in the pseudo-dyads as well [2]_
    [3]_. The test is exact for dyads of the same design and length: at a level of .05 it rejected
    in .042 of 1,000 simulated studies with 8 dyads, and in .046 with 20 dyads, whose people moved
    independently with an autocorrelation of .95 from bin to bin. The p-value of a dyad is based on
    the rank of its second person among all second people, paired with its first person; with G
    dyads it cannot be below 1/G. Each person must be in only one dyad.

    References
    ----------
    .. [1] Boker, S. M., Xu, M., Rotondo, J. L., and King, K. (2002). Windowed
       cross-correlation and peak picking for the analysis of variability in the association
       between behavioral time series. Psychological Methods 7, 338-355.
       https://doi.org/10.1037/1082-989X.7.3.338
    .. [2] Bernieri, F. J., and Rosenthal, R. (1991). Interpersonal coordination: behavior
       matching and interactional synchrony. In Fundamentals of Nonverbal Behavior, 401-432.
    .. [3] Ramseyer, F., and Tschacher, W. (2011). Nonverbal synchrony in psychotherapy.
       Journal of Consulting and Clinical Psychology 79, 284-295.
       https://doi.org/10.1037/a0023419

    Examples
    --------
    Six dyads; the second person does 1 s later what the first did:

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> rows = []
    >>> for dyad in range(6):
    ...     moves = rng.normal(size=305)
    ...     for person, values in (("a", moves[5:]), ("b", moves[:-5] + rng.normal(size=300))):
    ...         rows.append(pd.DataFrame({"dyad": dyad, "person": person,
    ...                                   "time": np.arange(300) / 5, "way": values}))
    >>> found = synchrony(pd.concat(rows), series="way", window=20, lag=2, seed=1)
    >>> columns = ["dyad", "difference", "p_value", "first_leads", "second_leads"]
    >>> print(found.table[columns].tail(1).round(4).to_string(index=False))
    dyad  difference  p_value  first_leads  second_leads
     all      0.0335   0.0014       0.1513         0.081
    """
    _check(window, step, lag, measure, min_valid)
    n_permutations = whole_number(n_permutations, argument="n_permutations", least=1)
    seed = checked_seed(seed)
    frame = as_frame(data, what="data")
    require_columns(frame, [series, dyad, person, time], what="data")
    dyads = read_dyads(frame, series=series, dyad=dyad, person=person, time=time)
    windows = _windows(dyads, window, step, lag, min_valid)
    found = measured(dyads.first, dyads.second, windows, measure)
    tested = _tested(found.values, measure, n_permutations, seed)
    options: dict[str, Any] = {
        "series": series, "window": window, "step": window if step is None else step, "lag": lag,
        "measure": measure, "min_valid": min_valid, "n_permutations": tested.n, "seed": seed,
        "all_permutations": tested.every,
    }  # fmt: skip
    return SynchronyResult(
        table=_table(dyads, found, tested, windows, measure),
        correlations=found.own,
        starts=_seconds(windows.starts, dyads.step),
        lags=_seconds(windows.lags, dyads.step),
        pairs=found.values,
        options=options,
        remarks=_remarks(found.values, tested, measure),
    )


def _check(window: Any, step: Any, lag: Any, measure: Any, min_valid: Any) -> None:
    for name, given in (("window", window), ("step", step)):
        if given is not None and not (is_number(given) and 0 < given < math.inf):
            raise DataError(
                say(
                    "{@name=} must be a positive number of seconds, not {given!r}",
                    name=name,
                    given=given,
                )
            )
    if not (is_number(lag) and 0 <= lag < math.inf):
        raise DataError(
            say("{lag=} must be a number of seconds, 0 or more, not {given!r}", given=lag)
        )
    if measure not in get_args(Measure):
        raise DataError(
            say(
                "{measure=} must be one of {names}, not {given!r}; {hint}",
                names=listed(get_args(Measure)),
                given=measure,
                hint=near_names(str(measure), get_args(Measure)),
            )
        )
    if not (is_number(min_valid) and 0 < min_valid <= 1):
        raise DataError(
            say(
                "{min_valid=} must be a share of a window's values, over 0 and at most 1, not "
                "{given!r}",
                given=min_valid,
            )
        )


def _windows(
    dyads: Dyads, window: float, step: float | None, lag: float, min_valid: float
) -> Windows:
    """Return the windows of all dyads, in bins."""
    length, most = round(window / dyads.step), round(lag / dyads.step)
    every = max(round((window if step is None else step) / dyads.step), 1)
    n_bins = dyads.first.shape[1]
    if length < FEWEST_BINS:
        raise DataError(
            say(
                "{window=@given} holds {n:count value} at {seconds:g} s from one to the next, and "
                "{needed} are needed; take a longer window",
                given=window,
                n=length,
                seconds=dyads.step,
                needed=FEWEST_BINS,
            )
        )
    if length + most > n_bins:
        raise DataError(
            say(
                "{window=@given} and {lag=@largest} take {needed:.4g} s together, but the longest "
                "dyad lasts {n:.4g} s; take a shorter window",
                given=window,
                largest=lag,
                needed=(length + most) * dyads.step,
                n=n_bins * dyads.step,
            )
        )
    starts = np.arange(0, n_bins - length - most + 1, every)
    least = max(math.ceil(min_valid * length - 1e-9), FEWEST_BINS)
    return Windows(length, starts, most, least)


def _seconds(bins: NDArray[np.int64], step: float) -> NDArray[np.float64]:
    # 3 * 0.2 is 0.6000000000000001.
    return np.round(bins * np.float64(step), 9)


@dataclass(frozen=True, slots=True)
class _Tested:
    """The test of all dyads: their p-value (NaN if there is none), and of how many draws."""

    p_value: float
    n: int
    every: bool
    used: NDArray[np.int64]


def _tested(
    pairs: NDArray[np.float64], measure: Measure, n_permutations: int, seed: int
) -> _Tested:
    """Compare the mean of the dyads with those of permutations of the second people."""
    used = np.flatnonzero(np.isfinite(np.diag(pairs)))
    g = len(used)
    if g < 2:
        return _Tested(float("nan"), 0, False, used)
    own = pairs[np.ix_(used, used)]
    every = math.factorial(g) <= n_permutations
    if every:
        orders = np.array(list(permutations(range(g))))
    else:
        orders = generator(seed, PARTNERS).permuted(
            np.tile(np.arange(g), (n_permutations, 1)), axis=1
        )
    observed, drawn = _mean(np.diag(own)), _mean(own[np.arange(g), orders])
    if measure == "signed":
        centre = float(np.nanmean(own))
        observed, drawn = np.abs(observed - centre), np.abs(drawn - centre)
    as_large = int(np.count_nonzero(drawn >= observed - _TIE))
    p_value = as_large / len(orders) if every else (1 + as_large) / (1 + n_permutations)
    return _Tested(p_value, len(orders), every, used)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis of those that are defined."""
    known = np.isfinite(values)
    total = np.sum(values, axis=-1, where=known)
    return np.asarray(total / np.maximum(known.sum(axis=-1), 1), dtype=np.float64)


def _table(
    dyads: Dyads, found: Measured, tested: _Tested, windows: Windows, measure: Measure
) -> pd.DataFrame:
    import pandas as pd

    pairs, g = found.values, len(found.values)
    apart = ~np.eye(g, dtype=np.bool_)
    z = np.arctanh(np.clip(found.own, -1 + 1e-9, 1 - 1e-9))
    z = z if measure == "signed" else np.abs(z)
    leads = [_over(z[:, :, windows.lags * side > 0]) for side in (1, -1)]
    rows = []
    for i in range(g):
        pseudo = np.concatenate([pairs[i, apart[i]], pairs[apart[:, i], i]])
        row = _row(pairs[i, i], pseudo, _rank(pairs[i], i, measure))
        reason = "" if np.isfinite(pairs[i, i]) else _NO_WINDOW()
        first, second = dyads.people[i]
        rows.append(
            {"dyad": str(dyads.labels[i]), "first": str(first), "second": str(second), **row}
            | {"first_leads": leads[0][i], "second_leads": leads[1][i]}
            | {"n_windows": int(found.n_windows[i, i]), "reason": reason}
        )
    used = tested.used
    own = pairs[np.ix_(used, used)]
    every = _row(
        float(np.diag(own).mean()) if len(used) else float("nan"),
        own[~np.eye(len(used), dtype=np.bool_)],
        tested.p_value,
    )
    rows.append(
        {"dyad": ALL, "first": "", "second": "", **every}
        | dict(
            zip(
                ("first_leads", "second_leads"),
                (float(_mean(side[used])) if len(used) else float("nan") for side in leads),
                strict=True,
            )
        )
        | {"n_windows": int(np.diag(found.n_windows).sum())}
        | {"reason": "" if np.isfinite(tested.p_value) else _NO_TEST()}
    )
    return pd.DataFrame(rows).assign(reason=message_column(row["reason"] for row in rows))


def _row(estimate: float, pseudo: NDArray[np.float64], p_value: float) -> dict[str, Any]:
    pseudo = pseudo[np.isfinite(pseudo)]
    mean = float(pseudo.mean()) if len(pseudo) else float("nan")
    sd = float(pseudo.std(ddof=1)) if len(pseudo) > 1 else float("nan")
    difference = float(estimate) - mean
    return {
        "estimate": float(estimate),
        "pseudo_mean": mean,
        "pseudo_sd": sd,
        "difference": difference,
        "effect_size": difference / sd if sd > 0 else float("nan"),
        "p_value": p_value,
        "n_pseudo": len(pseudo),
    }


def _rank(values: NDArray[np.float64], own: int, measure: Measure) -> float:
    """Return the share of second people with whom a first person's synchrony is as large."""
    known = values[np.isfinite(values)]
    if not np.isfinite(values[own]) or len(known) < 2:
        return float("nan")
    observed = values[own]
    if measure == "signed":
        observed, known = abs(observed - known.mean()), np.abs(known - known.mean())
    return float((known >= observed - _TIE).mean())


def _over(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each dyad over windows and lags; NaN where nothing is defined."""
    flat = z.reshape(len(z), -1)
    return np.where(np.isfinite(flat).any(axis=1), _mean(flat), np.nan)


def _remarks(pairs: NDArray[np.float64], tested: _Tested, measure: Measure) -> tuple[str, ...]:
    remarks: tuple[str, ...] = () if measure == "signed" else (_CHANCE,)
    if tested.every and 1 / tested.n > 0.05:
        remarks += (_FEW_DYADS(dyads=len(tested.used), n=tested.n, least=1 / tested.n),)
    own = pairs[np.ix_(tested.used, tested.used)]
    undefined = int(np.count_nonzero(~np.isfinite(own)))
    if undefined:
        remarks += (_UNDEFINED(n=undefined),)
    return remarks
