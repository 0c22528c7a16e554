"""Turn counted pieces into docs/coverage_measurement.md."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from measurement_scenarios import (
    CLIPS,
    FACTOR_SCENARIOS,
    FACTOR_SIZES,
    FAMILY_SCENARIOS,
    FAMILY_SIZES,
    INTERCEPT_SHIFT,
    LOADING_FACTOR,
    MODEL_CLIPS,
    MODEL_SCENARIOS,
    MODEL_SIZES,
)
from pages import with_earlier

from pyexpr.base.files import write_text

Counts = dict[tuple[int, int, str], list[int]]
_FAMILIES = "Simultaneous 95 % intervals of the factor model"
_TOGETHER = "Simultaneous 95 % intervals of contrasts between contexts"
_RULES = {"alone": "each alone", "holm": "Bonferroni", "max_t": "max-T"}


def read(pieces: Path) -> Counts:
    """Return (hits, defined, undefined) by scenario, subjects and key."""
    found: Counts = defaultdict(lambda: [0, 0, 0])
    for path in sorted(pieces.glob("*-*-*-*.json")):
        _, scenario, subjects, _ = path.stem.split("-")
        for key, counts in json.loads(path.read_text(encoding="utf-8")).items():
            total = found[int(scenario), int(subjects), key]
            for i, count in enumerate(counts):
                total[i] += count
    return found


def cell(counts: Counts, scenario: int, subjects: int, key: str) -> str:
    """A share and its Monte Carlo error, in parentheses in units of the last digit.

    Several indicators of one study count as one study in the error.
    """
    hits, n, lost = counts.get((scenario, subjects, key), (0, 0, 0))
    if not n:
        return ""
    share = hits / n
    # Counted once a study.
    once = {"model": "model|no solution", "contrast": "contrast|metric|metric"}
    whole = sum(counts.get((scenario, subjects, once.get(key.split("|")[0], "")), ())[1:])
    if whole:
        n = max(round(n * whole / (n + lost)), 1)
    # At a share of 0 or 1 the error that half a study would have.
    inside = min(max(share, 0.5 / n), 1 - 0.5 / n)
    error = math.sqrt(inside * (1 - inside) / n)
    return f"{share:.3f} ({max(round(1000 * error), 1)})".removeprefix("0")


def table(
    counts: Counts, names: Sequence[str], sizes: Sequence[int], rows: dict[str, str]
) -> list[str]:
    head = ["| scenario | what | " + " | ".join(f"{n} subjects" for n in sizes) + " |"]
    head.append("|" + "---|" * (2 + len(sizes)))
    return head + [
        f"| {name} | {what} | "
        + " | ".join(cell(counts, number, n, key) for n in sizes) + " |"
        for number, name in enumerate(names)
        for what, key in rows.items()
        if any((number, n, key) in counts for n in sizes)
    ]  # fmt: skip


def studies(counts: Counts, key: str) -> str:
    """How many studies the cells of a key have."""
    n = [sum(found[1:]) for (_, _, own), found in counts.items() if own == key]
    if not n:
        return "no"
    return f"{min(n):,}" if min(n) == max(n) else f"{min(n):,} to {max(n):,}"


def undefined(counts: Counts, ending: str) -> str:
    lost = sum(found[2] for (_, _, key), found in counts.items() if key.endswith(ending))
    n = sum(sum(found[1:]) for (_, _, key), found in counts.items() if key.endswith(ending))
    return f"{lost:,} of {n:,}"


def lost_share(counts: Counts, scenario: int, subjects: int, key: str) -> str:
    """The share without an interval."""
    _, n, lost = counts.get((scenario, subjects, key), (0, 0, 0))
    return f"{lost / (n + lost):.3f}".removeprefix("0") if n + lost else ""


def _model_text(counts: Counts) -> list[str]:
    names = [scenario.name for scenario in MODEL_SCENARIOS]
    quantities = {
        "loading": "loadings", "std_loading": "standardised loadings",
        "residual_variance": "residual variances", "score_weight": "score weights",
        "score_reliability": "reliability of scores",
    }  # fmt: skip
    methods = {"jackknife_t": "jackknife-t", "percentile": "percentile", "bca": "BCa"}
    rows = {
        f"{label}, {methods[method]}": f"model|{quantity}|{method}"
        for quantity, label in quantities.items()
        for method in methods
    }
    lost = {f"{methods[method]}": f"model|score_reliability|{method}" for method in methods}
    head = ["| scenario | what | " + " | ".join(f"{n} subjects" for n in MODEL_SIZES) + " |"]
    head.append("|" + "---|" * (2 + len(MODEL_SIZES)))
    return [
        "## Coverage of 95 % intervals of the factor model", "",
        f"`bootstrap_cfa` on one context of {MODEL_CLIPS} clips per subject (or 1 to 12). "
        "Indicators of variance 1 with standardised loadings of "
        + "; ".join(
            f"{', '.join(f'{x:.2f}' for x in s.loadings)} ({s.name})"
            for s in MODEL_SCENARIOS if not s.heavy
        )
        +
            ". 36 % of the variance of the factor, and 40 % of the residual variances, are "
            f"between subjects. {studies(counts, 'model|no solution')} studies a cell; the "
            "indicators of a study are combined, and a study counts once in the Monte Carlo "
            "error.",
        "",
        *table(counts, names, MODEL_SIZES, rows),
        "",
        "Proportion of studies without an interval for the reliability of scores (the "
        "replicates, or the estimate itself, are not admissible; for the jackknife the "
        "estimate is not, or a refit has no solution):",
        "",
        *head,
        *[
            f"| {name} | {what} | "
            + " | ".join(lost_share(counts, number, n, key) for n in MODEL_SIZES) + " |"
            for number, name in enumerate(names) for what, key in lost.items()
            if any((number, n, key) in counts for n in MODEL_SIZES)
        ],
        "",
        "## Coverage of 95 % intervals of contrasts between contexts", "",
        "`invariance().contrasts()` in the studies above: all indicators and pairs of contexts "
        "where loadings and intercepts are equal, and the contrast of the third indicator's "
        f"loading where it is {LOADING_FACTOR} times the others' in the second context. "
        f"{studies(counts, 'contrast|metric|metric')} studies a cell, each once in the Monte Carlo "
        "error.",
        "",
        *table(
            counts, [s.name for s in FACTOR_SCENARIOS], FACTOR_SIZES,
            {
                "loadings, equal": "contrast|metric|none",
                "loadings, different": "contrast|metric|metric",
                "intercepts, equal": "contrast|scalar|none",
            },
        ),
        "",
    ]  # fmt: skip


def _family_text(counts: Counts) -> list[str]:
    quantities = {
        "loading": "loadings", "std_loading": "standardised loadings",
        "residual_variance": "residual variances", "score_weight": "score weights",
    }  # fmt: skip
    rows = {
        f"{label}, {of_rule}": f"family|{quantity}|{rule}"
        for quantity, label in quantities.items()
        for rule, of_rule in _RULES.items()
    }
    together = {
        f"{label}, {of_rule}": f"together|{level}|{rule}"
        for level, label in (("metric", "loadings"), ("scalar", "intercepts"))
        for rule, of_rule in _RULES.items()
    }
    return [
        f"## {_FAMILIES}", "",
        "The proportion of studies in which all intervals of a quantity contain their true "
        "values: `bootstrap_cfa(...).adjust(...)`, on the indicators of the models above. "
        'Bonferroni intervals are those of `adjust("holm")`. In designs with strata of the '
        "given proportions, the mean of the factor differs between strata by up to a standard "
        f"deviation, and `stratify=` is used. {studies(counts, 'family|loading|max_t')} studies "
        "a cell.",
        "",
        *table(counts, [s.name for s in FAMILY_SCENARIOS], FAMILY_SIZES, rows),
        "",
        f"## {_TOGETHER}", "",
        "The same for `invariance(...).adjust(...).contrasts()`: all indicators and pairs of "
        "contexts of a level (9, or 15), where loadings and intercepts are equal. "
        f"{studies(counts, 'together|metric|max_t')} studies a cell.",
        "",
        *table(counts, [s.name for s in FACTOR_SCENARIOS], FAMILY_SIZES, together),
        "",
    ]  # fmt: skip


def write(pieces: Path, page: Path) -> None:
    """Write the page."""
    counts = read(pieces)
    if not counts:
        raise SystemExit(f"there are no pieces in {pieces}; run without --only-report")
    names = [scenario.name for scenario in FACTOR_SCENARIOS]
    size = {
        f"{level}, {who}": f"{level}|none|{who}"
        for level in ("metric", "scalar")
        for who in ("ours", "lavaan")
    }
    power = {
        f"{level}, {who}": f"{level}|{level}|{who}"
        for level in ("metric", "scalar")
        for who in ("ours", "lavaan")
    }
    clips = ", ".join(str(n) for n in CLIPS)
    text = [
        "# Factor model and invariance tests, simulated",
        "",
        "Written by `make coverage` (benchmarks/coverage_study/measurement.py): do not edit. "
        "The Monte Carlo error is given in parentheses, in units of the third decimal.",
        "",
        "## Size of the tests of invariance at the 5 % level",
        "",
        f"Three contexts of {clips} clips per subject (or 1 to 12), all subjects in all "
        "contexts; mean and variance of the factor differ between contexts, loadings and "
        "intercepts do not. 40 % of the residual variance of an indicator is a subject effect "
        "that is common to all contexts. Heavy tails are Student's t with 5 degrees of freedom "
        f"in every component. Ours: {studies(counts, 'metric|none|ours')} studies a cell; "
        "lavaan (chi-square difference, groups treated as independent): "
        f"{studies(counts, 'metric|none|lavaan')}. Undefined, and left out: ours "
        f"{undefined(counts, '|ours')} tests, lavaan (not converged) "
        f"{undefined(counts, '|lavaan')}.",
        "",
        *table(counts, names, FACTOR_SIZES, size),
        "",
        "## Power",
        "",
        "The third indicator differs in the second context. Metric: its loading is "
        f"{LOADING_FACTOR} times that of the others. Scalar: its intercept is {INTERCEPT_SHIFT} "
        "higher (indicators have standard deviations of about 1). If the size of lavaan's test "
        "is not 5 %, its power is not comparable; it is reported only for the first scenario.",
        "",
        *table(counts, names, FACTOR_SIZES, power),
        "",
        *_model_text(counts),
        *_family_text(counts),
    ]  # fmt: skip
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    counted = {
        title: any(key.startswith(start) for _, _, key in counts)
        for title, start in _SECTIONS.items()
    }
    write_text(page, with_earlier(old, "\n".join(text), counted | {"": True}))


# What is counted for each section, by its title.
_SECTIONS = {
    "Size of the tests of invariance at the 5 % level": "metric|none|",
    "Power": "metric|metric|",
    "Coverage of 95 % intervals of the factor model": "model|",
    "Coverage of 95 % intervals of contrasts between contexts": "contrast|",
    _FAMILIES: "family|",
    _TOGETHER: "together|",
}
