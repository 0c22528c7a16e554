"""The NIST StRD problems of one-way analysis of variance: data and exact mean squares."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np

from parity.golden import GOLDEN

NIST = json.loads((GOLDEN / "nist_anova.json").read_text())
SMLS = {
    f"SmLs0{3 * row + column + 1}": (whole, replicates)
    for row, whole in enumerate(("1", "1000000", "1000000000000"))
    for column, replicates in enumerate((21, 201, 2001))
}
AT_1E12 = ("SmLs07", "SmLs08", "SmLs09")
PROBLEMS = sorted(NIST["certified"])


def nist_groups(name: str) -> list[list[float]]:
    """Values by treatment, read from decimal text as NIST's files hold them."""
    if name in NIST["data"]:
        return [[float(text) for text in group] for group in NIST["data"][name]]
    # Simon and Lesage (1989): a middle value, then the tenth below and above it in turn.
    whole, replicates = SMLS[name]
    steps = [0, *([-1, 1] * (replicates // 2))]
    return [
        [float(f"{whole}.{tenth + step}") for step in steps]
        for tenth in (4, 3, 5, 3, 5, 3, 5, 3, 5)
    ]


def exact_mean_squares(groups: list[list[float]]) -> tuple[float, float]:
    """Mean squares of the stored doubles in rational arithmetic."""
    rational = [[Fraction(value) for value in group] for group in groups]
    n = sum(len(group) for group in rational)
    means = [sum(group) / len(group) for group in rational]
    grand = sum(sum(group) for group in rational) / n
    between = sum(len(g) * (m - grand) ** 2 for g, m in zip(rational, means, strict=True))
    within = sum((x - m) ** 2 for g, m in zip(rational, means, strict=True) for x in g)
    return float(between / (len(groups) - 1)), float(within / (n - len(groups)))


def nist_long(name: str) -> tuple[list[list[float]], np.ndarray, np.ndarray]:
    """Return (groups, values, codes of the groups)."""
    groups = nist_groups(name)
    targets = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return groups, np.concatenate(groups), targets
