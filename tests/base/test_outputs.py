"""What a result may be written to: the tests run as root, whom no permission stops."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pyexpr.base.files import OutputError, whole_file, write_text
from pyexpr.base.outputs import check_folder_outputs, check_outputs


def a_device(path: Path) -> None:
    # What /dev/null is, in a place where losing it harms nobody.
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def a_link(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("mine")
    path.symlink_to(target)


def a_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


IRREGULAR: list[tuple[Callable[[Path], object], str]] = [
    (os.mkfifo, r"a pipe \(FIFO\)"),
    (a_socket, "a socket"),
    (a_link, "a link"),
    (a_dangling_link, "a link"),
    (Path.mkdir, "a folder"),
]
if os.geteuid() == 0:
    IRREGULAR.append((a_device, "a device"))


@pytest.mark.parametrize(("make", "kind"), IRREGULAR)
def test_what_is_no_regular_file_is_refused_and_stays(
    make: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    make(path)
    before = os.lstat(path)
    for write in (
        lambda: check_outputs({"--output": path}, overwrite=True),
        lambda: check_folder_outputs(tmp_path, ["x.csv"], own=["x.csv"], overwrite=True),
        lambda: write_text(path, "new"),
    ):
        with pytest.raises(OutputError, match=kind):
            write()
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    if path.with_name("target").exists():
        assert path.with_name("target").read_text() == "mine"
    assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part")]


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout"])
def test_who_wants_it_printed_learns_how(path: str) -> None:
    with pytest.raises(OutputError, match=r"leave this option out .* redirect it \(> file\)"):
        check_outputs({"--output": path}, overwrite=True)


def test_it_became_a_link_while_the_result_was_computed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    (tmp_path / "target").write_text("mine")

    def late() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("new")
            path.symlink_to(tmp_path / "target")

    with pytest.raises(OutputError, match=r"a link"):
        late()
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize("link", [os.link, os.symlink, None])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_replaced_by_whatever_name(
    link: Callable[[Path, Path], None] | None, overwrite: bool, tmp_path: Path
) -> None:
    data, output = tmp_path / "ratings.csv", tmp_path / "other.csv"
    data.write_text("x")
    if link is None:
        (tmp_path / "sub").mkdir()
        output = tmp_path / "sub" / ".." / "ratings.csv"
    else:
        link(data, output)
    with pytest.raises(OutputError, match=r"would replace|a link"):
        check_outputs({"--output": output}, inputs=[data], overwrite=overwrite)
    # The input itself is a link, the output what it points at.
    if link is os.symlink:
        with pytest.raises(OutputError, match=r"would replace"):
            check_outputs({"--output": data}, inputs=[output], overwrite=overwrite)
    with pytest.raises(OutputError):
        check_folder_outputs(
            output.parent, [output.name], own=[output.name], inputs=[data], overwrite=overwrite
        )


def test_a_file_that_is_there_needs_a_word(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"there already; name another file.*overwrite=True"):
        check_outputs({"--output": path})
    check_outputs({"--output": path}, overwrite=True)
    check_outputs({"--output": tmp_path / "new" / "x.csv", "--scores": None})
    with pytest.raises(OutputError, match=r"is not a folder"):
        check_outputs({"--output": path / "below" / "y.csv"})


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    one, same = tmp_path / "x.csv", tmp_path / "sub" / ".." / "x.csv"
    with pytest.raises(OutputError, match=r"--output and --scores name one file"):
        check_outputs({"--output": one, "--scores": same}, overwrite=True)
    one.write_text("x")
    os.link(one, tmp_path / "y.csv")
    with pytest.raises(OutputError, match=r"name one file"):
        check_outputs({"--output": one, "--scores": tmp_path / "y.csv"}, overwrite=True)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_private_file_stays_private(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    path.chmod(mode)
    write_text(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    write_text(tmp_path / "x.csv", "new")
    (tmp_path / "y.csv").write_text("new")
    assert (tmp_path / "x.csv").stat().st_mode == (tmp_path / "y.csv").stat().st_mode


def test_the_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    # Only root gives files away.
    owner = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == owner
