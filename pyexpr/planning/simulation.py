"""The designs of a plan, and how many studies of each are simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyexpr.base.progress import progress as shown_progress
from pyexpr.core.streams import PLANS, generator

# Number of studies drawn at once. It is constant, so that the draws do not depend on time or
# memory.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Grid:
    """The numbers of subjects, clips and raters of the designs."""

    n_subjects: tuple[int, ...]
    n_clips: tuple[int | None, ...]
    n_raters: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """How often, at which level, and from which seed studies are simulated."""

    n_studies: int
    confidence: float
    seed: int
    progress: bool | None
    power: float

    def rng(self, context: int, n: int, clips: int | None, raters: int | None = None) -> Any:
        """Return the random numbers of one design, which do not depend on the other designs."""
        block = n + ((clips or 0) << 20) + ((raters or 0) << 36) + ((context + 1) << 48)
        return generator(self.seed, PLANS, block)

    def pieces(self, designs: Sequence[tuple[Any, int]]) -> Iterator[tuple[Any, int]]:
        """Yield designs with numbers of studies that add up to theirs, showing progress."""

        def cut() -> Iterator[tuple[Any, int]]:
            for design, total in designs:
                for first in range(0, total, _AT_ONCE):
                    yield design, min(_AT_ONCE, total - first)

        return shown_progress(
            cut(),
            total=sum(total for _, total in designs),
            label="simulated studies",
            show=self.progress,
            steps=lambda piece: piece[1],
        )
