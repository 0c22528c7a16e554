"""What reads text or bytes of others: functions of bytes that may raise our errors only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyexpr.base.csv_file import read_csv
from pyexpr.base.errors import PyexprError
from pyexpr.base.saved import unpack
from pyexpr.behavior.openface.csv import open_source, read_columns
from pyexpr.behavior.tracks.layout import load_layout
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.study.file.config import read_config
from pyexpr.study.kept import store

ALLOWED = (PyexprError,)
_FOLDER = tempfile.TemporaryDirectory(prefix="pyexpr-fuzz-")


@contextmanager
def _file(data: bytes, name: str) -> Iterator[Path]:
    path = Path(_FOLDER.name) / name
    path.write_bytes(data)
    yield path


def _model_syntax(data: bytes) -> None:
    parse_model(data.decode("utf-8", "replace"))


def _table(data: bytes) -> None:
    with _file(data, "table.csv") as path:
        read_csv(path, what="the table")


def _openface(data: bytes) -> None:
    with _file(data, "recording.csv") as path:
        source = open_source(path)
        read_columns(source, list(source.header.positions))


def _layout(data: bytes) -> None:
    with _file(data, "layout.toml") as path:
        load_layout(path)


def _study_file(data: bytes) -> None:
    with _file(data, "study.toml") as path:
        read_config(path)


def _saved_result(data: bytes) -> None:
    unpack(data)


def _stage(data: bytes) -> None:
    # Whatever it is, it is computed again.
    with _file(data, "stage.zip") as path:
        store.load(path, "the key")


PARSERS: dict[str, Callable[[bytes], None]] = {
    "model_syntax": _model_syntax,
    "table": _table,
    "openface": _openface,
    "layout": _layout,
    "study_file": _study_file,
    "saved_result": _saved_result,
    "stage": _stage,
}


def one_parse(name: str, data: bytes) -> str:
    """Read the bytes; return "done", or the name of the error, which is one of ours."""
    try:
        PARSERS[name](data)
    except ALLOWED as error:
        return type(error).__name__
    return "done"
