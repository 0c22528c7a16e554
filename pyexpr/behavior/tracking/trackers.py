"""What a tracker of faces is, and which ones are known by name."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.checks import is_number, is_whole
from pyexpr.base.errors import DataError, TrackerError, listed
from pyexpr.base.messages import say

# Name -> where the class is; its module is imported when it is used.
_KNOWN = {"mediapipe": "pyexpr.behavior.tracking.mediapipe_tracker:MediaPipeTracker"}


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """One face in one frame, as a tracker found it.

    Attributes
    ----------
    points : (n, 3) float64
        x and y in pixels from the upper left corner of the image (upright), z in pixels from the
        tracker's own zero, smaller towards the camera. NaN where a point is not found; a face
        without any point counts as not found.
    blendshapes : (m,) float64, optional
        In the order of the tracker's ``blendshapes``.
    pose : (6,) float64, optional
        Position of the head (x to the right, y down, z away from the camera; mm) and its rotation
        (radians) about these axes, where the rotation matrix is ``R(x) R(y) R(z)``.
    face_id : int, optional
        Identity of the face, if the tracker knows it; else faces are distinguished by position.

    Examples
    --------
    >>> import numpy as np
    >>> TrackedFace(points=np.zeros((1, 3))).face_id is None
    True
    """

    points: NDArray[np.float64]
    blendshapes: NDArray[np.float64] | None = None
    pose: NDArray[np.float64] | None = None
    face_id: int | None = None


class Tracker(ABC):
    """A tracker of faces; a class derived from this one can be given to `track_videos`.

    An instance is made for each video, `start` is called, then `track`, then `close`.

    Attributes
    ----------
    name : str
        What it is called in files.
    points : int
        How many points a face has.
    blendshapes : tuple of str
        Names of its blendshapes; by default it has none.
    has_pose : bool
        Whether it tells position and rotation of the head.
    options : mapping of str to object
        Its options with their defaults: numbers, truth values, or text.
    units : mapping of str to str
        What is to be known of a unit, by the columns it is about: ``{"pose_T": "mm, if ..."}``.
    model_help : str
        Which model file it needs, and where to get it; "" if it needs none.
    install : str
        How to install what it needs.

    Examples
    --------
    >>> import numpy as np
    >>> class BrightSpot(Tracker):
    ...     name, points = "bright-spot", 1
    ...
    ...     def track(self, frames, times):
    ...         for picture, _ in zip(frames, times):
    ...             y, x = np.nonzero(picture[:, :, 0] > 200)
    ...             spot = np.array([[x.mean(), y.mean(), 0.0]]) if len(x) else None
    ...             yield [] if spot is None else [TrackedFace(spot)]
    >>> picture = np.zeros((8, 8, 3), np.uint8)
    >>> picture[2:4, 4:6] = 255
    >>> found = next(BrightSpot().track(iter([picture]), iter([0.0])))
    >>> found[0].points.tolist()
    [[4.5, 2.5, 0.0]]
    """

    name: ClassVar[str]
    points: ClassVar[int]
    blendshapes: ClassVar[tuple[str, ...]] = ()
    has_pose: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Any]] = {}
    units: ClassVar[Mapping[str, str]] = {}
    model_help: ClassVar[str] = ""
    install: ClassVar[str] = ""

    def __init__(
        self,
        *,
        faces: int = 1,
        model: Path | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.faces = faces
        self.model = model
        self.chosen: dict[str, Any] = {**self.options, **(options or {})}

    @classmethod
    def available(cls) -> bool:
        """Return whether what it needs is installed, without loading it."""
        return True

    @classmethod
    def version(cls) -> str:
        """Return its version, which is written into files; with another one they are made anew."""
        return ""

    @classmethod  # noqa: B027 - a hook
    def check_model(cls, model: Path) -> None:
        """Raise `TrackerError` if the file `model` is clearly no model of this tracker."""

    @classmethod  # noqa: B027 - a hook
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise `DataError` if one of `options`, all of them given, has no possible value."""

    def start(self) -> None:  # noqa: B027 - a hook
        """Load what is needed; an error here is one of the installation or of the model."""

    def close(self) -> None:  # noqa: B027 - a hook
        """Let go of what `start` has loaded."""

    @abstractmethod
    def track(
        self, frames: Iterable[NDArray[np.uint8]], times: Iterable[float]
    ) -> Iterator[Sequence[TrackedFace]]:
        """Yield the faces of each frame, at most ``self.faces`` of them; [] where there is none.

        `frames` are (height, width, 3) RGB and `times` their seconds from the first frame on,
        increasing. Both are read once, a frame at a time, as ``zip(frames, times)``.
        """


def tracker_class(tracker: Any) -> type[Tracker]:
    """Return a tracker by its name, by ``"module:Class"``, or as it is.

    Raises
    ------
    DataError
        If there is none of this name, or it is no tracker.
    """
    if isinstance(tracker, str):
        where = _KNOWN.get(tracker, tracker)
        if ":" not in where:
            raise DataError(
                say(
                    "there is no tracker {tracker!r}, but {known}; one of your own is named by its "
                    "module and class, as 'my_module:MyTracker'",
                    tracker=tracker,
                    known=listed(sorted(_KNOWN)),
                )
            )
        return _checked(_imported(where), where)
    return _checked(tracker, None)


def _imported(where: str) -> Any:
    module, _, name = where.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            say(
                "the tracker {where!r} cannot be loaded ({error}); it is the name of a module that "
                "Python finds, a colon, and the name of a class in it",
                where=where,
                error=str(error),
            )
        ) from None


def _checked(found: Any, where: str | None) -> type[Tracker]:
    if not (isinstance(found, type) and issubclass(found, Tracker)):
        raise DataError(
            say(
                "{tracker=} must be a tracker's name or a class derived from {call Tracker}, and "
                "{given} is neither",
                given=where or repr(found),
            )
        )
    missing = [name for name in ("name", "points") if not hasattr(found, name)]
    if missing or found.__abstractmethods__:
        missing += sorted(found.__abstractmethods__)
        raise DataError(
            say("the tracker {name!r} lacks {what}", name=found.__name__, what=listed(missing))
        )
    return found


def is_importable(tracker: type[Tracker]) -> bool:
    """Return whether another process finds the class: not if a script or notebook defines it."""
    module = sys.modules.get(tracker.__module__)
    if tracker.__module__ == "__main__" or module is None:
        return False
    return getattr(module, tracker.__qualname__, None) is tracker


def checked_options(tracker: type[Tracker], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return all options of a tracker, those of `given` checked.

    Raises
    ------
    DataError
        If the tracker does not have one, or its value is of another kind than the default.
    """
    chosen = dict(tracker.options)
    for name, value in dict(given or {}).items():
        if name not in chosen:
            known = f"it has {listed(chosen)}" if chosen else "it has none"
            raise DataError(
                say(
                    "the tracker {tracker!r} has no option {name!r}; {known}",
                    tracker=tracker.name,
                    name=name,
                    known=known,
                )
            )
        chosen[name] = _of_kind(chosen[name], value, name)
    tracker.check_options(chosen)
    return chosen


def _of_kind(default: Any, value: Any, name: str) -> Any:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        kind = "true or false"
    elif isinstance(default, str):
        if isinstance(value, str):
            return value
        kind = "text"
    elif isinstance(default, int):
        if is_whole(value):
            return int(value)
        kind = "a whole number"
    else:
        if is_number(value):
            return float(value)
        kind = "a number"
    raise DataError(
        say(
            "the option {name!r} of the tracker must be {kind}, not {value!r}",
            name=name,
            kind=kind,
            value=value,
        )
    )


def check_model(tracker: type[Tracker], model: Path | None) -> None:
    """Raise unless the tracker can be expected to load the model file.

    Raises
    ------
    TrackerError
        If it is needed and not named, not there, or no model.
    DataError
        If the tracker takes none.
    """
    if not tracker.model_help:
        if model is not None:
            raise DataError(
                say("the tracker {name!r} needs no model; leave {model=} out", name=tracker.name)
            )
        return
    if model is None:
        raise TrackerError(
            say(
                "the tracker {name!r} needs a model file, which is not part of it: {help}; name "
                "the file by {model=}",
                name=tracker.name,
                help=tracker.model_help,
            )
        )
    if not model.is_file():
        kind = "is a folder" if model.is_dir() else "is not there"
        raise TrackerError(
            say(
                "the model file {model!r} {kind}; {help}",
                model=str(model),
                kind=kind,
                help=tracker.model_help,
            )
        )
    tracker.check_model(model)
