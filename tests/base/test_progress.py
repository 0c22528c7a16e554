"""The bar shows when work is slow; pieces cover every step once."""

from __future__ import annotations

import pytest

from pyexpr.base import progress as module
from pyexpr.base.progress import pieces, progress


@pytest.mark.parametrize(("total", "start"), [(0, 4), (1, 4), (1000, 3), (7, 0)])
def test_pieces_cover_every_step_once(total, start):
    steps = [
        i for first, n in pieces(total, start=start, label="x") for i in range(first, first + n)
    ]
    assert steps == list(range(total))


def test_pieces_grow_only_while_they_are_quick(monkeypatch):
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    sizes = []
    for _, n in pieces(1000, start=1, label="x"):
        now += 0.003 * n
        sizes.append(n)
    # 16 take 48 ms, under half a tenth of a second; 32 do not.
    assert sizes[:7] == [1, 2, 4, 8, 16, 32, 32]
    assert sum(sizes) == 1000


def test_a_bar_is_shown_when_requested_and_not_otherwise(capsys):
    assert list(progress(range(3), total=3, label="counting", show=True)) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err
    assert list(progress(range(3), total=3, label="counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_no_bar_before_a_second_has_passed(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    list(progress(range(3), total=3, label="counting"))
    assert "counting" not in capsys.readouterr().err
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    list(progress(range(3), total=3, label="counting"))
    assert "counting" in capsys.readouterr().err
