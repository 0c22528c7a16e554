"""Compare models on the same subjects: metrics, differences, intervals and tests."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import (
    ColumnError,
    DataError,
    PyexprWarning,
    counted,
    listed,
    near_names,
)
from pyexpr.base.results import Result
from pyexpr.base.tables import (
    as_frame,
    column_or_array,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.base.versions import versions
from pyexpr.core.quantiles import SOME_UNDEFINED
from pyexpr.core.streams import BOOTSTRAP, checked_seed
from pyexpr.inference.clusters import (
    check_enough,
    read_clusters,
    read_strata,
    warn_of_few_subjects,
)
from pyexpr.inference.intervals import (
    Evidence,
    Intervals,
    JackknifeGroup,
    compute,
)
from pyexpr.inference.multiplicity import adjust as adjust_family
from pyexpr.inference.quantities import (
    ALL,
    METRICS,
    ColumnValues,
    Group,
    ModelValues,
    Row,
    build_groups,
    build_levels,
    build_rows,
    counted_rows,
)
from pyexpr.inference.sign_flip import SignFlipResult, sign_flip_test

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

_TABLE = "the table of predictions"
# A difference is rounding below this part of the larger of the two levels.
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True)
class Predictions:
    """The columns of one model, where it has several or a truth of its own.

    A model with several columns has as metric the mean of its columns' metrics,
    inside every replicate too: so the human baseline, which has one column per
    rater, each with its own truth. Such columns may have missing values; each is
    then judged on the rows it has.

    Parameters
    ----------
    values : str or sequence of str
        Names of the columns of predictions.
    truth : str or sequence of str, optional
        Name of the truth of all of them, or of each. By default the truth given
        to `compare_models`.

    Examples
    --------
    >>> Predictions(["rater_1", "rater_2"], truth=["others_1", "others_2"]).values
    ('rater_1', 'rater_2')
    """

    values: str | Sequence[str]
    truth: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        values = (self.values,) if isinstance(self.values, str) else tuple(self.values)
        if not values:
            raise DataError("Predictions needs at least one column")
        object.__setattr__(self, "values", values)
        if self.truth is not None:
            one = isinstance(self.truth, str)
            truth = (self.truth,) * len(values) if one else tuple(self.truth)
            if len(truth) != len(values):
                raise DataError(
                    f"Predictions has {len(values)} columns but {len(truth)} truths; "
                    "name one truth for all, or one for each"
                )
            object.__setattr__(self, "truth", truth)


@dataclass(frozen=True, slots=True)
class _Draws:
    """The replicates of all groups, any range of them."""

    groups: tuple[Group, ...]
    n_rows: int
    seed: int
    n_threads: int | None
    zero_rows: tuple[int, ...]  # differences that are rounding alone

    def replicates(self, first: int, n: int) -> NDArray[np.float64]:
        """Return (rows, n)."""
        return self._collect("replicates", first, n)

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the (rows, n) standard errors within the replicates."""
        return self._collect("standard_errors", first, n)

    def _collect(self, what: str, first: int, n: int) -> NDArray[np.float64]:
        out = np.empty((self.n_rows, n))
        if sum(len(group.rows) for group in self.groups) < self.n_rows:
            out.fill(np.nan)
        for group in self.groups:
            getattr(group.design, what)(
                n,
                seed=self.seed,
                first=first,
                rows=group.rows,
                out=out,
                n_threads=self.n_threads,
            )
        if self.zero_rows:
            out[list(self.zero_rows)] = 0.0
        return out


@dataclass(frozen=True, slots=True)
class _Errors:
    """The standard errors within the first `n` replicates, when asked for."""

    draws: _Draws
    n: int

    def __call__(self) -> NDArray[np.float64]:
        return self.draws.errors(0, self.n)


@dataclass(frozen=True, slots=True)
class ComparisonResult(Result):
    """Metrics of models and their differences, with intervals and tests.

    Attributes
    ----------
    rows : tuple of Row
        What each row of the table is: metric, term, context.
    evidence : Evidence
        Estimates, replicates (rows, n_boot) and leave-one-subject-out values.
    intervals : Intervals
        Those of the method and confidence at hand.
    n, n_clusters : (rows,) int64
        Rows of the data and subjects that each row rests on.
    n_used, n_dropped : int
        Rows of the data used, and left out because truth or a model was missing.
    clusters : list
        Labels of the subjects, sorted.
    own_all : bool
        Whether context "all" is one of the table's own, not all rows together.
    """

    rows: tuple[Row, ...]
    evidence: Evidence
    intervals: Intervals
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    n_used: int
    n_dropped: int
    clusters: tuple[Any, ...]
    cluster_name: str
    draws: _Draws
    own_all: bool = False

    def tidy(self) -> pd.DataFrame:
        """Return one row per metric, term and context.

        Columns: metric, term (a model, or ``"p - q"``), context (a label, ``"all"``,
        or ``"a - b"``), estimate, std_error (of the quantity itself), statistic, df,
        p_value, conf_low, conf_high, method, n, n_clusters, n_undefined, reason; once
        adjusted also p_adjusted and adjustment.
        """
        import pandas as pd

        found = self.intervals
        table = pd.DataFrame(
            {
                "metric": [row.metric for row in self.rows],
                "term": [row.term for row in self.rows],
                "context": [row.context for row in self.rows],
                "estimate": self.evidence.estimate,
                "std_error": found.std_error,
                "statistic": found.statistic,
                "df": found.df,
                "p_value": found.p_value,
                "conf_low": found.low,
                "conf_high": found.high,
                "method": found.method,
                "n": self.n,
                "n_clusters": self.n_clusters,
                "n_undefined": found.n_undefined,
                "reason": found.reason,
            }
        )
        if found.adjustment is not None:
            table["p_adjusted"], table["adjustment"] = found.p_adjusted, found.adjustment
        return table

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the bootstrap replicates, (n_boot, rows of tidy); NaN where undefined."""
        view = self.evidence.replicates.T
        view.flags.writeable = False
        return view

    @property
    def n_boot(self) -> int:
        """Return the number of replicates."""
        return int(self.evidence.replicates.shape[1])

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> ComparisonResult:
        """Return the same comparison with other intervals, from the same draws.

        Parameters
        ----------
        method : str, optional
            As for `compare_models`; by default the recommended one.
        confidence : float, optional
            By default the one at hand.
        """
        level = self.intervals.confidence if confidence is None else confidence
        return self._with_intervals(self.evidence, method, level)

    def extend(self, n: int) -> ComparisonResult:
        """Return the comparison with `n` more replicates: as if asked for at once."""
        if n < 0:
            raise DataError(f"extend() adds replicates; {n} is fewer than none")
        more = self.draws.replicates(self.n_boot, n)
        evidence = replace(
            self.evidence,
            replicates=np.concatenate([self.evidence.replicates, more], axis=1),
            replicate_errors=_Errors(self.draws, self.n_boot + n),
        )
        return self._with_intervals(evidence, self.method, self.intervals.confidence)

    @property
    def method(self) -> str:
        """Return the method of the intervals."""
        return self.intervals.asked

    def adjust(self, rule: str) -> ComparisonResult:
        """Return the comparison with tests judged together and simultaneous intervals.

        A family is the differences between models of one metric in one context; other
        rows stay as they are.

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p-values by Holm's steps, each interval by the method at hand at
            ``1 - (1 - confidence)/m``, m the number of differences in the family.
            ``max_t``: both from the largest studentised difference of the family in
            each replicate, studentised by the replicate's own standard error.
        """
        families: dict[tuple[str, str], list[int]] = {}
        for i, row in enumerate(self.rows):
            if row.between_models:
                families.setdefault((row.metric, row.context), []).append(i)
        return replace(
            self,
            intervals=adjust_family(
                self.evidence,
                self.intervals,
                [np.array(family) for family in families.values()],
                rule,
            ),
        )

    def sign_flip(self, *, n_flips: int = 10_000) -> SignFlipResult:
        """Test every difference between models by exchanging their predictions.

        In each flip the predictions of the two models are exchanged for some subjects,
        and the difference over its jackknife standard error is computed anew. Exact for
        one hypothesis only: that the two models' predictions are exchangeable within
        subjects. Models that fail in different ways can have equal metrics and still
        not be exchangeable; the test can then call them different too often (up to 14 %
        at a nominal 5 % was seen), and jackknife_t is the one to use.

        For correlations both predictions are standardised before, which leaves the
        correlation as it is; the other metrics judge the unit, and predictions are
        exchanged as they are.

        Parameters
        ----------
        n_flips : int
            Number of random flips where all 2^G, G the number of subjects, are more
            than 100,000.

        Returns
        -------
        SignFlipResult
            With all flips ``p`` is the share of those whose ``|statistic|`` is at least
            that observed (ties within 1e-12 count), else ``(1 + #)/(1 + n_flips)``.
            Models judged by different truths have no test; `reason` says so.

        Notes
        -----
        Checked against ``scipy.stats.permutation_test`` (paired t over subjects), and row by
        row against predictions exchanged in the table.
        """
        return sign_flip_test(
            self.rows,
            self.draws.groups,
            self.evidence.estimate,
            n_flips=n_flips,
            seed=self.draws.seed,
            n_threads=self.draws.n_threads,
        )

    def influence(self) -> pd.DataFrame:
        """Return every quantity without each subject, one row per quantity and subject.

        Columns: metric, term, context, cluster (the subject left out), estimate (without
        it), change (minus the estimate on all), and influence: (G - 1) times the change
        taken off, the empirical influence value; subjects not in a quantity have no row.
        """
        import pandas as pd

        pieces = []
        for group, knife in zip(self.draws.groups, self.evidence.groups, strict=True):
            labels = [self.clusters[i] for i in group.clusters]
            G = len(labels)
            for position, values in zip(group.rows, knife.values, strict=True):
                row = self.rows[position]
                change = values - self.evidence.estimate[position]
                pieces.append(
                    (
                        position,
                        pd.DataFrame(
                            {
                                "metric": row.metric,
                                "term": row.term,
                                "context": row.context,
                                "cluster": labels,
                                "estimate": values,
                                "change": change,
                                "influence": -(G - 1) * change,
                            }
                        ),
                    )
                )
        pieces.sort(key=lambda piece: piece[0])
        return pd.concat([piece for _, piece in pieces], ignore_index=True)

    def _with_intervals(
        self, evidence: Evidence, method: str | None, confidence: float
    ) -> ComparisonResult:
        intervals = compute(evidence, method, confidence)
        _warn_of_undefined(intervals, self.rows, evidence.replicates.shape[1])
        return replace(self, evidence=evidence, intervals=intervals)

    def heading(self) -> str:
        """Return what was compared, on how many subjects and rows."""
        models = list(dict.fromkeys(row.term for row in self.rows if row.second is None))
        return (
            f"{counted(len(models), 'model')} compared on {self.n_used} rows of "
            f"{int(self.n_clusters.max())} subjects ({self.cluster_name}); "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        return {
            "method": self.method,
            "confidence": self.intervals.confidence,
            "n_boot": self.n_boot,
            "seed": self.draws.seed,
            "stream": BOOTSTRAP,
            "cluster": self.cluster_name,
            "n_clusters": int(self.n_clusters.max()),
            "n_rows": self.n_used,
            "n_dropped": self.n_dropped,
            "versions": versions("scipy", "pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the table must know."""
        notes = ["levels of RMSE, NRMSE, MAE and R2 are not tested; differences are, against 0"]
        if self.n_dropped:
            notes.append(
                f"{counted(self.n_dropped, 'row', 'was', 'were')} left out because the truth or a "
                "prediction is missing"
            )
        if self.own_all:
            notes.append(
                "rows of a context called 'all' are taken as those over all contexts; nothing was "
                "computed over all rows of the table"
            )
        if any(row.note for row in self.rows):
            notes.append(
                "differences marked 'different criteria' compare models judged by different truths"
            )
        return tuple(notes)


def compare_models(
    table: Any,
    *,
    truth: str,
    predictions: Sequence[str] | Mapping[str, str | Sequence[str] | Predictions],
    cluster: str | ArrayLike | None,
    metrics: Sequence[str] = ("nrmse", "correlation"),
    context: str | ArrayLike | None = None,
    pairwise: bool = True,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    null: float = 0.0,
    stratify: str | ArrayLike | None = None,
    adjust: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    score_range: float = 7.0,
) -> ComparisonResult:
    """Compare models on the same rows, with whole subjects resampled.

    Parameters
    ----------
    table : DataFrame
        One row per clip. Rows in which the truth or a prediction is missing are left
        out of every model alike, and counted; only models with several columns or a
        truth of their own (`Predictions`) may have holes.
    truth : str
        Column of the true score.
    predictions : sequence of str, or mapping
        Columns of predictions, in the unit of the truth; or name of the model ->
        column, columns, or `Predictions`.
    cluster : str, array of (n,), or None
        The subject of each row; rows of a subject are not independent. ``None``, on
        purpose only, makes each row its own cluster.
    metrics : sequence of str
        ``nrmse`` (RMSE / `score_range`), ``rmse``, ``mae``, ``correlation`` (Pearson),
        ``concordance`` (Lin's, divisor n), ``r2`` (1 - SSE/SST about the mean truth of
        these rows), ``bias`` (mean prediction - truth); each also with ``_within``
        (deviations from the subject's means, divisor n) or ``_between`` (subject
        means, unweighted).
    context : str or array of (n,), optional
        Compare within each context and over all rows (context ``"all"``), and each
        model between contexts (context ``"a - b"``), all from the same draws. Rows whose
        context is itself called "all", as in a study's predictions.csv, are taken as
        those over all.
    pairwise : bool
        Whether to compute all differences between models.
    n_boot : int
        Number of bootstrap replicates; ``jackknife_t`` needs none.
    method : str, optional
        Of the intervals: ``jackknife_t``, ``percentile``, ``basic``, ``normal``,
        ``bca``, ``studentized`` or ``studentized_et``; by default the recommended one,
        jackknife_t.
    confidence : float
        Of the intervals.
    null : float
        Against which levels of correlation and concordance are tested; differences
        and bias are tested against 0, levels of errors and R2 are not.
    stratify : str or array of (n,), optional
        Group of each subject: subjects are drawn within their group.
    adjust : {None, "holm", "max_t"}
        Judge the differences of one metric in one context together, as
        `ComparisonResult.adjust`.
    seed : int
        Key of the draws; the same seed gives the same bytes at any `n_threads`.
    n_threads : int, optional
        By default one per core.
    score_range : float
        Width of the score, by which NRMSE divides; 7 for scores from -3.5 to 3.5.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    ColumnError
        If a column is missing or holds text, infinities, or nothing at all.
    DataError
        If there is only one subject, a subject is in two strata, a stratum has one
        subject, or `cluster` is None though a column of subjects repeats.

    Warns
    -----
    FewSubjectsWarning
        Under 20 subjects.

    Notes
    -----
    A metric depends on rows only through sums per subject, so a replicate costs
    O(subjects). A subject drawn twice counts as two. A metric that is undefined
    (a constant prediction has no correlation) is NaN, and ``reason`` says why. See
    Davison and Hinkley (1997), chapters 2, 3.8 and 5. Checked against
    ``boot::boot.ci`` on the same replicates, and against scikit-learn and SciPy on
    resampled rows.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 5), "y": rng.normal(size=150)})
    >>> table["good"] = table["y"] + rng.normal(size=150)
    >>> table["poor"] = rng.normal(size=150)
    >>> result = compare_models(
    ...     table, truth="y", predictions=["good", "poor"], cluster="subject", seed=1
    ... )
    >>> result.tidy().query("metric == 'correlation'")["term"].tolist()
    ['good', 'poor', 'good - poor']
    """
    frame = as_frame(table, what=_TABLE)
    metrics = _checked_metrics(metrics)
    if not -1 < null < 1:
        raise DataError(f"null= is a correlation, so it must lie between -1 and 1, not {null!r}")
    if isinstance(n_boot, bool) or not isinstance(n_boot, (int, np.integer)) or n_boot < 0:
        raise DataError(f"n_boot= must be a whole number of at least 0, not {n_boot!r}")
    models, used = _read_models(frame, truth, predictions)
    cluster_name, codes, labels = read_clusters(frame, cluster, what=_TABLE)
    contexts, context_rows = _read_contexts(frame, context)
    strata = (
        None if stratify is None else read_strata(frame, stratify, codes, labels, used, what=_TABLE)
    )
    check_enough(codes, labels, used)

    rows = build_rows(metrics, models, contexts, pairwise=pairwise)
    levels = build_levels(
        metrics, models, contexts, context_rows, codes, len(labels), score_range=score_range
    )
    groups = tuple(build_groups(rows, levels, strata))
    draws = _Draws(groups, len(rows), checked_seed(seed), n_threads, _only_rounding(rows, groups))
    evidence = _gather(rows, groups, draws, levels.why_undefined, null, int(n_boot))
    n_clusters = np.zeros(len(rows), dtype=np.int64)
    for group in groups:
        n_clusters[list(group.rows)] = len(group.clusters)
    warn_of_few_subjects(n_clusters)
    intervals = compute(evidence, method, confidence)
    _warn_of_undefined(intervals, rows, int(n_boot))
    n_used = int(np.count_nonzero(used))
    result = ComparisonResult(
        rows=tuple(rows),
        evidence=evidence,
        intervals=intervals,
        n=np.fromiter(counted_rows(rows, levels), dtype=np.int64, count=len(rows)),
        n_clusters=n_clusters,
        n_used=n_used,
        n_dropped=len(frame) - n_used,
        clusters=tuple(labels),
        cluster_name=cluster_name,
        draws=draws,
        own_all=dict(zip(contexts, context_rows, strict=True)).get(ALL) is not None,
    )
    return result if adjust is None else result.adjust(adjust)


# --- reading the arguments -----------------------------------------------------------------


def _checked_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    for name in names:
        if name not in METRICS:
            raise DataError(f"there is no metric {name!r}; {near_names(str(name), METRICS)}")
    if not names:
        raise DataError("metrics= must name at least one metric")
    return tuple(dict.fromkeys(names))


def _read(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    require_columns(frame, [name], what=_TABLE)
    column = frame[name]
    if column.dtype == np.float64:
        values = column.to_numpy()
        if not np.isinf(values).any():
            return values
    return numeric_column(frame, name, what=_TABLE)


def _named_models(
    predictions: str | Sequence[str] | Mapping[str, str | Sequence[str] | Predictions],
) -> dict[str, Predictions]:
    if isinstance(predictions, str):
        predictions = [predictions]
    if isinstance(predictions, Mapping):
        named = {
            str(name): item if isinstance(item, Predictions) else Predictions(item)
            for name, item in predictions.items()
        }
    else:
        for item in predictions:
            if not isinstance(item, str):
                raise DataError(
                    f"predictions= lists {item!r}, which has no name; hand over a mapping "
                    "{model: columns or Predictions} instead"
                )
        doubled = [name for name in dict.fromkeys(predictions) if predictions.count(name) > 1]
        if doubled:
            raise DataError(f"predictions= names {listed(doubled)} more than once")
        named = {name: Predictions(name) for name in predictions}
    if not named:
        raise DataError("predictions= must name at least one model")
    return named


def _read_models(
    frame: pd.DataFrame,
    truth: str,
    predictions: Sequence[str] | Mapping[str, str | Sequence[str] | Predictions],
) -> tuple[list[ModelValues], NDArray[np.bool_]]:
    """Return the models, and which rows are used by any of them."""
    named = _named_models(predictions)
    values: dict[str, NDArray[np.float64]] = {}

    def read(name: str) -> NDArray[np.float64]:
        if name not in values:
            values[name] = _read(frame, name)
            if np.isnan(values[name]).all():
                raise ColumnError(f"column {name!r} of {_TABLE} has no value in any row")
        return values[name]

    # A model of one column, judged by the common truth, must have every row.
    whole = {name: len(m.values) == 1 and m.truth is None for name, m in named.items()}
    by_common_truth = any(m.truth is None for m in named.values())
    complete = ~np.isnan(read(truth)) if by_common_truth else np.ones(len(frame), dtype=bool)
    for name, model in named.items():
        if whole[name]:
            complete &= ~np.isnan(read(model.values[0]))
    if not complete.any():
        raise DataError(
            f"no row of {_TABLE} has the truth {truth!r} and every prediction; "
            "leave out the model that is missing there"
        )
    models = []
    used = complete if any(whole.values()) else np.zeros(len(frame), dtype=bool)
    for name, model in named.items():
        columns = []
        truths = model.truth or (truth,) * len(model.values)
        for column, criterion in zip(model.values, truths, strict=True):
            p, t = read(column), read(criterion)
            rows = complete
            if not whole[name]:
                rows = complete & ~np.isnan(p) & ~np.isnan(t)
                used = used | rows
            columns.append(ColumnValues(column, criterion, p, t, rows))
        models.append(ModelValues(name, tuple(columns)))
    return models, used


def _read_contexts(
    frame: pd.DataFrame, context: str | ArrayLike | None
) -> tuple[list[str], list[NDArray[np.bool_] | None]]:
    if context is None:
        return [ALL], [None]
    name, series = column_or_array(frame, context, argument="context", what=_TABLE)
    codes, labels = label_codes(series, name=name, what=_TABLE)
    names = [str(label) for label in labels]
    if len(names) == 1:
        return names, [None]
    rows: dict[str, NDArray[np.bool_] | None] = {label: codes == i for i, label in enumerate(names)}
    # A study's predictions.csv: rows called "all" are those of the model over all contexts.
    over_all = rows.pop(ALL, None)
    return [*rows, ALL], [*rows.values(), over_all]


# --- from the quantities to the evidence ---------------------------------------------------


def _only_rounding(rows: Sequence[Row], groups: Sequence[Group]) -> tuple[int, ...]:
    """Return the differences that are 0 but for rounding, whoever is left out.

    A model and a linear function of it have one correlation; the last bits of the two
    would otherwise be tested as if they were a difference.
    """
    level: dict[int, float] = {}
    place: dict[int, tuple[Group, int, float]] = {}
    for group in groups:
        for k, (i, value) in enumerate(zip(group.rows, group.design.estimate(), strict=True)):
            place[i] = group, k, abs(float(value))
            if rows[i].second is None:
                level[rows[i].first] = abs(float(value))
    found = []
    for i, (group, k, difference) in place.items():
        row = rows[i]
        if row.second is None:
            continue
        least = 1.0 if row.base in {"correlation", "concordance", "r2"} else 0.0
        size = max(level.get(row.first, 0.0), level.get(row.second, 0.0), least)
        # Levels may meet by chance: then those without some subject differ.
        if difference <= _ROUNDING * size:
            left_out = np.abs(group.design.jackknife()[k])
            if (left_out <= _ROUNDING * size).all():
                found.append(i)
    return tuple(found)


def _gather(
    rows: Sequence[Row],
    groups: Sequence[Group],
    draws: _Draws,
    why_undefined: Sequence[str],
    null: float,
    n_boot: int,
) -> Evidence:
    estimate = np.full(len(rows), np.nan)
    jackknives = []
    for group in groups:
        positions = np.array(group.rows)
        estimate[positions] = group.design.estimate()
        knife = group.design.jackknife()
        knife[np.isin(positions, draws.zero_rows)] = 0.0
        jackknives.append(JackknifeGroup(positions, knife, group.design.strata))
    estimate[list(draws.zero_rows)] = 0.0
    reasons = []
    for row in rows:
        causes = [why_undefined[row.first]]
        if row.second is not None:
            causes.append(why_undefined[row.second])
        reasons.append("; ".join(dict.fromkeys(filter(None, [row.note, *causes]))))
    return Evidence(
        estimate=estimate,
        scale=[row.scale for row in rows],
        simple_df=np.array(
            [row.base == "correlation" and not row.metric.endswith("_within") for row in rows]
        ),
        null=np.array([_null(row, null) for row in rows]),
        replicates=draws.replicates(0, n_boot),
        groups=jackknives,
        reason=reasons,
        replicate_errors=_Errors(draws, n_boot),
        n_threads=draws.n_threads,
    )


def _null(row: Row, null: float) -> float:
    if row.second is not None or row.base == "bias":
        return 0.0
    return null if row.base in {"correlation", "concordance"} else np.nan


# --- warnings ------------------------------------------------------------------------------


def _warn_of_undefined(intervals: Intervals, rows: Sequence[Row], n_boot: int) -> None:
    if intervals.asked == "jackknife_t":
        return  # It uses no replicates.
    many = [
        int(i)
        for i in np.flatnonzero(intervals.n_undefined > SOME_UNDEFINED * n_boot)
        if not np.isnan(intervals.low[i])
    ]
    if many:
        worst = max(many, key=lambda i: int(intervals.n_undefined[i]))
        row = rows[worst]
        warnings.warn(
            f"{row.metric} of {row.term!r} in context {row.context!r} is undefined in "
            f"{intervals.n_undefined[worst]} of {n_boot} replicates, which are left out of its "
            f"interval" + (f" (so are {len(many) - 1} other rows)" if len(many) > 1 else ""),
            PyexprWarning,
            stacklevel=4,
        )
