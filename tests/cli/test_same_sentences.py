"""A command and the function it calls say the same of the same bad table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.cli.main import main

ROWS = 60


def predictions() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    subject = [f"s{number}" for number in range(ROWS // 3) for _ in range(3)]
    table = pd.DataFrame({"subject": subject, "truth": rng.normal(size=ROWS)})
    return table.assign(a=table["truth"] + rng.normal(size=ROWS), b=rng.normal(size=ROWS))


def ratings() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        (f"s{target}", "pain", "1", f"r{rater}", "emotion", int(rng.integers(5)))
        for target in range(12)
        for rater in range(4)
    ]
    return pd.DataFrame(rows, columns=["subject", "context", "clip", "rater", "question", "score"])


def items() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    factor = rng.normal(size=(ROWS, 1))
    table = pd.DataFrame(factor + rng.normal(size=(ROWS, 3)), columns=["x1", "x2", "x3"])
    return table.assign(task=["fear", "pain"] * (ROWS // 2))


# The table, its column of numbers and of labels, the function, and the command.
CALLS: dict[str, tuple[Callable[[], pd.DataFrame], str, str, Callable[[Any], Any], list[str]]] = {
    "compare": (
        predictions, "a", "subject",
        lambda t: px.compare_models(t, truth="truth", predictions=["a", "b"], cluster="subject"),
        ["--predictions", "a,b"],
    ),
    "icc": (
        ratings, "score", "subject",
        lambda t: px.icc(
            t, targets=["subject", "context", "clip"], ratings="score", context="question",
            raters="rater",
        ),
        ["--raters", "rater"],
    ),
    "cfa": (
        items, "x1", "task",
        lambda t: px.cfa(
            t, {"expressiveness": ["x1", "x2", "x3"]}, context="task", engine="native"
        ),
        ["--indicators", "x1,x2,x3", "--context", "task", "--engine", "native"],
    ),
}  # fmt: skip


def cell(column: int, value: object) -> Callable[..., pd.DataFrame]:
    """Return what puts a value into row 3 of the column of numbers (0) or of labels (1)."""

    def spoil(table: pd.DataFrame, *names: str) -> pd.DataFrame:
        spoiled = table.astype({names[column]: object})
        spoiled.loc[2, names[column]] = value
        return spoiled

    return spoil


BAD: dict[str, tuple[Callable[..., pd.DataFrame], str]] = {
    "no numbers": (lambda t, number, label: t.drop(columns=number), "no column '{number}'"),
    "no labels": (lambda t, number, label: t.drop(columns=label), "no column '{label}'"),
    "doubled": (
        lambda t, number, label: pd.concat([t, t[[number]]], axis=1),
        "two columns of the same name: '{number}'",
    ),
    "but for a blank": (
        lambda t, number, label: t.assign(**{f" {number}": 1.0}),
        "differ only in the spaces around them: '{number}', ' {number}'",
    ),
    "text": (cell(0, "high"), "must be a number, but row 3 holds 'high'"),
    "a truth value": (cell(0, "True"), "must be a number, but row 3 holds 'True'"),
    "infinite": (cell(0, np.inf), "must be finite, but row 3 holds inf"),
    "too large": (cell(0, 1e200), "as large as 1e+200 cannot be squared"),
    "a decimal comma": (cell(0, "0,5"), "row 3 holds '0,5'; write decimals with a point"),
    "Arabic-Indic digits": (cell(0, "\u0663"), "row 3 holds '\u0663'; write numbers in the digits"),
    "full-width digits": (cell(0, "1\uff12"), "row 3 holds '1\uff12'; write numbers in the digits"),
    "no label": (cell(1, None), "must not have missing values, but row 3 is empty"),
    "no rows": (lambda t, number, label: t[:0], "no rows"),
}  # fmt: skip


def error_of_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as stopped:
            main()
    message = capsys.readouterr().err
    assert stopped.value.code == 1, message
    (sentence,) = [line for line in message.splitlines() if line.startswith("Error: ")]
    return sentence.removeprefix("Error: ")


@pytest.mark.parametrize("command", CALLS)
@pytest.mark.parametrize("fault", BAD)
def test_the_same_sentence(
    command: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, number, label, function, options = CALLS[command]
    spoil, expected = BAD[fault]
    table = spoil(make(), number, label)
    file = tmp_path / "table.csv"
    table.to_csv(file, index=False)
    with pytest.raises(px.errors.DataError) as refused:
        function(table)
    message = error_of_command(capsys, command, file, *options)
    # The file is named once, and is all the difference.
    assert message.count(str(file)) == 1
    assert message.replace(f" ({file})", "") == str(refused.value)
    assert expected.format(number=number, label=label) in message


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "frame, timestamp\n1, 0\n"])
def test_the_same_sentence_of_a_recording(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clip.csv"
    file.write_text(content)
    with pytest.raises(px.errors.DataError) as refused:
        px.extract_features([str(file)], every=3)
    assert error_of_command(capsys, "features", file, "--every", 3) == str(refused.value)


def test_a_stray_comma_is_refused_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, (make, _, _, function, options) in CALLS.items():
        table = make()
        function(table)
        lines = table.to_csv(index=False).splitlines()
        lines[1] += ","
        file = tmp_path / f"{command}.csv"
        file.write_text("\n".join(lines))
        n = table.shape[1]
        assert f"({file}): line 2 has {n + 1} fields, but the header has {n}; " in (
            error_of_command(capsys, command, file, *options)
        )
