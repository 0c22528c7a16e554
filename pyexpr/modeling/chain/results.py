"""The steps of the chain as parts of its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.inference.comparison.quantities import Row, labels_of, structure_of
from pyexpr.inference.comparison.result import ComparisonResult
from pyexpr.measurement.factor.bootstrap_result import quantities
from pyexpr.modeling.chain.intervals import of_factor_models, of_models, of_reliability
from pyexpr.modeling.chain.labels import SHOWN, Labels
from pyexpr.modeling.chain.rated import FORM, Rated
from pyexpr.modeling.chain.result import MODELS, ChainStep
from pyexpr.modeling.fitting.plan import SEPARATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def reliability_step(rated: Rated, replicates: Array) -> ChainStep:
    """Return the ICCs, whose intervals by leaving out subjects are those of `icc`."""
    found = rated.reliability
    return ChainStep(
        name="reliability",
        keys={
            "metric": [FORM] * len(found),
            "term": [one.question for one in found],
            "context": [one.context for one in found],
        },
        evidence=of_reliability(found, replicates, len(rated.subjects)),
        shown=np.arange(len(found)),
        n=np.array([one.n for one in found]),
        n_clusters=np.array([len(one.subjects) for one in found]),
        fixed=np.full((len(found), 3), np.nan),
        limits=np.array([(one.low, one.high) for one in found]),
    )


def factor_steps(labels: Labels, replicates: Array) -> list[ChainStep]:
    """Return the steps of the factor models, of each context and over all; may be empty."""
    steps, names = [], iter(labels.names)
    for fit, evidence in zip(labels.fits, of_factor_models(labels, replicates), strict=True):
        every = quantities(fit.model)
        own = [next(names) for _ in fit.draws.groups]
        pairs = [(name, term, context) for context in own for name, term in every]
        shown = np.array([k for k, pair in enumerate(pairs) if pair[0] in SHOWN])
        n, n_clusters = (np.asarray(counts)[shown] for counts in fit.counts())
        steps.append(
            ChainStep(
                name="factor_model",
                keys={
                    key: [pairs[k][at] for k in shown]
                    for at, key in enumerate(("metric", "term", "context"))
                },
                evidence=evidence,
                shown=shown,
                n=n,
                n_clusters=n_clusters,
                fixed=np.full((len(shown), 3), np.nan),
            )
        )
    return steps


def models_step(
    fixed: ComparisonResult,
    estimate: Array,
    without: Array,
    replicates: Array,
    subjects: Sequence[NDArray[np.int64]],
) -> ChainStep:
    """Return the performance of the models, beside the comparison `fixed`."""
    table = fixed.tidy()
    return ChainStep(
        name=MODELS,
        keys={**labels_of(fixed.rows), **structure_of(fixed.rows)},
        evidence=of_models(fixed, estimate, without, replicates, subjects),
        shown=np.arange(len(fixed.rows)),
        n=table["n"].to_numpy(),
        n_clusters=np.array([len(own) for own in subjects]),
        fixed=table[["std_error", "conf_low", "conf_high"]].to_numpy(dtype=np.float64),
    )


def subjects_of(
    rows: Sequence[Row],
    terms: Sequence[str],
    keys: Sequence[tuple[str, str]],
    rated: Rated,
    labels_of: str,
) -> list[NDArray[np.int64]]:
    """Return the subjects on whom each row depends, as positions among all subjects.

    A context's own model, with the score of its own factor model, depends on those of its contexts;
    everything else on all.
    """
    by_context: dict[str, NDArray[np.int64]] = {}
    for one in rated.reliability:
        known = by_context.get(one.context, np.array([], dtype=np.int64))
        by_context[one.context] = np.union1d(known, one.subjects)
    separate = {term for term, key in zip(terms, keys, strict=True) if key[1] == SEPARATE}
    everyone = np.arange(len(rated.subjects))
    found = []
    for row in rows:
        models = [name for name in row.models if name is not None]
        contexts = [name for name in row.contexts if name is not None]
        alone = labels_of == "context" and separate.issuperset(models) and ALL not in contexts
        own = [by_context[name] for name in contexts] if alone else [everyone]
        found.append(np.unique(np.concatenate(own)))
    return found
