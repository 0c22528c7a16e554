"""The result of `multilevel_icc`: reliabilities at each level, and their components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.messages import message_column
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.components.design import RESIDUAL
from pyexpr.measurement.components.intervals import (
    ERRORS,
    error_limits,
    errors_of,
    ratio_limits,
    share_limits,
    variance_limits,
)
from pyexpr.measurement.components.notes import AT_BOUND, NO_VARIANCE, NOTE_SEM
from pyexpr.measurement.icc.notes import NOTE_MISSING
from pyexpr.measurement.multilevel.group import LEVELS, MultilevelGroup, coefficients_of
from pyexpr.measurement.multilevel.notes import (
    NOTE_FEW,
    NOTE_LEVELS,
    NOTE_NESTED_SUBJECTS,
    NOTE_NESTED_TARGETS,
    NOTE_Q,
    NOTE_RATERS_NORMAL,
)
from pyexpr.measurement.multilevel.structure import (
    CROSSED,
    IN_SUBJECTS,
    IN_TARGETS,
    design_of_structure,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_FEW = 20


@dataclass(frozen=True, slots=True, repr=False)
class MultilevelICCResult(Result):
    """Multilevel intraclass correlations, one row per context, level and form.

    Attributes
    ----------
    groups : tuple of MultilevelGroup
        One per context.
    columns : tuple of str
        Columns of the subjects, the targets and the raters ("" without).
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    k : float or None
        Number of raters of the average forms; None: as in the ratings.
    confidence : float
        Level of the intervals.
    """

    groups: tuple[MultilevelGroup, ...]
    columns: tuple[str, ...]
    context: tuple[str, ...]
    k: float | None
    confidence: float

    def tidy(self) -> pd.DataFrame:
        """Return one row per context, level and form.

        Columns: those of ``context``, then level (``target``: a target among those of its subject;
        ``subject``: a subject by its mean over very many targets, in which only raters are error;
        ``subject over targets``: a subject by its mean over n targets), form, k (raters), n_targets
        (in a subject's mean), q (share of the variance of raters in the error), estimate, conf_low,
        conf_high, sem (standard error of measurement, in the ratings' units), sem_low, sem_high,
        mdc (minimal detectable change), mdc_low, mdc_high, reason.
        """
        from scipy.special import ndtri

        change = float(ndtri(1 - (1 - self.confidence) / 2)) * np.sqrt(2.0)
        rows = [
            {**head, **row} for head, group in self._by_context()
            for row in self._rows(group, change)
        ]  # fmt: skip
        return self._table(rows, _COLUMNS)

    def _rows(self, group: MultilevelGroup, change: float) -> Iterable[dict[str, Any]]:
        found = group.components
        for one in coefficients_of(group, self.k):
            signal, error = np.array(one.signal), np.array(one.error)
            limits = ratio_limits(found.sampling, signal, error, self.confidence)
            of_error = error_limits(found.sampling, error, self.confidence)
            true, noise = float(found.variances @ signal), float(found.variances @ error)
            none = NO_VARIANCE if true + noise == 0 else ""
            yield {
                "level": one.level,
                "form": one.form,
                "k": one.k,
                "n_targets": one.n_targets,
                "q": one.q,
                "estimate": true / (true + noise) if true + noise > 0 else float("nan"),
                "conf_low": limits.low,
                "conf_high": limits.high,
                **errors_of(float(np.sqrt(noise)), of_error, change),
                "reason": group.reason or none or limits.reason or of_error.reason,
            }

    def components(self) -> pd.DataFrame:
        """Return the variance components, one row per context and effect.

        Columns: those of ``context``, then effect (named after the columns of the data), estimate,
        share, share_low, share_high, std_error, conf_low, conf_high, n_levels, reason.
        """
        rows = [
            {**head, **row} for head, group in self._by_context() for row in self._variances(group)
        ]
        return self._table(rows, _COMPONENTS)

    def _variances(self, group: MultilevelGroup) -> Iterable[dict[str, Any]]:
        found, design = group.components, design_of_structure(group.structure)
        names = dict(zip(("cluster", "targets", "raters"), self.columns, strict=True))
        total = float(np.sum(found.variances))
        for j, effect in enumerate([*design.effects, ()]):
            limits = variance_limits(found.sampling, j, self.confidence)
            of_share = share_limits(found.sampling, j, self.confidence)
            why = limits.reason or of_share.reason
            variance = float(found.variances[j])
            facets = [names[part] for part in design.named(effect)]
            yield {
                "effect": ":".join(facets) or RESIDUAL,
                "estimate": variance,
                "share": variance / total if total > 0 else float("nan"),
                "share_low": of_share.low,
                "share_high": of_share.high,
                "std_error": float(found.std_errors[j]),
                "conf_low": limits.low,
                "conf_high": limits.high,
                "n_levels": [*found.levels, found.n_ratings][j],
                "reason": group.reason or why or (AT_BOUND if variance == 0 else ""),
            }

    def counts(self) -> pd.DataFrame:
        """Return one row per context: rows read, missing scores, ratings, subjects, targets.

        ``raters`` is how raters are arranged; ``k_target`` the harmonic mean of the ratings per
        target, ``k_subject`` the effective number of raters per subject.
        """
        import pandas as pd

        rows = []
        for head, group in self._by_context():
            found = group.components
            effects = design_of_structure(group.structure).effects
            levels = dict(zip(effects, found.levels, strict=True))
            rows.append(
                {
                    **head,
                    "n_rows": found.n_rows,
                    "n_missing": found.n_missing,
                    "n_ratings": found.n_ratings,
                    "n_subjects": levels["cluster",],
                    "n_targets": levels["cluster", "targets"],
                    "raters": group.structure,
                    "k_target": group.means.k_target,
                    "k_subject": group.means.k_subject,
                }
            )
        return pd.DataFrame(rows, columns=[*self.context, *_COUNTS])

    def _by_context(self) -> list[tuple[dict[str, Any], MultilevelGroup]]:
        return [
            (dict(zip(self.context, group.components.labels, strict=True)), group)
            for group in self.groups
        ]

    def _table(self, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
        import pandas as pd

        table = pd.DataFrame(rows, columns=[*self.context, *columns])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    @drawn("contexts, levels and forms")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every ICC with its interval, a panel per level.

        A missing value is replaced by its reason.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from pyexpr.measurement.multilevel.multilevel_icc import multilevel_icc
        >>> rng = np.random.default_rng(1)
        >>> subject, clip, rater = (part.ravel() for part in np.indices((20, 4, 3)))
        >>> score = rng.normal(size=20)[subject] + rng.normal(size=(20, 4))[subject, clip]
        >>> score += 0.3 * rng.normal(size=3)[rater] + rng.normal(size=240)
        >>> table = pd.DataFrame(
        ...     {"subject": subject, "clip": clip, "rater": rater, "score": score}
        ... )
        >>> found = multilevel_icc(
        ...     table, targets="clip", ratings="score", raters="rater", cluster="subject"
        ... )
        >>> len(found.plot().axes)
        3
        """
        shown = shown_names({**_TITLES, **(names or {})})
        table = self.tidy().assign(method=_METHOD)

        def label(row: dict[str, Any]) -> str:
            return ", ".join([*(shown(row[name]) for name in self.context), shown(row["form"])])

        return Forest(
            items=items_of(table, label=label, panel=lambda row: shown(row["level"])),
            axes={"": Axis(line=0.0, holds=(0.0, 1.0), flush=True)},
            level=interval_kind(self.confidence, table["method"]),
            axis_name="Intraclass correlation",
        ).figure(width_mm)

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        contexts = f", {counted_contexts(len(self.groups), self.context)}" if self.context else ""
        subjects, targets, _ = self.columns
        return (
            f"Reliability of targets ({targets}) within subjects ({subjects}), and of subjects, "
            f"{100 * self.confidence:g} % intervals{contexts}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the table leaves out, and how it must not be interpreted."""
        structures = {group.structure for group in self.groups}
        notes: list[str] = [NOTE_LEVELS]
        if IN_SUBJECTS in structures:
            notes.append(NOTE_NESTED_SUBJECTS)
        if IN_TARGETS in structures:
            notes.append(NOTE_NESTED_TARGETS)
        if any(one.form == "ICC(Q,k)" for g in self.groups for one in coefficients_of(g, self.k)):
            notes.append(NOTE_Q)
        if CROSSED in structures:
            notes.append(NOTE_RATERS_NORMAL)
        notes.append(NOTE_SEM(confidence=100 * self.confidence))
        if any(group.components.levels[0] < _FEW for group in self.groups):
            notes.append(NOTE_FEW)
        missing = sum(group.components.n_missing for group in self.groups)
        if missing:
            notes.append(NOTE_MISSING(missing=missing))
        return tuple(notes)

    def provenance(self) -> dict[str, Any]:
        """Return columns, number of raters, method, counts and versions."""
        cluster, targets, raters = self.columns
        return {
            "confidence": self.confidence,
            "cluster": cluster,
            "targets": targets,
            "raters": raters or None,
            "context": list(self.context),
            "k": self.k,
            "method": "REML",
            "counts": self.counts().to_dict(orient="records"),
            "components": self.components().to_dict(orient="records"),
            "versions": versions("scipy"),
        }


_METHOD = "jackknife"
_TITLES = dict(
    zip(
        LEVELS,
        ("Target within its subject", "Subject, many targets", "Subject, these numbers"),
        strict=True,
    )
)
_COLUMNS = (
    "level", "form", "k", "n_targets", "q", "estimate", "conf_low", "conf_high", *ERRORS, "reason",
)  # fmt: skip
_COMPONENTS = (
    "effect", "estimate", "share", "share_low", "share_high", "std_error", "conf_low", "conf_high",
    "n_levels", "reason",
)  # fmt: skip
_COUNTS = (
    "n_rows", "n_missing", "n_ratings", "n_subjects", "n_targets", "raters", "k_target",
    "k_subject",
)  # fmt: skip
# A column of contexts must not have such a name, which would occur twice in a table.
OF_TABLES = frozenset({*_COLUMNS, *_COMPONENTS, *_COUNTS})
