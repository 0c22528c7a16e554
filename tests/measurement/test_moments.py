"""Names of parameters, and implied beside observed moments, in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.moments import free_parameters, group_moments

# A just identified model reproduces what was observed, as near as the optimiser comes.
OPTIMISER = 1e-6


def ratings() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    factor = rng.normal(size=300)
    weights = {"a": 1, "b": 2, "c": 3}
    columns = {name: factor * w + rng.normal(size=300) for name, w in weights.items()}
    return pd.DataFrame(columns | {"task": np.repeat(["joy", "pain"], 150)})


def test_parameters_have_lavaans_names_in_the_order_of_their_covariance() -> None:
    fit = cfa(ratings(), {"f": ["a", "b", "c"]}, context="task", engine="native")
    names, estimates = free_parameters(fit.output)
    first = ["f=~a", "f=~b", "f=~c", "a~~a", "b~~b", "c~~c", "a~1", "b~1", "c~1"]
    assert sorted(names[:9]) == sorted(first)
    assert names[9:] == [f"{name}.g2" for name in names[:9]]
    assert fit.output.vcov.shape == (18, 18)
    table = fit.tidy()
    free = table[table["reason"] == ""]
    at = {
        f"{r.lhs}{r.op}{r.rhs}{'.g2' if r.task == 'pain' else ''}": (r.estimate, r.std_error)
        for r in free.itertuples()
    }
    np.testing.assert_array_equal(estimates, [at[name][0] for name in names])
    # The square root of a square: rounding.
    np.testing.assert_allclose(
        np.sqrt(np.diag(fit.output.vcov)), [at[name][1] for name in names], rtol=1e-12
    )


def test_a_just_identified_model_implies_what_was_observed() -> None:
    data = ratings()
    fit = cfa(data, {"f": ["a", "b", "c"]}, context="task", engine="native")
    for code, (_, part) in enumerate(data.groupby("task")):
        found = group_moments(fit, code)
        own = part[["a", "b", "c"]].to_numpy()
        assert found.observed_covariance is not None
        # Sums in another order: rounding.
        np.testing.assert_allclose(
            found.observed_covariance, np.cov(own, rowvar=False, ddof=0), rtol=1e-12
        )
        np.testing.assert_allclose(found.covariance, found.observed_covariance, rtol=OPTIMISER)
        np.testing.assert_allclose(found.mean, own.mean(axis=0), atol=OPTIMISER)


def test_without_complete_rows_there_is_no_observed_covariance() -> None:
    data = ratings()
    data.loc[3, "a"] = np.nan
    found = group_moments(cfa(data, {"f": ["a", "b", "c"]}, missing="listwise", engine="native"), 0)
    assert found.reason == ""
    complete = data[["a", "b", "c"]].dropna()
    np.testing.assert_allclose(found.observed_mean, complete.mean(), rtol=1e-12)
