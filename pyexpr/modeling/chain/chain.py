"""Resample subjects through the whole analysis, from the ratings to the comparison of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.chain.intervals import JACKKNIFE, check_chain_method
from pyexpr.modeling.chain.joined import Joined, join_tables
from pyexpr.modeling.chain.labels import read_labels
from pyexpr.modeling.chain.nets import nets_of
from pyexpr.modeling.chain.notes import INCOMPLETE, UNRATED, WITHOUT_FEATURES
from pyexpr.modeling.chain.performance import METRICS, cells_of
from pyexpr.modeling.chain.rated import Columns, read_rated
from pyexpr.modeling.chain.result import ChainResult
from pyexpr.modeling.chain.results import (
    factor_steps,
    models_step,
    reliability_step,
    subjects_of,
)
from pyexpr.modeling.chain.steps import Chain, Models
from pyexpr.modeling.chain.usual import as_usual, folds_of_rows
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION, plan, read_scheme, read_strategies
from pyexpr.modeling.fitting.specs import read_models

if TYPE_CHECKING:
    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import ModelLike

# A jackknife without one of three subjects is left with two, who cannot be in two folds twice.
_FEWEST = 4
_DRAWS = 2000


@stoppable("subjects were resampled through the whole analysis")
def bootstrap_chain(
    table: FrameLike,
    ratings_table: FrameLike,
    *,
    features: Sequence[str],
    targets: str | Sequence[str],
    cluster: str,
    context: str | None = None,
    ratings: str = "rating",
    question: str | None = None,
    model: ModelLike | None = None,
    labels: str = "context",
    models: Mapping[str, Any] | None = None,
    context_as: str | Sequence[str] = ("separate", "pooled"),
    folds: int = 5,
    repeats: int = 1,
    inner_folds: int = 5,
    adjust_for: Sequence[str] = (),
    metrics: str | Sequence[str] = ("rmse", "correlation"),
    score_range: float | None = None,
    method: str | None = None,
    n_boot: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> ChainResult:
    """Resample subjects through the whole analysis."""
    level = confidence_level(confidence)
    if n_boot is None:
        n_boot = 0 if method in (None, JACKKNIFE) else _DRAWS
    n_boot = whole_number(n_boot, argument="n_boot", least=0)
    method = check_chain_method(method, level, n_boot)
    if labels not in ("context", "pooled"):
        raise DataError(say("{labels=} must be 'context' or 'pooled', not {given!r}", given=labels))
    wanted = _checked_metrics(metrics)
    columns = Columns(
        checked_names(targets, argument=say("{targets=}")), cluster, context, ratings, question
    )
    n_jobs = checked_jobs(n_jobs)
    scheme = read_scheme(CROSS_VALIDATION, folds, repeats, inner_folds, (0.6, 0.2, 0.2), seed)
    rated = read_rated(ratings_table, columns, level)
    if len(rated.subjects) < _FEWEST:
        raise DataError(f"at least {_FEWEST} subjects are required, so that one can be left out")
    made = read_labels(rated, model, columns, level)
    joined = join_tables(table, rated, made, columns, features, adjust_for, labels)
    rows = joined.table
    estimators = read_models(
        models, trusted=("sklearn",), inner_folds=scheme.inner_folds, label=rows.names.label
    )
    strategies, _ = read_strategies(context_as, rows)
    parts, _ = plan(rows, scheme, strategies)
    nets = nets_of(estimators, strategies, parts, rows)
    fitted = Models(
        list(nets.values()), joined.x, joined.group, rows.clusters, joined.among,
        scheme.repeats, labels,
    )  # fmt: skip
    everyone = np.ones(len(rated.subjects), dtype=np.int64)
    weights = made.of_all()
    predicted, truth = fitted.predictions(everyone, weights.weight[0], weights.centre[0])
    fold = folds_of_rows(parts, len(rows.y))
    options: dict[str, Any] = {"n_boot": 0, "confidence": level}
    if score_range is not None:
        options["score_range"] = score_range
    fixed = as_usual(predicted, truth, fold, list(nets), rows, scheme.seed, wanted, options)
    terms = list(terms_of(list(nets)).values())
    cells = cells_of(
        fixed.rows, terms, [str(label) for label in rows.context_labels], rows.contexts, fold,
        float(rows.y.mean()), score_range,
    )  # fmt: skip
    chain = Chain(
        rated.reliability, made, replace(fitted, cells=cells), len(rated.subjects), scheme.seed
    )
    without = chain.without_each(n_jobs, progress)
    drawn = chain.drawn(n_boot, n_jobs, progress)
    steps = [reliability_step(rated, drawn[0])]
    steps += factor_steps(made, drawn[1])
    estimate = chain.models.values(everyone, weights.weight[0], weights.centre[0])
    on_whom = subjects_of(fixed.rows, terms, list(nets), rated, labels)
    steps.append(models_step(fixed, estimate, without, drawn[2], on_whom))
    return ChainResult(
        steps=tuple(steps), method=method, confidence=level, n_boot=n_boot, seed=scheme.seed,
        cluster=cluster, n_subjects=len(rated.subjects), n_folds=scheme.folds,
        n_repeats=scheme.repeats, label=rows.names.label,
        models={one.name: one.description for one in estimators},
        remarks=(*_left_out(joined), *fixed.remarks_on_data()),
    )  # fmt: skip


def _left_out(joined: Joined) -> list[str]:
    found: list[str] = []
    if joined.n_unrated:
        found.append(UNRATED(n=joined.n_unrated))
    if joined.n_without_features:
        found.append(WITHOUT_FEATURES(n=joined.n_without_features))
    left_out = joined.table.left_out
    if len(left_out):
        counts = left_out["reason"].value_counts()
        reasons = "; ".join(f"{reason} ({n})" for reason, n in counts.items())
        found.append(INCOMPLETE(n=len(left_out), reasons=reasons))
    return found


def _checked_metrics(metrics: str | Sequence[str]) -> tuple[str, ...]:
    wanted = checked_names(metrics, argument=say("{metrics=}"))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown or not wanted:
        raise DataError(
            say(
                "{metrics=} must be any of {names} in the chain, not {given!r}",
                names=listed(METRICS, most=20),
                given=unknown[0] if unknown else metrics,
            )
        )
    return wanted
