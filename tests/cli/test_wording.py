"""The command line speaks of its options, where a function speaks of its arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.messages import say
from pyexpr.cli.main import main
from pyexpr.cli.wording import with_options


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Ratings of 3 clips of each of 10 subjects by 4 raters."""
    rng = np.random.default_rng(1)
    rows = [
        (f"s{clip // 3}", "pain", clip, f"r{rater}", "emotion", clip + rng.normal())
        for clip in range(30)
        for rater in range(4)
    ]
    names = ["subject", "context", "clip", "rater", "question", "score"]
    path = tmp_path / "ratings.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str, object]:
    """Return what a command prints, what it says beside, and its status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as stopped:
            main()
    out, err = capsys.readouterr()
    # An error of usage stands in a box.
    return out, " ".join(err.replace("│", " ").split()), stopped.value.code


@pytest.mark.parametrize("command", ["icc", "cfa", "compare"])
@pytest.mark.parametrize("option", ["--by", "--group", "--contexts"])
def test_another_name_of_the_column_of_contexts_is_explained(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err, code = printed(capsys, command, "table.csv", option, "task")
    assert code == 2
    assert f"there is no option {option}; the column of contexts is --context" in err


def test_where_there_are_no_contexts_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("features", "clip.csv", "--by", "task"), ("icc", "a.csv", "--contxt", "b")):
        _, err, code = printed(capsys, *arguments)
        assert code == 2
        assert f"No such option: {arguments[2]}" in err
        assert "the column of contexts is" not in err


def test_warnings_and_notes_name_options(ratings: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyexpr.cli.main", "icc", str(ratings)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for text in (done.stdout, done.stderr):
        assert "--cluster subject accounts for this" in text
        assert "cluster=" not in text
    assert "Note: --raters was not given, so only the one-way forms are computed" in done.stdout


def test_errors_name_options(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nrmse = ("compare", ratings, "--truth", "score", "--predictions", "clip", "--metrics", "nrmse")
    _, err, code = printed(capsys, *nrmse)
    assert code == 1
    assert "from the data; give --score-range, the highest possible score" in err
    (tmp_path / "there.csv").touch()
    _, err, code = printed(capsys, "icc", ratings, "-o", tmp_path / "there.csv")
    assert code == 1
    assert err.endswith("say that it may be replaced (--overwrite)")
    _, err, code = printed(capsys, "icc", ratings, "--targets", "subject", "--context", "")
    assert code == 1
    assert "use --targets subject,clip with 'subject' as --cluster; pyexpr multilevel" in err


def test_what_the_user_named_stays() -> None:
    options = ["--cluster", "--targets", "--n-boot", "--overwrite"]
    for text, expected in (
        ("no column 'cluster='; {cluster=}", "no column 'cluster='; --cluster"),
        ("{cluster='my subject'}", "--cluster 'my subject'"),
        ("({overwrite=True})", "(--overwrite)"),
        ("{cluster=False}", "cluster=False"),
        ("{n_boot=200}, {seed=1}", "--n-boot 200, seed=1"),
        ("{targets=['a b', 'c']} and {targets=}", "--targets 'a b',c and --targets"),
        ("/home/cluster=/x.csv has no rows", "/home/cluster=/x.csv has no rows"),
        ("it's the subject's {cluster=}", "it's the subject's --cluster"),
    ):
        assert with_options(say(text), options) == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("series", "a.csv", "--every", "abc"), "'--every': must be a number, not 'abc'"),
        (("compare", "a.csv", "--n-boot", "1.5"), "'--n-boot': must be a whole number, not '1.5'"),
    ],
)
def test_values_that_are_no_numbers(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err, code = printed(capsys, *arguments)
    assert code == 2
    # Versions of Typer that do not use pydantic say "'abc' is not a valid float.".
    assert sentence in err or "is not a valid" in err
    assert "nput should" not in err
