"""Files that repeat to the byte, a user's settings left alone, labels that fit."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pyexpr.base.files import OutputError
from pyexpr.figures import plotting


def figure_with_text(text: str = "a label") -> Any:
    with plotting.style():
        figure = plotting.new_figure(90, 60)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "o-")
        axes.set_title(text)
    return plotting.freeze(figure)


def test_the_size_is_the_printed_size(tmp_path: Path) -> None:
    from PIL import Image

    _, png = plotting.save(figure_with_text(), tmp_path / "f", title="t", description="d")
    with Image.open(png) as image:
        width, height = image.size
    assert (width, height) == (int(90 / 25.4 * 300), int(60 / 25.4 * 300))


def test_repeated_files_are_equal_to_the_byte(tmp_path: Path) -> None:
    words = {"title": "A title", "description": "What it shows"}
    figure = figure_with_text()
    first = plotting.save(figure, tmp_path / "a", **words)
    again = plotting.save(figure, tmp_path / "b" / "a", **words)
    anew = plotting.save(figure_with_text(), tmp_path / "c" / "a", **words)
    for one, two, three in zip(first, again, anew, strict=True):
        assert one.read_bytes() == two.read_bytes() == three.read_bytes()
    assert not re.search(rb"\b20\d\d-\d\d-\d\d", first[0].read_bytes())


def test_svg_has_a_description_and_keeps_its_text(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ET

    svg, png = plotting.save(
        figure_with_text("costs $5 & $6 <b>"),
        tmp_path / "f 2",
        title="R & D <1>",
        description="a < b",
    )
    text = svg.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    name = {"svg": "http://www.w3.org/2000/svg"}
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "f-2-title f-2-description"
    assert root.findtext("svg:title", namespaces=name) == "R & D <1>"
    assert root.findtext("svg:desc", namespaces=name) == "a < b"
    assert "costs $5 & $6 <b>" in [
        "".join(t.itertext()) for t in root.iter(f"{{{name['svg']}}}text")
    ]
    from PIL import Image

    with Image.open(png) as image:
        assert image.info["Description"] == "a < b"


def test_both_files_or_neither(tmp_path: Path) -> None:
    figure = figure_with_text()
    with pytest.raises(TypeError):
        plotting.save(figure, tmp_path / "f", title="t", description=object())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="cannot write into"):
        plotting.save(figure_with_text(), tmp_path / "file" / "f", title="t", description="d")


def test_rcparams_and_backend_are_the_users(tmp_path: Path) -> None:
    code = f"""
import matplotlib, sys
matplotlib.use("svg")
matplotlib.rcParams["font.size"] = 31
matplotlib.rcParams["axes.facecolor"] = "black"
before = dict(matplotlib.rcParams)
from pyexpr.figures import plotting
with plotting.style():
    figure = plotting.new_figure(90, 60)
    axes = figure.subplots()
plotting.save(plotting.freeze(figure), {str(tmp_path / "f")!r}, title="t", description="d")
assert dict(matplotlib.rcParams) == before, "rcParams"
assert matplotlib.get_backend() == "svg", matplotlib.get_backend()
assert axes.get_facecolor() == (1, 1, 1, 1) and axes.xaxis.label.get_size() == 8
assert "matplotlib.pyplot" not in sys.modules
"""
    # What a matplotlib says of its own requirements, when imported, is not ours.
    strict = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    subprocess.run([sys.executable, *strict, "-c", code], check=True)


def test_an_error_inside_the_style_restores_it_too() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with pytest.raises(ZeroDivisionError), plotting.style():
        raise ZeroDivisionError
    assert dict(matplotlib.rcParams) == before


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_marks_differ_without_colour_and_read_on_white() -> None:
    eight = plotting.marks(8)
    assert len({mark.marker for mark in eight}) == 8
    for one, two in combinations(plotting.marks(56), 2):
        assert (one.color, one.marker) != (two.color, two.marker)
    # WCAG 2 asks 3:1 of graphics; the first four, the ones most used, must hold 2.8:1.
    for mark in eight[:4]:
        assert 1.05 / (luminance(mark.color) + 0.05) > 2.8


@pytest.mark.parametrize("width", [12.0, 25.0, 60.0])
@pytest.mark.parametrize(
    "text", ["Motion", "a_long_name_from_code_without_spaces", "Three plain words", "W" * 40, ""]
)
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: float) -> None:
    wrapped = plotting.wrap(text, width, max_lines=99)
    for line in wrapped.split("\n"):
        assert plotting.text_width_mm(line) <= width
    assert "".join(wrapped.split()) == "".join(text.split())


def test_what_does_not_fit_ends_in_an_ellipsis_at_a_word() -> None:
    assert plotting.wrap("one two three four five six", 20, max_lines=1) == "one two…"
    assert plotting.wrap("short", 20, max_lines=1) == "short"


def test_text_width_is_what_the_renderer_draws() -> None:
    with plotting.style():
        figure = plotting.new_figure(100, 20, layout=None)
        drawn = figure.text(0.1, 0.5, "Points displacement", size=7)
    inches = drawn.get_window_extent().width / figure.dpi
    # Hinting at screen resolution moves glyphs by up to a few per cent.
    assert plotting.text_width_mm("Points displacement", 7) == pytest.approx(
        inches * 25.4, rel=0.05
    )


@pytest.mark.parametrize(
    ("limit", "labels"),
    [
        (0.55, {"−0.5", "0", "0.5"}),
        (2.9e-4, {"−2e−4", "0", "2e−4"}),
        (130.0, {"−100", "0", "100"}),
    ],
)
def test_ticks_are_short(limit: float, labels: set[str]) -> None:
    with plotting.style():
        axes = plotting.new_figure(60, 40).subplots()
        axes.set_xlim(-limit, limit)
        plotting.number_ticks(axes, 2, symmetric=True)
        shown = {
            axes.xaxis.get_major_formatter()(x, 0) for x in axes.get_xticks() if abs(x) <= limit
        }
    assert shown == labels


def test_ticks_of_what_cannot_pass_1_have_no_zero() -> None:
    with plotting.style():
        axes = plotting.new_figure(60, 40).subplots()
        plotting.number_ticks(axes, 2, zero=False)
        shown = axes.xaxis.get_major_formatter()
    assert [shown(x, 0) for x in (-0.5, 0.0, 0.05, 1.0, 2e-4)] == ["−.5", "0", ".05", "1", "2e−4"]
