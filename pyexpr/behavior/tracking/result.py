"""What became of videos that were tracked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import counted, listed
from pyexpr.base.messages import Template
from pyexpr.base.results import Result
from pyexpr.base.versions import versions

if TYPE_CHECKING:
    import pandas as pd

_NO_FACE = Template(
    "no_face_in_video",
    "{videos:count video, shows, show} no face: {names}. Every frame has success 0.",
)
_FEW_FACES = Template(
    "few_faces_in_video",
    "{videos:count video, shows, show} a face in less than half of the frames: {names}.",
)
_DAMAGED = Template(
    "frames_of_video_damaged",
    "{frames:count frame} of {videos:count video} cannot be decoded: {names}. They have success 0.",
)
_SKIPPED = Template(
    "videos_not_tracked",
    "{videos:count video, was, were} not tracked: {argument `dropped`} says why.",
    report="{videos:count video, was, were} not tracked.",
    r="{videos:count video, was, were} not tracked: the table `dropped` says why.",
)
_FEW = 0.5


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrackedVideos(Result):
    """Videos and the files of their points.

    Attributes
    ----------
    table : DataFrame
        One row per video that has a file: video, output (paths), status (``"tracked"``, or
        ``"kept"`` if the file already existed with the same content), frames, seconds, fps, width,
        height (px), frames_with_face, frames_damaged (which cannot be decoded), face_ids (their
        number).
    dropped : DataFrame
        A row per video that could not be tracked: video, reason.
    tracker : dict
        Its ``name`` and ``version``.
    model : dict or None
        Name (``file``) and ``sha256`` of the model's file.
    faces : int
        Maximum number of faces that were tracked.
    options : dict
        Those of the tracker.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    tracker: dict[str, str]
    model: dict[str, str] | None
    faces: int
    options: dict[str, Any]

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per video."""
        return self.table

    def heading(self) -> str:
        """Return how many videos were tracked by what, and in how many frames a face was found."""
        kept = int((self.table["status"] == "kept").sum())
        frames, found = self.table["frames"].sum(), self.table["frames_with_face"].sum()
        by = " ".join(part for part in self.tracker.values() if part)
        return (
            f"Points of {counted(len(self.table), 'video')} by {by}"
            f"{f' ({kept} there already)' if kept else ''}: a face in {found} of {frames} frames"
        )

    def printed(self) -> pd.DataFrame:
        """Return the columns of `table` that a reader looks at first."""
        names = ["video", "status", "frames", "fps", "frames_with_face", "face_ids"]
        return self.table[names].round({"fps": 3})

    def provenance(self) -> dict[str, Any]:
        """Return tracker, model, options, counts and versions."""
        return {
            "tracker": self.tracker,
            "model": self.model,
            "faces": self.faces,
            "options": self.options,
            "n_videos": len(self.table),
            "n_kept": int((self.table["status"] == "kept").sum()),
            "n_dropped": len(self.dropped),
            "versions": versions("av", "pyarrow"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what was lost."""
        table, found = self.table, list[str]()
        share = table["frames_with_face"] / table["frames"]
        for chosen, template in (
            (share == 0, _NO_FACE),
            ((share > 0) & (share < _FEW), _FEW_FACES),
        ):
            if chosen.any():
                names = listed(table.loc[chosen, "video"], most=3)
                found.append(template(videos=int(chosen.sum()), names=names))
        damaged = table["frames_damaged"] > 0
        if damaged.any():
            found.append(
                _DAMAGED(
                    frames=int(table["frames_damaged"].sum()),
                    videos=int(damaged.sum()),
                    names=listed(table.loc[damaged, "video"], most=3),
                )
            )
        if len(self.dropped):
            found.append(_SKIPPED(videos=len(self.dropped)))
        return tuple(found)
