"""Events of action units: how often a unit appears, how fast, how strongly and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.messages import Template
from pyexpr.behavior.features.options import EVENT_UNITS
from pyexpr.behavior.features.signals import OF_PART, absent

if TYPE_CHECKING:
    from pyexpr.behavior.openface.recording import OpenFaceRecording

#: Seconds that a unit must be present without a break to be an event; shorter ones are flicker.
SHORTEST_SECONDS: Final = 0.2
_ROUNDING = 1e-9

_NO_UNIT = Template("no_unit", "the file has no {unit:metric} with presence and intensity")
_UNKNOWN = Template("unit_unknown", "no frame is known")
_NO_EVENT = Template(
    "no_whole_event",
    "no event of at least {seconds:g} s whose beginning and end are seen",
)


@dataclass(frozen=True, slots=True)
class Units:
    """The action units of one clip that have a presence and an intensity.

    Attributes
    ----------
    names : tuple of str
    presence, intensity : float64 arrays, shape (frames, units)
        NaN where a frame is not valid.
    missing : str
        "" or the group that the file does not have.
    """

    names: tuple[str, ...]
    presence: NDArray[np.float64]
    intensity: NDArray[np.float64]
    missing: str

    @classmethod
    def of(
        cls,
        recording: OpenFaceRecording,
        groups: Mapping[str, NDArray[np.float64]],
        valid: NDArray[np.bool_],
    ) -> Units:
        """Return the units of a clip of a recording: its groups, and which frames are valid."""
        for group in ("au_presence", "au_intensity"):
            if group not in groups:
                empty = np.empty((len(valid), 0))
                return cls((), empty, empty, absent(group))
        own, others = recording.au_intensity_names, recording.au_presence_names
        names = tuple(name for name in own if name in others)
        presence = groups["au_presence"][:, [others.index(name) for name in names]]
        intensity = groups["au_intensity"][:, [own.index(name) for name in names]]
        lost = ~valid[:, np.newaxis] | ~np.isfinite(presence) | ~np.isfinite(intensity)
        return cls(names, np.where(lost, np.nan, presence), np.where(lost, np.nan, intensity), "")


@dataclass(frozen=True, slots=True)
class Events:
    """Events of units, in the order of the units and of time.

    Attributes
    ----------
    unit : int64 array, shape (events,)
        Column of the unit.
    start, stop : int64 arrays, shape (events,)
        First frame of the event, and the one after its last.
    whole : bool array, shape (events,)
        Whether the frames before and after it are known, so that both of its ends are seen.
    """

    unit: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    whole: NDArray[np.bool_]


def unit_events(presence: NDArray[np.float64], fps: float) -> Events:
    """Return the events of units: runs of adjacent known frames with presence 1, 0.2 s or longer.

    Parameters
    ----------
    presence : float64 array, shape (frames, units)
        0 or 1; NaN where not known, which ends a run.
    fps : float

    Examples
    --------
    >>> import numpy as np
    >>> presence = np.array([0, 1, 1, 1, 0, 1, np.nan, 1, 1, 1.0]).reshape(-1, 1)
    >>> events = unit_events(presence, fps=10)
    >>> events.start.tolist(), events.stop.tolist(), events.whole.tolist()
    ([1, 7], [4, 10], [True, False])
    """
    frames, units = presence.shape
    # A frame that is not known before and after each unit, so that all lie in one row.
    padded = np.full((units, frames + 2), np.nan)
    padded[:, 1:-1] = presence.T
    flat = padded.ravel()
    changes = np.diff((flat == 1).astype(np.int8))
    start, stop = np.flatnonzero(changes == 1) + 1, np.flatnonzero(changes == -1) + 1
    long = stop - start >= SHORTEST_SECONDS * fps - _ROUNDING
    start, stop = start[long], stop[long]
    unit = start // (frames + 2)
    before = unit * (frames + 2) + 1
    whole = np.isfinite(flat[start - 1]) & np.isfinite(flat[stop])
    return Events(unit, start - before, stop - before, whole)


def event_measures(
    intensity: NDArray[np.float64], events: Events, fps: float
) -> dict[str, NDArray[np.float64]]:
    """Return duration, amplitude, onset and offset speed of each whole event.

    With the last frame before the event at ``t0`` and intensity ``i0``, its first frame of the
    largest intensity ``a`` at ``t1``, its last one of that at ``t2``, and the first frame after
    it at ``t3`` with ``i3``: the amplitude is ``a``, the onset speed ``(a - i0) / (t1 - t0)``,
    the offset speed ``(a - i3) / (t3 - t2)``. The duration is that of its frames.

    Parameters
    ----------
    intensity : float64 array, shape (frames, units)
    events : Events
    fps : float

    Returns
    -------
    dict of str to float64 arrays, shape (whole events,)
        duration (s), amplitude (0 to 5), onset_speed, offset_speed (intensity per second).
    """
    unit, start, stop = (
        values[events.whole] for values in (events.unit, events.start, events.stop)
    )
    length = stop - start
    first = np.cumsum(length) - length
    # All frames of all events, one event after the other.
    of_event = np.repeat(np.arange(len(start)), length)
    within = np.arange(length.sum()) - first[of_event]
    values = intensity[start[of_event] + within, unit[of_event]]
    if not len(start):
        return {what: np.empty(0) for what in EVENT_UNITS if what != "events"}
    peak = np.maximum.reduceat(values, first)
    at_peak = values == peak[of_event]
    rise = np.minimum.reduceat(np.where(at_peak, within, length[of_event]), first) + 1
    fall = length - np.maximum.reduceat(np.where(at_peak, within, -1), first)
    return {
        "duration": length / fps,
        "amplitude": peak,
        "onset_speed": (peak - intensity[start - 1, unit]) * fps / rise,
        "offset_speed": (peak - intensity[stop, unit]) * fps / fall,
    }


def unit_dynamics(
    units: Units, fps: float, named: tuple[str, ...]
) -> tuple[dict[str, float], list[str]]:
    """Return the features of the units' events, of all together and of those named.

    ``events`` is the number of events per minute of known frames, added over the units;
    the others are means over all whole events.

    References
    ----------
    Cohn, J. F., and Schmidt, K. L. (2004). The timing of facial motion in posed and spontaneous
    smiles. International Journal of Wavelets, Multiresolution and Information Processing 2,
    121-132. https://doi.org/10.1142/S021969130400041X
    """
    if units.missing:
        return {}, [OF_PART(part="au_dynamics", reason=units.missing)]
    events = unit_events(units.presence, fps)
    measures = event_measures(units.intensity, events, fps)
    minutes = np.isfinite(units.presence).sum(axis=0) / (60 * fps)
    found: dict[str, float] = {}
    reasons: list[str] = []
    for who in ("au", *named):
        if who != "au" and who not in units.names:
            reasons.append(OF_PART(part=f"{who}_events", reason=_NO_UNIT(unit=who)))
            continue
        columns = np.arange(len(units.names)) if who == "au" else [units.names.index(who)]
        of_unit, reason = _of_units(events, measures, minutes, columns)
        found |= {f"{who}_{what}": value for what, value in of_unit.items()}
        if reason:
            part = f"{who}_{'duration' if of_unit else 'events'}"
            reasons.append(OF_PART(part=part, reason=reason))
    return found, reasons


def _of_units(
    events: Events,
    measures: Mapping[str, NDArray[np.float64]],
    minutes: NDArray[np.float64],
    columns: NDArray[np.int64] | list[int],
) -> tuple[dict[str, float], str]:
    """Return the features of some units' events, and why those of whole events are missing."""
    known = [column for column in columns if minutes[column] > 0]
    if not known:
        return {}, _UNKNOWN()
    counts = np.bincount(events.unit, minlength=len(minutes))
    found = {"events": float((counts[known] / minutes[known]).sum())}
    own = np.isin(events.unit[events.whole], known)
    if not own.any():
        return found, _NO_EVENT(seconds=SHORTEST_SECONDS)
    return found | {what: float(each[own].mean()) for what, each in measures.items()}, ""
