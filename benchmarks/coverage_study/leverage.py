"""Size of tests of slopes that rest on few subjects; prints the table of coefficients_notes.md.

    python benchmarks/coverage_study/leverage.py [--designs N]

Two features in two contexts of 24 subjects, six clips of each subject in each; the second
feature has a slope of 0 everywhere and, in the second context, a spread that differs
between subjects as each row says. Errors are independent, or subjects have an intercept
(SD 0.7) and slopes of their own (SD 0.5, moderate, or 1.5, large) in each context. Twenty
labels are drawn for each set of features: degrees of freedom do not depend on labels, and
statistics are linear algebra of all at once, asserted equal to the package's for the first.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pandas as pd
from scipy.special import stdtr

from pyexpr.inference.coefficients.data import CoefficientData, read_data
from pyexpr.inference.coefficients.slopes import slope_space, within

SEED = 20261129
G, CLIPS = 24, 6
LEVEL = 0.05
LABELS = 20
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
ERRORS = {
    "independent errors": (0.0, 0.0),
    "own slopes, 0.5": (0.7, 0.5),
    "own slopes, 1.5": (0.7, 1.5),
}
SHOWN = ("slope", "contrast", "slope in the first context")
# Of the coefficients (context 0: x, z; context 1: x, z; intercepts), as asked by SHOWN.
CONTRASTS = np.array([[0, 0, 0, 1, 0, 0], [0, 1, 0, -1, 0, 0], [0, 1, 0, 0, 0, 0]], float)


def features(spread: str, number: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the features, (n, 2), in units of which slopes vary, and the table."""
    rng = np.random.default_rng([SEED, list(SPREADS).index(spread), number])
    subject = np.repeat(np.arange(G), 2 * CLIPS)
    context = np.tile(np.repeat([0, 1], CLIPS), G)
    x = rng.normal(size=(len(subject), 2))
    x[context == 1, 1] *= SPREADS[spread](rng)[subject[context == 1]]
    x[context == 1, 1] /= np.sqrt(np.mean(x[context == 1, 1] ** 2))
    return x, pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "subject": subject, "context": context})


def labels(x: np.ndarray, table: pd.DataFrame, error: str, number: int) -> np.ndarray:
    """Return labels (n, LABELS) without a slope of the second feature."""
    rng = np.random.default_rng([SEED, 100 + list(ERRORS).index(error), number])
    subject, context = table["subject"].to_numpy(), table["context"].to_numpy()
    intercept, slope = ERRORS[error]
    y = 0.3 * x[:, :1] + rng.normal(size=(len(x), LABELS))
    y += intercept * rng.normal(size=(G, LABELS))[subject]
    return y + slope * rng.normal(size=(2, G, LABELS))[context, subject] * x[:, 1:]


def statistics(data: CoefficientData, y: np.ndarray) -> np.ndarray:
    """Return CR2's t of the contrasts for every label, (contrasts, LABELS)."""
    design = np.zeros((len(y), 6))
    for c in (0, 1):
        design[data.context == c, 4 + c] = 1
        own = within(data.X / data.scale, data.context) * (data.context == c)[:, None]
        design[:, 2 * c : 2 * c + 2] = own
    Q, R = np.linalg.qr(design)
    root = np.linalg.inv(R)
    residual = y - Q @ (Q.T @ y)
    variance = np.zeros((len(CONTRASTS), y.shape[1]))
    for g in range(G):
        rows = data.subject == g
        U, s, Vt = np.linalg.svd(Q[rows], full_matrices=False)
        left = 1 - s**2
        a = np.where(left > 1e-12, np.where(left > 1e-12, left, 1) ** -0.5, 0)
        variance += (((CONTRASTS @ root) @ (Vt.T * (s * a))) @ (U.T @ residual[rows])) ** 2
    return (CONTRASTS @ root @ (Q.T @ y)) / np.sqrt(variance)


def one_design(spread: str, number: int) -> tuple[float, np.ndarray]:
    """Return the effective number of subjects, and the shares of labels called, (errors, tests)."""
    x, table = features(spread, number)
    called = np.full((len(ERRORS), len(SHOWN)), np.nan)
    for e, error in enumerate(ERRORS):
        y = labels(x, table, error, number)
        data = read_data(
            table, y[:, 0], context="context", cluster="subject", y_pooled=None, rows=None
        )
        space = slope_space(
            data, data.contexts, [], method="least_squares", cr="CR2", seed=0, n_threads=1
        )
        found = space.tests(list(CONTRASTS))
        t = statistics(data, y)
        tested = ~np.isnan(found.p_value)
        np.testing.assert_allclose(t[tested, 0], found.statistic[tested], rtol=1e-8)
        p = 2 * stdtr(found.df[tested, None], -np.abs(t[tested]))
        called[e, tested] = (p < LEVEL).mean(axis=1)
    return float(space.support.n_effective[3]), called


def cell(shares: np.ndarray) -> str:
    """Return the size with its Monte Carlo error, designs as units, and what was refused."""
    known = shares[~np.isnan(shares)]
    refused = 1 - len(known) / len(shares)
    if refused > 0.9:
        return "refused" if refused == 1 else f"{100 * refused:.0f} % refused"
    error = known.std(ddof=1) / math.sqrt(len(known))
    text = f"{known.mean():.3f} ({error:.3f})".replace("0.", ".")
    return text + (f", {100 * refused:.0f} % refused" if refused else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--designs", type=int, default=100, metavar="N", help="sets of features per row"
    )
    chosen = parser.parse_args()
    print(f"| spread of the feature | errors | effective subjects | {' | '.join(SHOWN)} |")
    print("|---" * (3 + len(SHOWN)) + "|", flush=True)
    for spread in SPREADS:
        found = [one_design(spread, number) for number in range(chosen.designs)]
        effective = float(np.median([n for n, _ in found]))
        for e, error in enumerate(ERRORS):
            cells = [cell(column) for column in np.array([called[e] for _, called in found]).T]
            print(f"| {' | '.join([spread, error, f'{effective:.1f}', *cells])} |", flush=True)


if __name__ == "__main__":
    main()
