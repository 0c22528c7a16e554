"""The report of a folder of results in which one file was damaged: a report, or one of our errors.

Bytes choose the file and the damage: an entry of the record that is another value, or gone; a cell
of a table; bytes of any file.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from fuzz.choices import Choices

from pyexpr.base.errors import PyexprError
from pyexpr.study.kept.seal import sealed
from pyexpr.study.results.report import study_report
from pyexpr.study.results.verified import RECORD

#: What an entry or a cell is replaced by.
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "x", "a\0b", "\ud800",
    "0" * 300, "../../../etc/passwd", "<SCRIPT>alert(1)</SCRIPT>", "=1+1", [], [None], {},
    {"": {"": []}},
    [[[[[[[[]]]]]]]], {"x": 10**30}, "2026-13-45T99:99:99", ["a", ["b"], {"c": 1}],
)  # fmt: skip


def study_results(folder: Path) -> Path:
    """Return the results of a small study, which is run once."""
    from pyexpr.simulation.simulate import simulate_study
    from pyexpr.study.pipeline import Study
    from pyexpr.study.results.result import StudyResult

    simulate_study(folder, subjects=15, seed=3, progress=False)
    result = Study.from_file(folder / "study.toml").run(progress=False)
    assert isinstance(result, StudyResult)
    return result.folder


def one_report(results: Path, data: bytes) -> str:
    """Damage a file of `results`, make the report, and put the file back; how it ended."""
    choose = Choices(data)
    names = [RECORD, *sorted(path.name for path in results.glob("*.csv")), "figures"]
    name = RECORD if choose.below(2) else choose.one_of(names)
    path = results / name
    if name == "figures":
        path = choose.one_of(sorted((results / "figures").iterdir()))
    whole = path.read_bytes()
    path.write_bytes(_damaged(choose, path, whole))
    try:
        with tempfile.TemporaryDirectory(prefix="pyexpr-fuzz-") as folder:
            suffix = "docx" if choose.seldom() else "html"
            output = Path(folder) / f"report.{suffix}"
            study_report(results, output=output, altered=choose.below(8) > 0)
    except PyexprError as error:
        return type(error).__name__
    finally:
        path.write_bytes(whole)
    return "done"


def _damaged(choose: Choices, path: Path, whole: bytes) -> bytes:
    kind = choose.below(8)
    if kind == 0 or path.suffix not in (".json", ".csv"):
        from fuzz.__main__ import changed

        return changed(random.Random(choose.taken(4)), whole, most=len(whole) + 2000)
    if path.suffix == ".json":
        record = json.loads(whole)
        for _ in range(1 + choose.below(2)):
            _replace_entry(choose, record)
        # Half of them as somebody would leave them who knows how the record is sealed.
        if choose.below(2):
            record = sealed(record)
        return json.dumps(record).encode("utf-8", "surrogatepass")
    rows = [line.split(",") for line in whole.decode().splitlines()]
    for _ in range(1 + choose.below(3)):
        row = choose.one_of(rows[:256])
        at = choose.below(min(256, len(row)))
        if choose.below(4) == 0:
            del row[at]
        else:
            row[at] = str(choose.one_of(HOSTILE))
        if not row:
            row.append("")
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")


def _replace_entry(choose: Choices, record: Any) -> None:
    """Walk down from the record, stop somewhere, and replace or remove what is there."""
    while True:
        keys: list[Any] = list(record) if isinstance(record, dict) else list(range(len(record)))
        if not keys:
            return
        key = choose.one_of(keys[:256])
        below = record[key]
        if isinstance(below, (dict, list)) and below and choose.below(5):
            record = below
            continue
        if choose.below(4) == 0:
            del record[key]
        else:
            record[key] = choose.one_of(HOSTILE)
        return
