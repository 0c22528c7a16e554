"""Models as scripts write them, against lavaan's cfa() called with the same text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lavaan_direct import by_lavaan
from parity.factor_model import holzinger

from pyexpr.base.errors import DataError, EngineError
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.model_syntax import parse_model

# lavaan, as a user calls it, stops when its objective does not change by 1e-10 of itself.
LOGL = 1e-4
STANDARD = 2e-4

# One factor with free loadings, said in many ways: the built-in engine fits these, too.
PLAIN = (
    "f =~ x1 + x2 + x3 + x4",
    "f =~ NA*x1 + x2 + x3 + x4\nf ~~ 1*f",
    "f =~ x1 + start(0.8)*x2 + x3 + x4",
    "x1 + x2 ~ 1\nf =~ x1 + x2 + x3 + x4\nf ~ 0*1\nx3 ~~ x3",
    "# said\nf =~ x1 +   # more\n   x2 +\n\n   x3 + x4 # and more",
    "f =~ x1 + x2; f =~ x3 + x4",
)
OTHERS = (
    "f =~ 1*x1 + x2 + x3 + x4",
    "f =~ x1 + 1*x2 + x3 + x4",
    "f =~ NA*x1 + x2 + 1*x3 + x4",
    "f =~ 0.5*x1 + x2 + x3 + x4",
    "f =~ x1 + 0.5*x2 + x3 + x4",
    "f =~ 1*x1 + 1*x2 + 1*x3 + 1*x4",
    "f =~ x1 + a*x2 + a*x3 + x4",
    "f =~ NA*x1 + a*x1 + a*x2 + b*x3 + x4\nf ~~ 1*f",
    "f =~ l1*x1 + l2*x2 + l3*x3 + l4*x4",
    "f =~ x1 + x2 + x3 + x4\nf ~~ NA*f",
    "f =~ x1 + x2 + x3 + x4\nf ~~ v*f",
    "f =~ x1 + x2 + x3 + x4 + x5\nx1 ~~ x2 + x3",
    "f =~ x1 + x2 + x3 + x4\nx1 ~~ e*x1\nx2 ~~ e*x2",
    "f =~ x1 + x2 + x3 + x4\nx1 ~ 5*1\nx2 ~ i*1",
    "f =~ 1*x1 + x2 + x3 + x4\nx1 ~ 0*1\nf ~ 1",
    "f =~ x1 + x2 + x3\ng =~ 1*x4 + x5 + x6\nf ~~ g",
    "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~~ 0*g",
    "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~~ v*f\ng ~~ v*g",
    "f =~ x1 + x2 + x3\ng =~ 1*x4",
    "f =~ x1 + label('a')*x2 + start(.5)*a*x3 + x4",
)
CODE = """
m <- c({models})
unlist(lapply(m, function(text) {{
  f <- cfa(text, d, meanstructure = TRUE)
  s <- standardizedSolution(f)
  s <- s[s$op == "=~", ]
  c(fitMeasures(f, c("chisq", "df", "npar", "logl")), s$est.std[order(s$lhs, s$rhs)])
}}))
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Chi-square, df, parameters, log-likelihood and standardised loadings, by lavaan itself."""
    models = ", ".join('"' + model.replace("\n", "\\n") + '"' for model in (*PLAIN, *OTHERS))
    folder: Path = tmp_path_factory.mktemp("syntax")
    numbers = by_lavaan(folder, holzinger(), CODE.format(models=models)).tolist()
    found = {}
    for model in (*PLAIN, *OTHERS):
        n = 4 + sum(term.op == "=~" for term in parse_model(model).terms)
        found[model], numbers = numbers[:n], numbers[n:]
    assert not numbers
    return found


def compare(model: str, engine: str, wanted: list[float]) -> None:
    found = cfa(holzinger(), model, engine=engine)
    row = found.glance().iloc[0]
    assert (row["df"], row["npar"]) == (wanted[1], wanted[2])
    assert row["chisq"] == pytest.approx(wanted[0], abs=LOGL)
    assert row["logl"] == pytest.approx(wanted[3], abs=LOGL)
    loadings = found.loadings().sort_values(["factor", "indicator"])["std_loading"].to_numpy()
    assert np.abs(loadings) == pytest.approx(np.abs(wanted[4:]), abs=STANDARD)


@pytest.mark.parametrize("model", [*PLAIN, *OTHERS])
def test_a_model_is_what_lavaan_makes_of_it(model: str, theirs: dict[str, list[float]]) -> None:
    compare(model, "rpy2", theirs[model])


@pytest.mark.parametrize("model", PLAIN)
def test_the_native_engine_reads_what_it_can_fit(
    model: str, theirs: dict[str, list[float]]
) -> None:
    compare(model, "native", theirs[model])


def test_other_engines_to_lavaan_and_the_native_refusal(theirs: dict[str, list[float]]) -> None:
    model = OTHERS[0]
    compare(model, "rscript", theirs[model])
    for other in OTHERS:
        with pytest.raises(EngineError, match="native"):
            cfa(holzinger(), other, engine="native")


def test_a_marker_gives_the_factor_the_unit_of_its_indicator(tmp_path: Path) -> None:
    model = "f =~ 1*x1 + x2 + x3 + x4"
    found = cfa(holzinger(), model).tidy().set_index(["lhs", "op", "rhs"])
    code = (
        f"p <- parameterEstimates(cfa('{model}', d)); p <- p[order(p$lhs, p$op, p$rhs), ];"
        "c(p$est, p$se)"
    )
    wanted = by_lavaan(tmp_path, holzinger(), code).reshape(2, 9)
    ours = found.query("op != '~1'").sort_index()[["estimate", "std_error"]].to_numpy().T
    # R sorts =~ before ~~ as we do here.
    np.testing.assert_allclose(ours, wanted, atol=STANDARD)
    assert found.loc[("f", "~~", "f"), "reason"] == ""
    assert found.loc[("f", "=~", "x1"), "reason"] == "fixed"


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("d := a - b", "defines a parameter"),
        ("a == b", "constraint.*one label"),
        ("v > 0", "inequality"),
        ("x1 | t1", r"thresholds.*ordered="),
        ("level: 1", "block.*cluster="),
        ("f <~ x1 + x2", "formative"),
        ("f =~ c(a, a)*x1 + x2", "a value for each context.*one label"),
        ("f =~ x1 + equal('f=~x1')*x2", "the same label instead"),
        ('efa("e")*f =~ x1 + x2', "exploratory"),
        ("f =~ x1 + sin(2)*x2", "is not understood"),
        ("f =~ NA*x1 + 1*x1 + x2 + x3", "'f =~ x1' twice"),
        ("f =~ x1 + 1", "cannot read '1'"),
        ("f ~ x1", "regression"),
        ("f ~ 1 + x1", "regression"),
        ("x1 %in% f", "not understood"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(statement: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        parse_model(statement)
