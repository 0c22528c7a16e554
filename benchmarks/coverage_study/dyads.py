"""Coverage where rows belong to two clusters: dyads of persons, and crossed clusters.

    python benchmarks/coverage_study/dyads.py [--studies N] [--only PART]

Truth and errors of two models consist of effects of both members of a pair and of the row. The true
values are those of 400,000 independent rows. Writes docs/coverage_dyads.md.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyexpr.base.files import write_text
from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap
from pyexpr.inference.clusters import read_clusters
from pyexpr.inference.coefficients.cluster_ols import DesignBlock
from pyexpr.inference.coefficients.coefficients import context_coefficients
from pyexpr.inference.coefficients.two_way_ols import two_way_ols
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.memberships import Clusters
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.memberships import Crossing

ROOT = Path(__file__).parents[2]
SEED = 20261130
N_BOOT = 199
# The bootstrap, and clusters of one column, in the first studies of a cell.
BOOTSTRAPPED = 200
METRICS = ("bias", "rmse", "correlation")
METHODS = ("jackknife_t", "percentile", "normal")


@dataclass(frozen=True)
class Design:
    """A kind of study: who is paired with whom, and how much members matter."""

    name: str
    kind: str
    members: tuple[int, ...]
    effect: float = 0.6
    skewed: bool = False
    rows: int = 1


DESIGNS = (
    Design("round robin, 10 persons", "robin", (10,)),
    Design("round robin, 15 persons", "robin", (15,)),
    Design("round robin, 25 persons", "robin", (25,)),
    Design("round robin, 15 persons, no effects of persons", "robin", (15,), effect=0.0),
    Design("round robin, 15 persons, large effects of persons", "robin", (15,), effect=1.5),
    Design("round robin, 15 persons, skewed", "robin", (15,), skewed=True),
    Design("round robin, 25 persons, skewed", "robin", (25,), skewed=True),
    Design("2 or 3 partners, 16 persons", "sparse", (16,)),
    Design("2 or 3 partners, 30 persons", "sparse", (30,)),
    Design("1 to 12 partners, 40 persons", "unequal", (40,)),
    Design("crossed, 20 subjects x 8 stimuli", "crossed", (20, 8)),
    Design("crossed, 20 subjects x 8 stimuli, no effects", "crossed", (20, 8), effect=0.0),
    Design("crossed, 20 subjects x 8 stimuli, skewed", "crossed", (20, 8), skewed=True),
    Design("crossed, 30 subjects x 5 stimuli", "crossed", (30, 5)),
    Design("one dyad each, 40 persons", "single", (40,)),
    Design("round robin, 10 persons, 3 rows a dyad", "robin", (10,), rows=3),
    Design("1 to 12 partners, 20 persons", "unequal", (20,)),
)


SLOPES = (
    "round robin, 10 persons",
    "round robin, 25 persons",
    "round robin, 15 persons, skewed",
    "2 or 3 partners, 30 persons",
    "1 to 12 partners, 40 persons",
    "crossed, 20 subjects x 8 stimuli",
)


def pairs(design: Design, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the two members of every row, (rows, 2)."""
    n = design.members[0]
    if design.kind in {"crossed", "partly"}:
        cells = np.argwhere(np.ones(design.members, dtype=bool))
        if design.kind == "partly":
            cells = cells[rng.random(len(cells)) < 0.5]
        return cells
    if design.kind == "robin":
        found = np.column_stack(np.triu_indices(n, 1))
    elif design.kind == "single":
        found = np.arange(n).reshape(-1, 2)
    elif design.kind == "sparse":
        ring = np.column_stack([np.arange(n), (np.arange(n) + 1) % n])
        chords = np.array([(i, i + n // 2) for i in range(0, n // 2, 2)])
        found = np.vstack([ring, chords])
    else:
        # Each person has a sociability; the ring gives everyone one partner or two.
        social = rng.dirichlet(np.full(n, 0.7))
        chosen = {(i, i + 1) for i in range(0, n - 1, 2)}
        partners = np.zeros(n, dtype=int)
        for _ in range(4 * n):
            one, other = sorted(rng.choice(n, 2, replace=False, p=0.7 * social + 0.3 / n).tolist())
            if max(partners[one], partners[other]) < 12 and (one, other) not in chosen:
                chosen.add((one, other))
                partners[[one, other]] += 1
        found = np.array(sorted(chosen))
    return np.repeat(found, design.rows, axis=0)


def _effects(
    rng: np.random.Generator, design: Design, ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return, for the truth and both errors, the sum of the effects of both members, (rows, 3)."""
    of_first = _numbers(rng, design, (ends.max() + 1, 3))
    crossed = design.kind in {"crossed", "partly"}
    of_second = _numbers(rng, design, (ends[:, 1].max() + 1, 3)) if crossed else of_first
    return design.effect * (of_first[ends[:, 0]] + of_second[ends[:, 1]])


def _numbers(
    rng: np.random.Generator, design: Design, size: tuple[int, int]
) -> NDArray[np.float64]:
    return rng.exponential(size=size) - 1 if design.skewed else rng.normal(size=size)


def study(rng: np.random.Generator, design: Design, ends: NDArray[np.int64]) -> pd.DataFrame:
    """Simulate the predictions of one study."""
    common, noise = _effects(rng, design, ends), _numbers(rng, design, (len(ends), 3))
    truth = 0.7 * common[:, 0] + noise[:, 0]
    prefix = ("s", "t") if design.kind in {"crossed", "partly"} else ("", "")
    return pd.DataFrame(
        {
            "one": [f"{prefix[0]}{i}" for i in ends[:, 0]],
            "two": [f"{prefix[1]}{i}" for i in ends[:, 1]],
            "context": "all rows",
            "truth": truth,
            "p": 0.6 * truth + common[:, 1] + noise[:, 1],
            "q": 0.4 * truth + common[:, 2] + 0.8 * noise[:, 2],
        }
    )


def true_values(design: Design) -> dict[tuple[str, str], float]:
    """Return the true value of every metric and term."""
    alone = np.arange(800_000).reshape(-1, 2)
    if design.kind in {"crossed", "partly"}:
        alone = np.column_stack([np.arange(400_000)] * 2)
    large = study(np.random.default_rng(SEED), design, alone)
    found = {}
    for model in ("p", "q"):
        error = large[model] - large["truth"]
        found["bias", model] = 0.0
        found["rmse", model] = float(np.sqrt(np.mean(error**2)))
        found["correlation", model] = float(np.corrcoef(large["truth"], large[model])[0, 1])
        moments = np.cov(large["truth"], large[model])
        found["slope", model] = float(moments[0, 1] / moments[1, 1])
    for metric in (*METRICS, "slope"):
        found[metric, "p - q"] = found[metric, "p"] - found[metric, "q"]
    return found


def slope(rows: pd.DataFrame, weights: NDArray[np.float64]) -> float:
    """Return the slope of the truth on a prediction."""
    x, y = rows["p"].to_numpy(), rows["truth"].to_numpy()
    x = x - np.average(x, weights=weights)
    return float(np.sum(weights * x * y) / np.sum(weights * x * x))


Tally = dict[str, list[int]]


def _count(tally: Tally, key: str, low: float, high: float, true: float) -> None:
    counts = tally.setdefault(key, [0, 0, 0])
    defined = bool(np.isfinite(low))
    counts[0] += bool(low <= true <= high)
    counts[1] += defined
    counts[2] += not defined


LEVELS = [(metric, model) for metric in METRICS for model in (0, 1)]
SCALES = {"bias": "identity", "rmse": "negative_reciprocal", "correlation": "atanh"}


class Parts:
    """What `compare_models` computes of a study, without reading its table: thirty times as fast.

    `check_parts` holds it to `compare_models`.
    """

    def __init__(self, table: pd.DataFrame, known: Parts | None = None) -> None:
        if known is None:
            self.clusters = read_clusters(table, ("one", "two"), what="the table")
            self.first = read_clusters(table, "one", what="the table")
        else:
            self.clusters, self.first = known.clusters, known.first
        self.truth, self.p, self.q = (table[name].to_numpy() for name in ("truth", "p", "q"))
        self.rows = [(metric, model, None) for metric, model in LEVELS]
        self.rows += [(metric, 0, 1) for metric in METRICS]
        self.kinds = ["one model"] * len(LEVELS) + ["difference"] * len(METRICS)

    def keys(self) -> list[tuple[str, str, str]]:
        """Return metric, term and kind of every quantity."""
        names = ("p", "q")
        return [
            (metric, names[one] if two is None else "p - q", kind)
            for (metric, one, two), kind in zip(self.rows, self.kinds, strict=True)
        ]

    def evidence(self, clusters: Clusters, n_boot: int) -> Evidence:
        """Return the evidence of all quantities."""
        G = int(clusters.codes.max()) + 1
        columns = [
            core.cluster_sums(x, self.truth, clusters.codes, G, shared="truth")
            for x in (self.p, self.q)
        ]
        places = {level: i for i, level in enumerate(LEVELS)}
        design = core.MetricDesign(
            columns,
            [core.Level(metric, (model,)) for metric, model in LEVELS],
            [
                core.Quantity(places[m, one], None if two is None else places[m, two])
                for m, one, two in self.rows
            ],
            (G,),
        )
        memberships = clusters.memberships
        at, rows = np.arange(len(self.rows)), columns[0].sums[0]
        if memberships is None:
            worth = np.full((len(at), 1), rows.sum() ** 2 / (rows @ rows))
            group = JackknifeGroup(at, design.jackknife(), (G,), worth)
            drawn = design.replicates(n_boot, seed=1, n_threads=1)
        else:
            of_each = np.tile(rows, (len(at), 1))
            crossing = Crossing(memberships, design.jackknife(), of_each)
            without = design.weighted(memberships.without_each(), n_threads=1)
            group = JackknifeGroup(at, without, memberships.sizes, crossing=crossing)
            drawn = design.weighted(memberships.drawn(n_boot, seed=1), n_threads=1)
        return Evidence(
            estimate=design.estimate(),
            scale=["identity" if two is not None else SCALES[m] for m, _, two in self.rows],
            simple_df=np.array([m == "correlation" and two is not None for m, _, two in self.rows]),
            null=np.zeros(len(at)),
            replicates=drawn,
            groups=[group],
            reason=[""] * len(at),
            replicate_errors=np.empty,  # not called
        )


def check_parts(design: Design) -> None:
    """Raise an error unless the parts give the intervals of `compare_models`."""
    rng = np.random.default_rng(SEED)
    table = study(rng, design, pairs(design, rng))
    parts = Parts(table)
    for cluster, clusters in ((("one", "two"), parts.clusters), ("one", parts.first)):
        result = compare_models(
            table, truth="truth", predictions=["p", "q"], cluster=cluster, metrics=list(METRICS),
            n_boot=N_BOOT, seed=1,
        )  # fmt: skip
        for method in METHODS:
            shown = result.interval(method=method).tidy().set_index(["metric", "term"])
            found = compute(parts.evidence(clusters, N_BOOT), method, 0.95)
            for (metric, term, _), low, high in zip(
                parts.keys(), found.low, found.high, strict=True
            ):
                one = shown.loc[(metric, term)]
                np.testing.assert_allclose([low, high], one[["conf_low", "conf_high"]].tolist(),
                                           rtol=1e-9, atol=1e-12)  # fmt: skip


def compared(design: Design, studies: int) -> Tally:
    """Count the coverage of metrics and differences, by two memberships and by the first one."""
    check_parts(design)
    true, tally = true_values(design), Tally()
    rng = np.random.default_rng(SEED + 1)
    known: Parts | None = None
    for number in range(studies):
        # Where the pairs are the same in every study they are read once.
        parts = Parts(study(rng, design, pairs(design, rng)), known)
        known = parts if design.kind not in {"unequal", "partly"} else None
        drawn = number < BOOTSTRAPPED
        both = parts.evidence(parts.clusters, N_BOOT if drawn else 0)
        methods = METHODS if drawn else METHODS[:1]
        found = {method: compute(both, method, 0.95) for method in methods}
        if drawn:
            found["first column"] = compute(parts.evidence(parts.first, 0), "jackknife_t", 0.95)
        for method, one in found.items():
            for (metric, term, kind), low, high in zip(
                parts.keys(), one.low, one.high, strict=True
            ):
                _count(tally, f"{method}|{metric}|{kind}", low, high, true[metric, term])
    return tally


def slopes(design: Design, studies: int) -> Tally:
    """Count the coverage of a slope: as a statistic, and as a coefficient."""
    true, tally = true_values(design)["slope", "p"], Tally()
    rng = np.random.default_rng(SEED + 2)
    for number in range(studies):
        table = study(rng, design, pairs(design, rng))
        clusters = read_clusters(table, ("one", "two"), what="the table")
        limits = {"statistic": of_statistic(table, clusters),
                  "coefficient": of_coefficient(table, clusters)}  # fmt: skip
        if number == 0:
            _check_slopes(table, limits)
        for name, (low, high) in limits.items():
            _count(tally, name, low, high, true)
    return tally


def of_statistic(table: pd.DataFrame, clusters: Clusters) -> tuple[float, float]:
    """Return the interval of a slope as `cluster_bootstrap` has it, all weights at once."""
    assert clusters.memberships is not None
    x, y, codes = table["p"].to_numpy(), table["truth"].to_numpy(), clusters.codes
    D = len(clusters.memberships.members)
    counts = np.vstack([np.ones((1, D)), clusters.memberships.without_each(), 1 - np.eye(D)])
    weights = counts[:, codes]
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    values = (weights @ (x * y) / total - mean_x * mean_y) / (weights @ (x * x) / total - mean_x**2)
    K = sum(clusters.memberships.sizes)
    rows = np.bincount(codes).astype(float)[None]
    crossing = Crossing(clusters.memberships, values[None, 1 + K :], rows)
    group = JackknifeGroup(
        np.arange(1), values[None, 1 : 1 + K], clusters.memberships.sizes, crossing=crossing
    )
    evidence = Evidence(
        values[:1], ["identity"], np.zeros(1, bool), np.zeros(1), np.empty((1, 0)), [group], [""],
        np.empty,
    )  # fmt: skip
    found = compute(evidence, "jackknife_t", 0.95)
    return float(found.low[0]), float(found.high[0])


def of_coefficient(table: pd.DataFrame, clusters: Clusters) -> tuple[float, float]:
    """Return the interval of a slope as `context_coefficients` has it, per unit of the feature."""
    assert clusters.memberships is not None
    x = table["p"].to_numpy()
    design = np.column_stack([x - x.mean(), np.ones(len(x))])
    block = DesignBlock(np.arange(len(x)), np.arange(2), design)
    fit = two_way_ols([block], table["truth"].to_numpy(), clusters.codes, clusters.memberships)
    low, high = fit.contrasts([1.0, 0.0]).limits(0.95)
    return float(low[0]), float(high[0])


def _check_slopes(table: pd.DataFrame, limits: dict[str, tuple[float, float]]) -> None:
    """Raise an error unless the public functions give these intervals."""
    both = ("one", "two")
    shown = cluster_bootstrap(table, slope, cluster=both, n_boot=0).tidy().iloc[0]
    np.testing.assert_allclose(limits["statistic"], shown[["conf_low", "conf_high"]].tolist())
    result = context_coefficients(
        table[["p", "context", *both]], table["truth"], context="context", cluster=both, alpha=0.1,
        l1_ratio=0.5, n_boot=0,
    )  # fmt: skip
    own, unit = result.tidy().iloc[0], float(table["p"].std(ddof=0))
    np.testing.assert_allclose(
        np.multiply(limits["coefficient"], unit), own[["conf_low", "conf_high"]].tolist()
    )


def page(cells: dict[str, dict[str, Tally]], studies: int) -> str:
    """Return the page of all cells."""
    error = np.sqrt(0.95 * 0.05 / studies)
    lines = [
        "# Dyads and crossed clusters, simulated",
        "",
        "Written by benchmarks/coverage_study/dyads.py: do not edit.",
        "",
        f"{studies:,} studies a cell, nominal coverage .950, whose Monte Carlo error is "
        f"{error:.4f}. Truth and errors of the models consist of effects of both members and of "
        "the row, with a ratio of standard deviations of 0.6 where nothing else is stated. The "
        "last three columns of the first table show, for the mean error, the intervals of the "
        f"bootstrap ({N_BOOT} replicates) and what clusters of the first column alone give, in "
        f"{BOOTSTRAPPED} or more studies.",
        "",
        "## Metrics of models and their differences",
        "",
        "| design | mean error | difference | RMSE | difference | correlation | difference | "
        "percentile | normal | first column alone |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    keys = [f"jackknife_t|{m}|{k}" for m in METRICS for k in ("one model", "difference")]
    keys += [f"{method}|bias|one model" for method in ("percentile", "normal", "first column")]
    lines += _table(cells["compared"], keys)
    lines += [
        "",
        "## A slope",
        "",
        "As a statistic of `cluster_bootstrap` and as a coefficient of `context_coefficients`, "
        "both by jackknife-t or CR2.",
        "",
        "| design | statistic | coefficient |",
        "|---|---|---|",
    ]
    lines += _table(cells["slopes"], ["statistic", "coefficient"])
    return "\n".join(lines) + "\n"


def _table(cells: dict[str, Tally], keys: list[str]) -> list[str]:
    lines = []
    for name, tally in cells.items():
        shown = []
        for key in keys:
            hits, n, undefined = tally.get(key, [0, 0, 0])
            share = f"{hits / max(n, 1):.3f}".removeprefix("0")
            shown.append(share + (f" ({undefined} undefined)" if undefined else ""))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return lines


def _designs(part: str) -> list[Design]:
    """Return the designs of a part; slopes of those that are not ordinary clusters."""
    return [one for one in DESIGNS if part == "compared" or one.name in SLOPES]


def main() -> None:
    """Run all cells and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--only", choices=["compared", "slopes"])
    parser.add_argument("--counts", type=Path, help="Read and write the counts of both parts here.")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    cells: dict[str, dict[str, Tally]] = {"compared": {}, "slopes": {}}
    if given.counts and given.counts.exists():
        cells |= json.loads(given.counts.read_text(encoding="utf-8"))
    for name, part in (("compared", compared), ("slopes", slopes)):
        for design in _designs(name) if given.only in {None, name} else ():
            if design.name not in cells[name]:
                cells[name][design.name] = part(design, given.studies)
                print(name, design.name, cells[name][design.name], flush=True)
                if given.counts:
                    given.counts.write_text(json.dumps(cells), encoding="utf-8")
    if all(len(cells[name]) == len(_designs(name)) for name in cells):
        write_text(ROOT / "docs" / "coverage_dyads.md", page(cells, given.studies))


if __name__ == "__main__":
    main()
