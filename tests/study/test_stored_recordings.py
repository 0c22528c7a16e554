"""What was computed of a recording is stored under its content and options, and used again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from pyarrow import parquet

import pyexpr as px
from pyexpr.base import known_hashes
from pyexpr.base.errors import OpenFaceError, PyexprWarning, StudyError
from pyexpr.base.files import OutputError, sha256
from pyexpr.base.saved import pack
from pyexpr.behavior.features import features as extraction
from pyexpr.behavior.features import many_recordings, one_recording, row_store
from pyexpr.behavior.features.row_store import RowStore, rows_stored, store_files
from pyexpr.behavior.features.rows_file import is_rows_file, is_whole
from pyexpr.cli.main import main
from pyexpr.study.kept.features_files import FeaturesFiles
from pyexpr.study.pipeline import Study

HEADER = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,AU12_r,AU12_c\n"
TOML = """title = "Small"
seed = 1
[label]
method = "question"
question = {questions}
[features]
{features}
"""


def content(number: int, header: str = HEADER) -> str:
    rows = (
        f"{k + 1},{k / 25:.2f},0.98,{k % 7 > 0:d},{number * k % 17:.1f},0,500,{k % 5},{k % 2}\n"
        for k in range(80)
    )
    return header + "".join(rows)


def write(folder: Path, n: int, features: str = "", questions: str = '"joy"') -> Study:
    """Write the tables of `n` recordings, the files that are not there, and the study file."""
    recordings, ratings = [], []
    for number in range(n):
        path = folder / f"{number}.csv"
        if not path.exists():
            path.write_text(content(number))
        recordings.append((f"s{number}", "talk", path.name))
        ratings += [
            (f"s{number}", "talk", clip, "r", question, number % 3)
            for clip in "12" for question in ("joy", "fear")
        ]  # fmt: skip
    pd.DataFrame(recordings, columns=["subject", "context", "openface"]).to_csv(
        folder / "recordings.csv", index=False
    )
    pd.DataFrame(
        ratings, columns=["subject", "context", "clip", "rater", "question", "score"]
    ).to_csv(folder / "ratings.csv", index=False)
    segments = (
        f'[[clips.segments]]\ncontext = "talk"\nstart = {k}\nend = {k + 1.5}\n' for k in (0, 1.5)
    )
    toml = TOML.format(features=features, questions=questions)
    (folder / "study.toml").write_text(toml + "".join(segments))
    return Study.from_file(folder / "study.toml")


class Reads:
    """The names of the recordings that were read for their features, or hashed."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.hashed: list[str] = []

    def of(self, call: Callable[[], object]) -> tuple[list[str], list[str]]:
        self.read, self.hashed = [], []
        call()
        return sorted(self.read), sorted(self.hashed)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    read_recording, hashed_file = one_recording.read_recording, known_hashes.hashed_file

    def read(path: str, *args: Any, **options: Any) -> Any:
        found.read.append(Path(path).stem)
        return read_recording(path, *args, **options)

    def hashed(path: Path) -> Any:
        found.hashed.append(path.stem)
        return hashed_file(path)

    monkeypatch.setattr(one_recording, "read_recording", read)
    monkeypatch.setattr(known_hashes, "hashed_file", hashed)
    # Files are written while this runs; here all of them count as written long ago.
    monkeypatch.setattr(known_hashes, "now_ns", lambda folder: 2**62)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(study: Study) -> Callable[[], object]:
    return lambda: study.features(progress=False)


def stage(study: Study) -> bytes:
    study.features(progress=False)
    return (study.output / "stages" / "features.zip").read_bytes()


def stored(study: Study) -> list[Path]:
    return sorted((study.output / "stages" / "recordings").glob("*.parquet"))


def test_adding_a_recording_reads_one(folder: Path, reads: Reads) -> None:
    first = write(folder, 3)
    assert reads.of(run(first)) == (["0", "1", "2"], ["0", "1", "2"])
    assert reads.of(run(write(folder, 4))) == (["3"], ["3"])
    # Nothing new: the stage is as stored, and no file is read.
    again = write(folder, 4)
    assert reads.of(run(again)) == ([], [])
    assert again.reused == ["features"]
    assert again.input_hashes["3.csv"] == sha256(folder / "3.csv")
    # The same bytes as of one run that reads all.
    whole = stage(again)
    for name in ("recordings", "features.zip", "hashes.json"):
        path = again.output / "stages" / name
        path.rename(path.with_name(f"{name}.old"))
    assert stage(write(folder, 4)) == whole


def test_an_option_recomputes_all_and_the_old_one_none(folder: Path, reads: Reads) -> None:
    run(write(folder, 3))()
    assert reads.of(run(write(folder, 3, "rate = 2.5"))) == (["0", "1", "2"], [])
    assert reads.of(run(write(folder, 3))) == ([], [])
    # Only where other action units are common do the rows of a recording change.
    assert reads.of(run(write(folder, 3, 'on_mixed = "keep"'))) == ([], [])


def test_a_study_that_moves_keeps_what_it_has(folder: Path, reads: Reads) -> None:
    before = write(folder, 3).features(progress=False).tables
    other = folder.with_name("elsewhere")
    folder.rename(other)
    moved = Study.from_file(other / "study.toml")
    (moved.output / "stages" / "features.zip").unlink()
    assert reads.of(run(moved)) == ([], [])
    for name, table in moved.features(progress=False).tables.items():
        pd.testing.assert_frame_equal(table, before[name])
    other.rename(folder)


def test_an_unusable_recording_costs_no_other(folder: Path, reads: Reads) -> None:
    study = write(folder, 4)
    (folder / "1.csv").write_text("nothing")
    with pytest.raises(
        OpenFaceError,
        match=r"1\.csv.*; the features of the other 3 recordings are stored, and the next run "
        r'reads only this one; on_error = "skip" under \[features\] leaves such recordings out',
    ):
        run(study)()
    (folder / "1.csv").write_text(content(1))
    assert reads.of(run(study))[0] == ["1"]
    for number in (0, 2):
        (folder / f"{number}.csv").write_text(f"nothing {number}")
    with pytest.raises(OpenFaceError, match=r"^2 of 4 recordings cannot be used, first .*0\.csv"):
        run(study)()
    skipping = write(folder, 4, 'on_error = "skip"')
    assert reads.of(run(skipping))[0] == ["0", "2"]
    assert len(skipping.features().tables["dropped_clips"]) == 2


def test_a_run_that_is_ended_goes_on_with_what_is_done(
    folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    study = write(folder, 5)
    read = one_recording.read_recording

    def until_the_third(path: str, *args: Any, **options: Any) -> Any:
        if Path(path).stem == "2":
            raise Killed
        return read(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(extraction, "checked_jobs", lambda n_jobs: 1)
        patch.setattr(one_recording, "read_recording", until_the_third)
        with pytest.raises(Killed):
            run(study)()
    assert len(stored(study)) == 2
    assert reads.of(run(write(folder, 5))) == (["2", "3", "4"], [])


def half(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def other_digit(raw: bytes) -> bytes:
    at = raw.index(b'"n_clips": 2') + len('"n_clips": ')
    return raw[:at] + b"3" + raw[at + 1 :]


def other_bit(raw: bytes) -> bytes:
    return raw[:200] + bytes([raw[200] ^ 1]) + raw[201:]


@pytest.mark.parametrize("damage", [half, other_digit, other_bit, lambda raw: b""])
def test_a_damaged_file_is_computed_again(
    folder: Path, reads: Reads, damage: Callable[[bytes], bytes]
) -> None:
    study = write(folder, 3)
    whole = stage(study)
    path = stored(study)[0]
    raw = path.read_bytes()
    assert is_whole(raw)
    path.write_bytes(damage(raw))
    assert not is_whole(path.read_bytes())
    assert is_rows_file(path.read_bytes())
    (study.output / "stages" / "features.zip").unlink()
    study = write(folder, 3)
    with pytest.warns(PyexprWarning, match=r"^1 stored file was damaged, first .*computed again"):
        found = reads.of(run(study))
    assert len(found[0]) == 1
    assert stage(study) == whole
    assert path.read_bytes() == raw


def test_a_file_of_another_key_is_not_taken_for_its_own(folder: Path, reads: Reads) -> None:
    study = write(folder, 3)
    run(study)()
    one, two, _ = stored(study)
    two.write_bytes(one.read_bytes())
    (study.output / "stages" / "features.zip").unlink()
    with pytest.warns(PyexprWarning, match="1 stored file was damaged"):
        assert len(reads.of(run(write(folder, 3)))[0]) == 1


def test_two_runs_at_once(folder: Path) -> None:
    studies = [write(folder, 6) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(stage, studies)
    assert others == [first, first]
    assert len(stored(studies[0])) == 6
    assert all(is_whole(path.read_bytes()) for path in stored(studies[0]))
    assert not [path for path in stored(studies[0])[0].parent.iterdir() if path.name[0] == "."]


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise OutputError("the place is read-only")

    study = write(folder, 3)
    expected = study.features(progress=False).tables["features"]
    other = Study.from_file(folder / "study.toml", output=folder / "other")
    with monkeypatch.context() as patch:
        patch.setattr(row_store, "whole_file", refuse)
        patch.setattr(known_hashes, "write_text", refuse)
        with pytest.warns(PyexprWarning, match="could not be stored, .*: the place is read-only"):
            found = other.features(progress=False).tables["features"]
    pd.testing.assert_frame_equal(found, expected)
    # What is there is read where nothing can be written.
    with monkeypatch.context() as patch:
        patch.setattr(known_hashes, "write_text", refuse)
        pd.testing.assert_frame_equal(
            Study.from_file(folder / "study.toml").features().tables["features"], expected
        )


def test_files_that_are_not_used_are_removed_when_asked(folder: Path) -> None:
    study = write(folder, 4)
    run(study)()
    run(write(folder, 4, "rate = 2.5"))()
    run(write(folder, 3))()
    files = FeaturesFiles(study.output / "stages", study.output)
    assert len(stored(study)) == 8
    own = files.folder / f"{'a' * 64}.parquet"
    pd.DataFrame({"x": [1]}).to_parquet(own)
    (files.folder / "mine.txt").write_text("")
    assert files.unused_note().startswith("5 stored files (0.")
    assert files.removed().startswith("5 stored files")
    assert files.removed() == files.unused_note() == ""
    assert len(stored(study)) == 4
    assert own.exists()
    assert (files.folder / "mine.txt").exists()
    # What is not known is not removed.
    (study.output / "stages" / "recordings.json").write_text("{")
    assert FeaturesFiles(study.output / "stages", study.output).unused() == []


def test_the_options_of_a_run(
    folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Study, "_run", lambda self, **options: self.features())
    monkeypatch.setattr("pyexpr.study.results.summary.print_summary", lambda result: None)

    def command(*options: str) -> None:
        monkeypatch.setattr(sys, "argv", ["pyexpr", "run", str(folder / "study.toml"), *options])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()

    write(folder, 4)
    command()
    write(folder, 3)
    command()
    assert "1 stored file (0.0 MB) in " in capsys.readouterr().err
    assert reads.of(lambda: command("--verify", "--clean")) == ([], ["0", "1", "2"])
    assert "1 stored file (0.0 MB) that the study does not use was removed" in (
        capsys.readouterr().err
    )
    # Of several labels the first one's run verifies what all of them read.
    write(folder, 3, questions='["joy", "fear"]')
    monkeypatch.setattr("pyexpr.study.pipeline.OutcomesResult", lambda *args: Nothing())
    assert reads.of(lambda: command("--verify")) == ([], ["0", "1", "2"])


class Nothing:
    def write_index(self, **options: Any) -> None:
        pass


def test_labels_share_what_is_stored(folder: Path, reads: Reads) -> None:
    study = write(folder, 3, questions='["joy", "fear"]')
    joy, fear = study.outcomes.values()
    assert reads.of(run(joy)) == (["0", "1", "2"], ["0", "1", "2"])
    assert reads.of(run(fear)) == ([], [])
    assert len(stored(study)) == 3
    assert FeaturesFiles(study.output / "stages", joy.output, fear.output).unused() == []


# --- hashes ---------------------------------------------------------------------------------------


def replaced(path: Path, text: str) -> None:
    """Write other text of the same length, and restore the time of modification."""
    status = path.stat()
    assert len(text) == status.st_size
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_was_touched_is_hashed_and_not_computed(folder: Path, reads: Reads) -> None:
    run(write(folder, 3))()
    os.utime(folder / "1.csv", ns=(0, 10**18))
    study = write(folder, 3)
    assert reads.of(run(study)) == ([], ["1"])
    assert study.reused == ["features"]
    assert reads.of(run(write(folder, 3))) == ([], [])
    # On this system a restored time is noticed by that of the change of status.
    replaced(folder / "1.csv", content(1).replace("0.98", "0.97"))
    assert reads.of(run(write(folder, 3))) == (["1"], ["1"])


def test_a_restored_time_is_noticed_by_verify(
    folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file system without the time of the last change of status.
    monkeypatch.setattr(
        known_hashes, "_compared",
        lambda state: (state.size, state.modified_ns, 0, state.inode),
    )  # fmt: skip
    before = stage(write(folder, 3))
    replaced(folder / "1.csv", content(1).replace("0.98", "0.97"))
    assert reads.of(run(write(folder, 3))) == ([], [])
    study = write(folder, 3)
    monkeypatch.setattr(study, "_run", lambda **options: study.features())
    with pytest.warns(PyexprWarning, match=r"content of 1 file .* not the size and times: '1.csv'"):
        found = reads.of(lambda: study._run_verified(verify=True))
    assert found == (["1"], ["0", "1", "2"])
    after = stage(write(folder, 3))
    assert after != before
    # Nothing has changed since: the same bytes with and without.
    study = write(folder, 3)
    monkeypatch.setattr(study, "_run", lambda **options: study.features())
    assert reads.of(lambda: study._run_verified(verify=True)) == ([], ["0", "1", "2"])
    assert stage(study) == after


def test_a_hash_that_reading_contradicts_is_forgotten(
    folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        known_hashes, "_compared",
        lambda state: (state.size, state.modified_ns, 0, state.inode),
    )  # fmt: skip
    run(write(folder, 3))()
    replaced(folder / "1.csv", content(1).replace("0.98", "0.97"))
    other = "rate = 2.5"
    with pytest.raises(StudyError, match=r"1 file of the study changed while it was used: '1.csv'"):
        run(write(folder, 3, other))()
    assert reads.of(run(write(folder, 3, other))) == (["1"], ["0", "1", "2"])


def test_a_file_that_has_just_changed_is_hashed_again(
    folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write(folder, 3)
    changed = [(folder / f"{n}.csv").stat().st_ctime_ns for n in range(3)]
    # Two seconds, which some file systems do not resolve.
    monkeypatch.setattr(known_hashes, "now_ns", lambda folder: max(changed) + 2 * 10**9)
    assert reads.of(run(study)) == (["0", "1", "2"], ["0", "1", "2"])
    monkeypatch.setattr(known_hashes, "now_ns", lambda folder: max(changed) + 2 * 10**9 + 1)
    assert "2" in reads.of(run(write(folder, 3)))[1]
    assert reads.of(run(write(folder, 3))) == ([], [])


@pytest.mark.parametrize(
    "kept", ["", "{", '{"what": "pyexpr: hashes of input files", "format": 0, "files": {}}']
)
def test_damaged_hashes_are_computed_again(folder: Path, reads: Reads, kept: str) -> None:
    study = write(folder, 3)
    run(study)()
    path = study.output / "stages" / "hashes.json"
    whole = path.read_text()
    path.write_text(kept)
    assert reads.of(run(write(folder, 3))) == ([], ["0", "1", "2"])
    assert path.read_text() == whole
    path.write_text("my own")
    assert reads.of(run(write(folder, 3))) == ([], ["0", "1", "2"])
    assert path.read_text() == "my own"


def test_the_clock_of_the_file_system_counts(folder: Path) -> None:
    now = known_hashes.now_ns(folder)
    assert known_hashes.now_ns(folder / "absent") >= now
    (folder / "file").touch()
    assert now <= (folder / "file").stat().st_mtime_ns


# --- what rows depend on --------------------------------------------------------------------------


def test_a_layout_and_its_base_are_inputs(folder: Path, reads: Reads) -> None:
    write(folder, 3)
    (folder / "base.toml").write_text(
        "time.column = 'timestamp'\nblendshapes = { columns = ['AU12_r'], unit = '0 to 5' }\n"
    )
    (folder / "own.toml").write_text('base = "base.toml"\n')
    option = 'layout = "own.toml"'
    study = write(folder, 3, option)
    assert reads.of(run(study))[0] == ["0", "1", "2"]
    assert {"own.toml", "base.toml"} <= {*study.input_hashes}
    assert reads.of(run(write(folder, 3, option))) == ([], [])
    text = (folder / "base.toml").read_text()
    (folder / "base.toml").write_text(text.replace("AU12_r", "AU12_c"))
    assert reads.of(run(write(folder, 3, option)))[0] == ["0", "1", "2"]


def test_videos_that_tell_the_times_are_inputs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write(folder, 3, 'clock = "video"')
    table = pd.read_csv(folder / "recordings.csv")
    table["video"] = [f"{number}.avi" for number in range(3)]
    table.to_csv(folder / "recordings.csv", index=False)
    for name in table["video"]:
        (folder / name).write_text(name)
    key = study._key("features")
    assert str(folder / "1.avi") in study._sources().by_path()
    (folder / "1.avi").write_text("another")
    assert study._key("features") != key


OPTIONS: list[dict[str, Any]] = [
    {},
    {"baseline": "all", "extra": ("variability", "au_dynamics")},
    {"on_mixed": "keep"},
]


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_stored_rows_are_those_that_were_computed(
    folder: Path, options: dict[str, Any], elsewhere: bool
) -> None:
    """To the last bit, with messages as messages; also where workers elsewhere compute them."""
    manifest = _manifest(folder, mixed="on_mixed" in options)
    own = {"schedule": SEGMENTS, "on_error": "skip", "split_by": "part", **options}
    plain = px.extract_features(manifest, **own)
    found = []
    for _ in range(2):
        store = RowStore(folder / "store", {p: sha256(p) for p in manifest["openface"]}, {})
        workers = joblib.parallel_config("threading", n_jobs=2) if elsewhere else nullcontext()
        with rows_stored(store), workers:
            found.append(px.extract_features(manifest, **own))
    assert [pack(one) for one in found] == [pack(plain)] * 2
    assert any(plain.table["reason"] != "")
    assert plain.notes() == found[1].notes()
    assert [type(x) for x in found[1].table["reason"]] == [type(x) for x in plain.table["reason"]]
    assert len([*(folder / "store").iterdir()]) == len(plain.recordings)


def test_recordings_behind_a_slow_one_are_stored_as_they_arrive(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 6)
    paths = [str(folder / f"{number}.csv") for number in range(6)]
    plain = px.extract_features(paths, every=1.5)
    store = RowStore(folder / "store", {path: sha256(path) for path in paths}, {})
    read_recording, before = one_recording.read_recording, []

    def read(path: str, *args: Any, **options: Any) -> Any:
        if Path(path).stem == "0":
            # Until the others are stored, which they are not if the first must be stored before.
            patience = time.monotonic() + 20
            while len(store_files(store.folder)) < 5 and time.monotonic() < patience:
                time.sleep(0.01)
            before.append(len(store_files(store.folder)))
        return read_recording(path, *args, **options)

    monkeypatch.setattr(one_recording, "read_recording", read)
    with rows_stored(store), joblib.parallel_config("threading", n_jobs=2):
        found = px.extract_features(paths, every=1.5, n_jobs=2)
    assert before == [5]
    assert pack(found) == pack(plain)
    assert len(store_files(store.folder)) == 6


def test_many_small_recordings_are_computed_in_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, 20)
    bad = folder / "7.csv"
    paths = [str(folder / f"{number}.csv") for number in range(20)]
    plain = px.extract_features([path for path in paths if path != str(bad)], every=1.5)
    bad.write_text("nothing")
    store = RowStore(folder / "store", {path: sha256(path) for path in paths}, {})
    monkeypatch.setattr(many_recordings, "_MANY", 10)
    # In this process, nothing is read.
    monkeypatch.setattr(one_recording, "read_recording", None)
    with rows_stored(store), pytest.raises(OpenFaceError, match=r"7\.csv.*other 19 recordings are"):
        px.extract_features(paths, every=1.5, n_jobs=2)
    assert len(store_files(store.folder)) == 19
    monkeypatch.setattr(many_recordings, "_MANY", 10**6)
    with rows_stored(store):
        stored = px.extract_features([one for one in paths if one != str(bad)], every=1.5)
    assert pack(stored) == pack(plain)


def test_a_stored_file_is_a_parquet_file(folder: Path) -> None:
    study = write(folder, 3)
    table = study.features(progress=False).tables["features"]
    read = pd.concat([parquet.read_table(path).to_pandas() for path in stored(study)])
    read = read.sort_values(["subject", "clip"], ignore_index=True)
    names = ["subject", "context", "clip", "start", "head_displacement", "n_valid_frames"]
    pd.testing.assert_frame_equal(read[names], table[names])
    assert "quality.frames_valid" in read


SEGMENTS = pd.DataFrame({"context": "talk", "start": [0, 1.5, 3.0], "end": [1.5, 3.0, 9.0]})


def _manifest(folder: Path, *, mixed: bool) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for number in range(3):
        header = HEADER.replace("AU12", "AU15") if mixed and number else HEADER
        lines = content(number, header).splitlines()
        text = "".join(f"{line},{'p' if k else 'part'}\n" for k, line in enumerate(lines))
        (folder / f"{number}.csv").write_text(text)
        rows.append((f"s{number}", "talk", str(folder / f"{number}.csv"), "p"))
    (folder / "bad.csv").write_text("nothing")
    rows.append(("bad", "talk", str(folder / "bad.csv"), "p"))
    return pd.DataFrame(rows, columns=["subject", "context", "openface", "part"])


def test_another_tracker_through_the_store(folder: Path) -> None:
    times = [k / 25 for k in range(80)]
    rows = []
    for number in range(2):
        path = folder / f"{number}.csv"
        table = {"t": times, "jaw": [k % (3 + number) / 5 for k in range(80)]}
        pd.DataFrame(table).to_csv(path, index=False)
        rows.append((f"s{number}", "talk", str(path)))
    layout = folder / "own.toml"
    layout.write_text("time.column = 't'\nblendshapes = { columns = ['jaw'], unit = '0 to 1' }\n")
    manifest = pd.DataFrame(rows, columns=["subject", "context", "openface"])
    own: dict[str, Any] = {"schedule": SEGMENTS, "layout": str(layout)}
    plain = px.extract_features(manifest, **own)
    assert "blendshape_jaw" in plain.means
    for _ in range(2):
        store = RowStore(folder / "store", {p: sha256(p) for p in manifest["openface"]}, {})
        with rows_stored(store):
            assert pack(px.extract_features(manifest, **own)) == pack(plain)
