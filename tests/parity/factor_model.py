"""The factor model: every engine beside lavaan as an R script calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parity import hosted
from parity.comparison import Comparison, Tolerance, absolute, aligned, largest, scaled
from parity.golden import GOLDEN, SOURCES, exact, r_package
from pyexpr.base.errors import EngineError
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.cfa_result import CFAResult

AREA = "Factor model"
ENGINES = ("rpy2", "host", "rscript", "native")

ONE = {"visual": ["x1", "x2", "x3"]}
SIX = {"g": [f"x{j}" for j in range(1, 7)]}
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
TWO_LEVEL = {"fw": ["y1", "y2", "y3", "y4"]}
PAPER = {
    "startle": (0.98, 0.97, 0.95),
    "pain": (0.98, 0.96, 0.85),
    "disgust": (0.98, 0.98, 0.90),
    "all": (0.98, 0.97, 0.91),
}
QUESTIONS = ["response", "emotion", "motion"]

OPTIMISER = "lavaan's optimiser is the less exact of the two; required by docs/methods.md"
IN_ERRORS = Tolerance(1e-5, OPTIMISER, "in standard errors")
MEASURE = Tolerance(1e-6, "functions of the log-likelihood, which is flat at its maximum")
NUMERIC = "lavaan differentiates standardised values numerically"
TOLERANCES = {
    "log-likelihood": Tolerance(1e-6, "required by docs/methods.md"),
    "estimates": IN_ERRORS,
    "standard errors": IN_ERRORS,
    "standardised": IN_ERRORS,
    "standard errors of standardised": Tolerance(1e-4, NUMERIC),
    "fit measures": MEASURE,
    "limits of RMSEA": Tolerance(1e-5, "lavaan finds them by uniroot at its default tolerance"),
    "scaled and robust measures": Tolerance(1e-5, "their scaling sums over casewise scores"),
    "Bartlett scores": IN_ERRORS,
    "regression scores": IN_ERRORS,
    "standard errors of scores": Tolerance(1e-6, OPTIMISER),
    "reliability of scores": Tolerance(1e-6, OPTIMISER),
    "determinacy": Tolerance(1e-6, OPTIMISER),
    "omega": Tolerance(1e-6, OPTIMISER),
}
MEASURES = {
    "npar": "npar", "chisq": "chisq", "df": "df", "p_value": "pvalue", "cfi": "cfi",
    "tli": "tli", "rmsea": "rmsea", "srmr": "srmr", "aic": "aic", "bic": "bic",
}  # fmt: skip
LIMITS = {"rmsea_conf_low": "rmsea.ci.lower", "rmsea_conf_high": "rmsea.ci.upper"}
ROBUST = {
    "chisq_scaled": "chisq.scaled", "p_value_scaled": "pvalue.scaled",
    "cfi_robust": "cfi.robust", "tli_robust": "tli.robust", "rmsea_robust": "rmsea.robust",
}  # fmt: skip
SHARES = {
    "reliability of scores": "score_reliability", "determinacy": "determinacy", "omega": "omega",
}  # fmt: skip


def golden(name: str, folder: Path = GOLDEN) -> pd.DataFrame:
    words = ("case", "group", "lhs", "op", "rhs", "measure", "method", "factor", "quantity")
    return exact(folder, f"cfa_{name}.csv", words=(*words, "school"))


def holzinger() -> pd.DataFrame:
    return golden("holzinger").drop(columns="row")


def holey() -> pd.DataFrame:
    data = holzinger()
    number = np.arange(1, len(data) + 1)
    data.loc[number % 7 == 0, "x1"] = np.nan
    data.loc[number % 11 == 0, "x3"] = np.nan
    return data


def twolevel() -> pd.DataFrame:
    return golden("twolevel")


def exactly(covariance: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Rows whose covariance matrix (divisor n) is exactly this and whose means are 0."""
    rows = np.random.default_rng(seed).normal(size=(n, len(covariance)))
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(rows.T @ rows / n)).T
    return rows @ np.linalg.cholesky(covariance).T


def published(context: str) -> pd.DataFrame:
    """Rows with the correlations that the paper's loadings imply."""
    loadings = np.array(PAPER[context])
    covariance = np.outer(loadings, loadings)
    np.fill_diagonal(covariance, 1.0)
    return pd.DataFrame(exactly(covariance, 560), columns=QUESTIONS)


def random_rows(case: str) -> pd.DataFrame:
    """Rows with one of the random covariance matrices that R drew."""
    cells = golden("random").query("case == @case")
    covariance = cells.pivot(index="row", columns="column", values="value").to_numpy()
    names = [f"x{j + 1}" for j in range(len(covariance))]
    return pd.DataFrame(exactly(covariance, int(cells["n"].iloc[0])), columns=names)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fit, under the name of its case in the numbers made by R."""

    rows: Callable[[], pd.DataFrame]
    model: Any
    options: dict[str, Any] = field(default_factory=dict)


RANDOM = list(dict.fromkeys(golden("random")["case"]))
PROBLEMS = {
    "one": Problem(holzinger, ONE),
    "one_by_school": Problem(holzinger, ONE, {"context": "school"}),
    "six": Problem(holzinger, SIX),
    "six_by_school": Problem(holzinger, SIX, {"context": "school"}),
    "three_factors": Problem(holzinger, THREE),
    "three_by_school": Problem(holzinger, THREE, {"context": "school"}),
    "listwise": Problem(holey, ONE),
    "fiml": Problem(holey, ONE, {"missing": "fiml"}),
    "mlr": Problem(holzinger, SIX, {"estimator": "MLR"}),
    "cluster": Problem(twolevel, TWO_LEVEL, {"cluster": "cluster"}),
    **{
        context: Problem(partial(published, context), {"expressiveness": QUESTIONS})
        for context in PAPER
    },
    **{
        case: Problem(partial(random_rows, case), {"f": list(random_rows(case))})
        for case in RANDOM
    },
}  # fmt: skip
SCHOOL = "HolzingerSwineford1939"
# What the table calls them, the cases, and whether the native engine serves them.
DATA_SETS: dict[str, tuple[list[str], bool]] = {
    f"{SCHOOL}, one factor": (["one"], True),
    f"{SCHOOL}, one factor by school": (["one_by_school"], True),
    f"{SCHOOL}, one factor of six": (["six"], True),
    f"{SCHOOL}, one factor of six by school": (["six_by_school"], True),
    f"{SCHOOL}, three factors": (["three_factors"], False),
    f"{SCHOOL}, three factors by school": (["three_by_school"], False),
    f"{SCHOOL} with gaps, rows dropped": (["listwise"], True),
    f"{SCHOOL} with gaps, FIML": (["fiml"], False),
    f"{SCHOOL}, MLR": (["mlr"], False),
    "Demo.twolevel, cluster=, MLR": (["cluster"], False),
    "the paper's table 2, four contexts": (list(PAPER), True),
    f"{len(RANDOM)} random covariance matrices": (RANDOM, True),
}
# An Rscript starts for each fit, and R in R is slow: these show in every test run that the two
# doors pass all through.
QUICK = {"one", "three_by_school", "fiml", "cluster"}


def fitted(case: str, engine: str) -> CFAResult:
    problem = PROBLEMS[case]
    return cfa(problem.rows(), problem.model, engine=engine, **problem.options)


@cache
def found_by(engine: str, case: str) -> dict[str, pd.Series]:
    """Return what an engine found; the host engine's numbers come from an R that hosts Python."""
    if engine == "host":
        return hosted.result(f"fit {case}")
    return numbers(fitted(case, engine))


def numbers(fit: CFAResult) -> dict[str, pd.Series]:
    """Return the quantities to compare, as labelled series."""
    table = fit.tidy().rename(columns={fit.context_name or "": "group"})
    table = table.assign(std_error_of_std=fit.standardized()["std_error"])
    if fit.context_name is None:
        table["group"] = "all"
    table = table.set_index(["group", "lhs", "op", "rhs"])
    scores = {}
    for method in ("bartlett", "regression"):
        part = fit.scores(method=method, allow_inadmissible=True)
        for factor in fit.model.factors:
            tail = "" if "score" in part else f"_{factor}"
            for kind in ("score", "se"):
                for row, value in enumerate(part[f"{kind}{tail}"], start=1):
                    scores[kind, method, row, factor] = value
    alone = len(fit.model.factors) == 1 and fit.context_name is None
    shares = fit.reliability() if alone else None
    return {
        "estimate": table["estimate"],
        "std_error": table["std_error"],
        "std_all": table["std_all"],
        "std_all_error": table["std_error_of_std"],
        "fit": fit.glance().iloc[0].drop(["estimator", "missing", "engine"]).astype(float),
        "scores": pd.Series(scores),
        "shares": pd.Series(dtype=float)
        if shares is None
        else shares.set_index("quantity")[["estimate", "conf_low", "conf_high"]].stack(),
    }


def quantities(case: str) -> dict[str, Tolerance]:
    """Say what the numbers made by R hold for a case."""
    names = list(TOLERANCES)[:7]
    if case in set(golden("scores")["case"]):
        names += ["Bartlett scores", "regression scores"]
    if golden("scores").query("case == @case")["se"].notna().any():
        names.append("standard errors of scores")
    if case in {"mlr", "cluster"}:
        names.append("scaled and robust measures")
    if case in set(golden("reliability")["case"]):
        names += list(SHARES)
    return {name: TOLERANCES[name] for name in names}


def differences(engine: str, source: str, cases: list[str]) -> dict[str, float]:
    folder = SOURCES[source]("cfa")
    return largest([apart(found_by(engine, case), case, folder) for case in cases])


def apart(found: dict[str, pd.Series], case: str, folder: Path) -> dict[str, float]:
    """Return how far an engine's numbers lie from those in `folder`."""
    wanted = golden("estimates", folder).query("case == @case")
    first = wanted.query("op == '=~' and rhs == 'x1'")["std_all"]
    if case in RANDOM and first.item() < 0:
        # lavaan's sign of a factor is arbitrary; the rule is ours.
        turned = wanted["op"] == "=~"
        wanted.loc[turned, ["estimate", "std_all"]] *= -1
    wanted = wanted.set_index(["group", "lhs", "op", "rhs"])
    result: dict[str, float] = {}

    def in_errors(name: str, unit: pd.Series) -> float:
        ours, theirs = aligned(found[name], wanted[name])
        return scaled(ours, theirs, unit.where(unit > 0, 1.0))

    result["estimates"] = in_errors("estimate", wanted["std_error"])
    result["standard errors"] = in_errors("std_error", wanted["std_error"])
    result["standardised"] = in_errors("std_all", wanted["std_all_error"])
    result["standard errors of standardised"] = absolute(
        *aligned(found["std_all_error"], wanted["std_all_error"])
    )
    fit = golden("fit", folder).query("case == @case").set_index("measure")["value"]

    def of_fit(names: dict[str, str]) -> float:
        return absolute(found["fit"][list(names)], fit[list(names.values())])

    result["log-likelihood"] = of_fit({"logl": "logl"})
    result["fit measures"] = of_fit(MEASURES)
    result["limits of RMSEA"] = of_fit(LIMITS)
    if "chisq.scaled" in fit:
        result["scaled and robust measures"] = of_fit(ROBUST)
    result |= _scores_apart(found["scores"], case, folder)
    shares = golden("reliability", folder).query("case == @case").set_index("quantity")
    for name, quantity in SHARES.items() if len(shares) else ():
        row = shares.loc[quantity, ["estimate", "conf_low", "conf_high"]].astype(float)
        result[name] = absolute(found["shares"][quantity][row.index], row)
    return result


def _scores_apart(found: pd.Series, case: str, folder: Path) -> dict[str, float]:
    wanted = golden("scores", folder).query("case == @case")
    result: dict[str, float] = {}
    for method, name in (("bartlett", "Bartlett scores"), ("regression", "regression scores")):
        rows = wanted.query("method == @method")
        if rows.empty:
            continue
        labels = list(zip(rows["row"].astype(int), rows["factor"], strict=True))
        score, error = (
            found[[(kind, method, *label) for label in labels]].to_numpy()
            for kind in ("score", "se")
        )
        result[name] = scaled(score, rows["score"], error)
        # lavaan gives regression scores another standard error: that of their spread.
        if method == "bartlett" and rows["se"].notna().any():
            result["standard errors of scores"] = absolute(error, rows["se"])
    return result


def comparisons() -> list[Comparison]:
    made = []
    for source in SOURCES:
        peer = r_package("lavaan", "cfa", source)
        for data, (cases, native) in DATA_SETS.items():
            for engine in ENGINES:
                if engine == "host" and not hosted.POSSIBLE:
                    continue
                served = engine != "native" or native
                made.append(
                    Comparison(
                        area=AREA,
                        ours=engine,
                        data=data,
                        peer=peer,
                        quantities=quantities(cases[0]),
                        differences=partial(differences, engine, source, cases),
                        slow=source != "kept"
                        or (engine in {"host", "rscript"} and not QUICK.issuperset(cases)),
                        not_served=None if served else EngineError,
                    )
                )
    return made


for _case in PROBLEMS:
    hosted.add(
        f"fit {_case}", lambda case=_case: numbers(fitted(case, "host")), slow=_case not in QUICK
    )
