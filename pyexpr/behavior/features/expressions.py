"""Signals of expression: blendshapes, emotions, scores and intensities of action units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, OpenFaceError, listed, near_names
from pyexpr.base.messages import Template, say
from pyexpr.behavior.features.binning import Binning, Bins, bin_points
from pyexpr.behavior.features.manifest import refuse_remote_headers
from pyexpr.behavior.features.movement import differences
from pyexpr.behavior.features.options import (
    EXPRESSION_FAMILIES,
    SIGNAL_PREFIXES,
    FeatureOptions,
    expression_name,
)
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.tracks.reading import group_labels

if TYPE_CHECKING:
    from pyexpr.behavior.openface.recording import OpenFaceRecording

#: A speed is a mean over so many steps at least.
FEWEST_STEPS: Final = 3

_NO_SIGNAL = Template("no_expression", "the file has no {names}")
_FEW_FRAMES = Template(
    "few_expression_frames", "{names} known in fewer than {needed} of {frames} frames"
)
_FEW_STEPS = Template(
    "few_expression_steps", "{names} known in fewer than {needed} steps between adjacent bins"
)


@dataclass(frozen=True, slots=True)
class Expressions:
    """The signals of expression in one clip.

    Attributes
    ----------
    names : tuple of str
        Such as "blendshape_jawOpen".
    values : float64 array, shape (frames, signals)
        NaN where a frame is not valid.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        recording: OpenFaceRecording,
        groups: Mapping[str, NDArray[np.float64]],
        wanted: Sequence[str],
    ) -> Expressions:
        """Return those wanted of a clip of a recording, as far as it has them."""
        names: list[str] = []
        columns: list[NDArray[np.float64]] = []
        for group in SIGNAL_PREFIXES:
            if group not in groups:
                continue
            for at, label in enumerate(labels_of(recording, group)):
                name = expression_name(group, label)
                if name in wanted:
                    names.append(name)
                    columns.append(groups[group][:, at])
        n_frames = len(next(iter(groups.values()))) if groups else 0
        values = np.stack(columns, axis=1) if columns else np.zeros((n_frames, 0))
        return cls(tuple(names), values)


def labels_of(recording: OpenFaceRecording, group: str) -> tuple[str, ...]:
    """Return what the columns of a group of a recording are, OpenFace's intensities included."""
    if group == "au_intensity":
        return recording.au_intensity_names
    return tuple(recording.names.get(group, ()))


def expression_means(
    signals: Expressions, wanted: Sequence[str], needed: int
) -> tuple[dict[str, float], list[str]]:
    """Return the mean of each signal over its known frames, and why some have none."""
    found, few = {}, []
    for name, column in zip(signals.names, signals.values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) < needed:
            few.append(name)
        else:
            found[name] = float(known.mean())
    return found, _why(signals, wanted, few, _FEW_FRAMES, needed)


def expression_spread(
    signals: Expressions, wanted: Sequence[str], needed: int
) -> tuple[dict[str, float], list[str]]:
    """Return the standard deviation (n - 1) of each signal over its known frames."""
    found, few = {}, []
    for name, column in zip(signals.names, signals.values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) < max(needed, 2):
            few.append(name)
        else:
            found[f"{name}_sd"] = float(known.std(ddof=1))
    return found, _why(signals, wanted, few, _FEW_FRAMES, max(needed, 2))


def expression_speeds(
    signals: Expressions, wanted: Sequence[str], grid: Bins, bins: Binning, rate: float
) -> tuple[dict[str, float], list[str]]:
    """Return the mean absolute change of each signal between adjacent valid bins, per second."""
    binned = bin_points(signals.values[:, :, np.newaxis], grid, bins)
    steps = differences(binned, 1)
    found, few = {}, []
    for name, column in zip(signals.names, steps.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) < FEWEST_STEPS:
            few.append(name)
        else:
            found[f"{name}_speed"] = float(known.mean()) * rate
    return found, _why(signals, wanted, few, _FEW_STEPS, FEWEST_STEPS)


def _why(
    signals: Expressions, wanted: Sequence[str], few: list[str], template: Template, needed: int
) -> list[str]:
    absent = [name for name in wanted if name not in signals.names]
    notes: list[str] = [_NO_SIGNAL(names=listed(absent, most=3))] if absent else []
    if few:
        notes.append(template(names=listed(few, most=3), needed=needed, frames=len(signals.values)))
    return notes


def expressions_resolved(
    options: FeatureOptions,
    files: Iterable[tuple[str, str | None]],
    common: Mapping[str, Sequence[str]] | None = None,
) -> FeatureOptions:
    """Return options whose `expressions` are names of signals, as the files' headers have them.

    Parameters
    ----------
    options : FeatureOptions
        No names are all that there are; the name of a group stands for all of it.
    files : iterable of (path, layout)
        None is OpenFace's layout. A file that cannot be read is passed over: reading it says why.
    common : mapping of str to sequence of str, optional
        Of some groups the labels that are used.

    Raises
    ------
    DataError
        If a name is in no file, or there is no signal at all.
    """
    families = [family for family in EXPRESSION_FAMILIES if options.has(family)]
    if not families:
        return options
    files = list(files)
    refuse_remote_headers(files)
    known = _known(files, common or {})
    if not known:
        raise DataError(
            say(
                "{extra=@given} needs signals of expression (blendshapes, emotions, scores or "
                "intensities of action units), and no recording has any; leave it out",
                given=families[0],
            )
        )
    found: list[str] = []
    for name in options.expressions or SIGNAL_PREFIXES:
        of_group = [one for one, group in known.items() if name in (one, group)]
        if not of_group and options.expressions:
            raise DataError(
                say(
                    "{expressions=} has {name!r}, which no recording has; {hint}",
                    name=name,
                    hint=near_names(name, known),
                )
            )
        found += of_group
    return replace(options, expressions=tuple(found))


def _known(
    files: Iterable[tuple[str, str | None]], common: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the signals that any of the files has, each with its group."""
    by_group: dict[str, dict[str, None]] = {group: {} for group in SIGNAL_PREFIXES}
    for path, layout in dict.fromkeys(files):
        try:
            labels = _labels(path, layout)
        except OpenFaceError:
            continue
        for group, names in labels.items():
            if group in by_group:
                by_group[group] |= dict.fromkeys(names)
    return {
        expression_name(group, label): group
        for group, labels in by_group.items()
        for label in labels
        if label in common.get(group, labels)
    }


def _labels(path: str, layout: str | None) -> dict[str, tuple[str, ...]]:
    found = None if layout in (None, OPENFACE) else group_labels(path, str(layout))
    if found is None:
        columns = read_header(path).group_columns("au_intensity")
        return {"au_intensity": tuple(name[:-2] for name in columns)}
    return found
