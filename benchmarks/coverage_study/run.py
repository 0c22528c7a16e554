"""Coverage of every interval and size of every test, in simulated studies.

    python benchmarks/coverage_study/run.py [--studies N] [--only-report]

Each cell (scenario, number of subjects) is simulated in pieces, which are whole files in
build/coverage: a run that was stopped goes on, and a later run with a larger N adds to an
earlier one. jackknife_t needs no draws, so that it is applied to five times N studies (pieces
of 500), N by the methods that resample (pieces of 100); ratios of errors, N by all methods,
and studentized_et have pieces of their own. Writes docs/coverage.md,
docs/coverage.svg and .png, and pyexpr/inference/coverage.json, which the messages about few
subjects quote.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import alternatives
import report
from batches import Study, is_null, prepare, stacked
from scenarios import SCENARIOS, SIZES, study, truths
from work import do

from pyexpr.base.files import write_text
from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.inference.comparison.quantities import Row
from pyexpr.inference.comparison.sign_flip import sign_flip_test
from pyexpr.resampling.intervals.evidence import Evidence
from pyexpr.resampling.intervals.methods import compute

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage"
SEED = 20240501
N_BOOT = 399
# Studies in a piece, and the factor by which their number is multiplied.
KINDS = {"jackknife": (500, 5), "draws": (100, 1), "ratio": (100, 1), "tails": (100, 1)}
# Equal tails are evaluated where tails are.
RESAMPLING = tuple(
    name for name, one in INTERVAL_METHODS.items() if one.draws and name != "studentized_et"
)
METHODS = {
    "jackknife": ("jackknife_t",),
    "draws": RESAMPLING,
    "ratio": (*RESAMPLING, "studentized_et", "jackknife_t"),
    "tails": ("studentized_et",),
}

Counts = dict[str, list[int]]


def one_piece(kind: str, scenario: int, n_subjects: int, piece: int) -> Path:
    """Simulate the studies of a piece and write what they counted."""
    path = piece_path(kind, scenario, n_subjects, piece)
    if path.exists():
        return path
    n = KINDS[kind][0]
    studies, sizes = [], []
    for number in range(piece * n, (piece + 1) * n):
        rng = np.random.default_rng([SEED, scenario, n_subjects, number])
        columns = study(SCENARIOS[scenario], n_subjects, rng)
        n_boot = 0 if kind == "jackknife" else N_BOOT
        studies.append(prepare(columns, n_boot=n_boot, seed=number, ratio=kind == "ratio"))
        sizes.append(np.bincount(columns["subject"]))
    rows, evidence = studies[0].rows, stacked(studies)
    values = [value_of(row, truths_of(scenario)) for row in rows]
    counts: Counts = {}
    for method in METHODS[kind]:
        count_method(counts, evidence, rows, values, method)
    if kind == "jackknife":
        count_alternatives(counts, evidence, rows, values, np.array(sizes, dtype=np.float64))
    if kind == "draws":
        count_sign_flips(counts, studies, rows)
    write_text(path, json.dumps(counts, indent=0, sort_keys=True))
    return path


def value_of(row: Row, truth: dict[tuple[str, str], float]) -> float:
    """Return the true value of a row; of a ratio as its interval is computed, the logarithm."""
    first, second = row.models
    if row.ratio:
        return float(np.log(truth[row.metric, first] / truth[row.metric, second]))
    value = truth[row.metric, first]
    return value - truth[row.metric, second] if second else value


def count(counts: Counts, key: str, hits: np.ndarray, defined: np.ndarray) -> None:
    counts[key] = [int(np.sum(hits & defined)), int(np.sum(defined))]


def count_method(
    counts: Counts, evidence: Evidence, rows: tuple[Row, ...], values: list[float], method: str
) -> None:
    """Count how often intervals hold the truth, and lie above and below it, and small p."""
    found = compute(evidence, method, 0.95)
    for k, (row, value) in enumerate(zip(rows, values, strict=True)):
        low, high, p = (x[k :: len(rows)] for x in (found.low, found.high, found.p_value))
        name = f"{method}|{row.metric}|{row.term}"
        if is_null(row):
            count(counts, f"size|{name}", p <= 0.05, ~np.isnan(p))
            continue
        defined = ~np.isnan(low)
        count(counts, f"coverage|{name}", (low <= value) & (value <= high), defined)
        count(counts, f"above|{name}", low > value, defined)
        count(counts, f"below|{name}", high < value, defined)


def count_alternatives(
    counts: Counts,
    evidence: Evidence,
    rows: tuple[Row, ...],
    values: list[float],
    sizes: np.ndarray,
) -> None:
    for k, (row, value) in enumerate(zip(rows, values, strict=True)):
        if is_null(row):
            continue
        inside = alternatives.covered(evidence, k, len(rows), sizes, row.metric, value)
        for name, holds in inside.items():
            everywhere = np.ones(len(holds), dtype=bool)
            count(counts, f"tried|{name}|{row.metric}|{row.term}", holds, everywhere)


def count_sign_flips(counts: Counts, studies: list[Study], rows: tuple[Row, ...]) -> None:
    at = [k for k, row in enumerate(rows) if is_null(row)]
    place = {k: i for i, k in enumerate(k for k, row in enumerate(rows) if row.between_models)}
    p = np.empty((len(studies), len(place)))
    for i, one in enumerate(studies):
        p[i] = sign_flip_test(
            one.rows, one.groups, one.evidence.estimate, n_flips=N_BOOT, seed=i, n_threads=1
        ).p_value
    for k in at:
        own = p[:, place[k]]
        key = f"size|sign_flip|{rows[k].metric}|{rows[k].term}"
        count(counts, key, own <= 0.05, ~np.isnan(own))


def piece_path(kind: str, scenario: int, n_subjects: int, piece: int) -> Path:
    return PIECES / f"{kind}-{scenario}-{n_subjects}-{piece:04d}.json"


@cache
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
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="studies per cell")
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        for scenario in range(len(SCENARIOS)):
            truths_of(scenario)
        # Piece by piece over all cells, so that a run that is stopped has all cells alike.
        work = [
            (kind, scenario, n_subjects, piece)
            for kind, (n, times) in KINDS.items()
            for piece in range(-(-chosen.studies * times // n))
            for scenario in range(len(SCENARIOS))
            for n_subjects in SIZES
        ]
        todo = [one for one in work if not piece_path(*one).exists()]
        do([(one_piece, one) for one in todo], chosen.processes)
    report.write(PIECES, ROOT, n_boot=N_BOOT, per_piece={kind: n for kind, (n, _) in KINDS.items()})


if __name__ == "__main__":
    main()
