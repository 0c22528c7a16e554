"""Coverage of the ICC's intervals where clips belong to subjects.

    python benchmarks/coverage_study/reliability.py [--studies N] [--only-report]

Each cell is simulated in pieces of 50 studies; a piece is a whole file in
build/coverage/reliability, so that a run that was stopped goes on, and a later run with a larger
N adds to an earlier one. Writes docs/coverage_reliability.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import reliability_report as report
from reliability_scenarios import (
    CROSSED,
    ONE_WAY,
    SIZES,
    crossed_study,
    crossed_truth,
    one_way_study,
    one_way_truth,
)
from work import do

from pyexpr.base.files import write_text
from pyexpr.measurement.icc.bootstrap import Bootstrap, bootstrap_signals
from pyexpr.measurement.icc.cluster import (
    bare_signal,
    cluster_signals,
    jackknife,
    settled,
    with_raters,
)
from pyexpr.measurement.icc.group import plain_signals
from pyexpr.measurement.icc.intervals import Signal
from pyexpr.measurement.icc.layout import Ratings
from pyexpr.measurement.icc.left_out import LeftOut, left_out, one_way_sums

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage" / "reliability"
PIECE = 50
SEED = 20240614
N_BOOT = 499
LEVEL = 0.95
# Refits by REML cost ten times as much as mean squares; one-way cells are many.
SHARE_OF_OTHERS = 0.5

Tally = dict[str, list[int]]
Cell = tuple[str, int, int, int]


def add(tally: Tally, key: str, low: float, high: float, truth: float) -> None:
    """Count an interval: holds the truth, lies above it, is defined, has no upper limit."""
    counts = tally.setdefault(key, [0, 0, 0, 0, 0])
    defined = not np.isnan(low)
    counts[0] += low <= truth <= high
    counts[1] += truth < low
    counts[2] += defined
    counts[3] += not defined
    counts[4] += high == np.inf


def of_long(values: np.ndarray, targets: np.ndarray, subjects: np.ndarray) -> Ratings:
    """The ratings as `icc` reads a long table without raters."""
    n = int(targets.max()) + 1
    return Ratings((), len(values), 0, values=values, targets=targets, n_targets=n,
                   clusters=subjects)  # fmt: skip


def of_table(table: np.ndarray, subjects: np.ndarray) -> Ratings:
    """The ratings as `icc` reads a table of targets by raters."""
    n, k = table.shape
    return Ratings((), table.size, int(np.isnan(table).sum()), table=table, n_targets=n, n_raters=k,
                   clusters=subjects)  # fmt: skip


def as_before(k: float, thetas: np.ndarray) -> tuple[float, float]:
    """Limits of the earlier rule: Student's t on G - 1 for -log(1 - ICC), raters as given."""
    from scipy.special import stdtrit

    logs, g = np.log1p(k * thetas), len(thetas) - 1
    pseudo = g * logs[0] - (g - 1) * logs[1:]
    half = stdtrit(g - 1, 1 - (1 - LEVEL) / 2) * pseudo.std(ddof=1) / np.sqrt(g)
    low, high = np.expm1([pseudo.mean() - half, pseudo.mean() + half]) / k
    return float(low), float(high)


def one_way_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count the intervals of ICC(1,1)."""
    icc = one_way_truth(ONE_WAY[scenario])
    truth = icc / (1 - icc)
    for number in numbers:
        rng = np.random.default_rng([SEED, scenario, subjects, number])
        ratings = of_long(*one_way_study(ONE_WAY[scenario], subjects, rng))
        alone = plain_signals(ratings, ratings.squares(), LEVEL, {"one_way"})
        ours = cluster_signals(ratings, alone, LEVEL)[0]
        drawn = bootstrap_signals(ratings, alone, LEVEL, Bootstrap(N_BOOT, number))[0]
        found = {"ours": ours, "bootstrap_t": drawn, "independent": alone}
        for way, signals in found.items():
            add(tally, way, signals["one_way"].low, signals["one_way"].high, truth)
        k = alone["one_way"].k
        add(tally, "before", *as_before(k, one_way_sums(ratings).left_out()), truth)


def crossed_piece(scenario: int, _: int, numbers: range, tally: Tally) -> None:
    """Count the intervals of ICC(A,1) and ICC(C,1)."""
    design = CROSSED[scenario]
    for number in numbers:
        rng = np.random.default_rng([SEED, 100 + scenario, number])
        ratings = of_table(*crossed_study(design, rng))
        alone = plain_signals(ratings, ratings.squares(), LEVEL, {"agreement", "consistency"})
        parts = left_out(ratings)
        for family in ("agreement", "consistency"):
            icc = crossed_truth(design, family)
            truth = icc / (1 - icc)
            signal = alone[family]
            for way, found in (("ours", ours(signal, family, parts)), ("independent", signal)):
                add(tally, f"{family}|{way}", found.low, found.high, truth)
            # The raters' share as it is in each fit, without a distribution of its own.
            thetas = raters_as_given(parts, family)
            add(tally, f"{family}|before", *as_before(signal.k, thetas), truth)


def ours(signal: Signal, family: str, parts: LeftOut) -> Signal:
    """The interval of `icc(cluster=...)`, from what is computed once for all ways."""
    bare = bare_signal(signal, "")
    done = settled(signal, bare, len(parts.target) - 1)
    if done is not None:
        return done
    if family == "agreement":
        return with_raters(bare, parts, LEVEL)
    return jackknife(bare, parts.target / parts.error, LEVEL)


def raters_as_given(parts: LeftOut, family: str) -> np.ndarray:
    """Signals of all and without each subject, raters by their mean square in each."""
    if family == "consistency":
        return parts.target / parts.error
    g = len(parts.target) - 1
    means = parts.means - parts.means.mean(axis=1, keepdims=True)
    moved = means[1:] - means[1:].mean(axis=0)
    noise = (g - 1) / g * (moved**2).sum() / (means.shape[1] - 1)
    rater = np.maximum(0, (means**2).sum(axis=1) / (means.shape[1] - 1) - noise)
    return parts.target / (parts.error + rater)


def one_piece(kind: str, scenario: int, subjects: int, piece: int) -> Path:
    """Simulate the studies of a piece and write what they counted."""
    path = piece_path(kind, scenario, subjects, piece)
    if not path.exists():
        tally: Tally = {}
        {"oneway": one_way_piece, "crossed": crossed_piece}[kind](
            scenario, subjects, range(piece * PIECE, (piece + 1) * PIECE), tally
        )
        counts = {key: [int(count) for count in found] for key, found in tally.items()}
        write_text(path, json.dumps(counts, indent=0, sort_keys=True))
    return path


def piece_path(kind: str, scenario: int, subjects: int, piece: int) -> Path:
    return PIECES / f"{kind}-{scenario}-{subjects}-{piece:04d}.json"


def cells(studies: int) -> Iterator[Cell]:
    """Piece by piece over all cells, so that a run that is stopped has all cells alike."""
    n = -(-studies // PIECE)
    for piece in range(n):
        for scenario, design in enumerate(CROSSED):
            if design.rated == "all" or piece < SHARE_OF_OTHERS * n:
                yield "crossed", scenario, design.subjects, piece
        for scenario in range(len(ONE_WAY)):
            if piece < SHARE_OF_OTHERS * n:
                yield from (("oneway", scenario, subjects, piece) for subjects in SIZES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="studies per cell")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="number of processes")
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        simulate([cell for cell in cells(chosen.studies) if not piece_path(*cell).exists()],
                 chosen.workers)  # fmt: skip
    report.write(PIECES, ROOT / "docs" / "coverage_reliability.md", n_boot=N_BOOT)


def simulate(todo: list[Cell], workers: int) -> None:
    do([(one_piece, cell) for cell in todo], workers, every=50)


if __name__ == "__main__":
    main()
