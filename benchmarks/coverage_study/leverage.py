"""Size of tests of slopes that rest on few subjects; prints the tables of coefficients_notes.md.

    python benchmarks/coverage_study/leverage.py [--studies N]

Two features in two contexts of 24 subjects, six clips of each subject in each; the second
feature has a slope of 0 everywhere and, in the second context, a spread that differs
between subjects as each row says. Errors are independent, or subjects have an intercept
(SD 0.7) and slopes of their own (SD 0.5, moderate, or 1.5, large) in each context.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pandas as pd

from pyexpr.inference.coefficient_data import CoefficientData, read_data
from pyexpr.inference.coefficient_fit import fitted_weights
from pyexpr.inference.penalised import read_penalties
from pyexpr.inference.slopes import SlopeSpace, slope_space

SEED = 20261129
G, CLIPS = 24, 6
LEVEL = 0.05
# What the second feature's spread is multiplied by, per subject, in the second context.
SPREADS = {
    "1 of 24 subjects": lambda _: (np.arange(G) < 1).astype(float),
    "2 of 24 subjects": lambda _: (np.arange(G) < 2).astype(float),
    "3 of 24 subjects": lambda _: (np.arange(G) < 3).astype(float),
    "5 of 24 subjects": lambda _: (np.arange(G) < 5).astype(float),
    "one with half": lambda _: np.r_[math.sqrt(23), np.ones(23)],
    "one with 7 of 10": lambda _: np.r_[math.sqrt(23 * 7 / 3), np.ones(23)],
    "lognormal, SD 1": lambda rng: np.exp(rng.normal(size=G)),
    "all alike": lambda _: np.ones(G),
}
ERRORS = {"independent errors": (0.0, 0.0), "own slopes, 0.5": (0.7, 0.5), "1.5": (0.7, 1.5)}
SHOWN = ("slope", "contrast", "omnibus", "slope in the first context")


def study(spread: str, error: str, number: int) -> CoefficientData:
    rng = np.random.default_rng([SEED, list(SPREADS).index(spread), number])
    subject = np.repeat(np.arange(G), 2 * CLIPS)
    context = np.tile(np.repeat([0, 1], CLIPS), G)
    n = len(subject)
    x = rng.normal(size=(n, 2))
    x[context == 1, 1] *= SPREADS[spread](rng)[subject[context == 1]]
    x[context == 1, 1] /= np.sqrt(np.mean(x[context == 1, 1] ** 2))
    intercept, slope = ERRORS[error]
    y = 0.3 * x[:, 0] + rng.normal(size=n) + intercept * rng.normal(size=G)[subject]
    y += slope * rng.normal(size=(2, G))[context, subject] * x[:, 1]
    table = pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "subject": subject, "context": context})
    return read_data(table, y, context="context", cluster="subject", y_pooled=None, rows=None)


def rejected(space: SlopeSpace) -> list[float]:
    """Say of each test of the second feature whether it is significant, NaN where refused."""
    asked = [
        space.weights([(1, 1, 1.0)]), space.weights([(0, 1, 1.0), (1, 1, -1.0)]),
        space.weights([(0, 1, 1.0)]),
    ]  # fmt: skip
    slope, contrast, first = space.tests(asked).p_value
    together = space.wald([asked[1]]).p_value if space.tested(1, 1) else math.nan  # type: ignore[list-item]
    return [
        math.nan if math.isnan(p) else float(p < LEVEL) for p in (slope, contrast, together, first)
    ]


def space_of(data: CoefficientData, method: str, cr: str, number: int) -> SlopeSpace:
    fitted = []
    if method == "desparsified":
        fitted = [
            fitted_weights(data, model, penalty, 0, False, 5, number, 1)
            for model, penalty in zip(
                data.contexts, read_penalties(0.1, 0.5, data.contexts), strict=True
            )
        ]
    return slope_space(data, data.contexts, fitted, method=method, cr=cr, seed=number, n_threads=1)


def cell(shares: np.ndarray) -> str:
    known = shares[~np.isnan(shares)]
    if len(known) < len(shares) / 50:
        return "refused"
    mean = known.mean()
    said = f"{mean:.3f} ({math.sqrt(mean * (1 - mean) / len(known)):.3f})".replace("0.", ".")
    refused = round(100 * (1 - len(known) / len(shares)))
    return said + (f", {refused} % refused" if refused else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="per row")
    parser.add_argument("--method", default="least_squares")
    parser.add_argument("--cr", default="CR2")
    chosen = parser.parse_args()
    print("| spread of the feature | errors | effective subjects | " + " | ".join(SHOWN) + " |")
    print("|---" * (3 + len(SHOWN)) + "|", flush=True)
    for spread in SPREADS:
        for error in ERRORS:
            found, effective = [], []
            for number in range(chosen.studies):
                space = space_of(study(spread, error, number), chosen.method, chosen.cr, number)
                found.append(rejected(space))
                effective.append(space.support.n_effective[space.slot[1, 1]])
            cells = [cell(column) for column in np.array(found).T]
            first = [spread, error, f"{np.median(effective):.1f}"]
            print(f"| {' | '.join([*first, *cells])} |", flush=True)


if __name__ == "__main__":
    main()
