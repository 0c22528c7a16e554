"""Cluster-robust least squares against clubSandwich in R, and identities."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import DataError
from pyexpr.inference.cluster_ols import CORRECTIONS, cluster_ols

GOLDEN = Path(__file__).parents[1] / "golden"
SETTINGS = settings(derandomize=True, deadline=None, max_examples=20)
# Both solve the same equations by other factorisations, on data of condition 1e3.
CLUB_SANDWICH = 1e-8
C = np.array([[0, 1, -1, 0, 0], [0, 0, 1, 0, -1]])


def design(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = np.column_stack([np.ones(len(rows)), rows[["x1", "x2", "x3", "x4"]]])
    return X, rows["y"].to_numpy(), rows["subject"].to_numpy()


def ours(rows: pd.DataFrame, cr: str) -> dict[str, np.ndarray]:
    fit = cluster_ols(*design(rows), cr=cr)
    each, two, wald = fit.contrasts(np.eye(5)), fit.contrasts(C), fit.wald(C)
    low, high = two.limits(0.95)
    return {
        "vcov": fit.vcov()[np.tril_indices(5)],
        "coef_SE": each.std_error,
        "coef_df": each.df,
        "coef_p": each.p_value,
        "contrast_Est": two.estimate,
        "contrast_SE": two.std_error,
        "contrast_df": two.df,
        "contrast_CI_L": low,
        "contrast_CI_U": high,
        "contrast_p_val": two.p_value,
        "wald_Fstat": np.array([wald.statistic]),
        "wald_df_denom": np.array([wald.df2]),
        "wald_p_val": np.array([wald.p_value]),
    }


def compare(rows: pd.DataFrame, expected: pd.DataFrame, cr: str) -> None:
    found = ours(rows, cr)
    assert set(expected["what"]) == set(found)
    for what, numbers in expected.groupby("what", sort=False):
        np.testing.assert_allclose(
            found[str(what)],
            numbers["value"].to_numpy(dtype=float, na_value=np.nan),
            rtol=CLUB_SANDWICH,
            atol=1e-12,
            err_msg=str(what),
        )


DATA = pd.read_csv(GOLDEN / "clubsandwich_data.csv")
EXPECTED = pd.read_csv(GOLDEN / "clubsandwich.csv")


@pytest.mark.parametrize(
    ("study", "cr"), sorted(set(zip(EXPECTED["study"], EXPECTED["cr"], strict=True)))
)
def test_equals_club_sandwich(study: str, cr: str) -> None:
    expected = EXPECTED[(EXPECTED["study"] == study) & (EXPECTED["cr"] == cr)]
    compare(DATA[DATA["study"] == study], expected, cr)


def test_equals_club_sandwich_live(tmp_path: Path) -> None:
    script = (GOLDEN / "make_clubsandwich.R").read_text().replace("set.seed(7)", "set.seed(11)")
    (tmp_path / "live.R").write_text(script)
    subprocess.run(
        ["Rscript", "--vanilla", "live.R"], cwd=tmp_path, check=True, capture_output=True
    )
    rows = pd.read_csv(tmp_path / "clubsandwich_data.csv")
    assert not rows["y"].equals(DATA["y"])
    expected = pd.read_csv(tmp_path / "clubsandwich.csv")
    for (study, cr), numbers in expected.groupby(["study", "cr"]):
        compare(rows[rows["study"] == study], numbers, str(cr))


def test_coefficients_of_longley_as_certified() -> None:
    """NIST StRD Longley: certified estimates, each year its own cluster."""
    with (GOLDEN / "longley.csv").open() as handle:
        rows = np.array([[float(v) for v in row] for row in list(csv.reader(handle))[1:]])
    X = np.column_stack([np.ones(len(rows)), rows[:, 1:]])
    fit = cluster_ols(X, rows[:, 0], np.arange(len(rows)))
    certified = [
        -3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683,
        -1.03322686717359, -0.511041056535807e-01, 1829.15146461355,
    ]  # fmt: skip
    np.testing.assert_allclose(fit.coef, certified, rtol=1e-7)


def data(seed: int, G: int, rows: int, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(G), rng.integers(1, 2 * rows, size=G))
    n = len(cluster)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, p))])
    return X, rng.normal(size=n) + rng.normal(size=G)[cluster], cluster


def test_singleton_clusters_are_the_heteroskedastic_variances() -> None:
    import statsmodels.api as sm

    X, y, _ = data(1, 30, 2, 3)
    for cr, hc in (("CR0", "HC0"), ("CR2", "HC2"), ("CR3", "HC3")):
        expected = sm.OLS(y, X).fit().get_robustcov_results(hc).cov_params()
        found = cluster_ols(X, y, np.arange(len(y)), cr=cr).vcov()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_cr0_and_cr1_are_statsmodels() -> None:
    import statsmodels.api as sm

    X, y, cluster = data(2, 12, 6, 3)
    fit = sm.OLS(y, X).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    np.testing.assert_allclose(cluster_ols(X, y, cluster, cr="CR0").vcov(), fit.cov_params())
    np.testing.assert_allclose(
        cluster_ols(X, y, cluster, cr="CR1").vcov(), fit.cov_params() * 12 / 11
    )


@SETTINGS
@given(seed=st.integers(0, 10_000), G=st.integers(6, 15), cr=st.sampled_from(CORRECTIONS[:3]))
def test_order_of_rows_units_and_labels_change_nothing(seed: int, G: int, cr: str) -> None:
    X, y, cluster = data(seed, G, 5, 2)
    contrast = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    fit = cluster_ols(X, y, cluster, cr=cr)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    names = rng.permutation(1000)[:G]
    moved = cluster_ols((X * [1, 100, 0.01])[order], y[order], names[cluster[order]], cr=cr)
    a, b = fit.contrasts(contrast), moved.contrasts(contrast)
    np.testing.assert_allclose(b.estimate * [100, 0.01], a.estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(b.std_error * [100, 0.01], a.std_error, rtol=1e-9)
    np.testing.assert_allclose(b.df, a.df, rtol=1e-9)
    # One contrast's Wald test is its t squared.
    one = fit.wald(contrast[:1])
    assert one.statistic == pytest.approx(a.statistic[0] ** 2, rel=1e-9)
    assert one.df2 == pytest.approx(a.df[0], rel=1e-9)
    np.testing.assert_allclose(fit.wald(contrast).df2, moved.wald(contrast).df2, rtol=1e-8)


def test_refused() -> None:
    X, y, cluster = data(3, 8, 4, 2)
    twice = np.column_stack([X, 2 * X[:, 1] - X[:, 2]])
    cases = [
        (lambda: cluster_ols(X, y, cluster, cr="CR9"), "cr= must be one of"),
        (lambda: cluster_ols(X, y[:-1], cluster), "one value per row"),
        (lambda: cluster_ols(X, y * np.nan, cluster), "must be finite"),
        (lambda: cluster_ols(X, y, cluster * 0), "at least 2, but there is 1"),
        (
            lambda: cluster_ols(twice, y, cluster, names=["a", "b", "c", "d"]),
            "columns 'b', 'c', 'd' are linearly dependent",
        ),
        (lambda: cluster_ols(X * [1, 0, 1], y, cluster), "column 2 is all 0"),
        (lambda: cluster_ols(X[:2], y[:2], [0, 1]), "2 rows"),
        (lambda: cluster_ols(X, y, cluster).contrasts([1, 2]), "one weight per coefficient"),
        (
            lambda: cluster_ols(X, y, cluster).wald([[0, 1, 0], [0, 2, 0]]),
            "linearly independent",
        ),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message):
            call()
    alone = np.column_stack([X, cluster == 0])
    assert np.isfinite(cluster_ols(alone, y, cluster, cr="CR2").vcov()).all()
    with pytest.raises(DataError, match="CR3 is not defined"):
        cluster_ols(alone, y, cluster, cr="CR3")


def test_fast_enough_for_a_study_of_the_papers_size() -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(140), 16)
    X = rng.normal(size=(2240, 60))
    fit = cluster_ols(X, rng.normal(size=2240), cluster)
    assert (fit.contrasts(np.eye(60)).df > 50).all()
