"""Turn counted pieces into docs/coverage_reliability.md."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

from reliability_scenarios import CROSSED, ONE_WAY, SIZES, crossed_truth, one_way_truth

from pyexpr.base.files import write_text

# Kind, scenario, subjects, key -> holds, lies above, defined, undefined, without upper limit.
Counts = dict[tuple[str, int, int, str], list[int]]

ONE_WAY_WAYS = {
    "subject jackknife (default)": "ours",
    "cluster bootstrap-t": "bootstrap_t",
    "former jackknife": "before",
    "clips independent": "independent",
}


def read(pieces: Path) -> Counts:
    """Add up the pieces."""
    found: Counts = defaultdict(lambda: [0] * 5)
    for path in sorted(pieces.glob("*-*-*-*.json")):
        kind, scenario, subjects, _ = path.stem.split("-")
        for key, counts in json.loads(path.read_text(encoding="utf-8")).items():
            total = found[kind, int(scenario), int(subjects), key]
            for i, count in enumerate(counts):
                total[i] += count
    return found


def share(hits: int, n: int) -> str:
    """A share and its Monte Carlo error, in parentheses in units of the last digit."""
    if not n:
        return ""
    inside = min(max(hits / n, 0.5 / n), 1 - 0.5 / n)
    error = max(round(1000 * math.sqrt(inside * (1 - inside) / n)), 1)
    return f"{hits / n:.3f} ({error})".removeprefix("0")


def one_way_table(counts: Counts, column: int) -> list[str]:
    """One row per scenario and way, one column per number of subjects."""
    head = "| scenario | interval | " + " | ".join(f"{n} subjects" for n in SIZES) + " |"
    rows = [head, "|" + "---|" * (2 + len(SIZES))]
    for number, scenario in enumerate(ONE_WAY):
        for way, key in ONE_WAY_WAYS.items():
            cells = [counts.get(("oneway", number, n, key), [0] * 5) for n in SIZES]
            shares = " | ".join(share(cell[column], cell[2]) for cell in cells)
            rows.append(f"| {scenario.name} ({one_way_truth(scenario):.2f}) | {way} | {shares} |")
    return rows


def crossed_table(counts: Counts, family: str) -> list[str]:
    """One row per design: ours, its share above the truth, the former jackknife, independence."""
    rows = [
        "| design | true ICC | subjects and raters | above | former jackknife | "
        "clips independent |",
        "|---|---|---|---|---|---|",
    ]
    for number, design in enumerate(CROSSED):
        cells = {
            way: counts.get(("crossed", number, design.subjects, f"{family}|{way}"), [0] * 5)
            for way in ("ours", "before", "independent")
        }
        ours = cells["ours"]
        shares = [
            share(ours[0], ours[2]), share(ours[1], ours[2]),
            *(share(cells[way][0], cells[way][2]) for way in ("before", "independent")),
        ]  # fmt: skip
        truth = crossed_truth(design, family)
        rows.append(f"| {design.name} | {truth:.2f} | {' | '.join(shares)} |")
    return rows


def studies(counts: Counts, kind: str, *, all_raters: bool | None = None) -> str:
    """How many studies the cells of a kind have."""
    n = [
        cell[2] + cell[3]
        for (own, number, _, key), cell in counts.items()
        if own == kind and key.endswith("ours")
        and (all_raters is None or (CROSSED[number].rated == "all") == all_raters)
    ]  # fmt: skip
    if not n:
        return "no"
    return f"{min(n):,}" if min(n) == max(n) else f"{min(n):,} to {max(n):,}"


def undefined(counts: Counts, kind: str, column: int) -> str:
    """How many of our intervals are not defined, or have no upper limit."""
    ours = [cell for (own, _, _, key), cell in counts.items()
            if own == kind and key.endswith("ours")]  # fmt: skip
    return f"{sum(cell[column] for cell in ours):,} of {sum(sum(cell[2:4]) for cell in ours):,}"


def write(pieces: Path, page: Path, *, n_boot: int) -> None:
    """Write the page."""
    counts = read(pieces)
    if not counts:
        raise SystemExit(f"there are no pieces in {pieces}; run without --only-report")
    text = [
        "# Intervals of intraclass correlations, simulated",
        "",
        "Written by `make coverage` (benchmarks/coverage_study/reliability.py): do not edit. "
        "Clips belong to subjects and are therefore not independent. The Monte Carlo error is "
        "given in parentheses, in units of the third decimal.",
        "",
        "## Coverage of 95 % intervals of ICC(1,1)",
        "",
        "The rater of a rating is unknown. Variances: subjects .3, clips within subjects .4, "
        "error of a rating 1, unless the ICC (in parentheses) implies other values; heavy "
        "tails are Student's t with 5 degrees of freedom in every component, skewed ones "
        f"exponential. {studies(counts, 'oneway')} studies a cell, {n_boot} replicates of the "
        "bootstrap-t. The former jackknife: Student's t with the number of subjects minus 1 "
        "degrees of freedom, on -log(1 - ICC). Our interval has no upper limit below 1 in "
        f"{undefined(counts, 'oneway', 4)}.",
        "",
        *one_way_table(counts, 0),
        "",
        "Proportion of intervals that lie above the true value (nominal .025):",
        "",
        *one_way_table(counts, 1),
        "",
        "## Coverage of 95 % intervals of ICC(A,1) and ICC(C,1)",
        "",
        "The same raters rate all targets. Their means differ (variance .05 to .5), and these "
        'differences vary between subjects in designs called "by subject" (.05 to .2, which is '
        f"error in both forms). {studies(counts, 'crossed', all_raters=True)} studies of each "
        "design in which all raters rate all clips, "
        f"{studies(counts, 'crossed', all_raters=False)} of each of the others, in which raters "
        "are drawn separately for each clip or subject and variances are estimated by REML. "
        '"Subjects and raters" is `icc(cluster=...)`; the former jackknife treats the raters '
        "as the whole population of raters; with clips treated as independent the interval is "
        "McGraw and Wong's or that of the delta method, which is intended for subjects with "
        f"one clip each (the last two designs). Undefined: {undefined(counts, 'crossed', 3)}.",
        "",
        "ICC(A,1):",
        "",
        *crossed_table(counts, "agreement"),
        "",
        "ICC(C,1):",
        "",
        *crossed_table(counts, "consistency"),
        "",
        "## Alternatives that were tried",
        "",
        *Path(__file__).with_name("tried_reliability.md").read_text(encoding="utf-8").splitlines(),
        "",
    ]  # fmt: skip
    write_text(page, "\n".join(text))
