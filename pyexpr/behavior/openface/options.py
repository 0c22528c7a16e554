"""How recordings are read, checked: the one declaration of these options."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN

Place = Literal["largest", "left", "right"]
Clock = Literal["auto", "frames", "timestamps", "video"]
PLACES: Final[tuple[str, ...]] = get_args(Place)
CLOCKS: Final[tuple[str, ...]] = get_args(Clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How a file becomes a recording; `read_openface` says what each means.

    `read_openface` and `extract_features` have them as arguments, the features' section of a
    study file as entries; tests hold their signatures, and those of R, equal to it.
    """

    min_confidence: float | None = None
    fps: float | None = None
    clock: Clock = "auto"
    face: Place | int = "largest"
    join_ids: bool = False
    max_speed: float = MAX_SPEED
    max_turn: float = MAX_TURN

    def __post_init__(self) -> None:
        if self.fps is not None and not (
            _is_real(self.fps) and np.isfinite(self.fps) and self.fps > 0
        ):
            raise DataError(
                say(
                    "{fps=} must be a positive number of frames per second, not {given!r}",
                    given=self.fps,
                )
            )
        least = self.min_confidence
        if least is not None and not (_is_real(least) and 0 <= least <= 1):
            raise DataError(
                say("{min_confidence=} must be between 0 and 1, not {given!r}", given=least)
            )
        if self.face not in PLACES and not (_is_real(self.face) and float(self.face).is_integer()):
            raise DataError(
                say(
                    "{face=} must be 'largest', 'left', 'right' or a face_id such as 0, not "
                    "{given!r}",
                    given=self.face,
                )
            )
        if self.clock not in CLOCKS:
            raise DataError(
                say(
                    "{clock=} must be one of {names}, not {given!r}",
                    names=listed(CLOCKS),
                    given=self.clock,
                )
            )
        if self.clock in ("timestamps", "video") and self.fps is not None:
            raise DataError(
                say(
                    "{fps=} states a rate for frames by their numbers, and {clock=} asks for the "
                    "times at which they are shown; leave one of them out",
                    clock=self.clock,
                )
            )
        if not isinstance(self.join_ids, (bool, np.bool_)):
            raise DataError(
                say("{join_ids=} must be yes or no, not {given!r}", given=self.join_ids)
            )
        for name in ("max_speed", "max_turn"):
            limit = getattr(self, name)
            if not (_is_real(limit) and limit > 0):
                raise DataError(
                    say(
                        "{@name=} must be a positive number, or infinite for no limit, not "
                        "{given!r}",
                        name=name,
                        given=limit,
                    )
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _is_real(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
