"""Print how far our measurement figures lie from published and from lavaan's own.

    python tools/measurement_equalities.py

Three tables: every engine against the numbers that lavaan made itself (tests/golden), the
largest difference per data set and quantity; the NIST StRD one-way problems, in digits that
agree with the certified values and with the stored doubles; tables 5 and 6 of the paper. The
"host" engine is run inside a real Rscript with reticulate, where there is one.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "core"))
import test_icc as nist

from pyexpr.base.errors import EngineError
from pyexpr.core.icc import long_squares
from pyexpr.measurement.cfa import cfa
from pyexpr.measurement.icc_intervals import icc_interval

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
ENGINES = ("native", "rpy2", "rscript", "host")
SIX = [f"x{j}" for j in range(1, 7)]
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "one": ({"visual": SIX[:3]}, {}),
    "one_by_school": ({"visual": SIX[:3]}, {"group": "school"}),
    "six": ({"g": SIX}, {}),
    "six_by_school": ({"g": SIX}, {"group": "school"}),
    "listwise": ({"visual": SIX[:3]}, {}),
    "fiml": ({"visual": SIX[:3]}, {"missing": "fiml"}),
    "mlr": ({"g": SIX}, {"estimator": "MLR"}),
    "three_factors": (THREE, {}),
    "three_by_school": (THREE, {"group": "school"}),
    "cluster": ({"fw": ["y1", "y2", "y3", "y4"]}, {"cluster": "cluster"}),
}
INSIDE_R = """
library(reticulate)
use_python(commandArgs(TRUE)[1], required = TRUE)
host <- import("pyexpr.measurement.engines.host_engine")
bridge <- new.env(parent = baseenv())
eval(parse(text = host$bridge_text()), bridge)
host$register(r_to_py(bridge$pyexpr_answer, convert = TRUE))
tool <- import_from_path("measurement_equalities", commandArgs(TRUE)[2])
tool$dump("host", commandArgs(TRUE)[3])
invisible(gc())
"""


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"cfa_{name}.csv", keep_default_na=False, na_values=[""])


def data(case: str) -> pd.DataFrame:
    if case == "cluster":
        return golden("twolevel")
    table = golden("holzinger").drop(columns="row")
    if case in ("listwise", "fiml"):
        number = np.arange(1, len(table) + 1)
        table.loc[number % 7 == 0, "x1"] = np.nan
        table.loc[number % 11 == 0, "x3"] = np.nan
    return table


def differences(engine: str) -> list[dict[str, Any]]:
    """Largest differences of one engine from lavaan, one row per data set."""
    return [row for case in CASES if (row := difference(engine, case)) is not None]


def difference(engine: str, case: str) -> dict[str, Any] | None:
    model, options = CASES[case]
    try:
        fit = cfa(data(case), model, engine=engine, **options)
    except EngineError:
        return None
    wanted = golden("estimates").query("case == @case").assign(rhs=lambda t: t["rhs"].fillna(""))
    found, keys = fit.tidy(), ["lhs", "op", "rhs"]
    if fit.group_name is not None:
        found, keys = found.rename(columns={fit.group_name: "group"}), ["group", *keys]
    both = found.merge(wanted, on=keys, suffixes=("", "_lavaan"), validate="one_to_one")
    scale = both["std_error_lavaan"].where(both["std_error_lavaan"] > 0, 1.0)
    measures = golden("fit").query("case == @case").set_index("measure")["value"]
    row: dict[str, Any] = {"engine": engine, "data": case}
    for name in ("estimate", "std_error"):
        row[f"{name} (SE)"] = float(((both[name] - both[f"{name}_lavaan"]).abs() / scale).max())
    row["std_all"] = float((both["std_all"] - both["std_all_lavaan"]).abs().max())
    for name in ("chisq", "cfi", "rmsea", "logl"):
        row[name] = abs(float(fit.glance()[name].iloc[0]) - float(measures[name]))
    row["scores (SE)"] = scores_difference(fit, case)
    return row


def scores_difference(fit: Any, case: str) -> float:
    wanted = golden("scores").query("case == @case")
    largest = math.nan
    for (method, factor), rows in wanted.groupby(["method", "factor"]):
        found = fit.scores(method=method).iloc[rows["row"] - 1]
        ending = "" if "score" in found else f"_{factor}"
        apart = found[f"score{ending}"].to_numpy() - rows["score"].to_numpy()
        apart = np.abs(apart / found[f"se{ending}"].to_numpy())
        # Rows that lavaan leaves out of its scores have none here either.
        largest = float(np.nanmax([largest, *apart]))
    return largest


def dump(engine: str, target: str) -> None:
    Path(target).write_text(json.dumps(differences(engine)), encoding="utf-8")


def by_host() -> list[dict[str, Any]]:
    """The differences of the host engine, from inside a real R."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "found.json"
        done = subprocess.run(
            ["Rscript", "-e", INSIDE_R, sys.executable, str(Path(__file__).parent), str(target)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not target.exists():
            print(f"host: not run ({done.stderr.strip().splitlines()[-1:]})", file=sys.stderr)
            return []
        return list(json.loads(target.read_text(encoding="utf-8")))


def digits(found: float, wanted: float) -> float:
    """Number of significant digits that agree, at most 15."""
    return 15.0 if found == wanted else min(15.0, -math.log10(abs(found - wanted) / abs(wanted)))


def nist_rows() -> pd.DataFrame:
    rows = []
    for name, certified in sorted(nist.NIST["certified"].items()):
        groups, values, targets = nist.nist_long(name)
        squares = long_squares(values, targets, len(groups))
        exact = nist.exact_mean_squares(groups)
        rows.append(
            {
                "problem": name,
                "F": squares.ms_between / squares.ms_within,
                "digits, certified F": digits(
                    squares.ms_between / squares.ms_within, certified["f"]
                ),
                "digits, exact on the doubles": digits(
                    squares.ms_between / squares.ms_within, exact[0] / exact[1]
                ),
            }
        )
    return pd.DataFrame(rows)


def paper_rows() -> pd.DataFrame:
    published = json.loads((GOLDEN / "published_icc.json").read_text(encoding="utf-8"))
    targets = {"sadness": 35, "startle": 25, "fear": 35, "pain": 35, "disgust": 20}
    # One clip fewer was rated there.
    fewer = {("table5", "startle", 1), ("table5", "disgust", 3), ("table6", "startle", 1)}
    # The interval shows that these were misprinted.
    misprints = {("table5", "startle", 2), ("table5", "fear", 1)}
    rows = []
    for table, k in (("table5", 3), ("table6", 6)):
        for context, questions in published[table].items():
            for row, (value, low, high) in enumerate(questions):
                place = (table, context, row)
                found = icc_interval(value, n_targets=targets[context] - (place in fewer), k=k)
                apart = max(abs(found.conf_low - low), abs(found.conf_high - high))
                rows.append(
                    {
                        "table": table, "context": context, "question": row + 1, "icc": value,
                        "printed": f"[{low:.3f}, {high:.3f}]",
                        "ours": f"[{found.conf_low:.3f}, {found.conf_high:.3f}]",
                        "difference": apart,
                        "note": "misprint" if place in misprints else "",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    rows = [row for engine in ENGINES[:-1] for row in differences(engine)] + by_host()
    print("Largest differences from lavaan's own numbers; (SE): in standard errors.\n")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.1e}".format, na_rep=""))
    print("\nNIST StRD, one-way analysis of variance.\n")
    print(nist_rows().to_string(index=False, float_format="{:.6g}".format))
    print("\nThe paper's tables 5 and 6: intervals from the printed coefficients.\n")
    print(paper_rows().to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    main()
