"""The command plan gives what the function gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr

import pyexpr as px


def test_a_plan_of_a_pilot_and_the_numbers_needed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=60)
    pilot = pd.DataFrame({
        "subject": np.repeat([f"s{i:02}" for i in range(10)], 6), "y": y,
        "a": y + rng.normal(size=60), "b": y + rng.normal(size=60),
    })  # fmt: skip
    pilot.to_csv(tmp_path / "pilot.csv", index=False)
    needed = tmp_path / "needed.csv"
    found = json.loads(pyexpr(
        "plan", tmp_path / "pilot.csv", "--difference", "0.2", "--metric", "correlation", "--truth",
        "y", "--predictions", "a,b", "--cluster", "subject", "--n-subjects", "20,40", "--n-clips",
        "3", "--n-studies", "40", "--power", "0.5", "--required", needed, "--json",
    ))  # fmt: skip
    plan = px.plan_study(
        pilot, difference=0.2, metric="correlation", truth="y", predictions=["a", "b"],
        cluster="subject", n_subjects=[20, 40], n_clips=3, n_studies=40, power=0.5,
    )  # fmt: skip
    assert found["table"] == plan.to_dict()["table"]
    table = pd.read_csv(needed, keep_default_na=False, na_values=[""])
    assert table["power"].tolist() == [0.5]
    assert table.columns.tolist() == plan.required().columns.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--published", "rmse"], "--published must be name=number"),
        (["--published", "rmse=1"], "lacks 'between_errors'"),
        (["--slope", "1"], "give exactly one of --difference, --slope"),
        (["--n-clips", "a"], "--n-clips must be whole numbers"),
    ],
)
def test_options_that_make_no_plan(options: list[str], message: str) -> None:
    code = 1 if "=1" in options[-1] or options[0] == "--slope" else 2
    errors = pyexpr(
        "plan", "--n-subjects", "20", "--difference", "0.1", "--metric", "rmse", *options, code=code
    )
    assert message in " ".join(errors.replace("│", " ").split())
