"""Slopes of the errors of models on properties of the clips, such as the tracking quality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.pairs import DIFFERENCE, KIND, LEVEL, pair_columns, pair_label
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import (
    frame_with_rows,
    numeric_column,
    require_columns,
)
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.coefficients.coefficients import CoefficientResult, context_coefficients
from pyexpr.inference.comparison.predictions import check_truth
from pyexpr.inference.memberships import columns_of, names_two

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from pyexpr.base.foreign import FrameLike
    from pyexpr.inference.clusters import ClusterColumns

_TABLE = "the table"
# Name of the context of all rows if there are no contexts.
_ONE = "rows"
# The penalised weights of the coefficients are not used.
_NO_WEIGHTS: dict[str, Any] = {"alpha": 1.0, "l1_ratio": 0.0, "n_boot": 0}
_NOT_TAKEN = {
    "metrics": "it describes absolute errors",
    "n_boot": "no replicates are drawn",
    "method": "the intervals are Student's t with a cluster-robust variance",
}
_COLUMNS = (
    "estimate", "std_error", "statistic", "df", "n_effective", "p_value", "conf_low", "conf_high",
)  # fmt: skip
NOTE_SLOPES = Template(
    "error_slopes",
    "A slope is the change of the absolute error per standard deviation of the property (column "
    "{column scale}), within contexts; for two models, of the difference of their absolute errors.",
    report="",
)()
NOTE_ADJUSTED = Template(
    "error_slopes_adjusted", "The slopes of a context are adjusted for each other."
)()
NOTE_NOT_CAUSAL = Template(
    "error_slopes_not_causal",
    "Clips of different quality also differ in other respects: a slope does not show what better "
    "recordings would change.",
)()
NOTE_LEFT_OUT = Template(
    "error_slopes_left_out",
    "{n:count row} without a truth, a prediction or a property {verb} left out.",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ErrorSlopesResult(Result):
    """Slopes of the models' absolute errors on properties of the clips.

    Attributes
    ----------
    pairs : tuple of (str, str or None)
        The models, and the pairs of them.
    slopes : tuple of CoefficientResult
        Slopes of the absolute error of each model, or of the difference between two models.
    by_context : bool
        Whether there are contexts.
    """

    pairs: tuple[tuple[str, str | None], ...]
    slopes: tuple[CoefficientResult, ...]
    by_context: bool

    def tidy(self) -> pd.DataFrame:
        """Return one row per model or pair of models, context and property.

        Columns: term (a model, or ``"p - q"``), context (a label or "all"), property, estimate,
        std_error, statistic, df, n_effective (effective number of subjects), p_value, conf_low,
        conf_high, scale (the property's standard deviation within contexts), mean_error (mean
        absolute error, or the mean difference), n, n_clusters, method, reason; kind, first_model,
        second_model.
        """
        import pandas as pd

        blocks: list[pd.DataFrame] = []
        for pair, one in zip(self.pairs, self.slopes, strict=True):
            for i, context in enumerate(one.data.models):
                rows, tested = one.data.rows(context), one.slopes_of(i)
                blocks.append(
                    pd.DataFrame(
                        {
                            "term": pair_label(*pair),
                            "context": context if self.by_context else ALL,
                            "property": one.data.features,
                            **{name: tested[name] for name in _COLUMNS},
                            "scale": one.data.scale,
                            "mean_error": float(np.mean(one.data.y[rows])),
                            "n": len(rows),
                            "n_clusters": one.data.clusters_in(rows),
                            "method": tested["method"],
                            "reason": tested["reason"],
                            KIND: LEVEL if pair[1] is None else DIFFERENCE,
                            **pair_columns("term", [pair] * len(one.data.features)),
                        }
                    )
                )
        return pd.concat(blocks, ignore_index=True).assign(
            reason=message_column(text for block in blocks for text in block["reason"])
        )

    def contrasts(self) -> pd.DataFrame:
        """Return the differences of slopes between contexts, one row per term, pair and property.

        Columns: term, context ("a - b"), property, estimate, std_error, statistic, df, n_effective,
        p_value, conf_low, conf_high, reason, first_context, second_context.

        Raises
        ------
        DataError
            If there is only one context.
        """
        return self._by_term(_contrasts)

    def omnibus(self) -> pd.DataFrame:
        """Return the tests of equal slopes in all contexts, one row per term and property.

        Columns: term, property, statistic (F), df1, df2, p_value, method, reason.

        Raises
        ------
        DataError
            If there is only one context.
        """
        return self._by_term(lambda one: one.omnibus())

    def _by_term(self, made: Callable[[CoefficientResult], pd.DataFrame]) -> pd.DataFrame:
        import pandas as pd

        blocks = []
        for pair, one in zip(self.pairs, self.slopes, strict=True):
            block = made(one).rename(columns={"feature": "property"})
            block.insert(0, "term", pair_label(*pair))
            blocks.append(block)
        return pd.concat(blocks, ignore_index=True).assign(
            reason=message_column(text for block in blocks for text in block["reason"])
        )

    def interval(self, *, confidence: float) -> ErrorSlopesResult:
        """Return the result with intervals at another level.

        Parameters
        ----------
        confidence : float
        """
        return replace(
            self, slopes=tuple(one.interval(confidence=confidence) for one in self.slopes)
        )

    def printed(self) -> pd.DataFrame:
        """Return the table without the columns that only identify rows."""
        hidden = [KIND, "first_model", "second_model", "method"]
        return self.tidy().drop(columns=hidden)

    def heading(self) -> str:
        """Return a sentence that says what was regressed on what."""
        data = self.slopes[0].data
        return (
            f"Absolute error by {listed(data.features)}, of {counted(len(data.y), 'row')} of "
            f"{counted(data.n_clusters, 'subject')}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what a slope is, and which rows were left out."""
        data = self.slopes[0].data
        found = [NOTE_SLOPES, *([NOTE_ADJUSTED] if len(data.features) > 1 else [])]
        if data.n_dropped:
            verb = "was" if data.n_dropped == 1 else "were"
            found.append(NOTE_LEFT_OUT(n=data.n_dropped, verb=verb))
        return (*found, NOTE_NOT_CAUSAL)

    def provenance(self) -> dict[str, Any]:
        """Return the method, level, counts and versions."""
        one = self.slopes[0]
        kept = ("confidence", "n_clusters", "n_rows", "n_dropped", "versions")
        own = one.provenance()
        facts = {name: own[name] for name in kept if name in own}
        return {"method": one.method_of(one.spaces[0])} | facts

    @drawn("models, contexts and properties")
    def plot(
        self, *, names: Mapping[str, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the slopes with their intervals, with a panel per context and a band per property.

        A row "p - q" shows the difference of the absolute errors of two models.
        """
        show = shown_names(names)
        table = self.tidy()
        items = items_of(
            table,
            label=lambda row: show(row["term"]),
            panel=lambda row: str(row["context"]),
            band=lambda row: str(row["property"]),
        )
        panels = {context: show(context) for context in table["context"]}
        return Forest(
            items=items,
            axes={name: Axis(show(name), line=0.0) for name in self.slopes[0].data.features},
            titles={ALL: ""} if set(panels) == {ALL} else panels,
            level=interval_kind(self.slopes[0].confidence),
            axis_name="Change of the absolute error per standard deviation",
        ).figure(width_mm)


def _contrasts(one: CoefficientResult) -> pd.DataFrame:
    """Return the differences of slopes between contexts, without differences of weights."""
    import pandas as pd

    space, contexts, features = one.joint_space(), one.data.contexts, one.data.features
    places = [(a, b, j) for a, b in one.pairs() for j in range(len(features))]
    tested = one.tested(
        space,
        [space.weights([(a, j, 1.0), (b, j, -1.0)]) for a, b, j in places],
        [space.why_missing([a, b], j) for a, b, j in places],
        [np.arange(len(places))],
    )
    pairs = [(contexts[a], contexts[b]) for a, b, _ in places]
    return pd.DataFrame(
        {
            "context": [pair_label(*both) for both in pairs],
            "feature": [features[j] for _, _, j in places],
            **{name: tested[name] for name in (*_COLUMNS, "reason")},
            **pair_columns("context", pairs),
        }
    )


@stoppable("slopes of errors were estimated")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def error_slopes(
    table: FrameLike,
    *,
    truth: str,
    predictions: Iterable[str] | str,
    properties: Iterable[str] | str,
    cluster: ClusterColumns,
    context: str | ArrayLike | None = None,
    confidence: float = 0.95,
    cr: str = "CR2",
) -> ErrorSlopesResult:
    r"""Estimate how the error of models depends on properties of the clips.

    Examples of such properties are the tracking quality of a clip (``share_valid`` and
    ``mean_confidence`` of ``extract_features(...).quality``), its length, or the age of the
    subject. The slope for two models says whether their difference depends on the property.

    Parameters
    ----------
    table : DataFrame
        One row per clip. Rows with a missing truth, prediction or property are left out of all
        models, and counted.
    truth : str
        Column of the true values.
    predictions : str or list of str
        Columns of the models' predictions, on the scale of the truth.
    properties : str or list of str
        Columns of numbers. The slopes of several are adjusted for each other.
    cluster : str or array_like, or two columns
        The subject of each row. Rows of a subject are not treated as independent. Two columns are
        as for `context_coefficients`.
    context : str or array_like, optional
        The context of each row. Each context has its own intercept and slopes; those over all
        contexts are slopes within contexts.
    confidence : float
        Level of the intervals.
    cr : {"CR2", "CR0", "CR1", "CR3"}
        Cluster-robust variance estimator.

    Returns
    -------
    ErrorSlopesResult
        ``tidy()``, ``contrasts()`` and ``omnibus()`` between contexts, ``interval()``, ``plot()``.

    Raises
    ------
    DataError, ColumnError
        If a column is missing or contains no numbers, a property is named twice, or a context has
        only one subject.

    Warns
    -----
    FewSubjectsWarning
        If a context has fewer than 20 subjects.

    Notes
    -----
    With the error :math:`e_i = |y_i - \hat y_i|` of row i in context c, the model is :math:`e_i =
    a_c + \sum_j b_{cj} x_{ij} / s_j + \varepsilon_i`, where :math:`s_j` is the standard deviation
    of property j within contexts (divisor n). It is estimated by least squares, with the variance
    CR2 for subjects as clusters and Satterthwaite's degrees of freedom, as the slopes of
    `context_coefficients`; errors may be skewed, and their variance may depend on the property. For
    two models p and q, :math:`e_i` is the difference of their absolute errors. A slope is not
    tested if one subject has more than 80 % of its leverage. No p-value is adjusted for the
    number of tests.

    Clips of different quality also differ in other respects, such as head movement and the true
    value. A slope therefore describes for which clips predictions are worse, and not what better
    recordings would change.

    Source: Pustejovsky and Tipton (2018). Checked against: clubSandwich, statsmodels, and
    simulations of the size and coverage.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(40), 6), "y": rng.normal(size=240)})
    >>> table["share_valid"] = rng.uniform(0.6, 1, size=240)
    >>> noise = rng.normal(size=240) * (1.2 - table["share_valid"])
    >>> table["model"] = table["y"] + noise
    >>> found = error_slopes(table, truth="y", predictions="model", properties="share_valid",
    ...                      cluster="subject")
    >>> row = found.tidy().iloc[0]
    >>> bool(row["estimate"] < 0), bool(row["p_value"] < 0.01)
    (True, True)
    """
    frame = frame_with_rows(table, what=_TABLE)
    models = _named(predictions, "predictions")
    measures = _named(properties, "properties")
    check_truth(truth)
    two = names_two(cluster, len(frame))
    members = columns_of(cluster, len(frame))
    others = [name for name in (context, *members) if isinstance(name, str)]
    _refuse_doubled(truth, models, measures, others)
    require_columns(frame, [truth, *models, *measures, *others], what=_TABLE)
    values = {
        name: numeric_column(frame, name, what=_TABLE) for name in (truth, *models, *measures)
    }
    errors = {name: np.abs(values[truth] - values[name]) for name in models}
    complete = np.all([np.isfinite(one) for one in values.values()], axis=0)
    if not complete.any():
        raise DataError("no row has a truth, all predictions and all properties")
    used = frame[others].assign(**{name: values[name] for name in measures})
    pairs: list[tuple[str, str | None]] = [(name, None) for name in models]
    pairs += combinations(models, 2)
    found = []
    for first, second in pairs:
        error = errors[first] if second is None else errors[first] - errors[second]
        found.append(
            context_coefficients(
                used,
                np.where(complete, error, np.nan),
                context=np.full(len(frame), _ONE) if context is None else context,
                cluster=cluster,
                confidence=confidence,
                cr=cr,
                # With two memberships there is only one estimator.
                tests=None if two else "least_squares",
                progress=False,
                **_NO_WEIGHTS,
            )
        )
    return ErrorSlopesResult(tuple(pairs), tuple(found), context is not None)


def _named(names: Any, argument: str) -> tuple[str, ...]:
    found = checked_names(names, argument=say("{@argument=}", argument=argument))
    if not found:
        raise DataError(say("{@argument=} names no column", argument=argument))
    doubled = [name for name in found if found.count(name) > 1]
    if doubled:
        raise DataError(
            say("{@argument=} names {name!r} more than once", argument=argument, name=doubled[0])
        )
    return found


def _refuse_doubled(
    truth: str, models: Sequence[str], measures: Sequence[str], others: Sequence[str]
) -> None:
    """Raise `DataError` for a property that is also another column of the model."""
    for name in measures:
        if name in (truth, *models, *others):
            raise DataError(
                say(
                    "{properties=} names {name!r}, which is also the truth, a prediction, the "
                    "context or the subject",
                    name=name,
                )
            )
