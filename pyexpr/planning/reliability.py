"""Power to show a reliability, or to estimate it precisely, from variance components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.measurement.components.design import design_of
from pyexpr.measurement.components.group import computed as components_of
from pyexpr.measurement.icc.bootstrap import Bootstrap
from pyexpr.measurement.icc.cluster import cluster_signals, limits_of
from pyexpr.measurement.icc.forms import Form
from pyexpr.measurement.icc.group import computed, plain_signals
from pyexpr.measurement.icc.intervals import Signal, reliability_at
from pyexpr.measurement.icc.layout import Ratings, codes_of, groups_of, row_groups
from pyexpr.measurement.icc.left_out import consistency_of_tables

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_JACKKNIFE = Bootstrap(0, 0, "jackknife_t")
_NAN = float("nan")
# Largest number of ratings in memory at once.
_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of ratings: of subjects, of their clips, of raters, and the rest.

    Attributes
    ----------
    clustered : bool
        Whether the analysis takes account of subjects with several clips, by leaving out whole
        subjects.
    low, high : float
        Limits of the signal, the variance of targets over that of the error of one rating, from
        the pilot; NaN if there are none, and infinite if there is no upper limit.
    """

    subject: float
    clip: float
    rater: float
    residual: float
    clustered: bool
    low: float = _NAN
    high: float = _NAN

    @property
    def targets(self) -> float:
        """The variance of the targets."""
        return self.subject + self.clip

    def has_limits(self) -> bool:
        """Say whether the signal has an interval; its upper limit may be infinite."""
        return bool(np.isfinite(self.low) and not np.isnan(self.high))

    def error(self, form: Form) -> float:
        """Return the variance of the error of one rating."""
        return self.residual + (0.0 if form.family == "consistency" else self.rater)

    def with_signal(self, signal: float, form: Form) -> Components:
        """Return components whose variances of targets are rescaled to give this signal."""
        factor = max(signal, 0.0) * self.error(form) / self.targets
        return replace(self, subject=factor * self.subject, clip=factor * self.clip)

    def reliability(self, form: Form, n_raters: int) -> float:
        """Return the reliability of one rating, or of the mean of the raters."""
        at = n_raters if form.average else 1
        return reliability_at(self.targets / self.error(form), at)

    def limits(
        self,
        form: Form,
        sizes: tuple[int, int, int],
        n: int,
        rng: np.random.Generator,
        confidence: float,
    ) -> NDArray[np.float64]:
        """Return the limits of icc() in `n` simulated studies, (n, 2); NaN if undefined.

        All raters rate all clips of all subjects; effects are normally distributed.
        """
        n_subjects, n_clips, n_raters = sizes
        shape = (n_subjects, n_clips, n_raters)
        roots = np.sqrt([self.subject, self.clip, self.rater, self.residual])
        step = max(1, _AT_ONCE // math.prod(shape))
        found = []
        for first in range(0, n, step):
            tables = np.empty((min(step, n - first), *shape))
            for table in tables:
                table[:] = roots[0] * rng.standard_normal((n_subjects, 1, 1))
                table += roots[1] * rng.standard_normal((n_subjects, n_clips, 1))
                table += roots[3] * rng.standard_normal(shape)
                if form.family == "one_way":
                    # Each target is rated by different raters.
                    table += roots[2] * rng.standard_normal(shape)
                else:
                    table += roots[2] * rng.standard_normal((1, 1, n_raters))
            found.append(limits_of_tables(tables, form, confidence, clustered=self.clustered))
        return np.concatenate(found)


def limits_of_tables(
    tables: NDArray[np.float64], form: Form, confidence: float, *, clustered: bool
) -> NDArray[np.float64]:
    """Return the limits of icc() of complete tables (n, subjects, clips, raters), (n, 2)."""
    n, n_subjects, n_clips, n_raters = tables.shape
    found = np.full((n, 2), np.nan)
    if clustered and form.family == "consistency":
        thetas = consistency_of_tables(tables)
        found = np.stack(limits_of(float(n_raters), thetas, confidence), axis=1)
    # Each in turn: other families, and what has no interval in the usual way.
    for at in np.flatnonzero(np.isnan(found).any(axis=1)):
        ratings = Ratings(
            labels=(), n_rows=tables[at].size, n_missing=0, table=tables[at].reshape(-1, n_raters),
            n_targets=n_subjects * n_clips, n_raters=n_raters,
            clusters=np.repeat(np.arange(n_subjects), n_clips) if clustered else None,
        )  # fmt: skip
        signal = interval_of(ratings, form.family, confidence)
        found[at] = signal.low, signal.high
    steps = n_raters if form.average else 1
    return np.array([[reliability_at(end, steps) for end in row] for row in found.tolist()])


def interval_of(ratings: Ratings, family: str, confidence: float) -> Signal:
    """Return the signal that icc() gives, without the intervals of other families."""
    signals = plain_signals(ratings, ratings.squares(), confidence, {family})
    signal = signals[family]
    if ratings.clusters is not None:
        signal = cluster_signals(ratings, {family: signal}, confidence)[0][family]
    return signal


@dataclass(frozen=True, slots=True)
class PilotRatings:
    """The components of one context of a pilot, and its sizes."""

    context: str
    components: Components
    n_subjects: int
    n_clips: int
    n_raters: int
    estimate: float  # reliability in the pilot


def components_of_pilot(
    frame: pd.DataFrame,
    *,
    targets: Sequence[str],
    ratings: str,
    raters: str | None,
    cluster: str | None,
    context: Sequence[str],
    form: Form,
    confidence: float,
) -> list[PilotRatings]:
    """Return the variance components of every context, with the limits of the signal by icc()."""
    if form.family != "one_way" and raters is None:
        raise DataError(
            say(
                "{form=} requires the rater of each rating; name the column of the raters in "
                "{raters=}",
                form=form.name,
            )
        )
    groups = groups_of(
        frame, targets=targets, ratings=ratings, raters=raters, context=list(context),
        cluster=cluster,
    )  # fmt: skip
    if any(group.shared for group in groups):
        raise DataError(
            say("the targets of the pilot share subjects; name their column in {cluster=}")
        )
    values = frame[ratings].to_numpy(dtype=float)
    codes = {"clip": codes_of(frame, [*targets, *context])[0]}
    if cluster is not None:
        codes["subject"] = codes_of(frame, [cluster])[0]
    if raters is not None:
        codes["rater"] = codes_of(frame, [raters])[0]
    found = []
    for group, (labels, at) in zip(groups, row_groups(frame, context), strict=True):
        rows = np.arange(len(frame))[at]
        rows = rows[~np.isnan(values[rows])]
        own = {name: one[rows] for name, one in codes.items()}
        where = ", ".join(str(one) for one in labels)
        variances = _variances(values[rows], own, where)
        signals = computed(group, confidence, {form.family}, _JACKKNIFE, warn=False).signals
        signal = signals[form.family]
        parts = Components(*variances, cluster is not None, signal.low, signal.high)
        if not parts.targets > 0 or not parts.error(form) > 0:
            raise DataError(
                say(
                    "the ratings of the pilot{where} show no {what}, so that no reliability can "
                    "be planned from them",
                    where=f" in context {where!r}" if where else "",
                    what="error" if parts.targets > 0 else "differences between targets",
                )
            )
        n_targets, n_subjects = (
            len(np.unique(own[name])) for name in ("clip", "subject" if cluster else "clip")
        )
        per_target = len(rows) / n_targets
        n_raters = len(np.unique(own["rater"])) if raters else max(2, round(per_target))
        found.append(
            PilotRatings(
                where, parts, n_subjects, max(1, round(n_targets / n_subjects)), n_raters,
                parts.reliability(form, n_raters),
            )
        )  # fmt: skip
    return found


def _variances(
    values: NDArray[np.float64], codes: dict[str, NDArray[np.int64]], where: str
) -> tuple[float, float, float, float]:
    """Return the variances of subjects, clips, raters and the rest, by REML."""
    facets = [name for name in ("subject", "clip", "rater") if name in codes]
    nested = {"clip": "subject"} if "subject" in codes else None
    effects: list[str] = list(facets)
    one_clip = "subject" in codes and len(np.unique(codes["clip"])) == len(
        np.unique(codes["subject"])
    )
    if one_clip:
        facets, effects, nested = (
            [n for n in facets if n != "clip"],
            [n for n in effects if n != "clip"],
            None,
        )
    design = design_of(facets, nested, effects, None, replicated="rater" not in codes)
    group = components_of(design, (), values, codes, len(values))
    if group.reason:
        raise DataError(
            say(
                "the variance components of the pilot{where} cannot be estimated: {reason}",
                where=f" in context {where!r}" if where else "",
                reason=group.reason,
            )
        )
    names = [*(design.label(effect) for effect in design.effects), "residual"]
    got = dict(zip(names, (float(one) for one in group.variances), strict=True))
    # Without subjects, each clip is a target and is used in place of the subject.
    subject = got.pop("subject", None)
    clip = got.pop("clip", 0.0)
    if subject is None:
        subject, clip = clip, 0.0
    rater, residual = got.pop("rater", 0.0), got.pop("residual")
    assert not got, listed(got)
    return subject, clip, rater, residual
