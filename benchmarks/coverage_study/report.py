"""Turn counted pieces into docs/coverage.md, its figure, and the figures messages quote."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

from scenarios import SCENARIOS, SIZES

from pyexpr.base import plotting
from pyexpr.base.files import write_text

# Quantities of one kind, as tables and messages name them.
KINDS = {
    "RMSE and MAE": (("rmse", "a"), ("mae", "a")),
    "difference of RMSE or MAE": (("rmse", "a - b"), ("mae", "a - b")),
    "correlation": (("correlation", "a"),),
    "difference of correlations": (("correlation", "a - b"),),
    "concordance and R2": (("concordance", "a"), ("r2", "a")),
    "within-subject correlation": (("correlation_within", "a"),),
}
TESTS = {
    "RMSE, exchangeable models": ("rmse", "a - c"),
    "correlation, exchangeable models": ("correlation", "a - c"),
    "RMSE, models that fail in different ways": ("rmse", "a - d"),
}
SHOWN = ("jackknife_t", "percentile", "bca", "studentized")

Key = tuple[int, int, str]
Pairs = tuple[tuple[str, str], ...]
Tally = dict[Key, list[int]]


def read(pieces: Path) -> tuple[Tally, dict[tuple[int, int], int]]:
    """Return (hits, trials) by scenario, subjects and key; and pieces by cell."""
    tally: Tally = defaultdict(lambda: [0, 0])
    n_pieces: dict[tuple[int, int], int] = defaultdict(int)
    for path in sorted(pieces.glob("[0-9]*-*-*.json")):
        scenario, n_subjects, _ = (int(part) for part in path.stem.split("-"))
        n_pieces[scenario, n_subjects] += 1
        for key, (hits, trials) in json.loads(path.read_text(encoding="utf-8")).items():
            both = tally[scenario, n_subjects, key]
            both[0] += hits
            both[1] += trials
    return tally, n_pieces


def share(tally: Tally, scenario: int, n_subjects: int, key: str) -> float:
    hits, trials = tally.get((scenario, n_subjects, key), (0, 0))
    return hits / trials if trials else math.nan


def span(values: list[float]) -> list[float] | None:
    """Return the mean, the least and the largest, undefined ones left out."""
    there = [value for value in values if not math.isnan(value)]
    if not there:
        return None
    return [round(x, 3) for x in (sum(there) / len(there), min(there), max(there))]


def over_scenarios(
    tally: Tally, method: str, n_subjects: int, quantities: Pairs, what: str
) -> list[float] | None:
    return span(
        [
            share(tally, scenario, n_subjects, f"{what}|{method}|{metric}|{term}")
            for scenario in range(len(SCENARIOS))
            for metric, term in quantities
        ]
    )


def text(limits: list[float] | None) -> str:
    if limits is None:
        return ""
    mean, low, high = (f"{value:.3f}".removeprefix("0") for value in limits)
    return f"{mean} ({low}-{high})"


def methods(tally: Tally, what: str) -> list[str]:
    return list(dict.fromkeys(key.split("|")[1] for _, _, key in tally if key.startswith(what)))


def rows(tally: Tally, what: str, groups: dict[str, Pairs]) -> list[str]:
    lines = ["| quantity | method | " + " | ".join(f"{n} subjects" for n in SIZES) + " |"]
    lines.append("|" + "---|" * (2 + len(SIZES)))
    for kind, quantities in groups.items():
        for method in methods(tally, what):
            cells = [text(over_scenarios(tally, method, n, quantities, what)) for n in SIZES]
            lines.append(f"| {kind} | {method} | " + " | ".join(cells) + " |")
    return lines


def by_scenario(tally: Tally) -> list[str]:
    """Every cell of the recommended method, one row per scenario and quantity."""
    lines = ["| scenario | quantity | " + " | ".join(f"{n} subjects" for n in SIZES) + " |"]
    lines.append("|" + "---|" * (2 + len(SIZES)))
    for number, scenario in enumerate(SCENARIOS):
        for quantities in KINDS.values():
            for metric, term in quantities:
                key = f"coverage|jackknife_t|{metric}|{term}"
                cells = [f"{share(tally, number, n, key):.3f}".lstrip("0") for n in SIZES]
                lines.append(f"| {scenario.name} | {metric}, {term} | {' | '.join(cells)} |")
    return lines


def write(pieces: Path, root: Path, *, n_boot: int, per_piece: int) -> None:
    """Write the page, the figure, and the figures that messages quote."""
    tally, n_pieces = read(pieces)
    if not tally:
        raise SystemExit(f"there are no pieces in {pieces}; run without --only-report")
    least, most = (per_piece * f(n_pieces.values()) for f in (min, max))
    error = math.sqrt(0.05 * 0.95 / least)
    studies = str(least) if least == most else f"{least} to {most}"
    tests = {name: (pair,) for name, pair in TESTS.items()}
    page = [
        "# Coverage of the intervals, and size of the tests",
        "",
        "Written by `make coverage`: do not edit. In each of "
        f"{len(SCENARIOS) * len(SIZES)} cells, {studies} studies were simulated whose true values "
        f"are known, with {n_boot} replicates each. The Monte Carlo error of one proportion is "
        f"{error:.3f} at .95 or .05, that of a mean over the scenarios about "
        f"{error / math.sqrt(len(SCENARIOS)):.3f}. The ends of a range are the extremes of "
        "several such proportions, and lie further out than the true ones.",
        "",
        "Scenarios: " + "; ".join(scenario.name for scenario in SCENARIOS) + ". Clusters have 16 "
        "clips, or 2 to 80. Heavy tails are Student's t with 5 degrees of freedom in every "
        "component; unequal spread multiplies each subject's errors by a log-normal factor "
        "(SD of its logarithm 0.4).",
        "",
        "## Coverage of nominal 95 % intervals",
        "",
        "Mean coverage over the five scenarios and the quantities of a row, and (least-largest).",
        "",
        *rows(tally, "coverage", KINDS),
        "",
        "## Size of tests at the 5 % level",
        "",
        "Share of studies in which a difference that is truly zero has p of at most .05.",
        "",
        *rows(tally, "size", tests),
        "",
        "## jackknife_t by scenario",
        "",
        *by_scenario(tally),
        "",
        "![Coverage by number of subjects](coverage.svg)",
        "",
    ]
    write_text(root / "docs" / "coverage.md", "\n".join(page))
    draw(tally, root / "docs" / "coverage", studies)
    quoted = {
        "studies": least,
        "coverage": {
            str(n): {
                method: {
                    kind: found[0]
                    for kind, quantities in KINDS.items()
                    if (found := over_scenarios(tally, method, n, quantities, "coverage"))
                }
                for method in ("jackknife_t", "percentile")
            }
            for n in SIZES
        },
    }
    write_text(root / "pyexpr" / "inference" / "coverage.json", json.dumps(quoted, indent=1) + "\n")


def draw(tally: Tally, stem: Path, studies: str) -> None:
    """A panel per kind of quantity: mean coverage over scenarios, and its range, by subjects."""
    looks = dict(zip(SHOWN, plotting.marks(len(SHOWN)), strict=True))
    with plotting.style():
        figure = plotting.new_figure(plotting.FULL_WIDTH_MM, 110.0)
        panels = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
        for axes, (kind, quantities) in zip(panels, KINDS.items(), strict=True):
            axes.set_title(kind, loc="left")
            axes.axhline(0.95, color=plotting.GREY, lw=0.6)
            for shift, (method, look) in enumerate(looks.items()):
                for at, n in enumerate(SIZES):
                    limits = over_scenarios(tally, method, n, quantities, "coverage")
                    if limits is None:
                        continue
                    x = at + 0.16 * (shift - 1.5)
                    axes.plot([x, x], limits[1:], color=look.color, lw=1.1)
                    axes.plot(
                        x,
                        limits[0],
                        look.marker,
                        color=look.color,
                        ms=3.5,
                        label=method if at == 0 else None,
                    )
            axes.set_xticks(range(len(SIZES)), [str(n) for n in SIZES])
        for axes in panels[3:]:
            axes.set_xlabel("subjects")
        for axes in panels[::3]:
            axes.set_ylabel("coverage")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(SHOWN))
    plotting.save(
        plotting.freeze(figure),
        stem,
        title="Coverage of nominal 95 % intervals",
        description=f"Lines span five scenarios of {studies} studies; dots are their mean. "
        "Every number is in coverage.md.",
    )
