"""Size and power of the invariance tests; coverage of intervals of the factor model.

    python benchmarks/coverage_study/measurement.py [--studies N] [--lavaan N] [--only-report]

Each cell (scenario, number of subjects) is simulated in pieces of 50 studies; a piece is a
whole file in build/coverage/measurement, so that a run that was stopped goes on, and a later
run with a larger N adds to an earlier one. lavaan, which is slower, runs in the
first --lavaan studies of a cell. Writes docs/coverage_measurement.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import measurement_report as report
from measurement_scenarios import (
    FACTOR_SCENARIOS,
    FACTOR_SIZES,
    FAMILY_SCENARIOS,
    FAMILY_SIZES,
    LOADING_FACTOR,
    MODEL_SCENARIOS,
    MODEL_SIZES,
    departed,
    factor_study,
    model_study,
)
from work import do

from pyexpr.base.errors import FactorModelError, PyexprWarning
from pyexpr.base.files import write_text
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.invariance.invariance import invariance
from pyexpr.measurement.invariance.wald import (
    constraints_of,
    metric_contrasts,
    refit,
    scalar_contrasts,
    wald,
)

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage" / "measurement"
PIECE = 50
SEED = 20240502
# Of the factor model; its percentile and BCa intervals stand beside the jackknife's.
MODEL_BOOT = 399
LEVEL = 0.05
# Each interval alone, and families together.
RULES = ("alone", "holm", "max_t")

Tally = dict[str, list[int]]
Cell = tuple[str, int, int, int]


def add(tally: Tally, key: str, hit: bool, defined: bool) -> None:
    """Count a hit among the defined, and the undefined apart."""
    counts = tally.setdefault(key, [0, 0, 0])
    counts[0] += bool(hit and defined)
    counts[1] += bool(defined)
    counts[2] += not defined


def one_piece(kind: str, scenario: int, subjects: int, piece: int) -> Path:
    """Simulate the studies of a piece and write what they counted."""
    path = piece_path(kind, scenario, subjects, piece)
    if not path.exists():
        tally: Tally = {}
        PIECE_OF[kind](scenario, subjects, range(piece * PIECE, (piece + 1) * PIECE), tally)
        write_text(path, json.dumps(tally, indent=0, sort_keys=True))
    return path


def factor_studies(scenario: int, subjects: int, numbers: range):
    """Yield (number, what departs, study) of a piece: nothing, loadings, intercepts."""
    for number in numbers:
        rng = np.random.default_rng([SEED, scenario, subjects, number])
        study = factor_study(FACTOR_SCENARIOS[scenario], subjects, rng)
        yield number, "none", study
        for what in ("metric", "scalar"):
            yield number, what, {**study, "columns": departed(study, what)}


def factor_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often our tests reject, if invariance holds and if it does not."""
    contrasts = {"metric": metric_contrasts, "scalar": scalar_contrasts}
    for _, departure, study in factor_studies(scenario, subjects, numbers):
        columns = study["columns"]
        refits = refit(columns, study["context"], study["subject"], 3, n_threads=1)
        p = range(columns.shape[1])
        what = constraints_of(refits, p, p)
        for level in ("metric", "scalar") if departure == "none" else (departure,):
            found = wald(refits, contrasts[level](refits, what)).p_value
            add(tally, f"{level}|{departure}|ours", found <= LEVEL, not np.isnan(found))


def lavaan_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often lavaan's chi-square differences reject, in the same studies.

    Its power is counted in the first scenario alone: it takes long.
    """
    tables, keys = [], []
    for _, departure, study in factor_studies(scenario, subjects, numbers):
        if departure != "none" and scenario:
            continue
        columns = study["columns"]
        names = [f"x{j + 1}" for j in range(columns.shape[1])]
        tables.append(
            pd.DataFrame(columns, columns=names).assign(study=len(keys), context=study["context"])
        )
        keys.append(departure)
    found = lavaan_p_values(tables)
    for number, departure in enumerate(keys):
        for level in ("metric", "scalar") if departure == "none" else (departure,):
            p = found.loc[number, level]
            add(tally, f"{level}|{departure}|lavaan", p <= LEVEL, not np.isnan(p))


def lavaan_p_values(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """p-values (metric, scalar) by study, NaN where lavaan did not converge."""
    with tempfile.TemporaryDirectory() as folder:
        rows, answers = Path(folder) / "rows.csv", Path(folder) / "answers.csv"
        pd.concat(tables).to_csv(rows, index=False)
        script = Path(__file__).with_name("measurement_lavaan.R")
        subprocess.run(["Rscript", "--vanilla", str(script), str(rows), str(answers)], check=True)
        return pd.read_csv(answers).set_index("study")


def model_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often intervals of the factor model hold the true value, over all indicators."""
    chosen = MODEL_SCENARIOS[scenario]
    for number in numbers:
        rng = np.random.default_rng([SEED, 200 + scenario, subjects, number])
        table, names = model_study(chosen, subjects, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PyexprWarning)
            try:
                found = bootstrap_cfa(
                    table, {"f": names}, cluster="subject", n_boot=MODEL_BOOT, seed=number,
                    n_threads=1,
                )  # fmt: skip
            except FactorModelError:
                add(tally, "model|no solution", hit=True, defined=True)
                continue
        add(tally, "model|no solution", hit=False, defined=True)
        for method in ("jackknife_t", "percentile", "bca"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PyexprWarning)
                rows = found.interval(method=method).tidy()
            covered = (rows["conf_low"] <= chosen.truth) & (chosen.truth <= rows["conf_high"])
            known = rows["conf_low"].notna()
            for quantity, hit, defined in zip(rows["quantity"], covered, known, strict=True):
                add(tally, f"model|{quantity}|{method}", hit, defined)


def contrast_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often intervals of contrasts between contexts hold the true value."""
    for _, departure, study in factor_studies(scenario, subjects, numbers):
        if departure == "scalar":
            continue
        columns = study["columns"]
        names = [f"x{j + 1}" for j in range(columns.shape[1])]
        table = pd.DataFrame(columns, columns=names).assign(context=study["context"])
        found = invariance(
            table, {"f": names}, context="context", cluster=study["subject"], engine="native",
            n_threads=1,
        ).contrasts()  # fmt: skip
        if departure == "metric":
            mine = (found["term"] == "x3") & (found["contrast"] == "0 - 1")
            rows, truth = found[mine & (found["level"] == "metric")], -np.log(LOADING_FACTOR)
        else:
            rows, truth = found, 0.0
        for row in rows.itertuples():
            hit = row.conf_low <= truth <= row.conf_high
            add(tally, f"contrast|{row.level}|{departure}", hit, not np.isnan(row.conf_low))


def family_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often all intervals of a quantity hold the true values at once, by rule."""
    chosen = FAMILY_SCENARIOS[scenario]
    for number in numbers:
        rng = np.random.default_rng([SEED, 400 + scenario, subjects, number])
        table, names = model_study(chosen, subjects, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PyexprWarning)
            found = bootstrap_cfa(
                table, {"f": names}, cluster="subject", n_boot=0, seed=number, n_threads=1,
                stratify="stratum" if len(chosen.strata) > 1 else None,
            )  # fmt: skip
        for rule in RULES:
            rows = (
                (found if rule == "alone" else found.adjust(rule)).tidy().assign(truth=chosen.truth)
            )
            for quantity, family in rows.groupby("quantity", sort=False):
                add_family(tally, f"family|{quantity}|{rule}", family)


def together_piece(scenario: int, subjects: int, numbers: range, tally: Tally) -> None:
    """Count how often all contrasts of a level hold 0 at once, by rule, where nothing departs."""
    for number in numbers:
        rng = np.random.default_rng([SEED, 500 + scenario, subjects, number])
        study = factor_study(FACTOR_SCENARIOS[scenario], subjects, rng)
        columns = study["columns"]
        names = [f"x{j + 1}" for j in range(columns.shape[1])]
        table = pd.DataFrame(columns, columns=names).assign(context=study["context"])
        found = invariance(
            table, {"f": names}, context="context", cluster=study["subject"], engine="native",
            seed=number, n_threads=1,
        )  # fmt: skip
        for rule in RULES:
            rows = (found if rule == "alone" else found.adjust(rule)).contrasts().assign(truth=0.0)
            for level, family in rows.groupby("level", sort=False):
                add_family(tally, f"together|{level}|{rule}", family)


def add_family(tally: Tally, key: str, rows: pd.DataFrame) -> None:
    """Count whether every interval holds its truth, among studies in which all are defined."""
    covered = (rows["conf_low"] <= rows["truth"]) & (rows["truth"] <= rows["conf_high"])
    add(tally, key, bool(covered.all()), bool(rows["conf_low"].notna().all()))


PIECE_OF = {
    "factor": factor_piece, "lavaan": lavaan_piece,
    "model": model_piece, "contrast": contrast_piece,
    "family": family_piece, "together": together_piece,
}  # fmt: skip


def piece_path(kind: str, scenario: int, subjects: int, piece: int) -> Path:
    return PIECES / f"{kind}-{scenario}-{subjects}-{piece:04d}.json"


def cells(kind: str, n_pieces: int) -> list[Cell]:
    """Piece by piece over all cells, so that a run that is stopped has all cells alike."""
    scenarios, sizes = {
        "model": (MODEL_SCENARIOS, MODEL_SIZES),
        "family": (FAMILY_SCENARIOS, FAMILY_SIZES),
        "together": (FACTOR_SCENARIOS, FAMILY_SIZES),
    }.get(kind, (FACTOR_SCENARIOS, FACTOR_SIZES))
    return [
        (kind, scenario, subjects, piece)
        for piece in range(n_pieces)
        for scenario in range(len(scenarios))
        for subjects in sizes
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, metavar="N", help="studies per cell")
    parser.add_argument(
        "--lavaan", type=int, default=200, metavar="N", help="studies that lavaan also fits"
    )
    parser.add_argument("--only", choices=tuple(PIECE_OF), help="run only one kind of study")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="number of processes")
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        wanted = dict.fromkeys(PIECE_OF, chosen.studies) | {"lavaan": chosen.lavaan}
        kinds = [chosen.only] if chosen.only else list(wanted)
        simulate([cell for kind in kinds for cell in cells(kind, -(-wanted[kind] // PIECE))],
                 chosen.workers)  # fmt: skip
    report.write(PIECES, ROOT / "docs" / "coverage_measurement.md")


def simulate(wanted: list[Cell], workers: int) -> None:
    todo = [cell for cell in wanted if not piece_path(*cell).exists()]
    do([(one_piece, cell) for cell in todo], workers, every=24)


if __name__ == "__main__":
    main()
