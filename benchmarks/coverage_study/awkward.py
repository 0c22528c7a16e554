"""Coverage and size of jackknife_t where studies are awkward.

    python benchmarks/coverage_study/awkward.py [--studies N] [--only-report]

Three parts, each counted in files of build/coverage_awkward: intervals in the designs of
awkward_designs.py; tests of predictions from cross-validation, within folds and over them;
the error of families of differences, by rule. Writes docs/coverage_awkward.md and
pyexpr/inference/coverage_awkward.json, which messages quote where a study is like one of the
designs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from awkward_designs import DESIGNS, study, truths
from work import do

from pyexpr.base.errors import FewSubjectsWarning
from pyexpr.base.files import write_text
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.modeling.splits import subject_folds

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage_awkward"
SEED = 20240502
PIECE = 250
METRICS = ("rmse", "mae", "correlation", "concordance", "r2")
BETWEEN = "correlation_between"
TERMS = ("a", "a - b")
# Subjects, folds, and clips of a subject (from, to), of the studies of cross-validation.
FOLDED = (
    (30, 5, (8, 8)),
    (30, 10, (8, 8)),
    (30, 5, (2, 60)),
    (60, 10, (2, 60)),
    (120, 5, (8, 8)),
)
FAMILIES = (("15 subjects of 2-40 clips", 15, (2, 40)), ("20 subjects of 12 clips", 20, (12, 12)))
COMPARED = ("noise", "noise - other noise", "a - b")
RULES = ("none", "holm", "max_t")

Counts = dict[str, list[float]]


@cache
def true_values(number: int) -> dict[tuple[str, str], float]:
    return truths(DESIGNS[number])


def coverage(number: int, studies: range) -> Counts:
    """Count in how many studies of a design intervals hold the truth."""
    design, true = DESIGNS[number], true_values(number)
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    for i in studies:
        columns = study(design, np.random.default_rng([SEED, number, i]))
        strata = design.strata
        result = compare_models(
            pd.DataFrame(columns), truth="y", predictions=["a", "b", "c"], cluster="subject",
            stratify=None if strata is None else strata[columns["subject"]],
            metrics=[*METRICS, BETWEEN], n_boot=0, n_threads=1,
        )  # fmt: skip
        worth = {
            row: n
            for group in result.evidence.groups
            for row, n in zip(group.rows, group.effective.sum(axis=1), strict=True)
        }
        add(counts, "effective", worth[0], 1)
        tidy = result.tidy()
        for metric, term, first, second, low, high, p in zip(
            tidy.metric, tidy.term, tidy.first_model, tidy.second_model,
            tidy.conf_low, tidy.conf_high, tidy.p_value, strict=True,
        ):  # fmt: skip
            if (metric, first) not in true:
                continue
            value = true[metric, first] - (true[metric, second] if second else 0.0)
            if term == "a - c":
                add(counts, f"size|{metric}", p <= 0.05, not np.isnan(p))
            elif term in TERMS:
                add(counts, f"coverage|{metric}|{term}", low <= value <= high, not np.isnan(low))
    return counts


def folded(number: int, studies: range) -> Counts:
    """Count how often models in folds are called related to the truth, or different."""
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    G, K, (least, most) = FOLDED[number]
    for i in studies:
        rng = np.random.default_rng([SEED, 100 + number, i])
        sizes = np.rint(np.exp(rng.uniform(np.log(least), np.log(most), size=G))).astype(int)
        s = np.repeat(np.arange(G), sizes)
        n = len(s)
        y = 0.8 * rng.normal(size=G)[s] + rng.normal(size=n)
        X = rng.normal(size=(n, 10)) + rng.normal(size=(G, 10))[s]
        X[:, [6, 8]] = 0.6 * y[:, None] + rng.normal(size=(n, 2))
        fold = subject_folds(s, K, seed=i)
        frame = pd.DataFrame({"subject": s, "y": y, "fold": fold})
        models = {"noise": [0, 1, 2], "other noise": [3, 4, 5], "a": [6, 7], "b": [8, 9]}
        for name, chosen in models.items():
            frame[name] = ridge_over_folds(X[:, chosen], y, fold)
        frame["mean"] = ridge_over_folds(np.empty((n, 0)), y, fold)
        for how, options in (("over", {}), ("within", {"fold": "fold"})):
            tidy = compare_models(
                frame, truth="y", predictions=["noise", "other noise", "a", "b", "mean"],
                cluster="subject", metrics=["correlation", "concordance", BETWEEN],
                n_boot=0, n_threads=1, **options,
            ).tidy()  # fmt: skip
            for metric, term, p, estimate in zip(
                tidy.metric, tidy.term, tidy.p_value, tidy.estimate, strict=True
            ):
                if term in COMPARED:
                    add(counts, f"{how}|{metric}|{term}", p <= 0.05, not np.isnan(p))
                if term == "noise" and not np.isnan(estimate):
                    add(counts, f"mean {how}|{metric}", estimate, 1)
                if term == "mean":
                    add(counts, f"refused {how}|{metric}", np.isnan(p), 1)
    return counts


def ridge_over_folds(X: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return what a ridge regression fitted to the other folds predicts."""
    predicted = np.empty(len(y))
    for k in np.unique(fold):
        train = fold != k
        centre = X[train].mean(axis=0)
        Z = X[train] - centre
        weights = np.linalg.solve(Z.T @ Z + 10 * np.eye(X.shape[1]), Z.T @ (y[train] - y.mean()))
        predicted[~train] = y[train].mean() + (X[~train] - centre) @ weights
    return predicted


def family(number: int, studies: range) -> Counts:
    """Count in how many studies any of 15 differences of 6 exchangeable models is called one."""
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    _, G, (least, most) = FAMILIES[number]
    names = [f"m{k}" for k in range(6)]
    for i in studies:
        rng = np.random.default_rng([SEED, 200 + number, i])
        sizes = np.rint(np.exp(rng.uniform(np.log(least), np.log(most), size=G))).astype(int)
        s = np.repeat(np.arange(G), sizes)
        n = len(s)
        frame = pd.DataFrame({"subject": s, "y": 0.7 * rng.normal(size=G)[s] + rng.normal(size=n)})
        common = 0.3 * rng.normal(size=n)
        for name in names:
            own = 0.4 * rng.normal(size=G)[s] + 0.5 * rng.normal(size=n)
            frame[name] = 0.6 * frame["y"] + common + own
        # One that is worse, for the power.
        frame["m6"] = frame["m0"] + 0.45 * rng.normal(size=n)
        for what, models in (("size", names), ("power", [*names, "m6"])):
            result = compare_models(
                frame, truth="y", predictions=models, cluster="subject",
                metrics=["rmse", "correlation"], n_boot=0, n_threads=1,
            )  # fmt: skip
            for rule in RULES:
                tidy = (result if rule == "none" else result.adjust(rule)).tidy()
                p = tidy["p_value" if rule == "none" else "p_adjusted"].to_numpy()
                differ = tidy.kind == "difference"
                if what == "power":
                    differ = (tidy.first_model == "m6") | (tidy.second_model == "m6")
                for metric in ("rmse", "correlation"):
                    own_p = p[(differ & (tidy.metric == metric) & ~np.isnan(p)).to_numpy()]
                    found = (own_p <= 0.05).mean() if what == "power" else (own_p <= 0.05).any()
                    add(counts, f"{what}|{rule}|{metric}", float(found), 1)
    return counts


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(row) + " |" for row in rows]


def add(counts: Counts, key: str, hits: float, trials: float) -> None:
    counts[key][0] += float(hits) if trials else 0.0
    counts[key][1] += float(trials)


PARTS = {
    "coverage": (coverage, len(DESIGNS)),
    "folded": (folded, len(FOLDED)),
    "family": (family, len(FAMILIES)),
}


def one_piece(part: str, number: int, piece: int) -> None:
    """Count the studies of one piece, unless its file is there."""
    path = PIECES / f"{part}-{number}-{piece:04d}.json"
    if path.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        counts = PARTS[part][0](number, range(piece * PIECE, (piece + 1) * PIECE))
    write_text(path, json.dumps(counts, indent=0, sort_keys=True))


def read(part: str, number: int) -> Counts:
    """Return the counts of all pieces of a cell."""
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    for path in sorted(PIECES.glob(f"{part}-{number}-*.json")):
        for key, (hits, trials) in json.loads(path.read_text(encoding="utf-8")).items():
            add(counts, key, hits, trials)
    return counts


def refused(cells: list[Counts]) -> str:
    """Return the share of studies in which a training mean had no correlation."""
    pairs = [one[f"refused {how}|correlation"] for one in cells for how in ("over", "within")]
    return f"{sum(hits for hits, _ in pairs) / sum(trials for _, trials in pairs):.1%}"


def share(counts: Counts, key: str) -> str:
    hits, trials = counts.get(key, (0.0, 0.0))
    return f"{hits / trials:.3f}".replace("0.", ".", 1) if trials else ""


def report() -> None:
    """Write the page and the figures that messages quote."""
    cells = {part: [read(part, number) for number in range(n)] for part, (_, n) in PARTS.items()}
    counted = {"coverage": "effective", "folded": "refused over|correlation",
               "family": "size|none|rmse"}  # fmt: skip
    least = min(one[key][1] for part, key in counted.items() for one in cells[part])
    quantities = [(m, t) for t in TERMS for m in (*METRICS, BETWEEN)]
    covered = [
        [design.name, f"{one['effective'][0] / one['effective'][1]:.1f}"]
        + [share(one, f"coverage|{m}|{t}") for m, t in quantities]
        for design, one in zip(DESIGNS, cells["coverage"], strict=True)
    ]
    sizes = [
        [design.name, *(share(one, f"size|{m}") for m in (*METRICS, BETWEEN))]
        for design, one in zip(DESIGNS, cells["coverage"], strict=True)
    ]
    in_folds = [
        [f"{G} subjects of {low if low == high else f'{low}-{high}'} clips, {K} folds", metric]
        + [share(one, f"mean {how}|{metric}") for how in ("over", "within")]
        + [share(one, f"{how}|{metric}|{term}") for term in COMPARED for how in ("over", "within")]
        for (G, K, (low, high)), one in zip(FOLDED, cells["folded"], strict=True)
        for metric in ("correlation", "concordance", BETWEEN)
    ]
    families = [
        [name, metric]
        + [share(one, f"{what}|{rule}|{metric}") for what in ("size", "power") for rule in RULES]
        for (name, _, _), one in zip(FAMILIES, cells["family"], strict=True)
        for metric in ("rmse", "correlation")
    ]
    page = [
        "# Coverage in awkward studies",
        "",
        f"Written by `make coverage`: do not edit. Of every design at least {int(least):,} "
        "studies were simulated (then the Monte Carlo error of a proportion of .95 or .05: "
        f"{math.sqrt(0.95 * 0.05 / least):.4f}) and analysed with jackknife_t. If a study "
        "resembles one of these designs, the warnings about few subjects quote it. "
        "[coverage.md](coverage.md) reports less difficult designs.",
        "",
        "## Coverage of nominal 95 % intervals",
        "",
        "The column after each design gives the equivalent number of subjects of equal size, "
        "`(sum n)^2 / sum n^2`. The score from 0 to 4 has half of its values at 0, and strata "
        "are passed to the comparison.",
        "",
        *table(["design", "worth", *(f"{m}, {t}" for m, t in quantities)], covered),
        "",
        "Coverage for single models is too low if few subjects contribute most rows or most of "
        "the error: a sample without them has small errors and small standard errors. Coverage "
        "is better for differences between models, which have these subjects in common.",
        "",
        "## Size of tests of exchangeable models at the 5 % level",
        "",
        *table(["design", *METRICS, BETWEEN], sizes),
        "",
        "## Predictions from cross-validation",
        "",
        "Mean estimate of a model of noise, and how often tests at the 5 % level reject for "
        "its relation to the truth, for the difference of two models of noise, and for the "
        "difference of two equally good models: over folds, as without `fold=`, and within "
        "folds. Predictions by the mean of the training folds were recognised, and not "
        f"evaluated, in {refused(cells['folded'])} of all studies.",
        "",
        *table(
            ["design", "metric", "mean, over", "mean, within", "noise, over", "noise, within",
             "two of noise, over", "two of noise, within", "two good, over", "two good, within"],
            in_folds,
        ),
        "",
        "Within folds the variance is that of models without information. For two good models, "
        "whose weights hardly depend on the fold, it is too large.",
        "",
        "## Families of differences",
        "",
        "All 15 differences between six exchangeable models: the proportion of studies in "
        "which any has a p-value of at most .05, and the power to detect a seventh, worse "
        "model.",
        "",
        *table(
            ["design", "metric", *(f"family error, {rule}" for rule in RULES),
             *(f"power, {rule}" for rule in RULES)],
            families,
        ),
        "",
    ]  # fmt: skip
    write_text(ROOT / "docs" / "coverage_awkward.md", "\n".join(page))
    quoted = [
        {
            "design": design.name,
            "subjects": design.n_subjects,
            "effective": round(one["effective"][0] / one["effective"][1], 1),
            "strata": design.n_strata,
            "coverage": {
                f"{m}, {t}": round(one[f"coverage|{m}|{t}"][0] / one[f"coverage|{m}|{t}"][1], 3)
                for m, t in (("rmse", "a"), ("correlation", "a"), ("rmse", "a - b"))
            },
        }
        for design, one in zip(DESIGNS, cells["coverage"], strict=True)
    ]
    path = ROOT / "pyexpr" / "inference" / "coverage_awkward.json"
    write_text(path, json.dumps(quoted, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="studies per design")
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        work = [
            (one_piece, (part, number, piece))
            for piece in range(-(-chosen.studies // PIECE))
            for part, (_, n) in PARTS.items()
            for number in range(n)
        ]
        do(work, chosen.processes)
    report()


if __name__ == "__main__":
    main()
