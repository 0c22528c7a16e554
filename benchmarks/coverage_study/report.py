"""Turn counted pieces into docs/coverage.md, its figure, and the figures messages quote."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

from scenarios import SCENARIOS, SIZES

from pyexpr.base.files import write_text
from pyexpr.figures import plotting

# Quantities of one kind, as tables and messages name them.
KINDS = {
    "RMSE and MAE": (("rmse", "a"), ("mae", "a")),
    "difference of RMSE or MAE": (("rmse", "a - b"), ("mae", "a - b")),
    "correlation": (("correlation", "a"),),
    "difference of correlations": (("correlation", "a - b"),),
    "concordance and R2": (("concordance", "a"), ("r2", "a")),
    "within-subject correlation": (("correlation_within", "a"),),
}
RATIOS = {"ratio of RMSE or MAE": (("rmse", "a / b"), ("mae", "a / b"))}
TESTS = {
    "RMSE, exchangeable models": ("rmse", "a - c"),
    "correlation, exchangeable models": ("correlation", "a - c"),
    "RMSE, models that fail in different ways": ("rmse", "a - d"),
}
SHOWN = ("jackknife_t", "percentile", "bca", "studentized")

Key = tuple[int, int, str]
Pairs = tuple[tuple[str, str], ...]
Tally = dict[Key, list[int]]


def read(pieces: Path) -> tuple[Tally, dict[str, list[int]]]:
    """Return (hits, trials) by scenario, subjects and key; and the pieces of each cell, by kind."""
    tally: Tally = defaultdict(lambda: [0, 0])
    n_pieces: dict[tuple[str, int, int], int] = defaultdict(int)
    for path in sorted(pieces.glob("*-*-*-*.json")):
        kind, scenario, n_subjects = path.stem.split("-")[:3]
        cell = int(scenario), int(n_subjects)
        n_pieces[kind, *cell] += 1
        for key, (hits, trials) in json.loads(path.read_text(encoding="utf-8")).items():
            both = tally[*cell, key]
            both[0] += hits
            both[1] += trials
    by_kind: dict[str, list[int]] = defaultdict(list)
    for (kind, *_), number in n_pieces.items():
        by_kind[kind].append(number)
    return tally, by_kind


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


def header(*names: str) -> list[str]:
    """Return the head of a table with a column per number of subjects."""
    columns = [*names, *(f"{n} subjects" for n in SIZES)]
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def rows(tally: Tally, what: str, groups: dict[str, Pairs]) -> list[str]:
    lines = header("quantity", "method")
    for kind, quantities in groups.items():
        for method in methods(tally, what):
            cells = [text(over_scenarios(tally, method, n, quantities, what)) for n in SIZES]
            lines.append(f"| {kind} | {method} | " + " | ".join(cells) + " |")
    return lines


def by_scenario(tally: Tally) -> list[str]:
    """Every cell of the recommended method, one row per scenario and quantity."""
    lines = header("scenario", "quantity")
    for number, scenario in enumerate(SCENARIOS):
        for quantities in KINDS.values():
            for metric, term in quantities:
                key = f"coverage|jackknife_t|{metric}|{term}"
                cells = [f"{share(tally, number, n, key):.3f}".lstrip("0") for n in SIZES]
                lines.append(f"| {scenario.name} | {metric}, {term} | {' | '.join(cells)} |")
    return lines


def target(scenario: int, n_subjects: int) -> tuple[float, float]:
    """Return the coverage aimed at: wider with few subjects, and a little with unequal clusters."""
    if n_subjects < 20:
        return 0.92, 0.965
    return (0.93, 0.965) if SCENARIOS[scenario].unequal_sizes else (0.94, 0.965)


def beside_target(tally: Tally) -> str:
    """Say which cells of jackknife_t miss the target by more than two Monte Carlo errors."""
    missed, cells = [], 0
    for number, scenario in enumerate(SCENARIOS):
        for n in SIZES:
            low, high = target(number, n)
            for metric, term in (pair for pairs in KINDS.values() for pair in pairs):
                covered = share(tally, number, n, f"coverage|jackknife_t|{metric}|{term}")
                trials = tally[number, n, f"coverage|jackknife_t|{metric}|{term}"][1]
                error = math.sqrt(covered * (1 - covered) / trials)
                cells += 1
                if not low - 2 * error <= covered <= high + 2 * error:
                    missed.append(f"{scenario.name}, {n} subjects, {metric}, {term}: {covered:.3f}")
    there = (
        "Aimed at: .94 to .965 from 20 subjects on, .93 to .965 with unequal clusters, .92 to .965 "
        f"at 12. Of {cells} cells {cells - len(missed)} are there, within two Monte Carlo errors"
    )
    return there + ("; not so: " + "; ".join(missed) + "." if missed else ".")


def sides(tally: Tally) -> list[str]:
    """Return how often intervals of jackknife_t lie below and above the true value."""
    lines = header("quantity", "interval lies")
    for kind, quantities in KINDS.items():
        for what in ("below", "above"):
            cells = [text(over_scenarios(tally, "jackknife_t", n, quantities, what)) for n in SIZES]
            lines.append(f"| {kind} | {what} | {' | '.join(cells)} |")
    return lines


def tried(tally: Tally) -> list[str]:
    """Return how far each alternative is from .95: root mean square over cells, and the range."""
    lines = ["| | " + " | ".join(KINDS) + " |", "|" + "---|" * (1 + len(KINDS))]
    for name in methods(tally, "tried"):
        cells = []
        for quantities in KINDS.values():
            found = [
                share(tally, scenario, n, f"tried|{name}|{metric}|{term}")
                for scenario in range(len(SCENARIOS))
                for n in SIZES
                for metric, term in quantities
            ]
            there = [value for value in found if not math.isnan(value)]
            if not there:
                cells.append("")
                continue
            off = math.sqrt(sum((value - 0.95) ** 2 for value in there) / len(there))
            low, high = (f"{limit:.3f}".removeprefix("0") for limit in (min(there), max(there)))
            cells.append(f"{off:.4f}".removeprefix("0") + f" ({low}-{high})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def counted(by_kind: dict[str, list[int]], per_piece: dict[str, int], kind: str) -> tuple[int, str]:
    """Return the least number of studies in a cell, and what to say of all cells."""
    least, most = min(by_kind[kind]) * per_piece[kind], max(by_kind[kind]) * per_piece[kind]
    return least, f"{least:,}" if least == most else f"{least:,} to {most:,}"


def write(pieces: Path, root: Path, *, n_boot: int, per_piece: dict[str, int]) -> None:
    """Write the page, the figure, and the figures that messages quote."""
    tally, by_kind = read(pieces)
    n_cells = len(SCENARIOS) * len(SIZES)
    if any(len(by_kind[kind]) < n_cells for kind in per_piece):
        raise SystemExit(f"not every cell has pieces in {pieces}; run without --only-report")
    jackknife, jackknife_text = counted(by_kind, per_piece, "jackknife")
    draws, draws_text = counted(by_kind, per_piece, "draws")
    jackknife_error, draws_error = (math.sqrt(0.05 * 0.95 / n) for n in (jackknife, draws))
    tests = {name: (pair,) for name, pair in TESTS.items()}
    page = [
        "# Coverage of the intervals, and size of the tests",
        "",
        "Written by `make coverage`: do not edit. Studies with known true values were "
        f"simulated in {n_cells} cells: {len(SCENARIOS)} scenarios with {len(SIZES)} numbers of "
        f"subjects. In each cell jackknife_t was applied to {jackknife_text} studies (Monte Carlo "
        f"error of one proportion at .95: {jackknife_error:.4f}), every other method {draws_text} "
        f"of them ({draws_error:.4f}), with {n_boot} replicates or flips; for ratios of errors, "
        "jackknife_t was applied to the same number of studies. The ends of a range are the "
        "extremes of several such proportions, and are therefore more extreme than the true "
        "values.",
        "",
        "Scenarios: "
        + "; ".join(scenario.name for scenario in SCENARIOS)
        + ". Clusters have 16 clips, or 2 to 80. Heavy tails are Student's t with 5 degrees "
        "of freedom in every component; unequal spread multiplies each subject's errors by "
        "a log-normal factor (SD of its logarithm 0.4). There are separate pages for "
        "awkward designs, in which coverage is lower, and for slopes by context: "
        "[coverage_awkward.md](coverage_awkward.md), "
        "[coverage_coefficients.md](coverage_coefficients.md).",
        "",
        "## Coverage of nominal 95 % intervals",
        "",
        "Mean coverage over the five scenarios and the quantities of a row, and (least-largest).",
        "",
        *rows(tally, "coverage", KINDS | RATIOS),
        "",
        "![Coverage by number of subjects](coverage.svg)",
        "",
        "## Size of tests at the 5 % level",
        "",
        "Proportion of studies in which a difference that is truly zero has a p-value of at "
        "most .05.",
        "",
        *rows(tally, "size", tests),
        "",
        "## jackknife_t by scenario",
        "",
        beside_target(tally),
        "",
        *by_scenario(tally),
        "",
        "## On which side jackknife_t misses",
        "",
        "Nominal .025 on either side; mean over the scenarios (least-largest). If few subjects "
        "contribute most of the errors, they are often missing from the sample. Errors and "
        "correlations are then underestimated, and their uncertainty as well. The two-sided "
        "coverage is adequate, but the two sides differ.",
        "",
        *sides(tally),
        "",
        "## What was tried",
        "",
        *Path(__file__).with_name("tried.md").read_text(encoding="utf-8").splitlines(),
        "",
        *tried(tally),
        "",
    ]
    write_text(root / "docs" / "coverage.md", "\n".join(page))
    draw(tally, root / "docs" / "coverage", f"{jackknife_text} (jackknife_t) or {draws_text}")
    quoted = {
        "studies": {"jackknife_t": jackknife, "percentile": draws},
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
