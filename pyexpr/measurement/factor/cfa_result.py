"""The result of a factor model: tables, scores and reliability from one set of estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame, column_or_array
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import Categories, counted_contexts, indicator_columns
from pyexpr.measurement.engines.protocol import FitOutput, FitRequest
from pyexpr.measurement.factor.notes import fit_notes
from pyexpr.measurement.factor.orientation import Pointing, turned_to
from pyexpr.measurement.factor.plot import loadings_figure
from pyexpr.measurement.factor.refitted import modification_indices, ordered_scores
from pyexpr.measurement.factor.reliability import no_shares, shares
from pyexpr.measurement.factor.scores import (
    INADMISSIBLE_MODEL,
    GroupMatrices,
    factor_scores,
    group_matrices,
    measured,
    observed_part,
)
from pyexpr.measurement.specification import MeasurementModel

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike

_ORDERED_RELIABILITY = Template(
    "reliability_of_ordered",
    "indicators are ordered: the model describes continuous responses underlying the "
    "categories, and their reliability is not that of the ratings",
)()
_NO_ORDERED_BARTLETT = Template(
    "no_ordered_bartlett",
    "there is no Bartlett score of a higher-order factor of ordered indicators; use "
    "{method='regression'}",
    report="no Bartlett score of a higher-order factor of ordered indicators",
)()
_FIXED = Template("fixed", "fixed")()
_REST_OF_1 = Template("rest_of_1", "1 minus the explained variance")()
_MISSING_INDICATOR = Template("missing_indicator", "missing indicator")()
# glance() column -> lavaan's name.
_MEASURES = {
    "chisq": "chisq", "df": "df", "p_value": "pvalue", "cfi": "cfi", "tli": "tli",
    "rmsea": "rmsea", "rmsea_conf_low": "rmsea.ci.lower", "rmsea_conf_high": "rmsea.ci.upper",
    "srmr": "srmr", "logl": "logl", "aic": "aic", "bic": "bic", "npar": "npar",
}  # fmt: skip
_ROBUST = {
    "chisq_scaled": "chisq.scaled", "p_value_scaled": "pvalue.scaled",
    "scaling_factor": "chisq.scaling.factor", "cfi_robust": "cfi.robust",
    "tli_robust": "tli.robust", "rmsea_robust": "rmsea.robust",
    "rmsea_robust_conf_low": "rmsea.ci.lower.robust",
    "rmsea_robust_conf_high": "rmsea.ci.upper.robust",
}  # fmt: skip
_SCALED = {
    "cfi_scaled": "cfi.scaled", "tli_scaled": "tli.scaled", "rmsea_scaled": "rmsea.scaled",
    "rmsea_scaled_conf_low": "rmsea.ci.lower.scaled",
    "rmsea_scaled_conf_high": "rmsea.ci.upper.scaled",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the data: indicators (n, p), context codes (n,), and their index."""

    columns: NDArray[np.float64]
    groups: NDArray[np.int64]
    index: pd.Index[Any]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CFAResult(Result):
    """A fitted measurement model.

    Attributes
    ----------
    model : MeasurementModel
    output : FitOutput
        Estimates with the user's names, their covariance matrix, fit measures.
    labels : tuple
        Labels of the contexts, sorted; ``("",)`` without contexts.
    context_name : str or None
    rows : Rows
        The data, for `scores()`.
    n_dropped : int
        Rows left out because indicators are missing.
    n_clusters : int
        0 without ``cluster=``.
    estimator, missing, engine : str
    confidence : float
    pointing : Pointing
        The indicator of each factor whose loading is positive.
    largest : int or None
        The code of the context with which the signs of the others agree, if the rows of all
        contexts together have no solution.
    request : FitRequest
        The request to the engine, for further results of lavaan.
    categories : dict
        The ordered indicators, and their categories from low to high.
    """

    model: MeasurementModel
    output: FitOutput
    labels: tuple[Any, ...]
    context_name: str | None
    rows: Rows
    n_dropped: int
    n_clusters: int
    estimator: str
    missing: str
    engine: str
    confidence: float
    pointing: Pointing
    largest: int | None
    request: FitRequest
    categories: Categories

    @property
    def converged(self) -> bool:
        """Always True: a fit that did not converge raises `FactorModelError`."""
        return True

    @property
    def admissible(self) -> bool:
        """Whether residual and factor covariances are positive definite in every context."""
        return all(self.matrices(code).admissible for code in range(len(self.labels)))

    @property
    def messages(self) -> tuple[str, ...]:
        """Messages of the engine during the fit, such as the original warnings of lavaan."""
        return self.output.messages

    @property
    def n_obs(self) -> int:
        """Number of rows used."""
        return sum(self.output.n_obs)

    def matrices(self, code: int) -> GroupMatrices:
        """Return the model of one context, by its code, as matrices."""
        return group_matrices(
            self.output.parameters, code, self.model.factors, self.model.indicators
        )

    def _z(self) -> float:
        return NormalDist().inv_cdf(0.5 + self.confidence / 2)

    def _of_context(self, code: int) -> dict[str, Any]:
        """Return the first column of a row; without contexts there is none."""
        return {} if self.context_name is None else {self.context_name: self.labels[code]}

    def heading(self) -> str:
        """Return a sentence that names the model, the data and the engine."""
        contexts = (
            ""
            if self.context_name is None
            else f" in {counted_contexts(len(self.labels), [self.context_name])}"
        )
        clusters = f", {self.n_clusters} clusters" if self.n_clusters else ""
        return (
            f"Factor model {'; '.join(self.model.syntax().splitlines())}: {self.n_obs} rows"
            f"{contexts}{clusters}, {self.estimator}, engine {self.engine}"
        )

    def tidy(self) -> pd.DataFrame:
        """Return all parameters, one row each.

        Columns: the context's name (with contexts), lhs, op (``=~`` loading, ``~~``
        variance or covariance, ``~1`` intercept, ``|`` threshold, of which rhs is ``t1``,
        ``t2``, ...), rhs, estimate, std_error, statistic (z), p_value, conf_low, conf_high,
        std_all (standardised), reason (``fixed`` for a fixed parameter, which has no test; the
        residual variance of an ordered indicator is 1 minus the explained variance).
        """
        import pandas as pd

        found = self.output.parameters
        free = found.free >= 0
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(free, found.estimate / found.std_error, np.nan)
        half = self._z() * found.std_error
        table = pd.DataFrame(
            {
                "lhs": list(found.lhs), "op": list(found.op), "rhs": list(found.rhs),
                "estimate": found.estimate, "std_error": found.std_error, "statistic": z,
                "p_value": [math.erfc(abs(value) / math.sqrt(2)) for value in z],
                "conf_low": found.estimate - half, "conf_high": found.estimate + half,
                "std_all": found.std_all,
            }
        )  # fmt: skip
        rest = ~free & (table["op"] == "~~") & table["lhs"].isin(list(self.categories))
        rest &= table["lhs"] == table["rhs"]
        table["reason"] = message_column(
            _REST_OF_1 if of_1 else "" if estimated else _FIXED
            for of_1, estimated in zip(rest, free, strict=True)
        )
        table.loc[rest, ["std_error", "conf_low", "conf_high"]] = np.nan
        if self.context_name is not None:
            table.insert(0, self.context_name, [self.labels[code] for code in found.group])
        return table

    def standardized(self, interval: str = "symmetric") -> pd.DataFrame:
        """Return standardised estimates with intervals.

        Parameters
        ----------
        interval : {"symmetric", "bounded"}
            lavaan's ``estimate +- z SE``, or the same computed on the scale of atanh (loadings,
            correlations) and log (variances), which respects the bounds of standardised values.
        """
        import pandas as pd

        if interval not in ("symmetric", "bounded"):
            raise DataError(
                say("{interval=} must be 'symmetric' or 'bounded', not {given!r}", given=interval)
            )
        found = self.output.parameters
        limits = [
            _standard_interval(value, error * self._z(), op, left == right, interval)
            for value, error, op, left, right in zip(
                found.std_all, found.std_all_error, found.op, found.lhs, found.rhs, strict=True
            )
        ]
        table = pd.DataFrame(
            {
                "lhs": list(found.lhs), "op": list(found.op), "rhs": list(found.rhs),
                "estimate": found.std_all, "std_error": found.std_all_error,
                "conf_low": [low for low, _, _ in limits],
                "conf_high": [high for _, high, _ in limits],
                "reason": message_column(reason for _, _, reason in limits),
            }
        )  # fmt: skip
        if self.context_name is not None:
            table.insert(0, self.context_name, [self.labels[code] for code in found.group])
        return table

    def glance(self) -> pd.DataFrame:
        """Return the fit in one row: chi-square, CFI, TLI, RMSEA (90 %), SRMR, AIC, BIC, counts.

        npar, AIC and BIC count the intercepts. With MLR and WLSMV the scaled and robust versions
        are included; WLSMV has no likelihood. With df = 0, `p_value` is NaN, and a note says so.
        """
        import pandas as pd

        measures = self.output.measures
        row: dict[str, Any] = {
            name: measures.get(theirs, math.nan) for name, theirs in _MEASURES.items()
        }
        if "chisq.scaled" in measures:
            row |= {name: measures.get(theirs, math.nan) for name, theirs in _ROBUST.items()}
        if self.categories:
            row |= {name: measures.get(theirs, math.nan) for name, theirs in _SCALED.items()}
        for count in ("df", "npar"):
            row[count] = int(row[count])
        row |= {
            "n": self.n_obs, "n_dropped": self.n_dropped, "n_contexts": len(self.labels),
            "n_clusters": self.n_clusters, "estimator": self.estimator, "missing": self.missing,
            "engine": self.engine, "converged": self.converged, "admissible": self.admissible,
        }  # fmt: skip
        return pd.DataFrame([row])

    def loadings(self) -> pd.DataFrame:
        """Return one row per context and indicator (and factor, if there are several).

        Columns: the context's name (with contexts), factor, indicator, loading,
        std_loading, residual_variance, std_residual_variance, intercept.
        """
        import pandas as pd

        found = self.output.parameters
        at = {
            (int(code), left, op, right): i
            for i, (code, left, op, right) in enumerate(
                zip(found.group, found.lhs, found.op, found.rhs, strict=True)
            )
        }
        rows = []
        for (code, factor, op, name), i in at.items():
            if op != "=~":
                continue
            residual = at[code, name, "~~", name]
            rows.append(
                {
                    **self._of_context(code),
                    "factor": factor, "indicator": name,
                    "loading": found.estimate[i], "std_loading": found.std_all[i],
                    "residual_variance": found.estimate[residual],
                    "std_residual_variance": found.std_all[residual],
                    "intercept": found.estimate[at[code, name, "~1", ""]],
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    @drawn("indicators, factors and contexts")
    def plot(
        self,
        *,
        interval: str = "symmetric",
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw the standardised loadings with intervals by factor, with a panel per context.

        A limit beyond the axis, such as an infinite one, ends in an arrowhead. A value without an
        interval is drawn as a hollow point. A missing value is replaced by its reason.

        Parameters
        ----------
        interval : {"symmetric", "bounded"}
            As for `standardized`.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.factor.cfa import cfa
        >>> rng = np.random.default_rng(1)
        >>> f = rng.normal(size=200)
        >>> table = {name: f + rng.normal(size=200) for name in ("response", "emotion", "motion")}
        >>> figure = cfa(table, {"expressiveness": list(table)}, engine="native").plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['response', 'emotion', 'motion']
        """
        return loadings_figure(
                self.standardized(interval), self.context_name, confidence=self.confidence,
                names=names, width_mm=width_mm,
            )  # fmt: skip

    @explains(renamed=FORMER_CONTEXT)
    def scores(
        self,
        data: FrameLike | None = None,
        method: str = "bartlett",
        *,
        context: str | ArrayLike | None = None,
        allow_inadmissible: bool = False,
    ) -> pd.DataFrame:
        """Return factor scores with standard errors, one row per row of the data.

        Parameters
        ----------
        data : table, optional
            New rows, which are scored with the fitted intercepts, loadings and residual variances,
            never with their own means. By default the fitted rows are scored.
        method : {"bartlett", "regression"}
            Bartlett scores are unbiased given the factor. Regression scores have the smallest mean
            squared error and are shrunken. Both equal those of `lavPredict`, except for the
            Bartlett scores of a factor that is measured only by other factors, for which lavaan
            gives 0 in every row. Here they are computed from the reduced form, in which the part of
            the lower-order factors that this factor does not explain belongs to the error.
        context : str or array, optional
            Context of the new rows; by default the column used in the fit.
        allow_inadmissible : bool
            Whether to compute scores of a model with a negative variance.

        Returns
        -------
        DataFrame
            Has the index of the rows and the columns `score`, `se` (with several factors
            `score_<factor>`, `se_<factor>`) and `reason`, which states why a score is NaN:
            ``missing indicator``, ``inadmissible``. With ``fiml``, incomplete rows are scored from
            their observed indicators. Regression scores require at least one observed indicator,
            and the Bartlett score of a factor requires an observed indicator of this factor.
        """
        if method not in ("bartlett", "regression"):
            raise DataError(
                say("{method=} must be 'bartlett' or 'regression', not {given!r}", given=method)
            )
        rows = self.rows if data is None else self._unseen(data, context)
        m = len(self.model.factors)
        values = np.full((len(rows.columns), 2 * m), np.nan)
        reasons = np.full(len(rows.columns), "", dtype=object)
        by_lavaan = np.zeros(len(rows.columns), dtype=np.bool_)
        for code in range(len(self.labels)):
            mine = rows.groups == code
            model = self.matrices(code)
            if not (model.admissible or allow_inadmissible):
                reasons[mine] = INADMISSIBLE_MODEL
                continue
            if self.categories:
                complete = mine & ~np.isnan(rows.columns).any(axis=1)
                reasons[mine & ~complete] = _MISSING_INDICATOR
                by_lavaan |= complete
                continue
            self._score_group(rows.columns, mine, model, method, values, reasons)
        if by_lavaan.any():
            values[by_lavaan, :m] = ordered_scores(
                self, rows.columns[by_lavaan], rows.groups[by_lavaan], method
            )
            higher = [k for k, level in enumerate(self.model.levels.values()) if level > 1]
            if higher and method == "bartlett":
                # The result of lavPredict there, 0 in every row, is not a score.
                values[:, higher] = np.nan
                reasons[by_lavaan] = _NO_ORDERED_BARTLETT
        return self._score_table(values, reasons, rows.index)

    def _score_group(
        self,
        columns: NDArray[np.float64],
        mine: NDArray[np.bool_],
        model: GroupMatrices,
        method: str,
        values: NDArray[np.float64],
        reasons: NDArray[np.object_],
    ) -> None:
        """Score the rows of one context, pattern by pattern of observed indicators."""
        seen = ~np.isnan(columns)
        partial = self.missing == "fiml"
        m = len(self.model.factors)
        for pattern in np.unique(seen[mine], axis=0) if mine.any() else []:
            these = mine & (seen == pattern).all(axis=1)
            part = observed_part(model, pattern)
            found = np.ones(m, dtype=bool)
            if not pattern.all():
                found = measured(part, method) if partial else np.zeros(m, dtype=bool)
            if not found.all():
                reasons[these] = _MISSING_INDICATOR
            if not found.any():
                continue
            try:
                scores, errors = factor_scores(
                    columns[np.ix_(these, pattern)], part, method, partial=not pattern.all()
                )
            except np.linalg.LinAlgError:
                reasons[these] = INADMISSIBLE_MODEL
                continue
            values[these] = np.column_stack([scores, errors])

    def _score_table(
        self, values: NDArray[np.float64], reasons: NDArray[np.object_], index: pd.Index[Any]
    ) -> pd.DataFrame:
        import pandas as pd

        factors = self.model.factors
        if len(factors) == 1:
            names = ["score", "se"]
        else:
            names = [*(f"score_{name}" for name in factors), *(f"se_{name}" for name in factors)]
        table = pd.DataFrame(values, columns=names, index=index)
        table["reason"] = message_column(reasons, index)
        return table

    def _unseen(self, data: Any, context: Any) -> Rows:
        frame = as_frame(data)
        columns = indicator_columns(frame, self.model, self.categories)
        if self.context_name is None:
            return Rows(columns, np.zeros(len(frame), dtype=np.int64), frame.index)
        name, values = column_or_array(
            frame,
            self.context_name if context is None else context,
            argument="context",
            what="data",
        )
        known = {label: code for code, label in enumerate(self.labels)}
        strange = [label for label in dict.fromkeys(values.tolist()) if label not in known]
        if strange:
            raise DataError(
                f"column {name!r} has contexts to which the model was not fitted: "
                f"{listed(strange)}; it was fitted to {listed(self.labels)}"
            )
        codes = np.array([known[label] for label in values.tolist()], dtype=np.int64)
        return Rows(columns, codes, frame.index)

    def reliability(self) -> pd.DataFrame:
        """Return the reliability of each factor, with one row per context, factor and quantity.

        Columns: the context's name (with contexts), factor, quantity, estimate, conf_low,
        conf_high, reason. Quantities, with S the implied covariance of the indicators:

        - ``score_reliability``: the squared correlation of Bartlett scores with their
          factor, ``psi / (psi + e)``, e their error variance in ``(L'S^-1 L)^-1 - Psi``; for one
          factor ``I / (1 + I)`` with ``I = psi sum lambda^2 / theta``. For a higher-order factor, L
          is its indirect effect through the lower-order factors.
        - ``determinacy``: the correlation of regression scores with their factor, the root
          of ``(Psi L'S^-1 L Psi)_kk / psi_kk``. Regression scores also use the indicators of
          correlated factors. The determinacy then exceeds the root of the reliability; for one
          factor both are equal.
        - ``omega``: ``psi (sum lambda)^2 / (psi (sum lambda)^2 + sum theta)`` for the sum of the
          factor's indicators, after reversing those with negative loadings, and including their
          residual covariances. It is not given if one of the indicators also measures another
          factor.
        - ``omega_h`` (omega hierarchical) replaces omega for a higher-order factor: its squared
          correlation with the sum of all indicators of its lower-order factors.

        Intervals are computed by the delta method on the logit of the quantity (of its square for
        determinacy). They are NaN with a reason if the model is inadmissible, if an indicator has
        no error by design, or if indicators are ordered. Source: McDonald (1999); Grice (2001).
        Checked against ``psych::factor.stats`` and lavaan's ``:=``.
        """
        import pandas as pd

        rows = [
            self._of_context(code) | asdict(share)
            for code in range(len(self.labels))
            for share in (
                no_shares(self.model, _ORDERED_RELIABILITY)
                if self.categories
                else shares(self.output, self.model, code, self._z())
            )
        ]
        return pd.DataFrame(rows).assign(reason=message_column(row["reason"] for row in rows))

    def modification_indices(self) -> pd.DataFrame:
        """Return by how much freeing each parameter would improve the fit, largest first.

        Columns: the context's name (with contexts), lhs, op, rhs, mi (the expected decrease in
        chi-square, df 1), p_value, epc (the expected parameter change), sepc_all (standardised).
        They are computed by ``lavaan::modificationIndices``, which fits the model once more. Since
        many parameters are inspected, large values may be due to chance and may not replicate in
        another sample.

        Raises
        ------
        EngineError
            If the native engine fitted the model.
        """
        return modification_indices(self)

    def notes(self) -> tuple[str, ...]:
        """Return notes, such as df = 0, rows left out, and inadmissible estimates."""
        return fit_notes(self)

    def turned_to(self, loadings: pd.DataFrame) -> CFAResult:
        """Return the same fit with the signs of its factors aligned with another fit.

        Parameters
        ----------
        loadings : DataFrame
            The `loadings()` of a fit of the same model; with contexts, of the same contexts.

        Raises
        ------
        DataError
            If a context of this fit is missing there.
        """
        names = self.model.measured
        wanted = {}
        for code, label in enumerate(self.labels):
            own = loadings
            if self.context_name is not None:
                own = loadings[loadings[self.context_name] == label]
            if own.empty:
                raise DataError(
                    f"loadings of context {label!r} are missing, so its sign cannot be aligned"
                )
            target = np.zeros((len(names), len(self.model.factors)))
            for factor, name, value in zip(
                own["factor"], own["indicator"], own["std_loading"], strict=True
            ):
                target[names.index(name), self.model.factors.index(factor)] = value
            wanted[code] = target
        return replace(self, output=turned_to(self.output, self.model, wanted))

    def provenance(self) -> dict[str, Any]:
        """Return model, estimator, engine, counts, messages and versions."""
        return {
            "model": self.model.syntax(), "estimator": self.estimator, "missing": self.missing,
            "likelihood": "" if self.categories else "normal",
            "confidence": self.confidence, "engine": self.engine,
            "n": self.n_obs, "n_dropped": self.n_dropped, "n_clusters": self.n_clusters,
            "context": self.context_name, "positive": self.pointing.indicators,
            "ordered": {name: list(map(str, known)) for name, known in self.categories.items()},
            "lavaan_options": dict(self.request.options),
            "contexts": dict(zip(map(str, self.labels), self.output.n_obs, strict=True)),
            "converged": self.converged, "admissible": self.admissible,
            "messages": list(self.messages), "versions": {**versions(), **self.output.versions},
        }  # fmt: skip


def _standard_interval(
    value: float, half: float, op: str, is_variance: bool, interval: str
) -> tuple[float, float, str]:
    """Limits of one standardised value, and why there are none."""
    if half == 0 or interval == "symmetric" or op == "~1":
        return value - half, value + half, _FIXED if half == 0 else ""
    if is_variance:
        if value <= 0:
            return math.nan, math.nan, INADMISSIBLE_MODEL
        return value * math.exp(-half / value), value * math.exp(half / value), ""
    if abs(value) >= 1:
        return math.nan, math.nan, INADMISSIBLE_MODEL
    centre, spread = math.atanh(value), half / (1 - value**2)
    return math.tanh(centre - spread), math.tanh(centre + spread), ""
