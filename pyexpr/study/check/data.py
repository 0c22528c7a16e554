"""The data of a study, and what is left out, before anything is computed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, OpenFaceError, PyexprError, counted, listed
from pyexpr.base.tables import cells
from pyexpr.behavior.features.mixed import Kind, differences
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.openface.sessions import session_files, stands_alone
from pyexpr.study.check.points import DATA, LEFT_OUT, PROBLEMS, WRONG, Point
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.feature_choice import wanted
from pyexpr.study.tables.inputs import Inputs
from pyexpr.study.tables.labels import label
from pyexpr.words.wording import BEFORE_ANALYSIS, NO_RATINGS

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.check.models import Planned


# Of a recording: where its header ends.
_HEAD = 1 << 16
# Of clips that are left out, so many are named.
_NAMED = 3


def data_points(config: StudyConfig, inputs: Inputs) -> list[Point]:
    """Return what the study has: subjects, contexts, clips, ratings, recordings, features."""
    clips = inputs.clips()
    found = [
        Point(DATA, "subjects", int(clips["subject"].nunique()), ""),
        Point(DATA, "contexts", len(inputs.contexts), _per_context(inputs)),
        Point(DATA, f"{config.unit}s", len(clips), _per_subject(inputs)),
    ]
    if inputs.rated:
        scores = inputs.ratings["score"]
        found += [
            Point(
                DATA, "ratings", len(scores),
                f"on a scale of {config.ratings.low:g} to {config.ratings.high:g}, from "
                f"{scores.min():g} to {scores.max():g}, by "
                f"{counted(inputs.ratings['rater'].nunique(), 'rater')}",
            ),
            Point(DATA, "questions", len(inputs.questions), f"({', '.join(inputs.questions)})"),
        ]  # fmt: skip
    if inputs.recorded:
        own = inputs.recordings.get("layout")
        of = "OpenFace" if own is None else listed(dict.fromkeys(name or OPENFACE for name in own))
        found.append(Point(DATA, "recordings", len(inputs.recordings), f"of {of}"))
    known = [*(config.features.computed() if inputs.recorded else ())]
    known += inputs.measured.features if inputs.measured is not None else ()
    used = wanted(config, known)
    found.append(Point(DATA, "features", len(used), f"({', '.join(used)})"))
    if config.label.classified:
        found += [*_classes(config, inputs)]
    if config.features.adjust_for:
        names = config.features.adjust_for
        found.append(Point(DATA, "adjusted for", len(names), f"({', '.join(names)})"))
    return found


def _classes(config: StudyConfig, inputs: Inputs) -> Iterator[Point]:
    """Yield the classes of each label, with their numbers of clips and subjects."""
    for name in config.labels:
        own = config.of_label(name)
        try:
            scores = label(own, inputs).tables["scores"]
        except PyexprError:
            # It is among what is wrong.
            continue
        known = scores[scores["score"].notna()]
        for one, rows in known.groupby("score", sort=True):
            share = 100 * len(rows) / len(known)
            detail = f"({share:.1f} %), of {counted(rows['subject'].nunique(), 'subject')}"
            yield Point(DATA, f"{config.unit}s of class {one!r} ({name})", len(rows), detail)


def _per_context(inputs: Inputs) -> str:
    counts = inputs.clips()["context"].value_counts()
    return f"({', '.join(f'{name} {counts[name]:,}' for name in inputs.contexts)})"


def _per_subject(inputs: Inputs) -> str:
    counts = inputs.clips()["subject"].value_counts()
    low, high = int(counts.min()), int(counts.max())
    return f"({low} per subject)" if low == high else f"({low} to {high} per subject)"


def recording_points(config: StudyConfig, inputs: Inputs) -> list[Point]:
    """Return what is wrong with the recordings' headers, all of which are read."""
    wrong = []
    first: Kind | None = None
    # Thousands of recordings have the same header, or the same action units.
    lines: set[bytes] = set()
    alike: set[tuple[tuple[str, ...], ...]] = set()
    table = inputs.recordings
    layouts = table["layout"] if "layout" in table else [None] * len(table)
    for path, layout in dict.fromkeys(zip(cells(table["path"]), layouts, strict=True)):
        line = None if layout else _plain_header(path)
        if line in lines:
            continue
        try:
            kind = Kind.of_header(read_header(path)) if not layout else Kind.of_table(path, layout)
            first = first or kind
            if kind.units not in alike:
                differences(first, kind, config.features.on_mixed)
                alike.add(kind.units)
            if line is not None:
                lines.add(line)
        except OpenFaceError as error:
            # Skipped ones are listed with the results.
            if config.features.on_error == "stop":
                wrong.append(str(error))
        except DataError as error:
            wrong.append(str(error))
    if not wrong:
        return []
    more = "" if len(wrong) == 1 else f" (and {len(wrong) - 1} more)"
    return [Point(PROBLEMS, "recordings", None, f"recording {wrong[0]}{more}", WRONG)]


def _plain_header(path: str) -> bytes | None:
    """Return the first line of a recording that is plain text, None if it takes a closer look."""
    if not stands_alone(path, is_file=True) and len(session_files(path)) > 1:
        return None
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            head = os.read(file, _HEAD)
        finally:
            os.close(file)
    except (OSError, ValueError):
        return None
    if b"\x00" in head or b'"' in head or b"#" in head:
        # What only other programs and damage put there.
        return None
    end = head.find(b"\n")
    return head[:end] if end >= 0 else None


def left_out_of_tables(config: StudyConfig, inputs: Inputs) -> list[Point]:
    """Return which rows of the tables are left out, which columns are not features, and why."""
    found = [
        Point(LEFT_OUT, reason, count, "", "note")
        for reason, count in inputs.dropped.items()
        if count
    ]
    for reason, rows in inputs.unmatched.groupby("reason", sort=False):
        what = "recordings" if reason == NO_RATINGS else f"{config.unit}s"
        found.append(Point(LEFT_OUT, what, len(rows), f"{reason}: {_named(rows)}", "note"))
    if inputs.measured is not None and inputs.measured.ignored:
        names = inputs.measured.ignored
        found.append(Point(LEFT_OUT, "columns of text", len(names), listed(names), "note"))
    named = config.features.leave_out
    if named:
        detail = f"as the study file says: {listed(named)}"
        found.append(Point(LEFT_OUT, "features", len(named), detail))
    return found


def _named(clips: pd.DataFrame) -> str:
    """Name the first clips; of a recording without ratings the clip is missing."""
    rows = clips[["subject", "context", "clip"]].iloc[:_NAMED].itertuples(index=False)
    names = [" / ".join(part for part in row if isinstance(part, str)) for row in rows]
    return listed(names, most=_NAMED, of=len(clips))


def left_out_of_models(plan: Planned) -> list[Point]:
    """Return which clips and features do not enter the models of a label, and why."""
    found = []
    known = set(BEFORE_ANALYSIS)
    for reason, rows in plan.left_out.groupby("reason", sort=False):
        if reason not in known:
            detail = f"{reason}: {_named(rows)}"
            found.append(Point(LEFT_OUT, "clips without a model", len(rows), detail, "note"))
    if plan.absent:
        detail = f"no clip has them: {listed(plan.absent)}"
        found.append(Point(LEFT_OUT, "features", len(plan.absent), detail, "note"))
    return found + _constant(plan)


def _constant(plan: Planned) -> list[Point]:
    """Say which features do not vary among the rows that some model is fitted to."""
    if plan.table is None:
        return []
    values = plan.table.X[[*plan.features]].to_numpy()
    never = [
        name for name, column in zip(plan.features, values.T, strict=True) if np.ptp(column) == 0
    ]
    found = []
    if never:
        detail = (
            f"{listed(never)} never varies, so it is of no use to a model (leave_out under "
            "[features] excludes it)"
        )
        found.append(Point(LEFT_OUT, "constant features", len(never), detail, "note"))
    parts: Counter[str] = Counter()
    for part in plan.parts:
        for name, column in zip(plan.features, values[part.train].T, strict=True):
            parts[name] += int(np.ptp(column) == 0 and name not in never)
    some = [name for name, count in parts.items() if count]
    if some:
        detail = f"{listed(some)} does not vary in the training rows of some part"
        found.append(Point(LEFT_OUT, "constant features", len(some), detail, "note"))
    return found
