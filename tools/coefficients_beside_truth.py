"""Print the contrasts of a simulated study with their true values.

    python tools/coefficients_beside_truth.py FOLDER

FOLDER contains a study that was written by `pyexpr simulate` and run (study.toml, truth.json,
results). truth.json gives the sign of each feature's effect in each context. A contrast is called
planted if the signs in its two contexts differ, and null otherwise (both 0, or the same sign, in
which case only the sizes may differ).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

LEVEL = 0.05


def main(folder: Path) -> None:
    signs = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["feature_signs"]
    results = folder / "results"
    table = pd.read_csv(results / "contrasts.csv")
    first, second = (
        [signs[c].get(f, 0) for c, f in zip(table[side], table["feature"], strict=True)]
        for side in ("first_context", "second_context")
    )
    table["true_sign"] = [a - b for a, b in zip(first, second, strict=True)]
    table["both"] = [a != 0 and a == b for a, b in zip(first, second, strict=True)]
    for column in ("p_value", *(["p_adjusted"] if "p_adjusted" in table else [])):
        _report(table, column)
    slopes = pd.read_csv(results / "coefficients.csv")
    slopes["true_sign"] = [
        signs[c].get(f, 0) for c, f in zip(slopes["context"], slopes["feature"], strict=True)
    ]
    slopes["both"] = False
    print("Single slopes:")
    slopes = slopes.assign(estimate=slopes["tested_estimate"])
    _report(slopes, "p_value")


def _report(table: pd.DataFrame, column: str) -> None:
    called = table[column] < LEVEL
    planted = (table["true_sign"] != 0) & table[column].notna()
    right = called & planted & (table["estimate"] * table["true_sign"] > 0)
    null = (table["true_sign"] == 0) & ~table["both"] & table[column].notna()
    print(f"{column} < {LEVEL}: found {right.sum()} of {planted.sum()} planted;", end=" ")
    print(f"{(called & planted & ~right).sum()} with the wrong sign;", end=" ")
    print(f"null called {(called & null).sum()} of {null.sum()}")
    shown = ["context", "feature", "estimate", column, "true_sign"]
    for title, chosen in (
        ("found", right),
        ("missed", planted & ~right),
        ("null but called", called & null),
        ("same sign in both, sizes may differ, called", called & table["both"]),
    ):
        if chosen.any():
            print(f"  {title}:")
            print(table.loc[chosen, shown].to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
