"""Recordings on a network are read as those on a disk; what is not read from there is refused."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import pyexpr as px
from pyexpr.base.outputs import OutputError
from pyexpr.base.remote_files import local_copy
from pyexpr.cli.main import app

HEADER = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n"


def recording(speed: float) -> str:
    rows = [f"{k + 1},{k / 25:.2f},0.98,1,{speed * k % 17:.1f},0,500\n" for k in range(60)]
    return HEADER + "".join(rows)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve two recordings from a web server of this process."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name, speed in (("s1.csv", 1.0), ("s2.csv", 2.5)):
        (folder / name).write_text(recording(speed))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_recordings_of_a_web_server(tmp_path: Path, address: str) -> None:
    addresses = [f"{address}/s1.csv", f"{address}/s2.csv"]
    found = px.extract_features(addresses, every=1.0)
    local = px.extract_features([tmp_path / "served" / f"s{k}.csv" for k in (1, 2)], every=1.0)
    same = [name for name in local.table if name != "openface"]
    pd.testing.assert_frame_equal(found.table[same], local.table[same], check_exact=True)
    assert found.hashes == dict(zip(addresses, local.hashes.values(), strict=True))
    assert [*found.table["openface"].unique()] == addresses
    # From the command line, where a path loses one of its slashes; a table names addresses, too.
    output, manifest = tmp_path / "out.csv", tmp_path / "recordings.csv"
    pd.DataFrame({"subject": ["s1"], "context": "a", "openface": addresses[:1]}).to_csv(
        manifest, index=False
    )
    for arguments in ([addresses[0]], ["--recordings", str(manifest)]):
        done = CliRunner().invoke(
            app, ["features", *arguments, "--every", "1", "-o", str(output), "--overwrite"]
        )
        assert done.exit_code == 0, done.output
        assert {*pd.read_csv(output)["openface"]} == {addresses[0]}


def test_what_cannot_be_read_is_named_by_its_address(address: str) -> None:
    import fsspec

    with pytest.raises(px.errors.OpenFaceError, match=r"^'http://.+/s9\.csv': there is no such"):
        px.extract_features([f"{address}/s9.csv"], every=1.0)
    store = fsspec.filesystem("memory")
    with store.open("/faces/s3.csv", "wb") as file:
        file.write(recording(3.0).encode())
    with store.open("/faces/cut.csv", "wb") as file:
        file.write(b"frame,timestamp\n")
    try:
        assert px.read_openface("memory://faces/s3.csv").path == "memory://faces/s3.csv"
        with pytest.raises(px.errors.OpenFaceError, match=r"^'memory://faces/cut\.csv'") as caught:
            px.read_openface("memory://faces/cut.csv")
        assert "/tmp" not in str(caught.value)
        # The copy does not stay.
        with local_copy("memory://faces/s3.csv") as copy:
            assert copy.name == "s3.csv"
        assert not copy.exists()
        with pytest.raises(px.errors.DataError, match="headers of all files are read first"):
            px.extract_features(["memory://faces/s3.csv"], every=1.0, on_mixed="common")
    finally:
        store.rm("/faces", recursive=True)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(px.errors.OpenFaceError, match=r"needs s3fs, .+: pip install s3fs$"):
        px.read_openface("s3://faces/s1.csv")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(px.errors.OpenFaceError, match=r"needs fsspec, .+: pip install fsspec$"):
        px.read_openface("s3://faces/s1.csv")


def test_what_is_not_read_or_written_there(tmp_path: Path) -> None:
    found = px.split_subjects([*"abcdefghij"], seed=1)
    with pytest.raises(OutputError, match=r"cannot write 's3://faces/x\.pyexpr': results are not"):
        found.save("s3://faces/x.pyexpr")
    clip = {"subject": ["a"], "context": ["b"], "video": ["https://h/a.mp4"], "start": [0.0]}
    with pytest.raises(px.errors.DataError, match=r"'https://h/a\.mp4': videos are not read fr"):
        px.read_video_clips(clip | {"end": [1.0]}, frames=2, size=8, cache_dir=tmp_path, n_jobs=1)
    (tmp_path / "recordings.csv").write_text("subject,context,openface\na,b,s3://faces/s1.csv\n")
    (tmp_path / "study.toml").write_text('[clips]\nschedule = "bp4d_plus"\n[data]\nratings = "r"\n')
    (problem, *_) = [
        one for one in px.check_study(tmp_path / "study.toml").problems if "network" in one
    ]
    assert problem.startswith("'s3://faces/s1.csv': the recordings (recordings.csv) name files on")
