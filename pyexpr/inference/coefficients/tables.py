"""The tables of coefficients: weights, slopes, contrasts, omnibus and wild tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import joined, message_column, say
from pyexpr.base.pairs import DIFFERENCE, KIND, LEVEL, pair_columns, pair_label
from pyexpr.inference.coefficients.cluster_ols import ClusterOLS
from pyexpr.inference.coefficients.desparsified import Desparsified
from pyexpr.inference.coefficients.evidence import CoefficientEvidence
from pyexpr.inference.coefficients.notes import (
    IN_A_CONTEXT,
    NEEDS_ONE,
    NO_VARIATION,
    OF_WEIGHTS,
    TOO_FEW_SUBJECTS,
)
from pyexpr.inference.coefficients.penalised import Procedure, describe
from pyexpr.inference.coefficients.slopes import SlopeSpace
from pyexpr.inference.coefficients.two_way_ols import TwoWayOLS
from pyexpr.inference.coefficients.wild import wild_test
from pyexpr.resampling.multiplicity import holm

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_PROCEDURE = ("boot_std_error", "procedure_low", "procedure_high")
_DIFFERENCE = ("weight_difference", *_PROCEDURE)
_TESTED = ("statistic", "df", "n_effective", "p_value", "conf_low", "conf_high", "method")


def coefficient_table(found: CoefficientEvidence) -> pd.DataFrame:
    """Return one row per context and feature."""
    import pandas as pd

    blocks = []
    for i, (model, weights) in enumerate(zip(found.data.models, found.weights, strict=True)):
        rows = found.data.rows(model)
        procedure = describe(weights.estimate, weights.replicates, found.confidence)
        tested = found.slopes_of(i)
        blocks.append(
            pd.DataFrame(
                {
                    "context": model,
                    "feature": list(found.data.features),
                    "estimate": weights.estimate,
                    **_described(procedure),
                    "selected": procedure.selected,
                    "same_sign": procedure.same_sign,
                    "alpha": weights.alpha,
                    "l1_ratio": weights.l1_ratio,
                    "n_undefined": procedure.n_undefined,
                    "tested_estimate": tested.pop("estimate"),
                    "tested_std_error": tested.pop("std_error"),
                    **{name: tested.pop(name) for name in _TESTED},
                    "n": len(rows),
                    "n_clusters": found.data.clusters_in(rows),
                    "reason": _joined(procedure.reason, tested.pop("reason")),
                    **tested,
                }
            )
        )
    return pd.concat(blocks, ignore_index=True)


def contrast_table(found: CoefficientEvidence) -> pd.DataFrame:
    """Return the differences between every pair of contexts, a row per pair and feature."""
    import pandas as pd

    space, pairs = found.joint_space(), found.pairs()
    places = [(a, b, j) for a, b in pairs for j in range(len(found.data.features))]
    contrasts = [space.weights([(a, j, 1.0), (b, j, -1.0)]) for a, b, j in places]
    missing = [space.why_missing([a, b], j) for a, b, j in places]
    table = found.tested(space, contrasts, missing, [np.arange(len(contrasts))])
    described: list[dict[str, NDArray[np.float64]]] = []
    reasons: list[str] = []
    p = len(found.data.features)
    for a, b in pairs:
        difference = found.differences[a, b]
        if isinstance(difference, str):
            described.append(dict.fromkeys(_DIFFERENCE, np.full(p, np.nan)))
            reasons += [difference] * p
        else:
            estimate = found.weights[a].estimate - found.weights[b].estimate
            procedure = describe(estimate, difference, found.confidence)
            described.append({_DIFFERENCE[0]: estimate, **_described(procedure)})
            reasons += procedure.reason
    slopes_reason = table.pop("reason")
    of_weights = [OF_WEIGHTS(reason=one) if one else "" for one in reasons]
    late = ("p_adjusted", "adjustment")
    adjusted: dict[str, Any] = {name: table.pop(name) for name in late if name in table}
    names = found.data.contexts
    named = [(names[a], names[b]) for a, b in pairs for _ in range(p)]
    return pd.DataFrame(
        {
            "context": [pair_label(*both) for both in named],
            "feature": list(found.data.features) * len(pairs),
            **table,
            **_stacked(described),
            **adjusted,
            "reason": _joined(slopes_reason, of_weights),
            **pair_columns("context", named),
        }
    )


def omnibus_table(found: CoefficientEvidence) -> pd.DataFrame:
    """Return, per feature, the test that its slope is the same in all contexts."""
    import pandas as pd

    space = found.joint_space()
    rows = []
    for j, feature in enumerate(found.data.features):
        everywhere = range(len(found.data.contexts))
        there = [c for c in everywhere if space.tested(c, j)]
        missing = space.why_missing(everywhere, j)
        reason = IN_A_CONTEXT(reason=missing) if missing else ""
        if len(there) < 2:
            rows.append((feature, np.nan, 0, np.nan, np.nan, reason))
            continue
        contrasts = [
            weights
            for c in there[1:]
            if (weights := space.weights([(there[0], j, 1.0), (c, j, -1.0)])) is not None
        ]
        test = space.wald(contrasts)
        if np.isnan(test.p_value):
            if not test.df2 > 0:
                why = TOO_FEW_SUBJECTS
            else:
                unknown = np.isnan(space.tests(contrasts).std_error).any()
                why = NEEDS_ONE if unknown else NO_VARIATION
            reason = joined([reason, why])
        rows.append((feature, test.statistic, test.df1, test.df2, test.p_value, reason))
    names = ["feature", "statistic", "df1", "df2", "p_value", "reason"]
    table = pd.DataFrame(rows, columns=names)
    table["reason"] = message_column(row[-1] for row in rows)
    table.insert(5, "method", "AHT" if space.method == "least_squares" else "Hotelling T2")
    if found.rule is not None:
        table["p_adjusted"] = holm(table["p_value"].to_numpy())
        table["adjustment"] = "holm"
    return table


def slope_covariance(found: CoefficientEvidence, context: str | None) -> pd.DataFrame:
    """Return the covariance of slopes: of all contexts jointly, of one, or over all contexts."""
    import pandas as pd

    models = found.data.models
    if context is not None and context not in models:
        raise DataError(
            say(
                "{context=} must be one of {names}, or {value None}, not {given!r}",
                names=listed(models),
                given=context,
            )
        )
    wanted = found.data.contexts if context is None else (context,)
    space = found.space_of(models.index(wanted[0]))[0]
    if isinstance(space.slopes, Desparsified):
        raise DataError(
            say(
                "for desparsified slopes only standard errors of contrasts are available; use "
                "{tests='least_squares'} if there are enough subjects"
            )
        )
    places = [found.space_of(models.index(one))[1] for one in wanted]
    features = range(len(found.data.features))
    slots = np.array([space.slot[c, j] for c in places for j in features])
    known = np.array([space.tested(c, j) for c in places for j in features])
    values = np.full((len(slots), len(slots)), np.nan)
    values[np.ix_(known, known)] = space.slopes.vcov()[np.ix_(slots[known], slots[known])]
    labels = [f"{one}: {name}" for one in wanted for name in found.data.features]
    return pd.DataFrame(values, index=labels, columns=labels)


def influence_table(found: CoefficientEvidence) -> pd.DataFrame:
    """Return one row per tested slope and subject of its context."""
    import pandas as pd

    tables = [pd.DataFrame(columns=["context", "feature", "cluster", "influence"])]
    for i, model in enumerate(found.data.models):
        space, c = found.space_of(i)
        present = np.unique(found.data.subject[found.data.rows(model)])
        labels = [found.data.subjects[code] for code in present]
        if found.data.memberships is not None:
            labels = list(found.data.memberships.labels)
            present = np.arange(len(labels))
        # Desparsified slopes store (G - 1)/G times the influence.
        G = len(present)
        scale = G if isinstance(space.slopes, Desparsified) else G - 1
        for j, feature in enumerate(found.data.features):
            contrast = space.weights([(c, j, 1.0)])
            if contrast is None or not space.tested(c, j):
                continue
            influence = scale * space.slopes.influences(contrast)[present, 0]
            tables.append(
                pd.DataFrame(
                    {
                        "context": model, "feature": feature, "cluster": labels,
                        "influence": influence,
                    }
                )
            )  # fmt: skip
    return pd.concat(tables[1:] or tables, ignore_index=True)


def wild_table(found: CoefficientEvidence, *, n_boot: int, seed: int) -> pd.DataFrame:
    """Return the wild cluster bootstrap's tests of slopes and contrasts."""
    import pandas as pd

    C, p = len(found.data.contexts), len(found.data.features)
    jobs: list[tuple[SlopeSpace, tuple[str, str | None], list[tuple[int, int, float]]]] = []
    for i, model in enumerate(found.data.models):
        space, c = found.space_of(i)
        jobs += [(space, (model, None), [(c, j, 1.0)]) for j in range(p)]
    space = found.spaces[0]
    for a, b in combinations(range(C), 2):
        both = found.data.contexts[a], found.data.contexts[b]
        jobs += [(space, both, [(a, j, 1.0), (b, j, -1.0)]) for j in range(p)]
    rows = []
    for space, of, terms in jobs:
        name = pair_label(*of)
        feature, contrast = found.data.features[terms[0][1]], space.weights(terms)
        if isinstance(space.slopes, TwoWayOLS):
            raise DataError(
                say(
                    "the wild cluster bootstrap needs independent clusters, but {cluster=} has two "
                    "memberships; use the tests of the table"
                )
            )
        if not isinstance(space.slopes, ClusterOLS):
            raise DataError(
                say(
                    "the wild cluster bootstrap requires least squares, but these slopes are "
                    "desparsified; use {tests='least_squares'} if there are enough subjects"
                )
            )
        why = space.why_missing([c for c, _, _ in terms], terms[0][1])
        if contrast is None or why:
            rows.append((name, feature, np.nan, np.nan, "", why))
            continue
        test = wild_test(space.slopes, contrast, n_boot=n_boot, seed=seed)
        kind = f"wild, {test.kind}"
        why = NO_VARIATION if np.isnan(test.p_value) else ""
        rows.append((name, feature, test.statistic, test.p_value, kind, why))
    names = ["context", "feature", "statistic", "p_value", "method", "reason"]
    table = pd.DataFrame(rows, columns=names)
    table["reason"] = message_column(row[-1] for row in rows)
    table[KIND] = [LEVEL if of[1] is None else DIFFERENCE for _, of, _ in jobs]
    return table.assign(**pair_columns("context", (of for _, of, _ in jobs)))


def _described(found: Procedure) -> dict[str, NDArray[np.float64]]:
    return dict(zip(_PROCEDURE, (found.std_error, found.low, found.high), strict=True))


def _stacked(blocks: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, Any]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _joined(first: Sequence[str], second: Sequence[str]) -> pd.Series[Any]:
    return message_column(joined(pair) for pair in zip(first, second, strict=True))
