"""The direction of factors: one rule for a fit, its contexts, and all refits.

A factor and its mirror image fit alike, so an engine's choice between them is arbitrary. The fit
of the whole sample is turned so that one named indicator loads positively; every other fit is
turned so that its standardised loadings agree with those, by their inner product. A sum of loadings
would not be suitable: if equally many indicators are keyed in either direction, it is near 0, and
its sign is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import Template, say
from pyexpr.core.factor_model import fit_factor, moments
from pyexpr.measurement.engines.protocol import Parameters
from pyexpr.measurement.specification import EQUAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import FitOutput
    from pyexpr.measurement.specification import MeasurementModel

Node = tuple[int, str]


MIXED_SIGNS = Template(
    "loadings_of_both_signs",
    "Loadings have both signs, and the sign of a factor is arbitrary: {factors} {verb} to "
    "where {indicators} {whose} high ({chosen}).{over_groups}",
)
AS_NAMED = Template("pointing_as_named", "as {positive=} names", report="as the study file names")()
FIRST_INDICATOR = Template(
    "pointing_to_the_first",
    "the first of its indicators; {positive=} names another",
    report="the first of its indicators",
)()


@dataclass(frozen=True, slots=True)
class Pointing:
    """The indicator that loads positively on each factor, and whether the user named it."""

    indicators: dict[str, str]
    named: frozenset[str]

    def note(self, factors: list[str], *, over_groups: str = "") -> str:
        """Return the sentence about factors with loadings of both signs."""
        one = len(factors) == 1
        return MIXED_SIGNS(
            factors=listed(factors),
            verb="points" if one else "point",
            indicators=listed([self.indicators[factor] for factor in factors]),
            whose="is" if one else "are, in this order,",
            chosen=AS_NAMED if self.named.issuperset(factors) else FIRST_INDICATOR,
            over_groups=over_groups,
        )


def pointing(positive: Any, spec: MeasurementModel) -> Pointing:
    """Return the indicator to which each factor points: that of ``positive=`` or the first.

    Raises
    ------
    DataError
        If a name is not an indicator (of that factor), is an indicator of several factors, or a
        factor is named twice.
    """
    of_factor = {
        factor: [t.rhs for t in spec.terms if t.op == "=~" and t.lhs == factor]
        for factor in spec.factors
    }
    chosen: dict[str, str] = {}
    for factor, name in _named(positive, of_factor):
        if factor in chosen:
            raise DataError(
                say(
                    "{positive=} names {chosen!r} and {name!r} for one factor, {factor!r}; "
                    "name only one of them",
                    chosen=chosen[factor],
                    name=name,
                    factor=factor,
                )
            )
        if factor in spec.marked_factors:
            raise DataError(
                say(
                    "{positive=} names {name!r}, but the loading of {marked_factors!r} is "
                    "fixed, which determines the sign of {factor!r}; leave out {positive=}",
                    name=name,
                    marked_factors=spec.marked_factors[factor],
                    factor=factor,
                )
            )
        chosen[factor] = name
    first = {factor: names[0] for factor, names in of_factor.items()}
    return Pointing(first | chosen, frozenset(chosen))


def _named(positive: Any, of_factor: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    if positive is None:
        return []
    if isinstance(positive, Mapping):
        pairs = [(str(factor), str(name)) for factor, name in positive.items()]
        for factor, name in pairs:
            if factor not in of_factor:
                raise DataError(
                    say(
                        "{positive=} names the factor {factor!r}, which the model does "
                        "not have; it has {names}",
                        factor=factor,
                        names=listed(of_factor),
                    )
                )
            if name not in of_factor[factor]:
                raise DataError(
                    say(
                        "{positive=} names {name!r}, which is not an indicator of {factor!r}; "
                        "{hint}",
                        name=name,
                        factor=factor,
                        hint=near_names(name, of_factor[factor]),
                    )
                )
        return pairs
    names = [positive] if isinstance(positive, str) or not np.iterable(positive) else positive
    return [(_factor_of(str(name), of_factor), str(name)) for name in names]


def _factor_of(name: str, of_factor: Mapping[str, list[str]]) -> str:
    found = [factor for factor, names in of_factor.items() if name in names]
    if not found:
        known = list(dict.fromkeys(name for names in of_factor.values() for name in names))
        raise DataError(
            say(
                "{positive=} names {name!r}, which is not an indicator; {hint}",
                name=name,
                hint=near_names(name, known),
            )
        )
    if len(found) > 1:
        raise DataError(
            say(
                "{positive=} names {name!r}, which measures {names}; state which is meant, as "
                "in {{{found!r}: {name!r}}}",
                name=name,
                names=listed(found),
                found=found[0],
            )
        )
    return found[0]


def agreeing(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return one-factor loadings (..., p), each row turned to agree with `target` (p,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # With a negative residual variance the implied variance may be 0; then the loading alone
        # decides.
        variance = loadings**2 + residuals
        standard = loadings / np.sqrt(np.where(variance > 0, variance, loadings**2))
        against = standard @ target < 0
    return np.where(against[..., None], -loadings, loadings)


def all_agreeing(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (B, p) loadings; the sign of the first row agrees with `target`, the rest with it."""
    first = agreeing(loadings[:1], residuals[:1], target)[0]
    variance = first**2 + residuals[0]
    if np.isnan(variance).any():
        return agreeing(loadings, residuals, target)
    return agreeing(loadings, residuals, first / np.sqrt(np.where(variance > 0, variance, 1.0)))


def whole_sample(
    columns: NDArray[np.float64], groups: NDArray[np.int64], at: int
) -> tuple[NDArray[np.float64], int | None]:
    """Return standardised loadings (p,) with which the one-factor models of contexts must agree.

    They are those of all rows (n, p) after subtracting the contexts' means, with indicator `at`
    positive. If these rows have no solution, they are those of the largest context, whose code is
    the second value.
    """
    centred = columns.copy()
    for code in np.unique(groups):
        centred[groups == code] -= columns[groups == code].mean(axis=0)
    largest = int(np.bincount(groups).argmax())
    for rows, whose in ((centred, None), (columns[groups == largest], largest)):
        covariance = moments(rows)[1]
        fit = fit_factor(covariance, len(rows))
        if not fit.reason:
            standard = fit.loadings / np.sqrt(np.diag(covariance))
            return np.where(standard[at] < 0, -1.0, 1.0) * standard, whose
    # The largest context has no solution either, which is reported as a separate error.
    return np.eye(columns.shape[1])[at], None


def standardised(parameters: Parameters, code: int, spec: MeasurementModel) -> NDArray[np.float64]:
    """Return standardised loadings of one context, indicators and then factors by factors."""
    row = {name: i for i, name in enumerate(spec.measured)}
    column = {name: k for k, name in enumerate(spec.factors)}
    found = np.zeros((len(row), len(column)))
    for i in np.flatnonzero(parameters.group == code):
        if parameters.op[i] == "=~":
            found[row[parameters.rhs[i]], column[parameters.lhs[i]]] = parameters.std_all[i]
    return found


def targets(where: Pointing, spec: MeasurementModel) -> NDArray[np.float64]:
    """Return the loadings with which a fit of the whole sample must agree: 1 for its indicators."""
    found = np.zeros((len(spec.measured), len(spec.factors)))
    for k, factor in enumerate(spec.factors):
        found[spec.measured.index(where.indicators[factor]), k] = 1.0
    return found


def oriented(
    output: FitOutput,
    spec: MeasurementModel,
    where: Pointing,
    pooled: Callable[[], FitOutput | None],
) -> tuple[FitOutput, int | None]:
    """Return the output with its factors turned by the rule, and the context that set it.

    A single context is turned by `where`. Several contexts agree with the model of the `pooled`
    rows or, if that has no solution, with that of the largest context, whose code is the second
    value.
    """
    whole = targets(where, spec)
    n_groups = int(output.parameters.group.max()) + 1
    if n_groups == 1:
        return turned_to(output, spec, {0: whole}, where), None
    reference, code, largest = pooled(), 0, None
    if reference is None:
        largest = code = int(np.argmax(output.n_obs))
        reference = output
    alone = replace(reference, parameters=_of_group(reference.parameters, code))
    alone = turned_to(alone, spec, {code: whole}, where)
    agreed = standardised(alone.parameters, code, spec)
    return turned_to(output, spec, dict.fromkeys(range(n_groups), agreed), None), largest


def turned_to(
    output: FitOutput,
    spec: MeasurementModel,
    target: Mapping[int, NDArray[np.float64]],
    where: Pointing | None = None,
) -> FitOutput:
    """Return the output with every context's standardised loadings in agreement with its `target`.

    Factors that are tied are turned together. The factors that `where` marks as named by the user
    decide, or else the first. A loading that is fixed at a value other than 0 keeps the direction
    of its factor. A factor that other factors measure is turned after these.
    """
    found = output.parameters
    codes = np.unique(found.group).tolist()
    loadings = {code: standardised(found, code, spec) for code in codes}
    flip = dict.fromkeys([(code, factor) for code in codes for factor in spec.factors], 1.0)
    named = frozenset() if where is None else where.named
    level = spec.levels
    nodes = sorted(flip, key=lambda node: (level[node[1]], node[1] not in named))
    for together in free_to_turn(nodes, _ties(found, spec, codes)):
        if _agreement(_deciding(together, where, spec), flip, loadings, target, spec) < 0:
            flip |= {node: -flip[node] for node in together}
    return _flipped(output, flip)


def _deciding(together: list[Node], where: Pointing | None, spec: MeasurementModel) -> list[Node]:
    lowest = spec.levels[together[0][1]]
    low = [node for node in together if spec.levels[node[1]] == lowest]
    if where is None:
        return low
    return [node for node in low if node[1] in where.named] or low[:1]


def _agreement(
    nodes: list[Node],
    flip: Mapping[Node, float],
    loadings: Mapping[int, NDArray[np.float64]],
    target: Mapping[int, NDArray[np.float64]],
    spec: MeasurementModel,
) -> float:
    """Return the inner product of loadings, with signs by `flip`, and their target."""
    total = 0.0
    for code, factor in nodes:
        k = spec.factors.index(factor)
        rows = np.array([flip.get((code, name), 1.0) for name in spec.measured])
        total += float((flip[code, factor] * rows * loadings[code][:, k]) @ target[code][:, k])
    return total


def signs_between(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], spec: MeasurementModel
) -> NDArray[np.float64]:
    """Return (m,) signs by which factors with loadings `theirs` agree with `ours`."""
    flip = {(0, factor): 1.0 for factor in spec.factors}
    for node in sorted(flip, key=lambda node: spec.levels[node[1]]):
        if _agreement([node], flip, {0: theirs}, {0: ours}, spec) < 0:
            flip[node] = -1.0
    return np.array(list(flip.values()))


def free_to_turn(nodes: list[Node], ties: list[frozenset[Node]]) -> list[list[Node]]:
    """Return the nodes that may be turned, each with the nodes that must then be turned, too.

    In every tie an even number of factors is turned, so that the product of their signs stays the
    same. The free nodes are the first possible ones in the order of `nodes`; they give a basis of
    the solutions modulo 2.
    """
    reduced: dict[Node, frozenset[Node]] = {}
    for tie in ties:
        for last, row in reduced.items():
            if last in tie:
                tie ^= row
        if tie:
            last = max(tie, key=nodes.index)
            reduced = {one: row ^ tie if last in row else row for one, row in reduced.items()} | {
                last: tie
            }
    return [
        [node, *(last for last in nodes if node in reduced.get(last, ()))]
        for node in nodes
        if node not in reduced
    ]


def _ties(found: Parameters, spec: MeasurementModel, codes: list[int]) -> list[frozenset[Node]]:
    """Return sets of factors in which only an even number may be turned.

    A value that is fixed at a number other than 0 keeps its sign, and values with the same label
    have the same sign.
    """
    ties = []
    for i in np.flatnonzero((found.free < 0) & (found.estimate != 0)):
        names = _factors_of(found.lhs[i], found.op[i], found.rhs[i], spec)
        ties.append(frozenset((int(found.group[i]), name) for name in names))
    of_label: dict[str, list[frozenset[Node]]] = {}
    for term in spec.terms:
        # The loadings of `equal_loadings` are one parameter within each context.
        for code in codes if term.label else ():
            label = f"{term.label} {term.lhs} {code}" if term.label == EQUAL else term.label
            names = _factors_of(term.lhs, term.op, term.rhs, spec)
            of_label.setdefault(label, []).append(frozenset((code, name) for name in names))
    for first, *others in of_label.values():
        ties += [first ^ other for other in others]
    return [tie for tie in ties if tie]


def _factors_of(lhs: str, op: str, rhs: str, spec: MeasurementModel) -> list[str]:
    """Return the factors that change a parameter's sign when they are turned."""
    if lhs not in spec.factors or (op == "~~" and lhs == rhs):
        return []
    return [name for name in (lhs, rhs) if name in spec.factors]


def _of_group(found: Parameters, code: int) -> Parameters:
    mine = np.flatnonzero(found.group == code)

    def kept(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values[i] for i in mine)

    return Parameters(
        kept(found.lhs), kept(found.op), kept(found.rhs), found.group[mine], found.free[mine],
        found.estimate[mine], found.std_error[mine], found.std_all[mine],
        found.std_all_error[mine],
    )  # fmt: skip


def _flipped(output: FitOutput, flip: Mapping[Node, float]) -> FitOutput:
    found = output.parameters
    sign = np.ones(len(found.lhs))
    for i, code in enumerate(found.group.tolist()):
        sign[i] = flip.get((code, found.lhs[i]), 1.0)
        if found.op[i] in ("=~", "~~"):
            # A variance contains its factor twice, and keeps its sign.
            sign[i] *= flip.get((code, found.rhs[i]), 1.0)
    if (sign > 0).all():
        return output
    free = found.free >= 0
    turn = np.ones(len(output.vcov))
    turn[found.free[free]] = sign[free]
    parameters = replace(found, estimate=found.estimate * sign, std_all=found.std_all * sign)
    return replace(output, parameters=parameters, vcov=output.vcov * np.outer(turn, turn))
