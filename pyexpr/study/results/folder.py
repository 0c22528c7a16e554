"""The folder of a study's results: which files a run may write there, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pyexpr.base.files import folder_aside
from pyexpr.base.outputs import check_folder_outputs
from pyexpr.study.kept.seal import is_own_page, is_own_record
from pyexpr.study.kept.store import is_stage_file
from pyexpr.study.results.rendered import (
    hashes_of,
    is_listing,
    note_before_writing,
    note_written,
    noted_files,
    own_files,
    put_in_place,
    remove_stale,
    rendered,
)
from pyexpr.study.results.report import REPORT
from pyexpr.study.results.verified import RECORD

_LISTING = "stages/rendered.json"


class ResultsFolder:
    """Where the results of a study go.

    Parameters
    ----------
    folder : Path
    stages : sequence of str
        The study's stages, each with a file in the folder's ``stages``.
    inputs : sequence of Path
        Files that the study reads, and that no result may replace.
    overwrite : bool
        Whether files that no run wrote, or that were changed since, may be replaced.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stages: Sequence[str],
        inputs: Sequence[Path],
        overwrite: bool,
    ) -> None:
        self.folder = folder
        self.stages = stages
        self.inputs = inputs
        self.overwrite = overwrite

    def check(self, names: Iterable[str]) -> None:
        """Raise `OutputError` if one of these files, or of those of every run, may not be written.

        A run's own files are known by the listing of the previous run; the record and the report
        identify themselves.
        """
        folder, listing = self.folder, self.folder / _LISTING
        tests = {RECORD: is_own_record, REPORT: is_own_page, _LISTING: is_listing}
        tests |= {f"stages/{name}.zip": is_stage_file for name in self.stages}
        own = own_files(folder, noted_files(listing))
        own |= {name for name, is_own in tests.items() if is_own(folder / name)}
        check_folder_outputs(
            folder, [*names, *tests], own=own, inputs=self.inputs, overwrite=self.overwrite
        )

    def write(self, key: str, render: Callable[[Path], Iterable[Path]]) -> dict[str, str]:
        """Put what `render` writes into the folder, unless the files of this very `key` are there.

        Return their hashes, by their path in the folder.
        """
        listing = self.folder / _LISTING
        there = rendered(listing, key, self.folder)
        if there is not None:
            return there
        # Written elsewhere first, so that an interrupt leaves the earlier results unchanged.
        with folder_aside(listing.parent) as aside:
            files = hashes_of(aside, list(render(aside)))
            # Hours may have passed since they were checked.
            self.check(files)
            earlier = noted_files(listing)
            note_before_writing(listing, files)
            # From here on the folder is a mixture. An interrupted run leaves no record of it and no
            # report, but it does leave the list of its own files.
            for own in (RECORD, REPORT):
                (self.folder / own).unlink(missing_ok=True)
            put_in_place(aside, self.folder, files)
        read = {path.resolve() for path in self.inputs}
        stale = {
            name: hashes
            for name, hashes in earlier.items()
            if (self.folder / name).resolve() not in read
        }
        remove_stale(self.folder, stale, files)
        note_written(listing, key, files)
        return files
