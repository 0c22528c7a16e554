"""Coverage of slopes by context and size of their tests, in simulated studies.

    python benchmarks/coverage_study/coefficients.py [--studies N] [--only-report]

Fourteen features, correlated like those of the simulated study, in three contexts that
share their subjects; some slopes are planted, the others are 0. Each piece of 20 studies is
a file in build/coverage_coefficients: a run that was stopped goes on. Writes
docs/coverage_coefficients.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).parent))
from work import do

from pyexpr.base.files import write_text
from pyexpr.inference.coefficients.cluster_ols import CORRECTIONS, ClusterOLS
from pyexpr.inference.coefficients.data import CoefficientData, read_data
from pyexpr.inference.coefficients.fit import fit_model
from pyexpr.inference.coefficients.penalised import N_FOLDS, read_penalties
from pyexpr.inference.coefficients.slopes import SlopeSpace, slope_space
from pyexpr.inference.coefficients.wild import wild_test
from pyexpr.resampling.tests import ContrastTests

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage_coefficients"
PIECE = 20
SEED = 20240601
SIZES = (24, 40, 80, 140)
LEVEL = 0.05
N_WILD = 399

PARTS = ("points", "head", "pitch", "yaw", "roll", "gaze")
# Velocity follows displacement closely where movement is even.
TOGETHER = {"points": 0.6, "head": 0.6, "gaze": 0.6, "pitch": 0.9, "yaw": 0.9, "roll": 0.9}
FEATURES = (
    *(f"{part}_{kind}" for part in PARTS for kind in ("displacement", "velocity")),
    "au_count",
    "au_intensity",
)
CLIPS = {"startle": 5, "pain": 7, "disgust": 4}
PLANTED = {
    "startle": {"points_displacement": 0.5, "points_velocity": 0.3, "head_displacement": -0.35},
    "pain": {"points_velocity": -0.35, "au_intensity": 0.35},
    "disgust": {"points_displacement": 0.5, "head_displacement": 0.35, "au_intensity": 0.35},
}
EVERYWHERE = {"au_count": 0.4}
SLOPES = np.array(
    [[(planted | EVERYWHERE).get(f, 0.0) for f in FEATURES] for planted in PLANTED.values()]
)
OF_THE_SUBJECT = 0.3  # share of a feature's variance
SPREAD = 0.35  # of a feature's logarithm
SD_SUBJECT, SD_CONTEXT, SD_CLIP = 0.5, 0.4, 0.7

Tally = dict[str, list[float]]


def study(n_subjects: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return features with subject and context, and the label."""
    context = np.repeat(np.arange(len(CLIPS)), list(CLIPS.values()))
    subject = np.repeat(np.arange(n_subjects), len(context))
    context = np.tile(context, n_subjects)
    n, p = len(subject), len(FEATURES)
    z = math.sqrt(OF_THE_SUBJECT) * rng.normal(size=(n_subjects, p))[subject]
    z += math.sqrt(1 - OF_THE_SUBJECT) * rng.normal(size=(n, p))
    for k, part in enumerate(PARTS):
        r = TOGETHER[part]
        z[:, 2 * k + 1] = r * z[:, 2 * k] + math.sqrt(1 - r * r) * z[:, 2 * k + 1]
    z[:, -1] = 0.3 * z[:, -2] + math.sqrt(1 - 0.09) * z[:, -1]
    # Movement is skewed; mean 0, variance 1.
    square = math.exp(SPREAD**2)
    x = (np.exp(SPREAD * z) - math.sqrt(square)) / math.sqrt((square - 1) * square)
    y = np.einsum("ij,ij->i", x, SLOPES[context])
    y += SD_SUBJECT * rng.normal(size=n_subjects)[subject]
    y += SD_CONTEXT * rng.normal(size=(n_subjects, len(CLIPS)))[subject, context]
    y += SD_CLIP * rng.normal(size=n)
    table = pd.DataFrame(x, columns=list(FEATURES))
    table["context"] = np.array(list(CLIPS))[context]
    table["subject"] = subject
    return table, y


@dataclass(frozen=True)
class Truth:
    """Slopes in the units that are tested, contexts in the order of the data."""

    slopes: np.ndarray  # (C, p)
    pairs: list[tuple[int, int]]

    @property
    def contrasts(self) -> np.ndarray:
        return np.array([self.slopes[a] - self.slopes[b] for a, b in self.pairs])


def truth_of(data: CoefficientData) -> Truth:
    order = [list(CLIPS).index(context) for context in data.contexts]
    C = len(order)
    return Truth(SLOPES[order] * data.scale, [(a, b) for a in range(C) for b in range(a + 1, C)])


def count_study(n_subjects: int, number: int, tally: Tally) -> None:
    rng = np.random.default_rng([SEED, n_subjects, number])
    X, y = study(n_subjects, rng)
    data = read_data(X, y, context="context", cluster="subject", y_pooled=None, rows=None)
    truth = truth_of(data)
    penalties = read_penalties(None, None, data.contexts)
    fitted = [
        fit_model(data, model, penalty, retune=False, n_folds=N_FOLDS, seed=number, n_threads=1)
        for model, penalty in zip(data.contexts, penalties, strict=True)
    ]

    def space_by(method: str, cr: str) -> SlopeSpace:
        return slope_space(
            data, data.contexts, fitted, method=method, cr=cr, seed=number, n_threads=1
        )

    for cr in CORRECTIONS:
        space = space_by("least_squares", cr)
        count_space(space, truth, f"least squares, {cr}", tally)
        if cr in {"CR1", "CR2"}:
            count_wild(space, truth, cr, number, tally)
        if cr == "CR1":
            count_space(space, truth, "least squares, CR1 and t(G-1)", tally, n_subjects - 1)
    count_space(space_by("desparsified", "CR2"), truth, "desparsified", tally)


def add(tally: Tally, key: str, share: float) -> None:
    """Add one study's share; shares within a study depend on each other."""
    both = tally.setdefault(key, [0.0, 0.0, 0.0])
    both[0] += share
    both[1] += share * share
    both[2] += 1


def count_space(
    space: SlopeSpace, truth: Truth, method: str, tally: Tally, df: int | None = None
) -> None:
    C, p = truth.slopes.shape
    slopes = [space.weights([(c, j, 1.0)]) for c in range(C) for j in range(p)]
    contrasts = [
        space.weights([(a, j, 1.0), (b, j, -1.0)]) for a, b in truth.pairs for j in range(p)
    ]
    for kind, wanted, requested in (
        ("slope", truth.slopes.ravel(), slopes),
        ("contrast", truth.contrasts.ravel(), contrasts),
    ):
        found = space.tests(requested)
        own = found.df if df is None else np.full(len(wanted), float(df))
        count_tests(found, own, wanted, f"{method}|{kind}", tally)
    if df is None and not method.endswith(("CR0", "CR1")):
        alike = np.flatnonzero((truth.slopes == truth.slopes[0]).all(axis=0))
        small = []
        for j in alike:
            some = [space.weights([(0, j, 1.0), (c, j, -1.0)]) for c in range(1, C)]
            small.append(space.wald([one for one in some if one is not None]).p_value <= LEVEL)
        add(tally, f"size|{method}|omnibus", float(np.mean(small)))


def count_tests(
    found: ContrastTests, df: np.ndarray, wanted: np.ndarray, name: str, tally: Tally
) -> None:
    off = found.estimate - wanted
    covered = np.abs(off) <= stdtrit(df, 1 - LEVEL / 2) * found.std_error
    planted = wanted != 0
    add(tally, f"coverage|{name}, planted", float(covered[planted].mean()))
    add(tally, f"coverage|{name}, null", float(covered[~planted].mean()))
    add(tally, f"square|{name}", float(np.mean(off**2)))
    add(tally, f"square error|{name}", float(np.mean(found.std_error**2)))
    add(tally, f"df|{name}", float(df.mean()))
    add(tally, f"length|{name}", float(np.mean(2 * stdtrit(df, 1 - LEVEL / 2) * found.std_error)))
    power = np.abs(found.statistic) > stdtrit(df, 1 - LEVEL / 2)
    right = power & (found.estimate * wanted > 0)
    add(tally, f"power|{name}", float(right[planted].mean()))


def count_wild(space: SlopeSpace, truth: Truth, cr: str, seed: int, tally: Tally) -> None:
    assert isinstance(space.slopes, ClusterOLS)
    small = []
    for c, j in np.argwhere(truth.slopes == 0)[::3]:  # a third of them: it takes time
        contrast = space.weights([(int(c), int(j), 1.0)])
        assert contrast is not None
        small.append(wild_test(space.slopes, contrast, n_boot=N_WILD, seed=seed).p_value <= LEVEL)
    add(tally, f"size|wild, {cr}|slope", float(np.mean(small)))


# --- pieces ------------------------------------------------------------------------------


def one_piece(n_subjects: int, piece: int) -> Path:
    path = piece_path(n_subjects, piece)
    if not path.exists():
        tally: Tally = {}
        for number in range(piece * PIECE, (piece + 1) * PIECE):
            count_study(n_subjects, number, tally)
        write_text(path, json.dumps(tally, indent=0, sort_keys=True))
    return path


def piece_path(n_subjects: int, piece: int) -> Path:
    return PIECES / f"{n_subjects}-{piece:04d}.json"


def read() -> dict[int, Tally]:
    found: dict[int, Tally] = {n: defaultdict(lambda: [0.0, 0.0, 0.0]) for n in SIZES}
    for path in sorted(PIECES.glob("*-*.json")):
        own = found[int(path.stem.split("-")[0])]
        for key, parts in json.loads(path.read_text(encoding="utf-8")).items():
            own[key] = [a + b for a, b in zip(own[key], parts, strict=True)]
    return found


# --- the page ----------------------------------------------------------------------------


def mean_and_error(parts: list[float]) -> tuple[float, float]:
    total, squares, n = parts
    if not n:
        return math.nan, math.nan
    mean = total / n
    return mean, math.sqrt(max(squares / n - mean * mean, 0.0) / n)


def cell(tally: Tally, key: str) -> str:
    if key not in tally:
        return ""
    mean, error = mean_and_error(tally[key])
    return f"{mean:.3f} ({error:.3f})".replace("0.", ".")


def table(found: dict[int, Tally], rows: dict[str, str], first: str) -> list[str]:
    lines = [f"| {first} | " + " | ".join(f"{n} subjects" for n in SIZES) + " |"]
    lines.append("|---" * (1 + len(SIZES)) + "|")
    for name, key in rows.items():
        lines.append(f"| {name} | " + " | ".join(cell(found[n], key) for n in SIZES) + " |")
    return lines


METHODS = (
    *(f"least squares, {cr}" for cr in CORRECTIONS),
    "least squares, CR1 and t(G-1)",
    "desparsified",
)
KINDS = ("slope, planted", "slope, null", "contrast, planted", "contrast, null")


def ratio(found: dict[int, Tally], top: str, bottom: str, n: int) -> str:
    if top not in found[n]:
        return ""
    (square, _), (true, _) = (mean_and_error(found[n][key]) for key in (top, bottom))
    return f"{math.sqrt(square / true):.2f}"


def write_page(extra: Path) -> None:
    found = read()
    n_studies = {n: int(max((parts[2] for parts in found[n].values()), default=0)) for n in SIZES}
    if not any(n_studies.values()):
        raise SystemExit(f"there are no pieces in {PIECES}; run without --only-report")
    counts = ", ".join(f"{n_studies[n]} of {n} subjects" for n in SIZES)
    page = [
        "# Coverage of slopes by context, and size of their tests",
        "",
        "Written by `make coverage`: do not edit. Simulated studies with known slopes: "
        f"{counts}. Each subject has {', '.join(f'{k} clips in {c}' for c, k in CLIPS.items())}; "
        f"{len(FEATURES)} skewed features, velocities correlated .6 or .9 with displacements, "
        "30 % of their variance between subjects; labels with effects of the subject (SD 0.5), of "
        "the subject in the context (0.4) and of the clip (0.7). The Monte Carlo error is given in "
        "brackets, with studies as units, since the proportions within a study are dependent.",
        "",
        "By default (methods.md, section 7) slopes are least squares with CR2 and "
        "Satterthwaite's degrees of freedom from 29 subjects on, for which 14 features are "
        "fewer than half the number of subjects, and desparsified below.",
        "",
        "## Coverage of nominal 95 % intervals",
        "",
    ]
    for kind in KINDS:
        page += [f"### {kind}", ""]
        page += [*table(found, {m: f"coverage|{m}|{kind}" for m in METHODS}, "method"), ""]
    sizes = {f"omnibus over contexts, {m}": f"size|{m}|omnibus" for m in METHODS}
    sizes |= {
        f"wild cluster bootstrap of a null slope, {cr}": f"size|wild, {cr}|slope"
        for cr in ("CR1", "CR2")
    }
    sizes = {name: key for name, key in sizes.items() if any(key in found[n] for n in SIZES)}
    page += ["## Size of tests at the 5 % level", ""]
    page += [
        "The size of the t tests of null slopes and contrasts is 1 minus their coverage. For "
        f"tests with other statistics (wild: Webb's points, {N_WILD} draws, under the null "
        "hypothesis):",
        "",
        *table(found, sizes, "test"),
        "",
        "## Standard errors, length and power",
        "",
        "Ratio of the standard error to the true standard deviation of the estimate (ideally "
        "1), degrees of freedom and length of the intervals of slopes, and the proportion of "
        "nonzero slopes that are detected at the 5 % level with the right sign.",
        "",
    ]
    lines = ["| | method | " + " | ".join(f"{n} subjects" for n in SIZES) + " |"]
    lines.append("|---" * (2 + len(SIZES)) + "|")
    for method in METHODS:
        name = f"{method}|slope"
        cells = [ratio(found, f"square error|{name}", f"square|{name}", n) for n in SIZES]
        lines.append(f"| standard error / spread | {method} | " + " | ".join(cells) + " |")
    for what, key in (("degrees of freedom", "df"), ("length", "length"), ("found", "power")):
        for method in METHODS:
            values = [found[n].get(f"{key}|{method}|slope") for n in SIZES]
            digits = 1 if key == "df" else 2
            cells = [f"{parts[0] / parts[2]:.{digits}f}" if parts else "" for parts in values]
            lines.append(f"| {what} | {method} | " + " | ".join(cells) + " |")
    page += [*lines, "", *extra.read_text(encoding="utf-8").splitlines(), ""]
    write_text(ROOT / "docs" / "coverage_coefficients.md", "\n".join(page))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--studies", type=int, default=400, metavar="N", help="studies per number of subjects"
    )
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        work = [(n, piece) for piece in range(-(-chosen.studies // PIECE)) for n in SIZES]
        todo = [one for one in work if not piece_path(*one).exists()]
        do([(one_piece, one) for one in todo], chosen.processes)
    write_page(Path(__file__).with_name("coefficients_notes.md"))


if __name__ == "__main__":
    main()
