"""The facets of a design, their nesting, and their effects.

An effect is the set of facets that identify its levels: with clips within subjects, the effect of
the clip has the facets subject and clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESIDUAL = "residual"
MOST_FACETS = 5


@dataclass(frozen=True, slots=True)
class Design:
    """Facets, in the given order, and effects.

    Attributes
    ----------
    facets : tuple of str
        Columns of the facets.
    within : tuple of tuple of str
        All facets in which each facet is nested, directly or indirectly.
    effects : tuple of tuple of str
        Facets of each effect, without the residual.
    measured : str
        The facet that is the object of measurement.
    replicated : bool
        Whether cells have several ratings, so that the residual is within cells.
    """

    facets: tuple[str, ...]
    within: tuple[tuple[str, ...], ...]
    effects: tuple[tuple[str, ...], ...]
    measured: str
    replicated: bool

    def closure(self, facet: str) -> tuple[str, ...]:
        """Return a facet and those in which it is nested, in the order of the facets."""
        inside = self.within[self.facets.index(facet)]
        return tuple(name for name in self.facets if name == facet or name in inside)

    @property
    def sampled(self) -> str:
        """Return the facet whose levels are left out: the outermost one with the object in it."""
        return next(name for name in self.closure(self.measured) if len(self.closure(name)) == 1)

    def label(self, effect: tuple[str, ...]) -> str:
        """Return an effect's name: its facets without those in which one of them is nested."""
        return ":".join(self.named(effect)) if effect else RESIDUAL

    def named(self, effect: tuple[str, ...]) -> tuple[str, ...]:
        """Return the facets of an effect without those in which one of them is nested."""
        inside = {up for name in effect for up in self.closure(name) if up != name}
        return tuple(name for name in effect if name not in inside)

    def closed_sets(self) -> list[tuple[str, ...]]:
        """Return all effects that the facets can have, the interaction of all facets last."""
        found: dict[tuple[str, ...], None] = {}
        for size in range(1, len(self.facets) + 1):
            for names in combinations(self.facets, size):
                found[_closed(self, names)] = None
        return sorted(found, key=lambda effect: (len(effect), [*map(self.facets.index, effect)]))


def _closed(design: Design, names: Iterable[str]) -> tuple[str, ...]:
    inside = {up for name in names for up in design.closure(name)}
    return tuple(name for name in design.facets if name in inside)


def design_of(
    facets: Any, nested: Any, effects: Any, measured: str | None, *, replicated: bool
) -> Design:
    """Return the declared design; raise `DataError` if it is contradictory."""
    names = _facets(facets)
    within = _within(names, nested)
    chosen = names[0] if measured is None else measured
    if chosen not in names:
        raise DataError(
            say(
                "{object_of_measurement=} must be one of the facets, not {given!r}; {hint}",
                given=chosen,
                hint=near_names(str(chosen), names, lead="the facets are"),
            )
        )
    bare = Design(names, within, (), chosen, replicated)
    return Design(names, within, _effects(bare, effects), chosen, replicated)


def _facets(facets: Any) -> tuple[str, ...]:
    given = [facets] if isinstance(facets, str) else facets
    if not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
        raise DataError(
            say(
                "{facets=} must be the columns of the facets, such as ['subject', 'rater'], not "
                "{given!r}",
                given=facets,
            )
        )
    if not given:
        raise DataError(say("{facets=} names no facet"))
    if len(set(given)) < len(given):
        twice = next(name for name in given if list(given).count(name) > 1)
        raise DataError(say("{facets=} names {name!r} twice", name=twice))
    if len(given) > MOST_FACETS:
        raise DataError(
            say("{facets=} names {n} facets; at most {most} are possible", n=len(given),
                most=MOST_FACETS)
        )  # fmt: skip
    return tuple(given)


def _within(names: tuple[str, ...], nested: Any) -> tuple[tuple[str, ...], ...]:
    if nested is None:
        nested = {}
    if not isinstance(nested, Mapping):
        raise DataError(
            say(
                "{nested=} must say in which facet a facet is nested, such as {example}, not "
                "{given!r}",
                example={"clip": "subject"},
                given=nested,
            )
        )
    direct: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    for inner, outer in nested.items():
        ups = (outer,) if isinstance(outer, str) else tuple(outer)
        for name in (inner, *ups):
            if name not in names:
                raise DataError(
                    say(
                        "{nested=} names {name!r}, which is not one of the facets; {hint}",
                        name=name,
                        hint=near_names(str(name), names, lead="the facets are"),
                    )
                )
        direct[inner] = ups
    found = []
    for name in names:
        above: list[str] = []
        waiting = list(direct[name])
        while waiting:
            up = waiting.pop()
            if up == name:
                raise DataError(say("{nested=} nests the facet {name!r} within itself", name=name))
            if up not in above:
                above.append(up)
                waiting.extend(direct[up])
        found.append(tuple(one for one in names if one in above))
    return tuple(found)


def _effects(bare: Design, effects: Any) -> tuple[tuple[str, ...], ...]:
    every = bare.closed_sets()
    if isinstance(effects, str) and effects == "all":
        return tuple(every if bare.replicated else every[:-1])
    if isinstance(effects, str) or not isinstance(effects, Iterable):
        raise DataError(
            say(
                '{effects=} must be "all" or a list of facets and of interactions, such as '
                "['subject', 'rater', ('subject', 'rater')], not {given!r}",
                given=effects,
            )
        )
    found: dict[tuple[str, ...], None] = {}
    for effect in effects:
        members = (effect,) if isinstance(effect, str) else tuple(effect)
        for name in members:
            if name not in bare.facets:
                raise DataError(
                    say(
                        "{effects=} names {name!r}, which is not one of the facets; {hint}",
                        name=name,
                        hint=near_names(str(name), bare.facets, lead="the facets are"),
                    )
                )
        found[_closed(bare, members)] = None
    found.pop((), None)
    if not found:
        raise DataError(say("{effects=} names no effect"))
    if not bare.replicated and every[-1] in found:
        raise DataError(
            say(
                "{effects=} names the interaction of all facets, {names}, which is the residual "
                "if each cell has one rating; leave it out",
                names=listed(bare.facets),
            )
        )
    return tuple(effect for effect in every if effect in found)


def degrees_of_freedom(
    design: Design, levels: Mapping[tuple[str, ...], int], n: int
) -> NDArray[np.float64]:
    """Return each effect's degrees of freedom, the residual's last.

    Parameters
    ----------
    levels : dict
        Number of levels of each effect of `Design.closed_sets`.
    n : int
        Number of ratings.
    """
    own: dict[tuple[str, ...], int] = {}
    for effect in design.closed_sets():
        below = sum(df for other, df in own.items() if set(other) < set(effect))
        own[effect] = max(levels[effect] - 1 - below, 0)
    modelled = [own[effect] for effect in design.effects]
    return np.array([*modelled, max(n - 1 - sum(modelled), 1)], dtype=np.float64)
