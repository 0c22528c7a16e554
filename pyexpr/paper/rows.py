"""The rows of the paper's tables: published, recomputed and simulated, with explanations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.paper import published_numbers
from pyexpr.paper.published import (
    Expected,
    Range,
    bartlett_from_published,
    bartlett_weights,
    baseline_correlation,
    baseline_nrmse,
    check_interval,
    human_bound,
    residual_variance,
    score_information,
)
from pyexpr.simulation.truth import POPULATION
from pyexpr.study.results.displays import performance_rows
from pyexpr.words.labels import BASELINES, HUMAN, number

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.kept.store import StageOutput

Found = Mapping[str, "StageOutput"]

# The possible findings about a row, from best to worst.
STATUSES = ("agrees", "not simulated", "explained", "misprint", "open")
# Test subjects of the paper: a fifth of 140.
PAPER_TEST_SUBJECTS = 28
# Half a unit of the last printed place, in tables 1 and 2 and in the others.
HALF_2, HALF_3 = 0.005, 0.0005
# Simulated loadings that differ from the paper's by at most this, two units of the last place, need
# no explanation.
NEAR = 0.02
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its limits, if it has any."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of a table of the paper.

    Attributes
    ----------
    table : str
        ``"1"`` to ``"6"``, ``"figure 4"``, ``"tuning"``.
    context, quantity, item : str
        What identifies the number: a metric and a model, a loading and a question, ...
    paper, recomputed, simulated : Figure
    findings : tuple of (str, str)
        Status and remark of each comparison.
    """

    table: str
    context: str
    quantity: str
    item: str
    paper: Figure
    recomputed: Figure = Figure()
    simulated: Figure = Figure()
    findings: tuple[tuple[str, str], ...] = field(default_factory=tuple)

    @property
    def status(self) -> str:
        """The worst of the findings."""
        return max((status for status, _ in self.findings), key=STATUSES.index, default="agrees")

    @property
    def remark(self) -> str:
        """All findings other than agreement; if there are none, how close the agreement is."""
        beyond = [text for status, text in self.findings if status != "agrees"]
        return "; ".join(dict.fromkeys(beyond or [text for _, text in self.findings]))


def paper_rows(found: Found) -> Iterator[PaperRow]:
    """Yield every row of the paper's tables, with the results of a simulated study."""
    yield from _table_1(found["reliability"].tables["reliability"])
    yield from _table_2(found["factor_model"].tables["loadings"])
    levels, differences = performance_rows(found["comparison"].tables["comparison"])
    method = str(levels["method"].iloc[0])
    yield from _table_3(levels[levels["method"] == method])
    yield from _table_4(differences[differences["method"] == method])
    yield from _pilots()
    yield from _figure_4(found["coefficients"].tables["coefficients"])
    yield from _tuning(found["models"].tables["tuning"])


def _table_1(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    ours = _by(simulated, "context", "question")
    for row in _records(published_numbers.reliability()):
        check = check_interval(
            row["estimate"], row["conf_low"], row["conf_high"], n_targets=row["n_targets"],
            k=row["k"], digits=2, fewest=row["n_targets"],
        )  # fmt: skip
        own = ours[row["context"], row["question"]]
        found = Figure(own["estimate"], own["conf_low_subjects"], own["conf_high_subjects"])
        paper = _published(row)
        yield PaperRow(
            "1", row["context"], "icc", row["question"], paper,
            Figure(math.nan, check.conf_low, check.conf_high), found,
            (
                (check.status, f"interval recomputed from the ICC: {check.remark}"),
                _overlap(paper, found),
            ),
        )  # fmt: skip


def _table_2(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    ours = _by(simulated, "context", "indicator")
    published = published_numbers.loadings()
    for context in published_numbers.CONTEXTS:
        rows = _records(published[published["context"] == context])
        lambdas = [row["std_loading"] for row in rows]
        thetas = [row["std_residual_variance"] for row in rows]
        weights, reliability = bartlett_from_published(lambdas, thetas)
        own = [ours[context, row["indicator"]] for row in rows]
        truth = np.array(POPULATION[context]["std_loading"])
        for j, row in enumerate(rows):
            name = row["indicator"]
            yield PaperRow(
                "2", context, "std_loading", name, Figure(lambdas[j]),
                simulated=Figure(own[j]["std_loading"]),
                findings=(_near(lambdas[j], own[j]["std_loading"], truth[j]),),
            )  # fmt: skip
            implied = residual_variance(lambdas[j], HALF_2)
            agrees = implied.meets(thetas[j], HALF_2)
            yield PaperRow(
                "2", context, "std_residual_variance", name, Figure(thetas[j]),
                _figure(implied), Figure(own[j]["std_residual_variance"]),
                (
                    ("agrees", "1 − λ² within rounding") if agrees else
                    ("open", "the residual variance is not 1 − λ²"),
                    _near(thetas[j], own[j]["std_residual_variance"], 1 - truth[j] ** 2),
                ),
            )  # fmt: skip
        sizes = np.array([one["std_loading"] for one in own])
        rest = np.array([one["std_residual_variance"] for one in own])
        of_truth = bartlett_weights(truth, 1 - truth**2)
        for j, weight in enumerate(bartlett_weights(sizes, rest)):
            yield PaperRow(
                "2", context, "bartlett_weight", rows[j]["indicator"], Figure(),
                _figure(weights[j]), Figure(float(weight)),
                (_in_range(float(weight), weights[j], of_truth[j], of="bartlett_weight"),),
            )  # fmt: skip
        score = _score_reliability(sizes, rest)
        yield PaperRow(
            "2", context, "score_reliability", "", Figure(), _figure(reliability), Figure(score),
            (
                _in_range(
                    score, reliability, _score_reliability(truth, 1 - truth**2),
                    of="score_reliability",
                ),
            ),
        )  # fmt: skip


def _score_reliability(lambdas: Any, thetas: Any) -> float:
    information = score_information(lambdas, thetas)
    return information / (1 + information)


def _table_3(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    ours = _by(simulated, "metric", "context", "model")
    loadings = published_numbers.loadings()
    for row in _records(published_numbers.performance()):
        metric, context, model = row["metric"], row["context"], row["model"]
        own = ours.get((metric, context, model))
        paper = _published(row)
        found = Figure() if own is None else _published(own)
        recomputed, findings = Figure(), []
        if model in BASELINES:
            table_2 = loadings[loadings["context"] == context]
            information = score_information(
                table_2["std_loading"].to_numpy(), table_2["std_residual_variance"].to_numpy()
            )
            n = published_numbers.N_TARGETS[context] * PAPER_TEST_SUBJECTS // 140
            expected = (
                baseline_nrmse(model, information, n)
                if metric == "nrmse"
                else baseline_correlation(n)
            )
            recomputed = _expected(expected)
            findings.append(_chance(row["estimate"], expected, n))
        elif model in HUMAN:
            bound = _human(context)
            recomputed = Figure(bound.nrmse if metric == "nrmse" else bound.correlation)
            n = published_numbers.N_TARGETS[context] * PAPER_TEST_SUBJECTS // 140
            findings.append(_beyond_bound(metric, row["estimate"], recomputed.value, n))
        if own is None:
            findings.append(("not simulated", _ABSENT[model]))
        elif model in BASELINES:
            findings.append(_overlap(recomputed, found, "expected"))
        else:
            findings.append(_two_studies(paper.value, found, int(own["n_clusters"])))
        yield PaperRow("3", context, metric, model, paper, recomputed, found, tuple(findings))


_ABSENT = {
    "3d_cnn": "not run: neural networks are not part of this comparison",
    "3d_cnn_pretrained": "not run: neural networks are not part of this comparison",
    "openface_lstm": "not run: neural networks are not part of this comparison",
}


def _human(context: str) -> Any:
    icc, loadings = published_numbers.reliability(), published_numbers.loadings()
    return human_bound(
        icc.loc[icc["context"] == context, "estimate"].tolist(),
        loadings.loc[loadings["context"] == context, "std_loading"].tolist(),
        k=published_numbers.N_RATERS,
        half=HALF_2,
    )


def _table_4(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    pooled = simulated[simulated["context"] == ALL]
    ours = _by(pooled, "metric", "first_model", "second_model")
    table_3 = _by(published_numbers.performance(), "model", "context", "metric")
    for row in _records(published_numbers.comparison()):
        metric, model, other = (row[name] for name in ("metric", "first_model", "second_model"))
        main, beside = (table_3[name, ALL, metric]["estimate"] for name in (model, other))
        difference = main - beside
        off = row["estimate"] - difference
        findings = [
            # Two rounded figures, and the rounded difference.
            ("agrees", "the difference of table 3 within rounding")
            if abs(off) <= 3 * HALF_3 + 1e-9
            else ("open", "not the difference in table 3 of the paper")
        ]
        own = ours.get((metric, model, other))
        paper = _published(row)
        found = Figure() if own is None else _published(own)
        findings.append(
            ("not simulated", _ABSENT[other]) if own is None else _overlap(paper, found)
        )
        yield PaperRow("4", ALL, metric, other, paper, Figure(difference), found, tuple(findings))


def _pilots() -> Iterator[PaperRow]:
    for row in _records(published_numbers.pilots()):
        check = check_interval(
            row["estimate"], row["conf_low"], row["conf_high"], n_targets=row["n_targets"],
            k=row["k"], digits=3, fewest=row["n_targets"] - published_numbers.PILOT_SUBJECTS,
        )  # fmt: skip
        yield PaperRow(
            str(row["table"]), row["context"], "icc", row["question"], _published(row),
            Figure(math.nan, check.conf_low, check.conf_high),
            findings=((check.status, f"interval recomputed from the ICC: {check.remark}"),),
        )  # fmt: skip


def _figure_4(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    ours = _by(simulated, "context", "feature")
    for row in _records(published_numbers.weight_signs()):
        own = ours[row["context"], row["feature"]]
        weight = own["estimate"]
        same = weight * row["sign"] > 0
        yield PaperRow(
            "figure 4", row["context"], "weight_sign", row["feature"], Figure(float(row["sign"])),
            simulated=Figure(weight, own["procedure_low"], own["procedure_high"]),
            findings=(
                ("agrees", "same sign, as simulated") if same else
                ("open",
                    "simulated with the paper's sign, but the estimated weight has another sign"),
            ),
        )  # fmt: skip


def _tuning(simulated: pd.DataFrame) -> Iterator[PaperRow]:
    ours = _by(simulated, "context")
    for row in _records(published_numbers.tuning()):
        own = ours[(row["context"],)]
        for name in ("alpha", "l1_ratio"):
            same = math.isclose(row[name], own[name], abs_tol=1e-12)
            yield PaperRow(
                "tuning", row["context"], name, "", Figure(row[name]),
                simulated=Figure(own[name]),
                findings=(
                    ("agrees", "the same choice") if same else
                    ("explained",
                        "chosen on the validation part, and therefore dependent on its subjects"),
                ),
            )  # fmt: skip


def _overlap(paper: Figure, found: Figure, what: str = "paper's") -> tuple[str, str]:
    if found.low <= paper.high and paper.low <= found.high:
        return "agrees", f"the {what} and the simulated interval overlap"
    return "open", f"the {what} and the simulated interval do not overlap"


def _two_studies(paper: float, found: Figure, subjects: int) -> tuple[str, str]:
    """Compare with a figure from other subjects, which has sampling error, too."""
    wider = math.sqrt(1 + subjects / PAPER_TEST_SUBJECTS)
    low = found.value - wider * (found.value - found.low)
    high = found.value + wider * (found.high - found.value)
    if low <= paper <= high:
        return "agrees", "within the expected difference of two studies of this size"
    return "open", "more than the expected difference of two studies of this size"


def _near(paper: float, found: float, truth: float) -> tuple[str, str]:
    """Compare a simulated parameter; `truth` is its value for infinitely many clips."""
    if abs(found - paper) <= NEAR:
        return "agrees", f"simulated within {number(NEAR, of='std_loading')}"
    if abs(truth - paper) <= NEAR:
        return "explained", "sampling: the simulated population itself comes within .02"
    return "open", f"the simulated population has {number(truth, of='std_loading')}"


def _in_range(found: float, implied: Range, truth: float, *, of: str) -> tuple[str, str]:
    if implied.low <= found <= implied.high:
        return "agrees", "within the range consistent with the rounding of table 2"
    if implied.low <= truth <= implied.high:
        return "explained", "sampling: the simulated population lies within the range"
    end = implied.low if truth < implied.low else implied.high
    return (
        "explained",
        f"sampling, mostly: the simulated population has {number(truth, 4, of=of)}, just outside "
        f"of the range, which ends at {number(end, 4, of=of)}, for its loadings differ from table "
        "2 in the third decimal",
    )


def _chance(printed: float, expected: Expected, n: int) -> tuple[str, str]:
    z = (printed - expected.value) / expected.std_error
    if abs(z) <= Z_95:
        return "agrees", "the value of the paper lies within the range expected by chance"
    return "open", f"{number(z, 1)} standard errors from the value expected for {n} clips"


def _beyond_bound(metric: str, printed: float, bound: float, n: int) -> tuple[str, str]:
    """Compare with a bound over all clips; a test part of n clips varies about it."""
    if metric == "nrmse":
        beyond = bound - printed
        # Standard error of the root of a mean of n squares of a normal variable.
        std_error = bound / math.sqrt(2 * n)
    else:
        beyond = printed - bound
        std_error = (1 - bound**2) / math.sqrt(n)
    if beyond <= HALF_3:
        return "agrees", "consistent with tables 1 and 2"
    if beyond <= Z_95 * std_error:
        return "explained", (
            "better than is consistent with tables 1 and 2 over all clips, but within sampling "
            "error"
        )
    return "open", (
        "better than is consistent with tables 1 and 2 for a single rater, beyond sampling error"
    )


def _expected(expected: Expected) -> Figure:
    reach = Z_95 * expected.std_error
    return Figure(expected.value, expected.value - reach, expected.value + reach)


def _figure(found: Range) -> Figure:
    return Figure(found.value, found.low, found.high)


def _published(row: Mapping[str, Any]) -> Figure:
    return Figure(row["estimate"], row.get("conf_low", math.nan), row.get("conf_high", math.nan))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _by(frame: pd.DataFrame, *keys: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(str(row[key]) for key in keys): row for row in _records(frame)}


def counts(rows: Iterable[PaperRow]) -> dict[str, int]:
    """Count rows by status."""
    found = dict.fromkeys(STATUSES, 0)
    for row in rows:
        found[row.status] += 1
    return found
