"""The result of `invariance`: tests of equal loadings and intercepts, and lavaan's tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import brief, message_column, say
from pyexpr.base.pairs import PARTS, pair_columns, pair_label
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.factor.notes import INCOMPLETE_ROWS
from pyexpr.measurement.factor.plot import contrasts_figure
from pyexpr.measurement.invariance.lavaan import LEVELS, LavaanFits
from pyexpr.measurement.invariance.notes import (
    DIFFER,
    FREE_EVERYWHERE,
    HEYWOOD,
    LAVAAN_EMPTY,
    LAVAAN_LEVEL,
    LITTLE_POWER,
    NEEDS_EVERYONE,
    NO_EVIDENCE,
    NOT_TESTED,
    NOTE_CUTOFFS,
    NOTE_LAVAAN,
    NOTHING_CONSTRAINED,
    PRESUMES_LOADINGS,
    SEE_CONTRASTS,
    SEE_INTERVALS,
    SIGNS_DIFFER,
    TEST_SHOWN,
    WITHOUT_SOME,
)
from pyexpr.measurement.invariance.wald import (
    Constraints,
    PairContrasts,
    Refits,
    metric_contrasts,
    metric_pairs,
    scalar_contrasts,
    scalar_pairs,
    wald,
)
from pyexpr.measurement.specification import MeasurementModel
from pyexpr.resampling.multiplicity import adjust_contrasts, check_rule
from pyexpr.resampling.tests import WaldTest, t_tests

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

NOTHING_DRAWN = say(
    "invariance does not draw subjects, but leaves out each in turn; see {call influence()}"
)
_TESTS = {"metric": "loadings", "scalar": "intercepts"}


@dataclass(frozen=True, slots=True)
class Freed:
    """Indicators whose loading, and whose intercept, may differ between contexts."""

    loadings: tuple[str, ...]
    intercepts: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class InvarianceResult(Result):
    """Tests of measurement invariance between contexts.

    Attributes
    ----------
    model : MeasurementModel
    labels : tuple
        Labels of the contexts, sorted.
    context_name : str
    cluster_name : str or None
        None if every row is a separate subject.
    n_obs : tuple of int
        Rows used, per context.
    n_clusters : tuple of int
        Subjects, per context.
    n_shared : int
        Subjects found in more than one context.
    n_dropped : int
        Rows left out because an indicator is missing.
    freed : Freed
    refits : Refits or None
        The configural models with and without each subject; None if the jackknife tests are
        undefined.
    constraints : Constraints or None
    reason : str
        The reason why there are no jackknife tests, or "".
    lavaan : LavaanFits
    estimator, missing : str
    confidence : float
    subjects : tuple
        Labels of the subjects, sorted; row numbers if every row is a separate subject.
    rule : str or None
        Adjustment of the contrasts: "holm" or "max_t". None: Holm's p-values, with intervals that
        are not simultaneous.
    seed : int
        Seed of the random draws of "max_t".
    """

    model: MeasurementModel
    labels: tuple[Any, ...]
    context_name: str
    cluster_name: str | None
    n_obs: tuple[int, ...]
    n_clusters: tuple[int, ...]
    n_shared: int
    n_dropped: int
    freed: Freed
    refits: Refits | None
    constraints: Constraints | None
    reason: str
    lavaan: LavaanFits
    estimator: str
    missing: str
    confidence: float
    subjects: tuple[Any, ...] = ()
    rule: str | None = None
    seed: int = 0

    def tidy(self) -> pd.DataFrame:
        """Return one row per level: configural, metric, scalar.

        Columns: level, constrained (the parameters that are equal), statistic (F), df1, df2,
        p_value (of the jackknife test of this level), reason (why there is none). The other columns
        are lavaan's, which treats contexts as independent: lavaan_chisq_diff, lavaan_df_diff,
        lavaan_p_value, lavaan_cfi_diff, lavaan_rmsea_diff, lavaan_srmr_diff (each from the level
        before), lavaan_reason.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for level in LEVELS:
            test = self._test(level)
            theirs = self.lavaan.difference(level)
            rows.append(
                {
                    "level": level, "constrained": _CONSTRAINED[level], "statistic": test.statistic,
                    "df1": test.df1, "df2": test.df2, "p_value": test.p_value,
                    "reason": test.reason,
                    **{f"lavaan_{name}": value for name, value in theirs.items()},
                    "lavaan_reason": self._lavaan_reason(level),
                }
            )  # fmt: skip
        texts = {
            name: message_column(row[name] for row in rows) for name in ("reason", "lavaan_reason")
        }
        return pd.DataFrame(rows).astype({"df1": "Int64", "df2": "Int64"}).assign(**texts)

    def _test(self, level: str) -> WaldTest | _NoTest:
        if level == "configural":
            return _NoTest(NOTHING_CONSTRAINED)
        if self.refits is None or self.constraints is None:
            return _NoTest(self.reason)
        contrasts = metric_contrasts if level == "metric" else scalar_contrasts
        return wald(self.refits, contrasts(self.refits, self.constraints))

    def _lavaan_reason(self, level: str) -> str:
        if level == "configural" and level in self.lavaan.outputs:
            return NOTHING_CONSTRAINED
        at = LEVELS.index(level)
        reasons = [self.lavaan.reasons.get(name, "") for name in LEVELS[max(at - 1, 0) : at + 1]]
        # The notes have the rest of the messages.
        return next((brief(text) for text in reversed(reasons) if text), "")

    def fit_measures(self) -> pd.DataFrame:
        """Return lavaan's fit of each level, with contexts treated as independent.

        Columns: level, chisq, df, p_value, cfi, tli, rmsea, srmr, aic, bic, logl, reason;
        with MLR the robust versions, if lavaan provides them.
        """
        import pandas as pd

        found = pd.DataFrame([{"level": level, **self.lavaan.measures(level)} for level in LEVELS])
        reasons = message_column(self.lavaan.reasons.get(level, "") for level in LEVELS)
        return found.assign(reason=reasons)

    def contrasts(self) -> pd.DataFrame:
        """Return the contrasts, with one row per indicator and pair of contexts.

        Columns: level, term (the indicator), contrast ("a - b"), estimate, std_error,
        statistic (t), df, p_value, p_adjusted (Holm, within the level), conf_low,
        conf_high, scale, freed, reason, first_context, second_context (the contexts of "a - b");
        after `adjust` also adjustment. Level ``metric``: the contrast of ``log |lambda_j|``
        relative to the mean of the other constrained indicators (scale ``log ratio``; its ``exp``
        is a ratio), or, if a sign differs between contexts, of the ratio to the first constrained
        indicator (``ratio``). Level ``scalar``: the difference of the indicator's mean beyond the
        difference of the factor that the other indicators imply, in the unit of the indicator; it
        assumes equal loadings. Standard errors are computed by the jackknife, and t has the number
        of subjects minus 1 degrees of freedom (minus the number of contexts, if these share no
        subjects).
        """
        import pandas as pd

        columns = (
            "level", "term", "contrast", "estimate", "std_error", "statistic", "df", "p_value",
            "p_adjusted", "conf_low", "conf_high", "scale", "freed", "reason",
            *PARTS["contrast"],
        )  # fmt: skip
        if self.refits is None or self.constraints is None:
            return pd.DataFrame(columns=list(columns))
        tables = [self._contrast_table(level) for level in _TESTS]
        found = pd.concat(tables, ignore_index=True)[list(columns)]
        return found if self.rule is None else found.assign(adjustment=self.rule)

    def _pairs(self, level: str) -> tuple[PairContrasts, str]:
        """Return the contrasts of a level, and their scale."""
        assert self.refits is not None
        assert self.constraints is not None
        if level == "scalar":
            return scalar_pairs(self.refits, self.constraints), "indicator"
        logs = self.constraints.all_logs and bool(self.constraints.logs.all())
        return metric_pairs(self.refits, self.constraints), "log ratio" if logs else "ratio"

    def _named(self, pairs: PairContrasts) -> dict[str, list[str]]:
        names = self.model.indicators
        return {
            "term": [names[j] for j, _, _ in pairs.terms],
            "contrast": [pair_label(*both) for both in self._contexts_of(pairs)],
        }

    def _contexts_of(self, pairs: PairContrasts) -> list[tuple[str, str]]:
        return [(str(self.labels[g]), str(self.labels[h])) for _, g, h in pairs.terms]

    def _contrast_table(self, level: str) -> pd.DataFrame:
        import pandas as pd

        assert self.refits is not None
        pairs, scale = self._pairs(level)
        df = self.refits.df
        names = self.model.indicators
        free = self.freed.loadings if level == "metric" else self.freed.intercepts
        estimate = pairs.values[0]
        deviations = self.refits.deviations(pairs.values)
        error = np.sqrt((deviations**2).sum(axis=0))
        error[(error == 0) | (df < 1)] = np.nan
        tests = t_tests(estimate, error, np.full(len(error), float(df)), np.zeros(len(error)))
        low, high = tests.limits(self.confidence)
        adjusted = adjust_contrasts(
            tests, lambda tested: deviations[:, tested], self.rule or "holm", self.confidence,
            self.seed,
        )  # fmt: skip
        if self.rule is not None:
            low, high = adjusted.low, adjusted.high
        return pd.DataFrame(
            {
                "level": level,
                **self._named(pairs),
                "estimate": estimate, "std_error": error, "statistic": tests.statistic, "df": df,
                "p_value": tests.p_value, "p_adjusted": adjusted.p_adjusted, "conf_low": low,
                "conf_high": high, "scale": scale,
                "freed": [names[j] in free for j, _, _ in pairs.terms],
                "reason": message_column(
                    NEEDS_EVERYONE if unknown else "" for unknown in np.isnan(error).tolist()
                ),
                **pair_columns("contrast", self._contexts_of(pairs)),
            }
        )  # fmt: skip

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> InvarianceResult:
        """Return the result with intervals of `contrasts` at another level.

        Parameters
        ----------
        method : str, optional
            Only "jackknife_t" is available, because there are no replicates.
        confidence : float, optional
            By default unchanged.
        """
        if method not in (None, "jackknife_t"):
            raise DataError(
                say(
                    "{method=} can only be 'jackknife_t', not {given!r}: {nothing_drawn}",
                    given=method,
                    nothing_drawn=NOTHING_DRAWN,
                )
            )
        level = self.confidence if confidence is None else confidence_level(confidence)
        return replace(self, confidence=level)

    def adjust(self, rule: str) -> InvarianceResult:
        """Return the result with simultaneous inference for the contrasts of each level.

        Their intervals become simultaneous. Without `adjust`, p_adjusted is Holm's.

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: each interval has the level ``1 - (1 - confidence)/m`` (Bonferroni), so an
            interval may include 0 although the adjusted p-value is below the significance level.
            ``max_t``: p-values and intervals use the distribution of the largest test statistic of
            the level (9,999 draws of normal numbers with the correlations of the subjects'
            influences on the contrasts).
        """
        check_rule(rule)
        return replace(self, rule=rule)

    def influence(self) -> pd.DataFrame:
        """Return every contrast without each subject, one row per contrast and subject.

        Columns: level, term, contrast, cluster (the one left out), estimate (without it),
        change (the difference from the estimate of all subjects), influence (-(G - 1) times the
        change, the empirical influence value; if contexts share no subjects, ``-G (G_h - 1)/G_h``
        times, with G_h the number of subjects of its context). Empty if the jackknife tests are
        undefined.
        """
        import pandas as pd

        columns = ["level", "term", "contrast", "cluster", "estimate", "change", "influence"]
        if self.refits is None or self.constraints is None:
            return pd.DataFrame(columns=columns)
        G, strata = len(self.refits.strata), self.refits.strata
        sizes = np.bincount(strata)[strata]
        tables = []
        for level in _TESTS:
            pairs, _ = self._pairs(level)
            without = pairs.values[1:]
            change = without - pairs.values[0]
            named = {name: np.repeat(values, G) for name, values in self._named(pairs).items()}
            tables.append(
                pd.DataFrame(
                    {
                        "level": level, **named,
                        "cluster": list(self.subjects) * len(pairs.terms),
                        "estimate": without.T.ravel(), "change": change.T.ravel(),
                        "influence": (-G * (sizes - 1) / sizes * change.T).ravel(),
                    }
                )
            )  # fmt: skip
        return pd.concat(tables, ignore_index=True)

    def extend(self, n: int) -> NoReturn:
        """Raise an error: there are no replicates to which `n` could be added."""
        raise DataError(f"extend({n!r}) is not available: {NOTHING_DRAWN}")

    @property
    def replicates(self) -> NoReturn:
        """Raise an error: there are no replicates."""
        raise DataError(f"there are no replicates: {NOTHING_DRAWN}")

    def estimates(self) -> pd.DataFrame:
        """Return the configural estimates: one row per context and indicator.

        Columns: the context's name, term (the indicator), loading, loading_se,
        intercept, intercept_se (standard errors by the jackknife over subjects).
        Empty if the jackknife tests are undefined.
        """
        import pandas as pd

        names = self.model.indicators
        if self.refits is None:
            columns = ["loading", "loading_se", "intercept", "intercept_se"]
            return pd.DataFrame(columns=[self.context_name, "term", *columns])
        found: dict[str, NDArray[np.float64]] = {}
        for name, values in (("loading", self.refits.loadings), ("intercept", self.refits.means)):
            flat = values.reshape(len(values), -1)
            found[name] = flat[0]
            found[f"{name}_se"] = np.sqrt((self.refits.deviations(flat) ** 2).sum(axis=0))
        labels = [label for label in self.labels for _ in names]
        return pd.DataFrame(
            {self.context_name: labels, "term": list(names) * len(self.labels), **found}
        )

    @drawn("indicators, contexts and pairs of them")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the contrasts by level, with a panel per pair of contexts.

        Parameters that are free in every context, or that have no interval, are drawn as hollow
        points. A missing value is replaced by its reason. Raises `DataError` if there are no
        contrasts.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.invariance.invariance import invariance
        >>> rng = np.random.default_rng(1)
        >>> subject = np.tile(np.repeat(np.arange(30), 6), 2)
        >>> f = rng.normal(size=30)[subject] + rng.normal(size=360)
        >>> table = {name: f + rng.normal(size=360) for name in ("response", "emotion", "motion")}
        >>> context = np.repeat(["pain", "startle"], 180)
        >>> model = {"expressiveness": list(table)}
        >>> found = invariance(table, model, context=context, cluster=subject, engine="native")
        >>> figure = found.plot()
        >>> figure.axes[0].get_title()
        'pain − startle'
        """
        return contrasts_figure(
            self.contrasts(), confidence=self.confidence, names=names, width_mm=width_mm
        )

    def glance(self) -> pd.DataFrame:
        """Return one row: the p-values of both tests, counts, engine."""
        import pandas as pd

        row: dict[str, Any] = {}
        for level in _TESTS:
            row[f"{level}_p_value"] = self._test(level).p_value
        row |= {
            "n": sum(self.n_obs), "n_dropped": self.n_dropped, "n_contexts": len(self.labels),
            "n_clusters": self._n_subjects, "n_shared": self.n_shared,
            "n_undefined": 0 if self.refits is None else self.refits.n_undefined,
            "estimator": self.estimator, "missing": self.missing, "engine": self.lavaan.engine,
        }  # fmt: skip
        return pd.DataFrame([row])

    @property
    def _n_subjects(self) -> int:
        return sum(self.n_clusters) if self.refits is None else len(self.refits.strata)

    def heading(self) -> str:
        """Return a sentence that names the model, the contexts and the number of subjects."""
        if self.cluster_name is None:
            who = "every row its own subject"
        else:
            who = f"{self._n_subjects} clusters by {self.cluster_name}, {self.n_shared} shared"
        return (
            f"Measurement invariance of {'; '.join(self.model.syntax().splitlines())} over "
            f"{counted_contexts(len(self.labels), [self.context_name])}: "
            f"{sum(self.n_obs)} rows, {who}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return notes on the results of the tests, on free parameters, and on data left out."""
        found = [*self._verdicts(), *self._cautions()]
        if self.freed.intercepts:
            found.append(
                FREE_EVERYWHERE(
                    loadings=listed(self.freed.loadings) or "none",
                    intercepts=listed(self.freed.intercepts),
                )
            )
        if self.n_dropped:
            found.append(INCOMPLETE_ROWS(n_dropped=self.n_dropped))
        if self.lavaan.outputs:
            found += [NOTE_LAVAAN, NOTE_CUTOFFS]
        found += [
            LAVAAN_EMPTY(reason=reason)
            if not self.lavaan.outputs
            else LAVAAN_LEVEL(level=level, reason=reason)
            for reason, level in {why: level for level, why in self.lavaan.reasons.items()}.items()
        ]
        return tuple(found)

    def _verdicts(self) -> list[str]:
        found: list[str] = []
        for level, what in _TESTS.items():
            test = self._test(level)
            if math.isnan(test.p_value):
                continue
            shown = TEST_SHOWN(
                df1=test.df1, df2=test.df2, statistic=test.statistic, p_value=test.p_value
            )
            differ = test.p_value <= 1 - self.confidence
            verdict = DIFFER if differ else NO_EVIDENCE
            found.append(
                verdict(
                    level=level.capitalize(),
                    what=what,
                    test=shown,
                    see=SEE_CONTRASTS if differ else SEE_INTERVALS,
                )
            )
        if self._test("metric").p_value <= 1 - self.confidence:
            found.append(PRESUMES_LOADINGS)
        return found

    def _cautions(self) -> list[str]:
        if self.refits is None:
            return [NOT_TESTED(reason=self.reason)]
        found: list[str] = []
        assert self.constraints is not None
        if self.refits.n_undefined:
            found.append(
                WITHOUT_SOME(n_undefined=self.refits.n_undefined, n_subjects=self._n_subjects)
            )
        if self.cluster_name is not None and self._n_subjects < 20:
            found.append(LITTLE_POWER(n_subjects=self._n_subjects))
        if not self.constraints.all_logs:
            odd = [
                self.model.indicators[j]
                for j in self.constraints.loadings
                if not self.constraints.logs[j]
            ]
            reference = self.model.indicators[self.constraints.reference]
            found.append(SIGNS_DIFFER(odd=listed(odd), reference=reference))
        improper = [
            str(self.labels[code])
            for code, residuals in enumerate(self.refits.residuals[0])
            if (residuals <= 0).any()
        ]
        if improper:
            found.append(HEYWOOD(groups=listed(improper)))
        return found

    def provenance(self) -> dict[str, Any]:
        """Return model, contexts, counts, what is free, engine, messages and versions."""
        outputs = self.lavaan.outputs.values()
        return {
            "model": self.model.syntax(), "context": self.context_name,
            "cluster": self.cluster_name,
            "method": "Wald test, covariance by the joint delete-one-subject jackknife",
            "confidence": self.confidence, "adjust": self.rule, "estimator": self.estimator,
            "missing": self.missing,
            "free": {
                "loadings": list(self.freed.loadings), "intercepts": list(self.freed.intercepts)
            },
            "n": sum(self.n_obs), "n_dropped": self.n_dropped, "n_shared": self.n_shared,
            "n_clusters": self._n_subjects,
            "n_undefined": 0 if self.refits is None else self.refits.n_undefined,
            "contexts": {
                str(label): {"n": n, "n_clusters": g}
                for label, n, g in zip(self.labels, self.n_obs, self.n_clusters, strict=True)
            },
            "engine": self.lavaan.engine,
            "messages": [text for output in outputs for text in output.messages],
            "versions": {
                **versions("scipy"), **next((output.versions for output in outputs), {})
            },
        }  # fmt: skip


_CONSTRAINED = {"configural": "", "metric": "loadings", "scalar": "loadings, intercepts"}


@dataclass(frozen=True, slots=True)
class _NoTest:
    """A level without a jackknife test, and the reason."""

    reason: str
    statistic: float = math.nan
    df1: int | None = None
    df2: int | None = None
    p_value: float = math.nan
