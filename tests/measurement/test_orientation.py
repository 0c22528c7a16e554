"""Which way factors point: keys as often negative as positive, where a sum of loadings is noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan
from parity.factor_model import exactly

from pyexpr.base.errors import DataError
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.invariance.invariance import invariance

KEYS = np.array([0.7, 0.65, -0.68, -0.66])
NAMES = ["happy", "warm", "sad", "cold"]
MODEL = {"valence": NAMES}


def balanced(seed: int = 4, subjects: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), 8)
    n = len(subject)
    f = 0.6 * rng.normal(size=subjects)[subject] + 0.8 * rng.normal(size=n)
    table = pd.DataFrame(
        f[:, None] * KEYS + rng.normal(size=(n, 4)) * np.sqrt(1 - KEYS**2), columns=NAMES
    )
    return table.assign(subject=subject, context=np.tile(["a", "b"], n // 2), truth=f)


@pytest.mark.parametrize("engine", ["native", "rpy2"])
def test_contexts_and_scores_point_one_way(engine: str) -> None:
    for seed in range(6 if engine == "rpy2" else 60):
        data = balanced(seed)
        fit = cfa(data, MODEL, context="context", engine=engine)
        signs = np.sign(fit.loadings()["loading"].to_numpy().reshape(2, 4))
        assert (signs == np.sign(KEYS)).all()
        for _, rows in data.assign(score=fit.scores()["score"]).groupby("context"):
            assert np.corrcoef(rows["score"], rows["truth"])[0, 1] > 0.6
    message = " ".join(fit.notes())
    assert "'valence' points to where 'happy' is high (the first of its indicators" in message
    assert "agree with the model of all rows" in message


def test_replicates_and_the_jackknife_agree_with_the_whole_sample() -> None:
    data = balanced()
    found = bootstrap_cfa(data, MODEL, cluster="subject", context="context", n_boot=300)
    for rows, replicates in zip(
        found.evidence.groups, np.split(found.evidence.replicates, 2), strict=True
    ):
        for draws in (replicates, rows.values):
            assert (np.sign(draws[:4].T) == np.sign(KEYS)).all()
    table = found.interval(method="percentile").tidy().query("quantity == 'loading'")
    assert table["std_error"].max() < 0.12
    assert "'happy' is high" in " ".join(found.notes())
    turned = bootstrap_cfa(
        data, MODEL, cluster="subject", context="context", n_boot=300, positive="sad"
    )
    # All loadings and score weights the other way round, bit for bit, and nothing else.
    sign = np.array(([-1.0] * 8 + [1.0] * 4 + [-1.0] * 4 + [1.0]) * 2)
    assert (turned.replicates == found.replicates * sign).all()


def test_tests_of_invariance_do_not_hang_on_the_direction() -> None:
    data = balanced()
    options = {"context": "context", "cluster": "subject", "engine": "native"}
    found = invariance(data, MODEL, **options)
    assert (found.estimates()["loading"] > 0).tolist() == [True, True, False, False] * 2
    contrasts = found.contrasts()
    assert contrasts["std_error"].notna().all()
    # Reversed by hand, nothing is keyed negatively: the same contrasts.
    plain = invariance(data.assign(sad=-data["sad"], cold=-data["cold"]), MODEL, **options)
    metric = contrasts["level"] == "metric"
    for column in ("estimate", "std_error", "p_value"):
        np.testing.assert_allclose(
            contrasts.loc[metric, column], plain.contrasts().loc[metric, column], rtol=1e-6
        )
    turned = invariance(data, MODEL, positive="cold", **options)
    assert (turned.estimates()["loading"] == -found.estimates()["loading"]).all()
    np.testing.assert_allclose(
        turned.tidy()["p_value"], found.tidy()["p_value"], rtol=1e-9, equal_nan=True
    )


def two_factors(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    f = rng.normal(size=n)
    g = 0.5 * f + rng.normal(size=n)
    columns = {f"x{j}": k * f + rng.normal(size=n) for j, k in enumerate((1, 1, -1, -1), 1)}
    columns |= {f"y{j}": k * g + rng.normal(size=n) for j, k in enumerate((-1, 1, 1, -1), 1)}
    return pd.DataFrame(columns).assign(context=np.arange(n) % 2)


BOTH = "f =~ x1 + x2 + x3 + x4\ng =~ y1 + y2 + y3 + y4"


def test_each_of_several_factors_is_turned_with_its_covariance(tmp_path) -> None:
    data = two_factors()
    first = cfa(data, BOTH)
    by_name = cfa(data, BOTH, positive=["y2"])
    by_factor = cfa(data, BOTH, positive={"g": "y2", "f": "x3"})
    loadings = [fit.loadings()["loading"].to_numpy() for fit in (first, by_name, by_factor)]
    assert (np.sign(loadings[0]) == [1, 1, -1, -1, 1, -1, -1, 1]).all()
    assert (loadings[1] == loadings[0] * ([1] * 4 + [-1] * 4)).all()
    assert (loadings[2] == -loadings[0]).all()
    between = [
        fit.tidy().query("lhs == 'f' and rhs == 'g'")["estimate"].item()
        for fit in (first, by_name, by_factor)
    ]
    assert between[0] < 0 < between[1]
    assert between[1] == -between[0] == -between[2]
    # What does not hang on the direction is lavaan's still.
    code = f"f <- cfa('{BOTH}', d, std.lv = TRUE); abs(coef(f)['f~~g'])"
    assert between[1] == pytest.approx(by_lavaan(tmp_path, data, code)[0], abs=1e-5)
    # And the covariance matrix of the estimates is turned, too.
    free = first.output.parameters.free
    g1 = free[first.output.parameters.rhs.index("y1")]
    x1 = free[first.output.parameters.rhs.index("x1")]
    assert by_name.output.vcov[x1, g1] == -first.output.vcov[x1, g1] != 0
    groups = cfa(data, BOTH, context="context", positive={"g": "y3"}).loadings()
    assert (groups.query("indicator == 'y3'")["loading"] > 0).all()
    assert (groups.query("indicator == 'x1'")["loading"] > 0).all()


def test_without_a_model_of_all_rows_the_largest_group_leads() -> None:
    """Covariances of all rows whose product is negative have no factor."""
    model = {"f": ["x", "y", "z"]}
    blocks = []
    for label, n, loadings in (("a", 100, (1.0, 0.5, -0.9)), ("b", 120, (-0.8, -0.8, -0.8))):
        covariance = np.outer(loadings, loadings)
        np.fill_diagonal(covariance, 1.6)
        blocks.append(pd.DataFrame(exactly(covariance, n), columns=model["f"]).assign(group=label))
    data = pd.concat(blocks, ignore_index=True)
    for engine in ("native", "rpy2"):
        fit = cfa(data, model, context="group", engine=engine)
        loadings = fit.loadings().pivot(index="group", columns="indicator", values="loading")
        np.testing.assert_allclose(loadings.loc["b"], 0.8, atol=1e-6)
        np.testing.assert_allclose(loadings.loc["a"], [1.0, 0.5, -0.9], atol=1e-6)
        assert "agree with 'b', the largest, since all rows" in " ".join(fit.notes())
    named = cfa(data, model, context="group", engine="native", positive="z").loadings()
    # The largest group has z positive, and the other agrees with it as before.
    np.testing.assert_allclose(named["loading"], fit.loadings()["loading"], atol=1e-6)


def test_a_refit_can_be_turned_to_agree_with_another() -> None:
    data = balanced()
    whole = cfa(data, MODEL, context="context", engine="native")
    part = cfa(data.head(160), MODEL, context="context", engine="native", positive="cold")
    turned = part.turned_to(whole.loadings())
    assert (turned.loadings()["loading"] == -part.loadings()["loading"]).all()
    assert (turned.scores()["score"] == -part.scores()["score"]).all()
    with pytest.raises(DataError, match="context 'b' are missing"):
        part.turned_to(whole.loadings().query("context == 'a'"))


@pytest.mark.parametrize(
    ("model", "positive", "match"),
    [
        (MODEL, "hapy", "'hapy', which is not an indicator; did you mean 'happy'"),
        (MODEL, ["happy", "sad"], "for one factor, 'valence'; name only one of them"),
        (MODEL, {"other": "happy"}, "the factor 'other', which the model does not have"),
        (MODEL, {"valence": "subject"}, "not an indicator of 'valence'"),
        ("f =~ happy + warm + sad\ng =~ sad + cold", "sad", r"measures 'f', 'g'; state which"),
        ("f =~ 1*happy + warm + sad", "sad", "loading of 'happy' is fixed"),
    ],
)
def test_what_cannot_be_named_is_refused(model: object, positive: object, match: str) -> None:
    with pytest.raises(DataError, match=match):
        cfa(balanced(), model, positive=positive)


def test_where_all_loadings_are_positive_there_is_no_note() -> None:
    data = balanced()
    data[["sad", "cold"]] *= -1
    for fit in (cfa(data, MODEL, engine="native"), cfa(data, MODEL, positive="cold")):
        assert (fit.loadings()["loading"] > 0).all()
        assert fit.notes() == ()
    assert fit.provenance()["positive"] == {"valence": "cold"}


def test_fixed_values_keep_a_factor_as_it_is() -> None:
    data = two_factors()
    marked = cfa(data, "f =~ -1*x1 + x2 + x3 + x4")
    assert marked.loadings()["loading"][0] == -1
    tied = cfa(data, "f =~ x1 + x2 + x3 + x4\ng =~ y1 + y2 + y3 + y4\nf ~~ 0.4*g", positive="x3")
    assert tied.tidy().query("lhs == 'f' and rhs == 'g'")["estimate"].item() == 0.4
    assert tied.loadings().query("indicator == 'x3'")["loading"].item() > 0


def test_omega_is_of_the_sum_with_negative_keys_turned() -> None:
    data = balanced()
    found = cfa(data, MODEL, engine="native").reliability()
    plain = data.assign(sad=-data["sad"], cold=-data["cold"])
    wanted = cfa(plain, MODEL, engine="native").reliability()
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[column], wanted[column], rtol=1e-9)
    # By its definition: the variance of the keyed sum that the factor explains.
    table = cfa(data, MODEL, engine="native").loadings()
    total = np.abs(table["loading"]).sum() ** 2
    omega = total / (total + table["residual_variance"].sum())
    assert found.set_index("quantity").loc["omega", "estimate"] == pytest.approx(omega)
