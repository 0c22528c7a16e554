"""Rows that belong to two clusters: dyads of persons, and crossed clusters."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.resampling.memberships import Memberships, working_model

PERSONS = 9
pytestmark = pytest.mark.filterwarnings("ignore::pyexpr.base.errors.FewSubjectsWarning")


def round_robin(persons: int = PERSONS, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    one, two = np.array(list(combinations(range(persons), 2))).T
    # The same person may stand in either column.
    turned = rng.random(len(one)) < 0.5
    one, two = np.where(turned, two, one), np.where(turned, one, two)
    effect, y = rng.normal(size=persons), rng.normal(size=len(one))
    p = y + 0.6 * (effect[one] + effect[two]) + rng.normal(size=len(one))
    q = y + rng.normal(size=len(one))
    return pd.DataFrame({"one": one, "two": two, "y": y, "p": p, "q": q})


def crossed(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject, stimulus = np.divmod(np.arange(60), 6)
    y = rng.normal(size=60)
    p = y + rng.normal(size=10)[subject] + 0.5 * rng.normal(size=6)[stimulus] + rng.normal(size=60)
    names = {"one": [f"s{i}" for i in subject], "two": [f"t{i}" for i in stimulus]}
    return pd.DataFrame({**names, "y": y, "p": p, "q": y + rng.normal(size=60)})


def compared(data: pd.DataFrame, cluster: Any = ("one", "two"), **options: Any) -> Any:
    settings = {"metrics": ["bias", "rmse", "correlation"], "n_boot": 60, "seed": 3} | options
    return px.compare_models(data, truth="y", predictions=["p", "q"], cluster=cluster, **settings)


def products_of_sharing_rows(error: NDArray[np.float64], share: NDArray[np.bool_]) -> float:
    """Return the sum of e_i e_j over all pairs of rows that share a member, one by one."""
    return float(sum(error[i] * error[j] for i, j in zip(*np.nonzero(share), strict=True)))


def test_the_error_of_a_mean_in_a_round_robin_is_that_of_aronow_samii_and_assenova() -> None:
    data = round_robin()
    row = compared(data).tidy().query("metric == 'bias' and term == 'p'").iloc[0]
    error = (data["p"] - data["y"]).to_numpy()
    error = (error - error.mean()) / len(error)
    members = data[["one", "two"]].to_numpy()
    share = np.array([[bool(set(a) & set(b)) for b in members] for a in members])
    # Their estimator, and the factor that makes it unbiased, P (P-1)/((P-2)(P-3)).
    factor = PERSONS * (PERSONS - 1) / ((PERSONS - 2) * (PERSONS - 3))
    variance = factor * products_of_sharing_rows(error, share)
    assert row["std_error"] == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert row["df"] <= PERSONS - 1
    assert row["n_clusters"] == PERSONS


def test_the_error_of_a_mean_of_crossed_clusters_is_that_of_cameron_gelbach_and_miller() -> None:
    data = crossed()
    row = compared(data).tidy().query("metric == 'bias' and term == 'p'").iloc[0]
    error = (data["p"] - data["y"]).to_numpy()
    error = (error - error.mean()) / len(error)
    sums = [np.square(pd.Series(error).groupby(data[c]).sum()).sum() for c in ("one", "two")]
    variance = 10 * 6 / (9 * 5) * (sum(sums) - np.sum(error**2))
    assert row["std_error"] == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_factor_and_degrees_of_freedom_are_those_of_the_quadratic_form() -> None:
    rng = np.random.default_rng(0)
    pairs = np.array(list(combinations(range(8), 2)))
    pairs = pairs[rng.random(len(pairs)) < 0.7]
    n_rows = rng.integers(1, 4, len(pairs))
    memberships = Memberships(pairs, (8,), tuple(range(8)), ("one", "two"))
    cell = np.repeat(np.arange(len(pairs)), n_rows)
    in_cell = np.eye(len(pairs))[cell]
    of_member = np.eye(8)[pairs[cell]].sum(axis=1)
    centre = np.eye(len(cell)) - 1 / len(cell)
    form = centre @ (of_member @ of_member.T - in_cell @ in_cell.T) @ centre
    covariances = [np.eye(len(cell)), in_cell @ in_cell.T, of_member @ of_member.T]
    factor = max(one.sum() / np.trace(form @ one) for one in covariances)
    squared = centre @ (of_member @ of_member.T - in_cell @ in_cell.T) @ centre @ covariances[2]
    found = working_model(memberships, n_rows.astype(float))
    assert found.factor == pytest.approx(factor, rel=1e-10)
    df = np.trace(squared) ** 2 / np.trace(squared @ squared)
    assert found.df[0] == pytest.approx(df, rel=1e-9)


def test_persons_in_one_dyad_each_are_ordinary_clusters() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame(rng.normal(size=(40, 3)), columns=["y", "p", "q"])
    dyad = np.repeat(np.arange(20), 2)
    data = data.assign(one=2 * dyad, two=2 * dyad + 1, dyad=dyad)
    both, ordinary = compared(data), compared(data, "dyad")
    pd.testing.assert_frame_equal(both.tidy(), ordinary.tidy())
    np.testing.assert_array_equal(both.replicates, ordinary.replicates)


def test_rows_nested_in_one_column_are_clusters_of_that_column() -> None:
    data = crossed().assign(two=[f"clip {i}" for i in range(60)])
    pd.testing.assert_frame_equal(compared(data).tidy(), compared(data, "one").tidy())


@pytest.mark.parametrize("data", [round_robin(), crossed()], ids=["dyads", "crossed"])
def test_replicates_weight_rows_by_the_product_of_their_members_counts(data: pd.DataFrame) -> None:
    found = compared(data, n_boot=5)
    labels = sorted({*data["one"], *data["two"]}, key=lambda one: (str(one)[0], int(str(one)[-1])))
    sizes = (9,) if len(data) < 60 else (10, 6)
    counts = draw_counts(sizes, 5, seed=3)
    place = {label: k for k, label in enumerate(labels)}
    for replicate, drawn in zip(found.replicates, counts, strict=True):
        weights = [drawn[place[a]] * drawn[place[b]] for a, b in data[["one", "two"]].to_numpy()]
        mean = np.average(data["p"] - data["y"], weights=weights)
        assert replicate[0] == pytest.approx(mean, abs=1e-12)


def test_threads_ranges_and_the_statistic_give_the_same_replicates() -> None:
    data = round_robin()
    whole = compared(data, n_threads=1, metrics=["bias", "spearman"])
    seven = compared(data, n_threads=7, metrics=["bias", "spearman"])
    np.testing.assert_array_equal(whole.replicates, seven.replicates)
    first = compared(data, n_boot=25, metrics=["bias", "spearman"])
    rest = compared(data, n_boot=35, first_replicate=25, metrics=["bias", "spearman"])
    np.testing.assert_array_equal(px.join([first, rest]).replicates, whole.replicates)

    def bias(rows: pd.DataFrame, weights: NDArray[np.float64]) -> float:
        return float(np.average(rows["p"] - rows["y"], weights=weights))

    statistic = px.cluster_bootstrap(data, bias, cluster=("one", "two"), n_boot=60, seed=3)
    np.testing.assert_allclose(statistic.replicates[:, 0], whole.replicates[:, 0], atol=1e-12)
    one, other = statistic.tidy().iloc[0], whole.tidy().iloc[0]
    for name in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_the_variance_is_not_below_that_of_independent_dyads() -> None:
    data = round_robin(seed=4)
    # Errors whose sum is 0 for every person: the sum of products is negative.
    of_person = np.eye(PERSONS)[data[["one", "two"]].to_numpy()].sum(axis=1)
    start = data["q"].to_numpy()
    alternating = start - of_person @ np.linalg.lstsq(of_person, start, rcond=None)[0]
    row = compared(data.assign(p=data["y"] + alternating)).tidy().iloc[0]
    least = np.sqrt(np.var(alternating, ddof=1) / len(data))
    assert row["std_error"] == pytest.approx(least, rel=1e-9)


def test_max_t_contrasts_influence_and_saving(tmp_path: Any) -> None:
    data = round_robin(12).assign(task=lambda rows: np.where(rows.index % 2, "a", "b"))
    found = compared(data, context="task", adjust="max_t")
    shown = found.tidy()
    tested = shown["adjustment"] == "max_t"
    assert (shown["p_adjusted"] >= shown["p_value"] - 0.01)[tested].all()
    assert tested.sum() == 9
    assert set(found.influence()["cluster"]) == set(range(12))
    between = found.contrasts().tidy()
    assert np.isfinite(between[["conf_low", "p_value"]].to_numpy()).all()
    assert np.isfinite(found.contrasts().omnibus()["p_value"]).all()
    found.save(tmp_path / "found.json")
    pd.testing.assert_frame_equal(px.load(tmp_path / "found.json").tidy(), shown)
    assert "pairs of 12 persons" in "".join(found.notes())


def test_slopes_have_the_error_of_sharing_rows(tmp_path: Any) -> None:
    data = round_robin(12)
    # Effects of persons on the slope: each has one of their own.
    own = np.random.default_rng(5).normal(size=12)
    data["y"] += data["p"] * (own[data["one"]] + own[data["two"]])
    X = data[["one", "two", "p"]].assign(task="all rows")
    options = {"context": "task", "cluster": ("one", "two"), "alpha": 0.1, "l1_ratio": 0.5}
    found = px.context_coefficients(X, data["y"], n_boot=40, **options)  # type: ignore[arg-type]
    x = (data["p"] - data["p"].mean()).to_numpy()
    slope = float(x @ data["y"] / (x @ x))
    residual = (data["y"] - data["y"].mean()).to_numpy() - slope * x
    members = data[["one", "two"]].to_numpy()
    share = np.array([[bool(set(a) & set(b)) for b in members] for a in members])
    weights = x / (x @ x) * x.std()
    # The factor, from the quadratic form of the residuals.
    basis = np.column_stack([np.full(len(x), len(x) ** -0.5), x / np.linalg.norm(x)])
    rest = np.eye(len(x)) - basis @ basis.T
    form = rest @ (share * np.outer(weights, weights)) @ rest
    in_member = np.eye(12)[members].sum(axis=1) * weights[:, None]
    covariances = [np.eye(len(x)), np.diag(weights**2), in_member @ in_member.T]
    factor = max(float(weights @ one @ weights) / np.trace(form @ one) for one in covariances)
    variance = factor * products_of_sharing_rows(weights * residual, share)
    row = found.tidy().iloc[0]
    assert row["tested_estimate"] == pytest.approx(slope * x.std(), rel=1e-9)
    assert row["tested_std_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert np.isfinite(row["boot_std_error"])
    assert set(found.influence()["cluster"]) == set(range(12))
    found.save(tmp_path / "found.json")
    pd.testing.assert_frame_equal(px.load(tmp_path / "found.json").tidy(), found.tidy())
    for bad in ({"alpha": None}, {"cr": "CR1"}):
        with pytest.raises(DataError, match="two memberships"):
            px.context_coefficients(X, data["y"], n_boot=0, **(options | bad))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="independent clusters"):
        found.wild()


def test_few_persons_are_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FewSubjectsWarning, match="only 9 persons"):
            compared(round_robin(), n_boot=0)


HUB = pd.DataFrame({
    "one": [0] * 10 + list(range(1, 9)), "two": [*range(1, 11), *range(2, 10)],
    "y": np.arange(18.0) % 5, "p": np.arange(18.0) % 7, "q": np.arange(18.0) % 3,
})  # fmt: skip


@pytest.mark.parametrize(
    ("data", "cluster", "kind", "sentence"),
    [
        (round_robin(), ("one", "one"), DataError, "names column 'one' twice"),
        (round_robin().assign(two=lambda d: d["one"]), ("one", "two"), DataError, "row 1 has"),
        (round_robin().assign(two=lambda d: d["two"].where(d.index != 3)), ("one", "two"),
         ColumnError, "row 4 is empty"),
        (round_robin(5), ("one", "two"), DataError, "only 5 persons .* at least 6"),
        (crossed().query("two < 't4'"), ("one", "two"), DataError, "only 4 members .* at least 5"),
        (HUB, ("one", "two"), DataError, "0 .* is in 56 % of the rows"),
        (round_robin(), ("one",), DataError, "two columns of rows .* not 1"),
        (round_robin(), ("one", "two", "y"), DataError, "not 3"),
        (round_robin().assign(two=lambda d: d["two"].astype(str)), ("one", "two"), ColumnError,
         "in different types"),
        (round_robin(), ("one", "absent"), ColumnError, "no column 'absent'"),
    ],
)  # fmt: skip
def test_bad_memberships_are_refused(
    data: pd.DataFrame, cluster: Any, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        compared(data.reset_index(drop=True), cluster, n_boot=0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"metrics": ["rmse_within"]}, "use 'rmse'"),
        ({"fold": "one"}, "fold= cannot be combined"),
        ({"stratify": "one"}, "stratify= cannot be combined"),
        ({"per": "one"}, "per= cannot be combined"),
        ({"method": "studentized"}, "require independent clusters"),
    ],
)
def test_what_two_memberships_cannot_have_is_refused(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        compared(round_robin(), **options)
    with pytest.raises(DataError, match="independent clusters"):
        compared(round_robin(), n_boot=0).sign_flip()
