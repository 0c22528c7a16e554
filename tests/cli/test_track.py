"""`pyexpr track`: options to arguments, and what is printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from behavior.spot_tracker import SIZE, spots
from behavior.video_files import write

from pyexpr.behavior.tracking.points_file import track_provenance
from pyexpr.cli.main import main

SPOT = "behavior.spot_tracker:BrightSpot"


def run(*arguments: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", "track", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        try:
            main()
        except SystemExit as stopped:
            return int(stopped.code or 0)
    return 0


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    write(folder / "s01.mp4", 4, size=SIZE, draw=lambda k: spots((20 + k, 20)))
    write(folder / "s02.mp4", 4, size=SIZE, draw=lambda _: spots())
    monkeypatch.chdir(tmp_path)
    return Path("videos")


def test_points_are_written_and_the_table_is_printed(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (
        videos, "--tracker", SPOT, "--faces", 2, "--option", "least=100", "--option", "wide=true",
        "--option", "order=up", "--option", "smooth=1", "--n-jobs", 1,
    )  # fmt: skip
    assert run(*command) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[0] == (
        "Points of 2 videos by bright-spot: a face in 4 of 8 frames"
    )
    assert "Note: 1 video shows no face: 'videos/s02.mp4'." in printed.out
    assert len(pd.read_parquet("tracks/s01.parquet")) == 4
    stored = track_provenance("tracks/s01.parquet")
    assert stored["faces"] == 2
    assert stored["options"] == {"least": 100, "smooth": 1.0, "order": "up", "wide": True}
    assert run(*command) == 0
    assert "(2 there already)" in capsys.readouterr().out
    assert run(videos, "--tracker", SPOT, "-o", "tracks", "--n-jobs", 1) == 1
    assert "that they may be replaced (--overwrite)" in capsys.readouterr().err
    assert run(videos, "--tracker", SPOT, "-o", "tracks", "--overwrite", "--n-jobs", 1) == 0


def test_what_is_skipped_is_listed(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (videos / "s00.mp4").write_text("no video")
    assert run(videos, "--tracker", SPOT, "--n-jobs", 1) == 1
    first = capsys.readouterr().err
    assert first.startswith("Error: 'videos/s00.mp4' is not a video")
    assert run(videos, "--tracker", SPOT, "--n-jobs", 1, "--on-error", "skip") == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "Warning: not tracked: videos/s00.mp4: 'videos/s00.mp4' is not a video"
    )
    assert "Points of 2 videos" in printed.out
    (videos / "s01.mp4").unlink()
    (videos / "s02.mp4").unlink()
    assert run(videos, "--tracker", SPOT, "--on-error", "skip", "-o", "others") == 1
    assert "Error: no video could be tracked: videos/s00.mp4: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("--tracker", "openface"), "there is no tracker 'openface', but 'mediapipe'"),
        (("--tracker", "behavior.spot_tracker:Small"), "name the file by --model"),
        (("--tracker", SPOT, "--model", "m"), "needs no model; leave --model out"),
        (("--tracker", SPOT, "--faces", "0"), "--faces must be a whole number"),
        (("--tracker", SPOT, "--option", "least=much"), "must be a whole number, not 'much'"),
        (("--tracker", SPOT, "--on-error", "go"), "--on-error must be one of 'stop', 'skip'"),
        (("--tracker", SPOT, "-o", "videos/s01.mp4"), "it is not a folder; choose another place"),
    ],
)
def test_bad_options_are_one_sentence(
    arguments: tuple[str, ...], printed: str, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(videos, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert printed in line


def test_an_option_is_a_name_and_a_value(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(videos, "--tracker", SPOT, "--option", "least") == 2
    assert "--option is given as name=value, not as 'least'" in " ".join(
        capsys.readouterr().err.replace("│", "").split()
    )
