"""The one-factor model refitted on resampled subjects: intervals for everything it yields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, FewSubjectsWarning, PyexprWarning, counted, warn_user
from pyexpr.base.progress import pieces
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame, column_or_array, label_codes
from pyexpr.base.versions import versions
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.factor_model import cluster_sums, fit_resampled
from pyexpr.core.quantiles import MOST_UNDEFINED, SOME_UNDEFINED, interpolated_quantiles
from pyexpr.measurement.cfa import check_determined
from pyexpr.measurement.columns import grouping, indicator_columns
from pyexpr.measurement.engines.protocol import FitRequest
from pyexpr.measurement.spec import MeasurementModel, parse_model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

METHODS = ("percentile", "bca")
_FEW = 20


@dataclass(frozen=True, slots=True)
class GroupDraws:
    """The refits of one group.

    Attributes
    ----------
    estimate : (q,) float64
        Of all subjects, in the order of `quantities`.
    replicates : (B, q) float64
        NaN where the refit failed or was not admissible.
    jackknife : (G, q) float64
        Without each subject.
    n, n_clusters : int
        Rows and subjects used.
    n_failed, n_inadmissible : int
        Replicates without a solution, and with a residual variance that is not positive.
    """

    estimate: NDArray[np.float64]
    replicates: NDArray[np.float64]
    jackknife: NDArray[np.float64]
    n: int
    n_clusters: int
    n_failed: int
    n_inadmissible: int


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CFABootstrapResult(Result):
    """A one-factor model with intervals from resampling whole subjects.

    Attributes
    ----------
    model : MeasurementModel
    labels : tuple
        Labels of the groups, sorted; ``("",)`` without groups.
    group_name : str or None
    cluster_name : str
    groups : tuple of GroupDraws
        One per label.
    method : str
    confidence : float
    seed, n_dropped : int
    """

    model: MeasurementModel
    labels: tuple[Any, ...]
    group_name: str | None
    cluster_name: str
    groups: tuple[GroupDraws, ...]
    method: str
    confidence: float
    seed: int
    n_dropped: int

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the replicates, (n_boot, rows of `tidy()`); NaN where undefined."""
        view = np.concatenate([group.replicates for group in self.groups], axis=1)
        view.flags.writeable = False
        return view

    def tidy(self) -> pd.DataFrame:
        """Return one row per group and quantity.

        Columns: the group's name (with groups), quantity (``loading``,
        ``std_loading``, ``residual_variance``, ``score_weight``,
        ``score_reliability``), term (the indicator, or the factor), estimate,
        std_error (standard deviation of the replicates), conf_low, conf_high,
        method (the one that the row got), n, n_clusters, n_undefined, reason.
        """
        import pandas as pd

        names = quantities(self.model)
        tables = []
        for label, group in zip(self.labels, self.groups, strict=True):
            table = pd.DataFrame(names, columns=["quantity", "term"]).assign(
                estimate=group.estimate, **_intervals(group, self.method, self.confidence)
            )
            if self.group_name is not None:
                table.insert(0, self.group_name, label)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> CFABootstrapResult:
        """Return the same refits with other intervals.

        Parameters
        ----------
        method : str, optional
            As for `bootstrap_cfa`; by default the one at hand.
        confidence : float, optional
            By default the one at hand.
        """
        changed = replace(
            self,
            method=self.method if method is None else method,
            confidence=self.confidence if confidence is None else confidence,
        )
        _check_interval(changed.method, changed.confidence, self._n_boot)
        return changed

    @property
    def _n_boot(self) -> int:
        return len(self.groups[0].replicates)

    def heading(self) -> str:
        """Return what was refitted, on how many subjects, how often."""
        subjects = ", ".join(str(group.n_clusters) for group in self.groups)
        return (
            f"Factor model {self.model.syntax()}: {self._n_boot} refits by {self.cluster_name} "
            f"({subjects} clusters), {self.method} intervals at {self.confidence:g}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return how many rows were dropped and how many refits are undefined."""
        said = []
        if self.n_dropped:
            said.append(
                f"{counted(self.n_dropped, 'row', 'was', 'were')} left out because an indicator "
                "is missing."
            )
        for label, group in zip(self.labels, self.groups, strict=True):
            if group.n_failed or group.n_inadmissible:
                where = "" if self.group_name is None else f" in group {label!r}"
                said.append(
                    f"Of {self._n_boot} refits{where}, {group.n_failed} have no solution and "
                    f"{group.n_inadmissible} a residual variance that is not positive; both are "
                    "left out of the intervals."
                )
        return tuple(said)

    def provenance(self) -> dict[str, Any]:
        """Return method, level, seed, counts and versions."""
        return {
            "model": self.model.syntax(), "method": self.method, "confidence": self.confidence,
            "n_boot": self._n_boot, "seed": self.seed, "cluster": self.cluster_name,
            "group": self.group_name, "n_dropped": self.n_dropped,
            "groups": {
                str(label): {
                    "n": group.n, "n_clusters": group.n_clusters, "failed": group.n_failed,
                    "inadmissible": group.n_inadmissible,
                }
                for label, group in zip(self.labels, self.groups, strict=True)
            },
            "versions": versions(),
        }  # fmt: skip


def bootstrap_cfa(
    data: Any,
    model: Any,
    *,
    cluster: Any,
    group: Any = None,
    n_boot: int = 1000,
    method: str = "percentile",
    confidence: float = 0.95,
    seed: int = 0,
    n_threads: int | None = None,
) -> CFABootstrapResult:
    r"""Refit a one-factor model on resampled subjects.

    A replicate draws as many whole subjects as there are, with replacement, and
    fits their rows by maximum likelihood in C++, from sums per subject: its cost
    does not depend on the number of rows.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per rated clip. Rows with a missing indicator are dropped and counted.
    model : dict or str
        One factor and its indicators, at least three, nothing else said.
    cluster : str or array
        The subject of each row. The draws are those of `compare_models` and
        `cluster_bootstrap` of the same seed and number of subjects, both sorted.
    group : str or array, optional
        A model for each context. A subject's contexts are drawn together where
        every subject is in every context; a context with fewer subjects draws
        among its own.
    n_boot : int
        Number of refits.
    method : {"percentile", "bca"}
        Quantiles of the replicates, interpolated as ``boot::boot.ci`` does; or
        those corrected for bias and acceleration, the latter from leaving out
        each subject. Where that is not possible the row has the percentile
        interval, and says so.
    confidence : float
        Level of the intervals, between 0 and 1.
    seed : int
        Key of the draws, 0 to 2**64 - 1; the same seed gives the same bytes.
    n_threads : int, optional
        One per core by default; the numbers do not depend on it.

    Returns
    -------
    CFABootstrapResult
        Loadings, standardised loadings, residual variances, Bartlett score
        weights (score = sum of weight times (x - intercept)) and the reliability
        of the scores, ``I / (1 + I)`` with ``I = sum lambda^2 / theta``.

    Raises
    ------
    FactorModelError
        If the data themselves do not determine the model, as `cfa` says.
    DataError
        If there are fewer than two subjects, or too few replicates for the level.

    Warns
    -----
    FewSubjectsWarning
        Under 20 subjects.
    PyexprWarning
        If over 1 % of the replicates are undefined.

    Notes
    -----
    A replicate without a solution, or with a residual variance that is not
    positive, is undefined in all quantities, left out, and counted: over 1 % a
    warning, over 10 % no interval, with the reason. The intervals then speak of
    resamples that have a proper solution only.

    Source: Davison and Hinkley (1997), chapter 5; Efron (1987) for BCa.

    Checked against lavaan 0.6-14 refitted on the drawn rows, and boot::boot.ci.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> f = rng.normal(size=200)
    >>> table = {name: f + rng.normal(size=200) for name in ("response", "emotion", "motion")}
    >>> who = np.repeat(np.arange(40), 5)
    >>> result = bootstrap_cfa(table, {"expressiveness": list(table)}, cluster=who)
    >>> result.tidy().query("quantity == 'score_reliability'")[["conf_low", "conf_high"]].shape
    (1, 2)
    """
    spec = parse_model(model)
    if not spec.plain_factor:
        raise DataError(
            "bootstrap_cfa refits the model of one factor with free loadings and nothing else; "
            "leave the rest out"
        )
    _check_interval(method, confidence, n_boot)
    frame = as_frame(data)
    columns = indicator_columns(frame, spec)
    group_name, group_codes, labels = grouping(frame, group)
    if cluster is None:
        raise DataError("bootstrap_cfa resamples subjects: name their column with cluster=")
    cluster_name, values = column_or_array(frame, cluster, argument="cluster", what="data")
    subjects, _ = label_codes(values, name=cluster_name, what="data")
    used = ~np.isnan(columns).any(axis=1)
    request = FitRequest(
        spec, columns[used], None if group is None else group_codes[used], n_groups=len(labels)
    )
    check_determined(request, labels, group_name)
    drawn = []
    for code, label in enumerate(labels):
        mine = used & (group_codes == code)
        where = "" if group_name is None else f" in group {label!r} of {group_name!r}"
        drawn.append(
            _draw(columns[mine], subjects[mine], n_boot, seed=seed, n_threads=n_threads,
                  where=where)
        )  # fmt: skip
    result = CFABootstrapResult(
        spec, tuple(labels), group_name, cluster_name, tuple(drawn), method, float(confidence),
        int(seed), int((~used).sum()),
    )  # fmt: skip
    _warn(result)
    return result


def quantities(model: MeasurementModel) -> list[tuple[str, str]]:
    """Return (quantity, term) of each column of the replicates, in order."""
    of_indicators = ("loading", "std_loading", "residual_variance", "score_weight")
    pairs = [(name, indicator) for name in of_indicators for indicator in model.indicators]
    return [*pairs, ("score_reliability", model.factors[0])]


def _quantities(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return every quantity of each fit (B, p) as (B, 4 p + 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        information = (loadings**2 / residuals).sum(axis=1, keepdims=True)
        weights = loadings / residuals / information
        values = np.column_stack(
            [
                loadings, loadings / np.sqrt(loadings**2 + residuals), residuals, weights,
                information / (1 + information),
            ]
        )  # fmt: skip
        proper = (residuals > 0).all(axis=1)
    # Of an inadmissible fit neither weights nor reliability have a meaning.
    values[~proper, 3 * loadings.shape[1] :] = np.nan
    return values


def _draw(
    rows: NDArray[np.float64],
    subjects: NDArray[np.int64],
    n_boot: int,
    *,
    seed: int,
    n_threads: int | None,
    where: str,
) -> GroupDraws:
    present, codes = np.unique(subjects, return_inverse=True)
    G, p = len(present), rows.shape[1]
    if G < 2:
        raise DataError(
            f"there is only one subject{where}; without a second one nothing can be said about "
            "how the model varies between subjects"
        )
    sums = cluster_sums(rows - rows.mean(axis=0), codes, G)
    whole = np.vstack([np.ones((1, G)), 1.0 - np.eye(G)])
    loadings, residuals, _ = fit_resampled(sums, whole, p, n_threads=n_threads)
    fixed = _quantities(loadings, residuals)
    replicates = np.empty((n_boot, fixed.shape[1]))
    n_failed = n_improper = 0
    for first, size in pieces(n_boot, start=64, label="refitting", show=False):
        counts = draw_counts((G,), size, seed=seed, first=first)
        loadings, residuals, reasons = fit_resampled(sums, counts, p, n_threads=n_threads)
        failed = np.array([reason != "" for reason in reasons])
        improper = ~failed & (residuals <= 0).any(axis=1)
        values = replicates[first : first + size]
        values[:] = _quantities(loadings, residuals)
        values[improper] = np.nan
        n_failed += int(failed.sum())
        n_improper += int(improper.sum())
    return GroupDraws(fixed[0], replicates, fixed[1:], len(rows), G, n_failed, n_improper)


def _intervals(group: GroupDraws, method: str, confidence: float) -> dict[str, Any]:
    """Return the columns of `tidy` that depend on method and level."""
    draws = np.ascontiguousarray(group.replicates.T)
    B = draws.shape[1]
    n_defined = (~np.isnan(draws)).sum(axis=1)
    ends = np.tile([(1 - confidence) / 2, (1 + confidence) / 2], (len(draws), 1))
    used = np.full(len(draws), "percentile", dtype=object)
    levels = ends
    if method == "bca":
        levels, usable = _bca_levels(group, draws, n_defined, ends)
        used[usable] = "bca"
    limits = interpolated_quantiles(draws, levels, n_defined)
    reasons = np.full(len(draws), "", dtype=object)
    unknown = np.isnan(group.estimate)
    reasons[unknown] = "inadmissible"
    many = (B - n_defined > MOST_UNDEFINED * B) & ~unknown
    for row in np.flatnonzero(many):
        reasons[row] = f"undefined in {B - n_defined[row]} of {B} replicates"
    limits[unknown | many] = np.nan
    with np.errstate(invalid="ignore"):
        centre = np.nansum(draws, axis=1) / n_defined
        squares = np.nansum((draws - centre[:, None]) ** 2, axis=1)
        error = np.sqrt(squares / np.where(n_defined > 1, n_defined - 1, np.nan))
    error[unknown] = np.nan
    return {
        "std_error": error, "conf_low": limits[:, 0], "conf_high": limits[:, 1],
        "method": used.astype(str), "n": group.n, "n_clusters": group.n_clusters,
        "n_undefined": B - n_defined, "reason": reasons.astype(str),
    }  # fmt: skip


def _bca_levels(
    group: GroupDraws,
    draws: NDArray[np.float64],
    n_defined: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the corrected levels (q, 2), and where there are any; Efron (1987)."""
    from scipy.special import ndtr, ndtri

    B = n_defined
    with np.errstate(divide="ignore", invalid="ignore"):
        z0 = ndtri((draws < group.estimate[:, None]).sum(axis=1) / B)[:, None]
        influence = (group.jackknife.mean(axis=0) - group.jackknife).T
        acceleration = (influence**3).sum(axis=1) / (6 * (influence**2).sum(axis=1) ** 1.5)
        z = z0 + ndtri(ends)
        levels = ndtr(z0 + z / (1 - acceleration[:, None] * z))
        usable = np.isfinite(levels).all(axis=1)
        usable &= (levels[:, 0] > 1 / (B + 1)) & (levels[:, 1] < B / (B + 1))
    return np.where(usable[:, None], levels, ends), usable


def _check_interval(method: str, confidence: float, n_boot: int) -> None:
    if method not in METHODS:
        raise DataError(f"method= must be 'percentile' or 'bca', not {method!r}")
    confidence_level(confidence)
    whole_number(n_boot, argument="n_boot", least=1)
    least = int(np.ceil(2 / (1 - confidence) - 1 - 1e-9))
    if n_boot < least:
        raise DataError(
            f"a {method} interval at confidence {confidence:g} needs n_boot of at least {least} "
            f"(better 1000), not {n_boot}"
        )


def _warn(result: CFABootstrapResult) -> None:
    for label, group in zip(result.labels, result.groups, strict=True):
        where = "" if result.group_name is None else f" in group {label!r}"
        if group.n_clusters < _FEW:
            warn_user(
                f"there are only {group.n_clusters} subjects{where}: bootstrap intervals are "
                "too short with so few, and the draws too coarse",
                FewSubjectsWarning,
            )
        lost = group.n_failed + group.n_inadmissible
        n_boot = len(group.replicates)
        if lost > SOME_UNDEFINED * n_boot:
            warn_user(
                f"{lost} of {n_boot} refits{where} {'has' if lost == 1 else 'have'} no solution "
                f"({group.n_failed}) or a "
                f"residual variance that is not positive ({group.n_inadmissible}); the "
                "intervals leave them out",
                PyexprWarning,
            )
