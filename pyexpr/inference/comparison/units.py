"""Metrics of each unit, such as a recording, averaged over the units of the subjects.

A unit belongs to one subject, so its metric does not depend on which subjects are drawn. A
replicate is the mean over the units of the drawn subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import joined, say
from pyexpr.base.tables import check_flat_columns, column_or_array, label_codes
from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.levels import Levels, build_groups, build_levels
from pyexpr.inference.comparison.metrics import split_name
from pyexpr.inference.comparison.notes import (
    IN_CONTEXT,
    NO_ERRORS,
    NO_UNIT,
    NOTE_UNITS_LEFT_OUT,
    SMALL_UNITS,
    UNDEFINED_UNITS,
)
from pyexpr.inference.comparison.quantities import Measure, ModelValues, build_rows
from pyexpr.inference.comparison.rows import IN_MEMORY, Rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Units:
    """The unit of every row.

    Attributes
    ----------
    name : str
        Name of the column.
    codes : (n,) int64
    labels : list of str
    cluster : (units,) int64
        The subject of each unit.
    """

    name: str
    codes: NDArray[np.int64]
    labels: list[str]
    cluster: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Numbers of units over which a metric is averaged in a context, and of those left out.

    Attributes
    ----------
    metric, context : str
    used, small, undefined : int
        Numbers of units that are averaged, that have too few rows (below `fewest`), and that have
        enough rows but no value for some model.
    unit : str
        Column of the units.
    example : tuple of str
        A unit that is undefined, and the model for which it is undefined; empty if there is none.
    """

    metric: str
    context: str
    used: int
    small: int
    fewest: int
    undefined: int
    unit: str
    example: tuple[str, ...]

    @property
    def note(self) -> str:
        """Return a sentence on the units left out; "" if none is left out."""
        parts: list[str] = []
        if self.small:
            parts.append(SMALL_UNITS(n=self.small, fewest=self.fewest))
        if self.undefined:
            label, model = self.example
            parts.append(
                UNDEFINED_UNITS(n=self.undefined, unit=self.unit, label=label, model=model)
            )
        if not parts:
            return ""
        return NOTE_UNITS_LEFT_OUT(
            metric=self.metric,
            where="" if self.context == ALL else IN_CONTEXT(context=self.context),
            used=self.used,
            total=self.used + self.small + self.undefined,
            why=joined(parts, " and "),
        )


def check_whole_units(metrics: Iterable[str]) -> None:
    """Raise `DataError` for metrics within or between subjects: a unit has one subject."""
    for metric in metrics:
        if split_name(metric)[1] != "pooled":
            raise DataError(
                say(
                    "{metric} uses the means of subjects, but {per=} uses the rows of each "
                    "unit; use {base}",
                    metric=metric,
                    base=split_name(metric)[0],
                )
            )


def read_units(
    frame: pd.DataFrame,
    per: str | ArrayLike,
    codes: NDArray[np.int64],
    subjects: Sequence[Any],
    *,
    what: str,
) -> Units:
    """Return the unit of every row.

    Raises
    ------
    DataError
        If a unit has rows of two subjects, because its metric would depend on who is drawn.
    """
    if isinstance(per, str):
        check_flat_columns(frame, what=what)
    name, series = column_or_array(frame, per, argument="per", what=what)
    of_row, labels = label_codes(series, name=name, what=what)
    cluster = np.full(len(labels), -1)
    cluster[of_row] = codes
    torn = np.flatnonzero(cluster[of_row] != codes)
    if len(torn):
        unit = int(of_row[torn[0]])
        two = [str(subjects[k]) for k in np.unique(codes[of_row == unit])[:2]]
        raise DataError(
            say(
                "{unit!r} of column {name!r} has rows of subjects {one!r} and {other!r}: a "
                "unit of {per=} must belong to one subject; if labels are unique only within a "
                "subject, combine them with the label of the subject",
                unit=labels[unit],
                name=name,
                one=two[0],
                other=two[1],
            )
        )
    return Units(name, of_row, [str(label) for label in labels], cluster)


def levels_of_units(
    measures: Sequence[Measure],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    context_rows: Sequence[NDArray[np.bool_] | None],
    units: Units,
    n_clusters: int,
    *,
    score_range: float,
    classes: Classes | None = None,
    source: Rows = IN_MEMORY,
) -> tuple[Levels, list[LeftOut]]:
    """Return the levels as means over units, summed per cluster, and the units left out."""
    plain = [replace(measure, logarithm=False) for measure in measures]
    inner = build_levels(
        plain, models, contexts, context_rows, units.codes, len(units.labels),
        score_range=score_range, classes=classes, of_units=True, source=source,
    )  # fmt: skip
    values = _values(inner, plain, models, contexts, len(units.labels))
    levels = Levels([], [], [], [], [], [], [], [], [])
    left_out = []
    n_models = len(models)
    for at in range(0, len(values), n_models):
        m, c = divmod(at // n_models, len(contexts))
        block = slice(at, at + n_models)
        kept, found = _kept(
            values[block], inner.rows[block], units, measures[m], contexts[c], models, source
        )
        if not measures[m].logarithm:
            left_out.append(found)
        for i, model in enumerate(models):
            own = kept & ~np.isnan(values[at + i])
            reason = inner.why_undefined[at + i]
            if not reason and not own.any():
                reason = NO_UNIT(unit=units.name, metric=measures[m].metric, model=model.name)
            if not reason and measures[m].logarithm and not values[at + i][own].any():
                reason = NO_ERRORS(model=model.name)
            # A level without a value still has its units, which are needed for their numbers.
            among = own if own.any() else inner.clusters[at + i]
            n = np.bincount(units.cluster[among], minlength=n_clusters).astype(np.float64)
            sums = np.zeros((len(core.SUMS), n_clusters))
            sums[core.SUMS.index("n")] = n
            sums[core.SUMS.index("d")] = np.bincount(
                units.cluster[own], weights=values[at + i][own], minlength=n_clusters
            )
            shared = c, f"units {m}", model.truths, own.tobytes()
            levels.members.append((len(levels.columns),))
            levels.columns.append(core.Column(sums, (0.0, 0.0), shared))
            levels.measures.append(replace(measures[m], function=None, averaged=True))
            levels.divisors.append(np.nan if reason else 1.0)
            levels.clusters.append(n > 0)
            levels.rows.append(inner.rows[at + i] & own[units.codes])
            levels.why_undefined.append(reason)
            levels.folds.append(1)
            levels.repeats.append(1)
    return levels, left_out


def _values(
    levels: Levels,
    measures: Sequence[Measure],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    n_units: int,
) -> NDArray[np.float64]:
    """Return every level in every unit, (levels, units)."""
    values = np.full((len(levels.measures), n_units), np.nan)
    rows = [
        row for row in build_rows(measures, models, contexts, pairwise=False) if row.second is None
    ]
    for group in build_groups(rows, levels, None):
        at = np.array([rows[position].first for position in group.rows])
        values[np.ix_(at, group.clusters)] = group.design.alone()
    return values


def _kept(
    values: NDArray[np.float64],
    rows: Sequence[NDArray[np.bool_]],
    units: Units,
    measure: Measure,
    context: str,
    models: Sequence[ModelValues],
    source: Rows,
) -> tuple[NDArray[np.bool_], LeftOut]:
    """Return the units that are used, the same for all models, and how many are left out.

    A model without a value in any unit does not exclude units of the other models.
    """
    n_units, fewest = len(units.labels), measure.kind.fewest
    n = np.array([source.count_by(one, units.codes, n_units) for one in rows])
    # Models with their own rows may have no rows in some units.
    there, enough = n.any(axis=0), ((n >= fewest) | (n == 0)).all(axis=0)
    defined = ~np.isnan(values)
    evaluated = (defined & enough).any(axis=1)
    missing = ~defined & (n > 0) & evaluated[:, None]
    undefined = there & enough & missing.any(axis=0)
    kept = there & enough & ~undefined
    example: tuple[str, ...] = ()
    if undefined.any():
        unit = int(np.flatnonzero(undefined)[0])
        model = models[int(np.flatnonzero(missing[:, unit])[0])].name
        example = units.labels[unit], model
    return kept, LeftOut(
        measure.metric, context, int(kept.sum()), int((there & ~enough).sum()), fewest,
        int(undefined.sum()), units.name, example,
    )  # fmt: skip
