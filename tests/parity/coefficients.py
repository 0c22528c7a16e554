"""Coefficients: clubSandwich, statsmodels, wildboottest, glmnet, scikit-learn."""

from __future__ import annotations

import csv
import warnings
from functools import partial

import numpy as np
import pandas as pd
from reference import elastic_net as twin
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import StandardScaler

from parity.comparison import (
    Comparison,
    Peer,
    Tolerance,
    absolute,
    largest,
    python_package,
    relative,
)
from parity.golden import GOLDEN, SOURCES, exact, r_package
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.elastic_net import cross_products, elastic_net_fits
from pyexpr.inference.coefficients.cluster_ols import cluster_ols
from pyexpr.inference.coefficients.coefficients import context_coefficients
from pyexpr.inference.coefficients.wild import wild_test
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.tuned_net import ALPHAS, L1_RATIOS

AREA = "Coefficients"
SOLVES = "the same equations by other factorisations, on data of condition 1e3"
# Next to 0 a relative difference says nothing: from here on it is absolute.
FLOOR = 1e-4
CLUB = Tolerance(1e-8, SOLVES, f"relative, to {FLOOR:g} at least")
DESCENT = Tolerance(1e-8, "two coordinate descents, each stopped at a relative step of 1e-13")
C = np.array([[0, 1, -1, 0, 0], [0, 0, 1, 0, -1]])
FEATURES = ["x1", "x2", "x3", "x4"]
# The names in make_clubsandwich.R of what each function returns.
CLUB_SANDWICH = {
    "vcovCR": ("vcov",),
    "coef_test, Satterthwaite": ("coef_SE", "coef_df", "coef_p"),
    "linear_contrast": (
        "contrast_Est", "contrast_SE", "contrast_df", "contrast_CI_L", "contrast_CI_U",
        "contrast_p_val",
    ),
    "Wald_test, HTZ": ("wald_Fstat", "wald_df_denom", "wald_p_val"),
}  # fmt: skip


def design(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = np.column_stack([np.ones(len(rows)), rows[FEATURES]])
    return X, rows["y"].to_numpy(), rows["subject"].to_numpy()


def by_cluster_ols(rows: pd.DataFrame, cr: str) -> dict[str, np.ndarray]:
    """Return what clubSandwich gives, under the names of make_clubsandwich.R."""
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


def club_sandwich(cr: str, source: str) -> dict[str, float]:
    """Four studies: balanced, unbalanced, a coefficient of one subject alone, five subjects."""
    folder = SOURCES[source]("clubsandwich")
    data = exact(folder, "clubsandwich_data.csv", words=("study",))
    expected = exact(folder, "clubsandwich.csv", words=("study", "cr", "what"))
    parts = []
    for study, numbers in expected[expected["cr"] == cr].groupby("study"):
        ours = by_cluster_ols(data[data["study"] == study], cr)
        wanted = {
            str(what): rows["value"].to_numpy(float)
            for what, rows in numbers.groupby("what", sort=False)
        }
        parts += [
            {name: max(relative(ours[what], wanted[what], floor=FLOOR) for what in several)}
            for name, several in CLUB_SANDWICH.items()
        ]
    return largest(parts)


def longley() -> dict[str, float]:
    """Certified estimates, each year its own cluster."""
    with (GOLDEN / "longley.csv").open() as handle:
        rows = np.array([[float(v) for v in row] for row in list(csv.reader(handle))[1:]])
    X = np.column_stack([np.ones(len(rows)), rows[:, 1:]])
    fit = cluster_ols(X, rows[:, 0], np.arange(len(rows)))
    certified = [
        -3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683,
        -1.03322686717359, -0.511041056535807e-01, 1829.15146461355,
    ]  # fmt: skip
    return {"coefficients": relative(fit.coef, certified)}


def clustered(seed: int, G: int, rows: int, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(G), rng.integers(1, 2 * rows, size=G))
    n = len(cluster)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, p))])
    return X, rng.normal(size=n) + rng.normal(size=G)[cluster], cluster


def singletons() -> dict[str, float]:
    import statsmodels.api as sm

    X, y, _ = clustered(1, 30, 2, 3)
    found = {}
    for cr, hc in (("CR0", "HC0"), ("CR2", "HC2"), ("CR3", "HC3")):
        expected = np.asarray(sm.OLS(y, X).fit().get_robustcov_results(hc).cov_params())
        ours = cluster_ols(X, y, np.arange(len(y)), cr=cr).vcov()
        found[f"{cr} is {hc}"] = relative(ours, expected, floor=FLOOR)
    return found


def statsmodels_clusters() -> dict[str, float]:
    import statsmodels.api as sm

    X, y, cluster = clustered(2, 12, 6, 3)
    fit = sm.OLS(y, X).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    expected = np.asarray(fit.cov_params())
    return {
        "CR0": relative(cluster_ols(X, y, cluster, cr="CR0").vcov(), expected, floor=FLOOR),
        "CR1": relative(
            cluster_ols(X, y, cluster, cr="CR1").vcov(), expected * 12 / 11, floor=FLOOR
        ),
    }


def wild() -> dict[str, float]:
    """All 256 sign vectors of eight clusters; it leaves out the observed one and its mirror."""
    from wildboottest.wildboottest import WildboottestCL

    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(8), rng.integers(3, 9, 8))
    n = len(cluster)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2)) + rng.normal(size=(8, 2))[cluster]])
    y = 0.4 * X[:, 1] + rng.normal(size=n) + rng.normal(size=8)[cluster]
    parts = []
    for R in (np.array([0, 1, 0]), np.array([0, 0, 1])):
        peer = WildboottestCL(X=X, Y=y, cluster=cluster, R=R, B=9999, seed=1)
        peer.get_scores(bootstrap_type="11", impose_null=True, adj=False, cluster_adj=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.get_weights(weights_type="rademacher")
            peer.get_numer()
            peer.get_denom()
            peer.get_tboot()
            peer.get_vcov()
            peer.get_tstat()
        found = wild_test(cluster_ols(X, y, cluster, cr="CR1"), R)
        parts.append(
            {
                "t": relative(found.statistic, float(np.ravel(peer.t_stat)[0])),
                "sorted absolute t": relative(
                    np.sort(np.abs(found.pivots)), np.sort(np.abs(np.ravel(peer.t_boot)))
                ),
            }
        )
    return largest(parts)


def glmnet(source: str) -> dict[str, float]:
    """Sixteen pairs of penalties, by the mapping in docs/methods.md."""
    folder = SOURCES[source]("glmnet")
    data = exact(folder, "glmnet_data.csv")
    parts = []
    for row in exact(folder, "glmnet.csv").to_dict(orient="records"):
        model = ElasticNetRegressor(alpha=row["alpha"], l1_ratio=row["l1_ratio"])
        model.fit(data.drop(columns="y"), data["y"])
        parts.append({"weights": absolute(model.coef_, [row[n] for n in model.feature_names_in_])})
    return largest(parts)


def features_and_label(seed: int, n: int = 200, p: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of very different units, and a label with a scale of its own."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    X = X * 10.0 ** rng.integers(-3, 4, size=p) + rng.normal(size=p) * 5
    y = StandardScaler().fit_transform(X) @ rng.normal(size=p) * 0.3 + rng.normal(size=n) + 2
    return X, y


def scikit_learn(X: np.ndarray, y: np.ndarray, alpha: float, l1_ratio: float):
    """Fit scikit-learn's own estimator, cold, on standardised features."""
    Z = StandardScaler().fit_transform(X)
    if l1_ratio == 0:
        return Ridge(alpha=alpha * len(y), solver="cholesky").fit(Z, y)
    return ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=1_000_000).fit(Z, y)


def whole_grid() -> dict[str, float]:
    """The 55 pairs of the grid, on tall, small and wide data."""
    parts = []
    for seed, (n, p) in enumerate([(200, 14), (60, 5), (25, 30)]):
        X, y = features_and_label(seed, n, p)
        for alpha in ALPHAS:
            for l1_ratio in L1_RATIOS:
                model = ElasticNetRegressor(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
                peer = scikit_learn(X, y, alpha, l1_ratio)
                parts.append(
                    {
                        "weights": absolute(model.coef_, peer.coef_),
                        "intercept": absolute(model.intercept_, peer.intercept_),
                        "predictions": absolute(
                            model.predict(X), peer.predict(StandardScaler().fit_transform(X))
                        ),
                    }
                )
    return largest(parts)


def clips(
    seed: int, n_clusters: int = 20, rows: int = 6, p: int = 14, mixing: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make clusters of unequal sizes, correlated features of unequal units, and a label."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(n_clusters), rng.integers(1, 2 * rows, size=n_clusters))
    n = len(clusters)
    mix = np.eye(p) + mixing * rng.normal(size=(p, p)) / np.sqrt(p)
    Z = (rng.normal(size=(n_clusters, p))[clusters] + rng.normal(size=(n, p))) @ mix
    y = Z @ rng.normal(size=p) * 0.3 + rng.normal(size=n) + 2
    X = Z * 10.0 ** rng.integers(-2, 3, size=p) + rng.normal(size=p)
    return X, y, clusters


def drawn(seed: int, n: int, n_clusters: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n_clusters, [1 / n_clusters] * n_clusters, n)


def refitted() -> dict[str, float]:
    """Ten resamples of 20 subjects, five penalties, five mixtures."""
    X, y, clusters = clips(1)
    counts = drawn(2, 10, 20)
    parts = []
    for l1_ratio in (0.0, 0.1, 0.5, 0.9, 1.0):
        fits = elastic_net_fits(
            cross_products(X, y, clusters), counts, alpha=ALPHAS, l1_ratio=l1_ratio, n_threads=2
        )
        if not fits.converged.all():
            raise AssertionError("a fit did not converge")
        for b in range(10):
            rows = twin.resample(clusters, counts[b])
            for i, alpha in enumerate(ALPHAS):
                peer = scikit_learn(X[rows], y[rows], alpha, l1_ratio)
                parts.append(
                    {
                        "weights": absolute(fits.coef[b, i, 0], peer.coef_),
                        "intercept": absolute(fits.intercept[b], peer.intercept_),
                    }
                )
    return largest(parts)


def by_context() -> dict[str, float]:
    """Replicates of two contexts and of both together, on the rows of the drawn subjects."""
    X, y, clusters = clips(8, n_clusters=30, p=4)
    names = [f"f{j}" for j in range(4)]
    rows = pd.DataFrame(X, columns=names).assign(y=y, subject=clusters)
    rows["task"] = np.where(rows.groupby("subject").cumcount() % 2, "a", "b")
    # Every subject in both contexts: else a context draws from those it has.
    rows = rows[rows.groupby("subject")["y"].transform("size") > 1].reset_index(drop=True)
    rows["subject"] = pd.factorize(rows["subject"])[0]
    G = rows["subject"].nunique()
    result = context_coefficients(
        rows[[*names, "subject", "task"]], rows["y"], context="task", cluster="subject",
        alpha=0.1, l1_ratio=0.5, n_boot=6, seed=3,
    )  # fmt: skip
    counts = draw_counts((G,), 6, seed=3)
    parts = []
    for context in ("a", "b", "all"):
        own = rows if context == "all" else rows[rows["task"] == context]
        for b in range(6):
            again = own.loc[own.index.repeat(counts[b][own["subject"]])]
            peer = scikit_learn(again[names].to_numpy(), again["y"].to_numpy(), 0.1, 0.5)
            parts.append({"weights": absolute(result.replicates(context)[b], peer.coef_)})
    return largest(parts)


def comparisons() -> list[Comparison]:
    made = []
    for source in SOURCES:
        slow = source != "kept"
        made += [
            Comparison(
                AREA, f"cluster_ols, {cr}",
                "four studies" if cr != "CR3" else "three studies (elsewhere CR3 is undefined)",
                r_package("clubSandwich", "clubsandwich", source),
                dict.fromkeys(CLUB_SANDWICH, CLUB), partial(club_sandwich, cr, source), slow,
            )
            for cr in ("CR0", "CR1", "CR2", "CR3")
        ]  # fmt: skip
        made.append(
            Comparison(
                AREA, "ElasticNetRegressor", "60 rows, 16 pairs of penalties",
                r_package("glmnet", "glmnet", source),
                {"weights": Tolerance(1e-8, "glmnet stops at a squared step of 1e-28")},
                partial(glmnet, source), slow,
            )
        )  # fmt: skip
    robust = Tolerance(1e-9, "sums in another order", CLUB.measured)
    intercept = Tolerance(1e-10, "a mean")
    made += [
        Comparison(AREA, "cluster_ols", "NIST StRD Longley", Peer("NIST's certified values"),
                   {"coefficients": Tolerance(1e-7, "a design of condition 5e9", "relative")},
                   longley),
        Comparison(AREA, "cluster_ols", "30 clusters of one row", python_package("statsmodels"),
                   dict.fromkeys(("CR0 is HC0", "CR2 is HC2", "CR3 is HC3"), robust), singletons),
        Comparison(AREA, "cluster_ols", "12 unequal clusters", python_package("statsmodels"),
                   dict.fromkeys(("CR0", "CR1"), robust), statsmodels_clusters),
        Comparison(AREA, "wild_test", "eight clusters, all signs", python_package("wildboottest"),
                   {"t": Tolerance(1e-10, SOLVES, "relative"),
                    "sorted absolute t": Tolerance(1e-9, SOLVES, "relative")}, wild),
        Comparison(AREA, "ElasticNetRegressor", "the grid of 55 on three data sets",
                   python_package("scikit-learn"),
                   {"weights": DESCENT, "intercept": intercept,
                    "predictions": Tolerance(1e-7, "weights times standardised features")},
                   whole_grid),
        Comparison(AREA, "elastic net kernel", "rows of resampled subjects, refitted",
                   python_package("scikit-learn"), {"weights": DESCENT, "intercept": intercept},
                   refitted),
        Comparison(AREA, "context_coefficients", "replicates by context, refitted",
                   python_package("scikit-learn"), {"weights": DESCENT}, by_context),
    ]  # fmt: skip
    return made
