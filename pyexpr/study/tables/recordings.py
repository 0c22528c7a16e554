"""The table of recordings of a study, and the schedule by which they are cut into clips."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.addresses import refuse_remote
from pyexpr.base.contents import KnownFile
from pyexpr.base.errors import StudyError, counted, have, listed
from pyexpr.base.tables import cells, label_codes, require_columns
from pyexpr.behavior.features.manifest import manifest_of
from pyexpr.behavior.schedules import BP4D_PLUS, Schedule
from pyexpr.behavior.tracks.layout import layout_beside
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.any_table import read_table
from pyexpr.study.tables.ratings import ONE_CONTEXT

if TYPE_CHECKING:
    import pandas as pd


def study_schedule(config: StudyConfig) -> Schedule:
    """Return the clip schedule of a study: built in, or its own table of segments."""
    import pandas as pd

    assert config.clips is not None
    if config.clips.schedule == "bp4d_plus":
        return BP4D_PLUS
    rows = [entry.model_dump(exclude_none=True) for entry in config.clips.segments]
    if not config.data.contexts:
        rows = [row | {"context": ONE_CONTEXT} for row in rows]
    return Schedule.from_table(pd.DataFrame(rows))


def read_recordings(config: StudyConfig, folder: Path) -> tuple[pd.DataFrame, KnownFile]:
    """Read the table of recordings; paths in it are relative to its own folder."""
    path = folder / str(config.data.recordings)
    needed = tuple(
        name for name in ("subject", "context", "openface")
        if name != "context" or config.data.contexts
    )  # fmt: skip
    if config.features.split_by is not None:
        needed = (*needed, "part")
    known = (*dict.fromkeys((*needed, "face", "part", "layout")), "video")
    names = {name: config.data.recording_columns.get(name, name) for name in known}
    what = f"the recordings ({config.data.recordings})"
    table, file = read_table(path, names.values(), what)
    with_videos = config.models.video3d is not None or config.features.clock == "video"
    # Videos are read by one model, and one clock, only.
    wanted = [
        name
        for name in known
        if name in needed or (with_videos and name == "video") or names[name] in table
    ]
    require_columns(table, [names[name] for name in wanted], what=what)
    if not len(table):
        raise StudyError(f"{have(what)} no rows")
    table = table[[names[name] for name in wanted]].set_axis(wanted, axis=1)
    for name in (*needed, "video") if with_videos else needed:
        label_codes(table[name], name=names[name], what=what)
    if not config.data.contexts:
        table.insert(1, "context", ONE_CONTEXT)
    doubled = table[table.duplicated(["subject", "context"])]
    if len(doubled):
        rows = [" / ".join(row) for row in doubled[["subject", "context"]].itertuples(index=False)]
        raise StudyError(
            f"{what}: more than one recording for subject / context {listed(rows, most=3)}"
        )
    found = table.assign(path=_files(table["openface"], path.parent, what))
    found = _with_layouts(found, config.features.layout, path.parent, folder)
    # Says early whose face is not told from another's.
    manifest_of(
        found.drop(columns="openface").rename(columns={"path": "openface"}),
        config.features.split_by,
        config.features.face,
        are_files=True,
    )
    if with_videos:
        found = found.assign(video_path=_files(table["video"], path.parent, what))
    return found, file


def _with_layouts(
    table: pd.DataFrame, layout: str | None, beside: Path, folder: Path
) -> pd.DataFrame:
    """Return the recordings with the layout of each, where the study or the table names any.

    Files of layouts are named from the folder of what names them.
    """
    if "layout" not in table and layout is None:
        return table
    usual = layout_beside(layout, folder.absolute())
    own = table["layout"] if "layout" in table else [""] * len(table)
    texts = ["" if name is None or name != name else str(name).strip() for name in own]
    return table.assign(
        layout=[layout_beside(text, beside.absolute()) if text else usual for text in texts]
    )


def _beneath(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the path of each name; of names that share their folder, a path is made once."""
    known: dict[str, str] = {}
    found = []
    for name in names:
        above, slash, last = name.rpartition("/")
        if os.sep != "/" or last in ("", ".") or above.startswith("/") or (slash and not above):
            found.append(str(folder / name))
            continue
        if above not in known:
            known[above] = str(folder / above).rstrip("/")
        found.append(f"{known[above]}/{last}")
    return found


def _files(names: pd.Series[str], folder: Path, what: str) -> list[str]:
    """Return absolute paths of files that are there."""
    told = f"{what} name files on a network, but a study follows its files by their state on a disk"
    own = cells(names)
    for name in own:
        refuse_remote(name, told)
    files = _beneath(folder.absolute(), own)
    absent = [name for name in files if not os.path.isfile(name)]
    if absent:
        raise StudyError(
            f"{what}: {counted(len(absent), 'file', 'is', 'are')} missing, first "
            f"{listed(absent, most=3)}"
        )
    return files
