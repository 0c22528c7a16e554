"""Coverage of every interval and size of every test, in simulated studies.

    python benchmarks/coverage_study/run.py [--studies N] [--only-report]

Each cell (scenario, number of subjects) is simulated in pieces of 25 studies, two
processes at a time; a piece is a whole file in build/coverage, so that a run that was
stopped goes on, and a later run with a larger N adds to an earlier one. Writes
docs/coverage.md, docs/coverage.svg and .png, and pyexpr/inference/coverage.json, which
the messages about few subjects quote.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import report
from scenarios import SCENARIOS, SIZES, study, truths

from pyexpr.base.errors import PyexprWarning
from pyexpr.base.files import write_text
from pyexpr.inference.comparison import compare_models

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage"
PIECE = 25
SEED = 20240501
N_BOOT = 399
METHODS = ("jackknife_t", "percentile", "basic", "normal", "bca", "studentized")
METRICS = ("rmse", "mae", "correlation", "concordance", "r2", "correlation_within")


def one_piece(scenario: int, n_subjects: int, piece: int) -> Path:
    """Simulate 25 studies and write what they counted."""
    path = piece_path(scenario, n_subjects, piece)
    if path.exists():
        return path
    truth = truths_of(scenario)
    counts: dict[str, list[int]] = {}

    def add(key: str, hit: bool, defined: bool) -> None:
        tally = counts.setdefault(key, [0, 0])
        tally[0] += bool(hit and defined)
        tally[1] += bool(defined)

    for number in range(piece * PIECE, (piece + 1) * PIECE):
        rng = np.random.default_rng([SEED, scenario, n_subjects, number])
        table = study(SCENARIOS[scenario], n_subjects, rng)
        count_study(table, truth, number, add)
    write_text(path, json.dumps(counts, indent=0, sort_keys=True))
    return path


def count_study(table: Any, truth: dict[tuple[str, str], float], seed: int, add: Any) -> None:
    options = {"truth": "y", "cluster": "subject", "n_boot": N_BOOT, "seed": seed, "n_threads": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyexprWarning)
        levels = compare_models(table, predictions=["a", "b"], metrics=METRICS, **options)
        nulls = compare_models(
            table, predictions=["a", "c", "d"], metrics=("rmse", "correlation"), **options
        )
        for method in METHODS:
            found = levels.interval(method=method)
            for row, low, high in zip(
                found.rows, found.intervals.low, found.intervals.high, strict=True
            ):
                if row.term == "b":
                    continue
                value = truth[row.metric, "a"]
                if row.second is not None:
                    value -= truth[row.metric, "b"]
                key = f"coverage|{method}|{row.metric}|{row.term}"
                add(key, low <= value <= high, not np.isnan(low))
            found = nulls.interval(method=method)
            for row, p in zip(found.rows, found.intervals.p_value, strict=True):
                if is_null(row.metric, row.term):
                    add(f"size|{method}|{row.metric}|{row.term}", p <= 0.05, not np.isnan(p))
        flips = nulls.sign_flip(n_flips=N_BOOT)
        for row, p in zip(flips.rows, flips.p_value, strict=True):
            if is_null(row.metric, row.term):
                add(f"size|sign_flip|{row.metric}|{row.term}", p <= 0.05, not np.isnan(p))


def is_null(metric: str, term: str) -> bool:
    """a and c differ in nothing, a and d have the same RMSE."""
    return term == "a - c" or (term == "a - d" and metric == "rmse")


def piece_path(scenario: int, n_subjects: int, piece: int) -> Path:
    return PIECES / f"{scenario}-{n_subjects}-{piece:04d}.json"


def truths_of(scenario: int) -> dict[tuple[str, str], float]:
    """Return the true values, averaged once and kept in a file."""
    path = PIECES / f"truth-{scenario}.json"
    if not path.exists():
        found = truths(SCENARIOS[scenario])
        write_text(path, json.dumps([[*key, value] for key, value in found.items()]))
    return {
        (metric, model): value
        for metric, model, value in json.loads(path.read_text(encoding="utf-8"))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, metavar="N", help="per cell")
    parser.add_argument("--only-report", action="store_true", help="write what is there")
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        simulate(-(-chosen.studies // PIECE))
    report.write(PIECES, ROOT, n_boot=N_BOOT, per_piece=PIECE)


def simulate(n_pieces: int) -> None:
    for scenario in range(len(SCENARIOS)):
        truths_of(scenario)
    # Piece by piece over all cells, so that a run that is stopped has all cells alike.
    wanted = [
        (scenario, n_subjects, piece)
        for piece in range(n_pieces)
        for scenario in range(len(SCENARIOS))
        for n_subjects in SIZES
    ]
    todo = [cell for cell in wanted if not piece_path(*cell).exists()]
    start = time.perf_counter()
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(2) as pool:
        running = [pool.submit(one_piece, *cell) for cell in todo]
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            if done % 25 == 0 or done == len(todo):
                elapsed = time.perf_counter() - start
                print(f"{done} of {len(todo)} pieces, {elapsed:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
