"""The bridge with a lavaan that has other names: those of 0.7, on the lavaan that is here.

A stand-in for the namespace has snake_case arguments and options only, refuses names with dots
as a later lavaan will, returns snake_case names, and hands all on to the real functions.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from parity.factor_model import PROBLEMS

from pyexpr.base.tables import label_codes
from pyexpr.measurement.columns import indicator_columns
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.protocol import (
    FitRequest,
    bridge_text,
    fit_output,
    read_answer,
    request_payload,
)
from pyexpr.measurement.model_syntax import parse_model

STAND_IN = r"""
folder <- commandArgs(TRUE)[[1]]
seen <- character()
snake <- function(x) gsub(".", "_", x, fixed = TRUE)
dotted <- function(x) gsub("_", ".", x, fixed = TRUE)
renamed <- function(real, back) {
    parts <- formals(real)
    names(parts) <- ifelse(names(parts) == "...", "...", snake(names(parts)))
    f <- function() NULL
    formals(f) <- parts
    body(f) <- bquote({
        requested <- as.list(match.call(expand.dots = TRUE))[-1L]
        where <- parent.frame()
        .(back)(lapply(requested, eval, where))
    })
    f
}
on <- function(real) function(arguments) {
    given <- names(arguments)[nzchar(names(arguments))]
    if (any(grepl(".", given, fixed = TRUE))) stop("unknown argument ", given)
    seen <<- union(seen, given)
    names(arguments) <- dotted(names(arguments))
    # By name: lavaan reads its own call.
    do.call(real, arguments, envir = asNamespace("lavaan"))
}
stand_in <- list(
    cfa = renamed(lavaan::cfa, on("cfa")), lavaan = renamed(lavaan::lavaan, on("lavaan")),
    lavOptions = function() setNames(lavaan::lavOptions(), snake(names(lavaan::lavOptions()))),
    fitMeasures = function(object) {
        found <- lavaan::fitMeasures(object)
        setNames(found, snake(names(found)))
    },
    standardizedSolution = function(object) {
        found <- lavaan::standardizedSolution(object)
        setNames(found, snake(names(found)))
    },
    parTable = lavaan::parTable, lavInspect = lavaan::lavInspect)
bridge <- new.env(parent = baseenv())
sys.source(file.path(folder, "bridge.R"), bridge)
assign("::", function(package, name) {
    name <- as.character(substitute(name))
    if (as.character(substitute(package)) == "lavaan") stand_in[[name]]
    else getExportedValue(as.character(substitute(package)), name)
}, bridge)
for (file in list.files(folder, "[.]in$", full.names = TRUE)) {
    seen <- character()
    bridge$pyexpr_answer_file(file, sub("in$", "out", file))
    writeLines(seen, sub("in$", "seen", file))
}
"""
CASES = ["one_by_school", "three_factors", "fiml", "cluster", "startle", "pain", "disgust"]


def request(case: str) -> FitRequest:
    problem = PROBLEMS[case]
    rows, model = problem.rows(), parse_model(problem.model)
    # What is a context here is a group of lavaan's.
    codes = {
        ours: label_codes(rows[problem.options[name]], name=name, what="rows")[0]
        for ours, name in (("group", "context"), ("cluster", "cluster"))
        if name in problem.options
    }
    return FitRequest(
        model=model,
        columns=indicator_columns(rows, model),
        n_groups=2 if "group" in codes else 1,
        estimator="MLR" if "cluster" in codes else "ML",
        missing=problem.options.get("missing", "listwise"),
        **codes,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answers of the bridge with the stand-in."""
    found = tmp_path_factory.mktemp("names")
    (found / "bridge.R").write_text(bridge_text(), encoding="utf-8")
    for case in CASES:
        (found / f"{case}.in").write_bytes(wire.encode(request_payload(request(case))))
    subprocess.run(["Rscript", "--vanilla", "-e", STAND_IN, str(found)], check=True,
                   capture_output=True)  # fmt: skip
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_lavaan_with_other_names_gives_the_same(case: str, folder: Path) -> None:
    from pyexpr.measurement.engines.rpy2_engine import Rpy2Engine

    requested = request(case)
    found = fit_output(requested, read_answer((folder / f"{case}.out").read_bytes()))
    wanted = Rpy2Engine().fit(requested)
    assert found.parameters.lhs == wanted.parameters.lhs
    for name in ("estimate", "std_error", "std_all", "std_all_error"):
        ours, theirs = getattr(found.parameters, name), getattr(wanted.parameters, name)
        np.testing.assert_array_equal(ours, theirs)
    assert found.measures.keys() == wanted.measures.keys()
    np.testing.assert_array_equal(list(found.measures.values()), list(wanted.measures.values()))


def test_renamed_arguments_travel_through(folder: Path) -> None:
    seen = {case: set((folder / f"{case}.seen").read_text().split()) for case in CASES}
    for names in seen.values():
        assert {"std_lv", "meanstructure", "estimator", "missing"} <= names
    assert "group" in seen["one_by_school"]
    assert "cluster" in seen["cluster"]
    # Where nlminb stops short lavaan's Gauss-Newton goes on, by options of its own.
    newton = [names for names in seen.values() if "optim_method" in names]
    assert newton
    assert all(names & {"optim_gn_tol_x", "gn_args"} for names in newton)


def test_an_interrupt_of_r_is_an_interrupt_here(tmp_path: Path) -> None:
    (tmp_path / "bridge.R").write_text(bridge_text(), encoding="utf-8")
    code = (
        "source('bridge.R'); pyexpr_handle <- function(request) "
        "signalCondition(structure(list(), class = c('interrupt', 'condition')));"
        "writeBin(pyexpr_answer(serialize(list(task = 'versions'), NULL)), 'answer')"
    )
    subprocess.run(["Rscript", "--vanilla", "-e", code], cwd=tmp_path, check=True)
    with pytest.raises(KeyboardInterrupt):
        read_answer((tmp_path / "answer").read_bytes())
