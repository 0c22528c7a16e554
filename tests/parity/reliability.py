"""Intraclass correlations: psych, pingouin, lme4, NIST, Shrout and Fleiss, the paper."""

from __future__ import annotations

import json
import subprocess
import tempfile
import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parity.comparison import (
    Comparison,
    NotHereError,
    Peer,
    Tolerance,
    absolute,
    largest,
    python_package,
    relative,
)
from parity.golden import GOLDEN, SOURCES, exact, r_package
from parity.nist import AT_1E12, NIST, PROBLEMS, exact_mean_squares, nist_long
from pyexpr.core import icc as kernel
from pyexpr.measurement.icc import reml as icc_reml
from pyexpr.measurement.icc.criterion import Evaluation
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.intervals import icc_interval
from pyexpr.measurement.icc.reml import fit_components

AREA = "Intraclass correlations"
R = json.loads((GOLDEN / "icc.json").read_text())
PUBLISHED = json.loads((GOLDEN / "published_icc.json").read_text())

SUMS = "the same formulas with sums in another order"
FORMULAS = Tolerance(1e-9, SUMS)
LME4 = "lme4's optimiser stops where the criterion is flat to its last digits"
NUMBERS = ["estimate", "conf_low", "conf_high", "statistic", "df1", "df2", "p_value"]
SHROUT_FLEISS = {
    "ICC(1,1)": 0.17, "ICC(2,1)": 0.29, "ICC(3,1)": 0.71,
    "ICC(1,k)": 0.44, "ICC(2,k)": 0.62, "ICC(3,k)": 0.91,
}  # fmt: skip


def by_r(source: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SOURCES[source]("icc") / "icc.json").read_text())
    return found


def long_of(table: np.ndarray, **more: object) -> pd.DataFrame:
    n, k = table.shape
    return pd.DataFrame(
        {
            "clip": np.repeat([f"c{i}" for i in range(n)], k),
            "rater": np.tile([f"r{j}" for j in range(k)], n),
            "score": table.ravel(),
            **more,
        }
    )


def psych(source: str) -> dict[str, float]:
    """All six forms, their limits and tests, at two levels."""
    parts = []
    for case in by_r(source)["cases"].values():
        for level in (95, 90):
            found = icc(np.array(case["table"]), confidence=level / 100).tidy()
            expected = np.array(case[f"psych_{level}"], dtype=float)
            # psych divides by MSR + (MSC - MSE)/n even where it is negative, and prints a
            # "reliability" above 1; here that is undefined, with a reason.
            nonsense = expected[:, 0] > 1
            if (found["reason"] != "").tolist() != nonsense.tolist():
                raise AssertionError(f"reasons where psych has none: {found['reason'].tolist()}")
            ours, theirs = found[NUMBERS].to_numpy(dtype=float)[~nonsense], expected[~nonsense]
            parts.append(
                {
                    "estimates": absolute(ours[:, 0], theirs[:, 0]),
                    "limits": absolute(ours[:, 1:3], theirs[:, 1:3]),
                    "F and its df": relative(ours[:, 3:6], theirs[:, 3:6]),
                    "p": absolute(ours[:, 6], theirs[:, 6]),
                }
            )
    return largest(parts)


def psych_lmer(source: str) -> dict[str, float]:
    cases = by_r(source)["cases"]
    return largest(
        [
            {
                "estimates": absolute(
                    icc(np.array(cases[case]["table"])).tidy()["estimate"],
                    np.array(cases[case]["psych_lmer"], dtype=float)[:, 0],
                )
            }
            # Where a component is bounded at 0 REML and the mean squares are two estimators.
            for case in ("shrout_fleiss", "strong", "ordinal")
        ]
    )


def lme4_one_way(source: str) -> dict[str, float]:
    found = by_r(source)
    parts = [
        {
            "ICC(1,1)": absolute(
                icc(np.array(found["cases"][case]["table"]), form="ICC(1,1)").tidy()["estimate"],
                theirs,
            )
        }
        for case, theirs in found["one_way"].items()
    ]
    return largest(parts)


def cells(table: list[list[float | None]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (values, targets, raters) of the cells that are not missing."""
    values = np.array(table, dtype=float)
    targets, raters = np.nonzero(~np.isnan(values))
    return values[targets, raters], targets, raters


def lme4_crossed(source: str) -> dict[str, float]:
    parts = []
    for expected in by_r(source)["incomplete"].values():
        values, targets, raters = cells(expected["table"])
        # Which factor is the larger, and where the labels begin, must not matter.
        for first, second, turned in ((targets, raters, 1), (raters + 7, targets, -1)):
            found = fit_components(values, first, second)
            got = [found.target, found.rater][::turned]
            *components, criterion = expected["components"]
            parts.append(
                {
                    "variance components": relative(
                        [*got, found.error], components, floor=1e-6 * sum(components)
                    ),
                    "REML criterion": absolute(found.criterion, criterion),
                    "covariance of log ratios": relative(
                        found.covariance[::turned, ::turned], expected["covariance"], floor=1e-2
                    ),
                }
            )
    return largest(parts)


def aov(source: str) -> dict[str, float]:
    unequal = by_r(source)["unequal"]
    frame = pd.DataFrame({"clip": unequal["targets"], "score": unequal["values"]})
    row = icc(frame, targets="clip", ratings="score", form="ICC(1,k)").tidy().iloc[0]
    between, within = unequal["mean_squares"]
    return {
        "F": relative(row["statistic"], between / within),
        "ICC(1,k)": absolute(row["estimate"], (between - within) / between),
    }


def pingouins(long: pd.DataFrame) -> pd.DataFrame:
    import pingouin

    with warnings.catch_warnings():
        # It uses what pandas 3.1 deprecates.
        warnings.simplefilter("ignore")
        return pingouin.intraclass_corr(long, "clip", "rater", "score").set_index("Type")


def pingouin_forms() -> dict[str, float]:
    parts = []
    for case in ("shrout_fleiss", "strong", "negative", "ordinal"):
        long = long_of(np.array(R["cases"][case]["table"]))
        ours = icc(long, targets="clip", raters="rater", ratings="score").tidy().set_index("form")
        theirs = pingouins(long).loc[ours.index]
        limits = np.vstack(theirs["CI95"].to_list())
        parts.append(
            {
                "estimates": absolute(ours["estimate"], theirs["ICC"]),
                "F": relative(ours["statistic"], theirs["F"]),
                "p": absolute(ours["p_value"], theirs["pval"]),
                "limits": absolute(ours[["conf_low", "conf_high"]], limits),
            }
        )
    return largest(parts)


def shrout_fleiss() -> dict[str, float]:
    table = np.array(R["cases"]["shrout_fleiss"]["table"])
    found = icc(table).tidy().set_index("shrout_fleiss")["estimate"]
    return {"six forms": absolute(found[list(SHROUT_FLEISS)], list(SHROUT_FLEISS.values()))}


def nist_exact(name: str) -> dict[str, float]:
    groups, values, targets = nist_long(name)
    shuffled = np.random.default_rng(1).permutation(len(values))
    found = [
        *(
            kernel.long_squares(values[order], targets[order], len(groups))
            for order in (np.arange(len(values)), shuffled)
        ),
        kernel.matrix_squares(np.array(groups)).one_way,
    ]
    between, within = exact_mean_squares(groups)
    return {
        "mean squares, three ways in": max(
            relative([one.ms_between, one.ms_within], [between, within]) for one in found
        )
    }


def nist_certified(name: str) -> dict[str, float]:
    groups, values, targets = nist_long(name)
    certified = NIST["certified"][name]
    squares = kernel.long_squares(values, targets, len(groups))
    return {
        "mean squares": relative(
            [squares.ms_between, squares.ms_within],
            [certified["ms_between"], certified["ms_within"]],
        ),
        "F": relative(squares.ms_between / squares.ms_within, certified["f"]),
    }


N_PILOT = {"sadness": 35, "startle": 25, "fear": 35, "pain": 35, "disgust": 20}
N_TABLE_1 = {"startle": 700, "pain": 980, "disgust": 560, "all": 2240}
# One clip fewer was rated; and misprints of the paper.
ONE_FEWER = {("table5", "startle", 1), ("table5", "disgust", 3), ("table6", "startle", 1)}
MISPRINTS = {("table5", "startle", 2), ("table5", "fear", 1)}


def paper(table: str) -> dict[str, float]:
    """Limits from each published ICC, but for the two rows that are misprinted."""
    k = 3 if table == "table5" else 6
    sizes = N_TABLE_1 if table == "table1" else N_PILOT
    found, printed = [], []
    for context, rows in PUBLISHED[table].items():
        for row, (value, low, high) in enumerate(rows):
            if (table, context, row) in MISPRINTS:
                continue
            n = sizes[context] - ((table, context, row) in ONE_FEWER)
            limits = icc_interval(value, n_targets=n, k=k)
            found.append([limits.conf_low, limits.conf_high])
            printed.append([low, high])
    return {f"limits of {len(found)} ICCs": absolute(found, printed)}


@cache
def insteval() -> pd.DataFrame:
    """Return lme4's 73,421 real ratings of lecturers (d) by students (s)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        code = f'write.csv(lme4::InstEval[c("s", "d", "y")], "{path}", row.names = FALSE)'
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotHereError(f"lme4's ratings: {done.stderr.strip()}")
        return pd.read_csv(path)


def _insteval_parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ratings = insteval()
    students, lecturers = (
        pd.factorize(ratings[name])[0].astype(np.int64) for name in ("s", "d")
    )  # fmt: skip
    return ratings["y"].to_numpy(float), students, lecturers


def insteval_at_the_optimum(source: str) -> dict[str, float]:
    """Where lme4 says the minimum is: one evaluation each, for a search repeats it thirty times."""
    values, students, lecturers = _insteval_parts()
    profile = icc_reml.criterion_of(values, students, lecturers)
    found = {}
    for row in exact(SOURCES[source]("insteval"), "insteval.csv", words=("model",)).itertuples():
        ratios = np.array([row.student, row.lecturer]) / row.error
        at = profile.evaluate(ratios[None])
        # In log lambda, beside curvatures of 800 and more; one-way has no students.
        found |= {
            f"{row.model}: REML criterion": absolute(at.criterion[0], row.criterion),
            f"{row.model}: error variance": relative(at.error[0], row.error),
            f"{row.model}: slope there": absolute(at.gradient[0] * ratios, [0.0, 0.0]),
        }
    return found


def insteval_anova(source: str) -> dict[str, float]:
    row = icc(insteval(), targets="d", ratings="y", form="ICC(1,1)").tidy().iloc[0]
    by_oneway = exact(SOURCES[source]("insteval"), "insteval_anova.csv").iloc[0]
    return {
        "F": relative(row["statistic"], by_oneway["F"]),
        "ICC(1,1)": absolute(row["estimate"], by_oneway["icc"]),
        "ICC(1,1), four decimals": absolute(round(row["estimate"], 4), 0.1599),
    }


def insteval_search(source: str) -> dict[str, float]:
    """The whole search, from its own start."""
    from scipy.optimize import minimize_scalar

    rows = exact(SOURCES[source]("insteval"), "insteval.csv", words=("model",)).set_index("model")
    values, students, lecturers = _insteval_parts()
    crossed = fit_components(values, lecturers, students)
    wanted = rows.loc["crossed", ["lecturer", "student", "error"]].astype(float)
    found = {
        "crossed: variance components": relative(
            [crossed.target, crossed.rater, crossed.error], wanted
        ),
        "crossed: REML criterion": absolute(crossed.criterion, rows.loc["crossed", "criterion"]),
    }
    # One-way is the crossed criterion without raters.
    profile = icc_reml.criterion_of(values, students, lecturers)

    def at(root: float) -> Evaluation:
        return profile.evaluate(np.array([[0.0, root**2]]))

    least = minimize_scalar(lambda root: at(root).criterion[0], (0.3, 0.6), tol=1e-9)
    error = at(least.x).error[0]
    wanted = rows.loc["one-way", ["lecturer", "error"]].astype(float)
    found["one-way: variance components"] = relative([least.x**2 * error, error], wanted)
    found["one-way: REML criterion"] = absolute(least.fun, rows.loc["one-way", "criterion"])
    return found


def comparisons() -> list[Comparison]:
    made = []

    def add(data: str, peer: Peer, differences: Any, quantities: dict[str, Tolerance],
            **more: Any) -> None:  # fmt: skip
        made.append(Comparison(AREA, more.pop("ours", "icc"), data, peer, quantities,
                               differences, **more))  # fmt: skip

    for source in SOURCES:
        slow = source != "kept"
        add(
            "six tables, levels .95 and .90", r_package("psych", "icc", source),
            partial(psych, source),
            dict.fromkeys(("estimates", "limits", "F and its df", "p"), FORMULAS), slow=slow,
        )  # fmt: skip
        add(
            "three tables, lmer = TRUE", r_package("psych", "icc", source),
            partial(psych_lmer, source), {"estimates": Tolerance(1e-5, LME4)}, slow=slow,
        )  # fmt: skip
        add(
            "three tables, one-way REML", r_package("lme4", "icc", source),
            partial(lme4_one_way, source), {"ICC(1,1)": Tolerance(1e-6, LME4)}, slow=slow,
        )  # fmt: skip
        add(
            "three tables with missing cells, crossed", r_package("lme4", "icc", source),
            partial(lme4_crossed, source),
            {
                "variance components": Tolerance(2e-6, LME4, "relative"),
                "REML criterion": Tolerance(1e-8, LME4),
                "covariance of log ratios": Tolerance(1e-4, "second differences in R", "relative"),
            },
            slow=slow,
        )  # fmt: skip
    add(
        "unequal numbers of ratings", Peer("R's aov"), partial(aov, "kept"),
        {"F": Tolerance(1e-9, SUMS, "relative"), "ICC(1,k)": FORMULAS},
    )  # fmt: skip
    add(
        "four tables", python_package("pingouin"), pingouin_forms,
        {
            "estimates": FORMULAS, "F": Tolerance(1e-9, SUMS, "relative"), "p": FORMULAS,
            "limits": Tolerance(0.00501, "pingouin rounds its limits to two decimals"),
        },
    )  # fmt: skip
    add(
        "their example, table 4", Peer("Shrout and Fleiss (1979)"), shrout_fleiss,
        {"six forms": Tolerance(0.00501, "printed with two decimals")},
    )  # fmt: skip
    exactly = Tolerance(1e-10, "ten digits, on the doubles as stored", "relative")
    for name in PROBLEMS:
        add(f"NIST StRD {name}", Peer("exact rational arithmetic"), partial(nist_exact, name),
            {"mean squares, three ways in": exactly}, ours="mean squares")  # fmt: skip
    for name in PROBLEMS:
        digits = (
            Tolerance(2e-4, "at 1e12 rounding of the data leaves 4-5 digits", "relative")
            if name in AT_1E12
            else Tolerance(1e-9, "NIST certifies 15 digits of the decimal data", "relative")
        )
        add(f"NIST StRD {name}", Peer("NIST's certified values"), partial(nist_certified, name),
            {"mean squares": digits, "F": digits}, ours="mean squares")  # fmt: skip
    for table, rows, close in (
        ("table1", 12, Tolerance(0.011, "ICC and limits are printed with two decimals")),
        ("table5", 18, Tolerance(0.003, "printed with three decimals, computed before rounding")),
        ("table6", 8, Tolerance(0.003, "printed with three decimals, computed before rounding")),
    ):
        add(f"the paper's table {table[-1]}", Peer("the paper"), partial(paper, table),
            {f"limits of {rows} ICCs": close}, ours="icc_interval")  # fmt: skip
    add(
        "lme4::InstEval, lecturers", Peer("R's oneway.test"), partial(insteval_anova, "kept"),
        {
            "F": Tolerance(1e-9, SUMS, "relative"), "ICC(1,1)": FORMULAS,
            "ICC(1,1), four decimals": Tolerance(1e-12, "0.1599, known for these data"),
        },
    )  # fmt: skip
    criterion = Tolerance(1e-5, LME4 + ", and sums over 73,421 ratings")
    part = Tolerance(2e-5, LME4, "relative")
    for source in SOURCES:
        peer, models = r_package("lme4", "insteval", source), ("one-way", "crossed")
        add(
            "lme4::InstEval, at lme4's optimum", peer, partial(insteval_at_the_optimum, source),
            {
                f"{model}: {name}": close
                for model in models
                for name, close in (
                    ("REML criterion", criterion),
                    ("error variance", Tolerance(1e-6, LME4, "relative")),
                    ("slope there", Tolerance(1e-2, "beside curvatures of 800 and more")),
                )
            },
            ours="REML", slow=source != "kept",
        )  # fmt: skip
        add(
            "lme4::InstEval, whole search", peer, partial(insteval_search, source),
            {
                f"{model}: {name}": close
                for model in models
                for name, close in (("variance components", part), ("REML criterion", criterion))
            },
            ours="REML", slow=True,
        )  # fmt: skip
    return made
