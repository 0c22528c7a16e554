"""Measurement models as data, and their lavaan syntax. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say

_PLAIN_NAME = re.compile(r"[^\W\d_][\w.]*")
# What may stand before "*": R sees a number, NA, or a label of ours in place of the user's.
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
LABEL = re.compile(r"[^\W\d][\w.]*")
#: A measurement model as a user writes it: a factor and its indicators, or lavaan's syntax.
ModelLike: TypeAlias = str | Mapping[str, str | Sequence[str]]
#: Label of the loadings held equal by ``equal_loadings=``, within a factor and a context.
EQUAL = "="


@dataclass(frozen=True, slots=True)
class Term:
    """One statement of a model: `lhs op rhs`, perhaps with a fixed number or a label.

    Attributes
    ----------
    lhs, op, rhs : str
        `op` is ``=~`` (is measured by), ``~~`` (covaries with) or ``~1``
        (intercept; `rhs` is empty).
    modifier : str
        A number ("1") at which it is fixed, ``NA`` (free), or "". A label given here is moved to
        `label`.
    label : str
        Of the parameter, or "": parameters with one label are one parameter. `EQUAL` is
        that of a factor whose loadings are equal within each context.
    start : str
        Where the optimiser begins, or "".
    """

    lhs: str
    op: str
    rhs: str
    modifier: str = ""
    label: str = ""
    start: str = ""

    def __post_init__(self) -> None:
        if self.modifier != "NA" and LABEL.fullmatch(self.modifier):
            object.__setattr__(self, "label", self.modifier)
            object.__setattr__(self, "modifier", "")

    @property
    def is_fixed(self) -> bool:
        """Whether the parameter is fixed at a number."""
        return self.modifier not in ("", "NA")

    @property
    def key(self) -> tuple[str, str, str]:
        """What the statement is about: a covariance is the same either way round."""
        if self.op == "~~":
            return (min(self.lhs, self.rhs), self.op, max(self.lhs, self.rhs))
        return (self.lhs, self.op, self.rhs)


@dataclass(frozen=True, slots=True)
class MeasurementModel:
    """A measurement model: factors, their indicators, and further specifications.

    Attributes
    ----------
    terms : tuple of Term
    factors, indicators : tuple of str
        In order of first mention.
    safe_names : dict
        User's name -> the name under which R sees it (``f1``, ``v1``, ...).
    """

    terms: tuple[Term, ...]
    factors: tuple[str, ...] = field(init=False)
    indicators: tuple[str, ...] = field(init=False)
    safe_names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        for term in self.terms:
            odd = [
                text
                for text, form in (
                    (term.modifier, NUMBER), (term.label, LABEL), (term.start, NUMBER)
                )
                if text not in ("", "NA", EQUAL) and not form.fullmatch(text)
            ]  # fmt: skip
            if odd:
                raise DataError(
                    f"{odd[0]!r} stands before * in the model: only a number, NA or a label "
                    "of letters, digits, . and _ may"
                )
        factors = tuple(dict.fromkeys(term.lhs for term in self.terms if term.op == "=~"))
        indicators = tuple(
            dict.fromkeys(
                term.rhs for term in self.terms if term.op == "=~" and term.rhs not in factors
            )
        )
        names = {name: f"f{k + 1}" for k, name in enumerate(factors)}
        names |= {name: f"v{k + 1}" for k, name in enumerate(indicators)}
        # A frozen class computes its fields once, here.
        object.__setattr__(self, "factors", factors)
        object.__setattr__(self, "indicators", indicators)
        object.__setattr__(self, "safe_names", names)

    @property
    def measured(self) -> tuple[str, ...]:
        """The indicators, and then the factors that measure other factors."""
        right = {term.rhs for term in self.terms if term.op == "=~"}
        return (*self.indicators, *(name for name in self.factors if name in right))

    @property
    def higher_order(self) -> bool:
        """Whether a factor measures other factors."""
        return len(self.measured) > len(self.indicators)

    @property
    def levels(self) -> dict[str, int]:
        """The level of each factor: 1, or 1 more than the highest factor that measures it."""
        found: dict[str, int] = {}
        left = list(self.factors)
        while left:
            known = [
                name for name in left if all(low in found for low in self._factors_below(name))
            ]
            if not known:
                raise DataError(
                    f"the factors {listed(left)} depend on one another in a circle; a factor "
                    "must be measured by indicators, or by factors that do not depend on it"
                )
            for name in known:
                found[name] = 1 + max((found[low] for low in self._factors_below(name)), default=0)
            left = [name for name in left if name not in found]
        return {name: found[name] for name in self.factors}

    def _factors_below(self, factor: str) -> list[str]:
        return [
            t.rhs for t in self.terms if t.op == "=~" and t.lhs == factor and t.rhs in self.factors
        ]

    @property
    def plain_factor(self) -> bool:
        """Whether this is one factor with free loadings and no specification that changes it.

        Specifications of the defaults change nothing: ``NA*``, a factor with variance 1 and mean 0,
        free residual variances and intercepts. Nor do starting values.
        """
        if len(self.factors) != 1:
            return False
        factor = self.factors[0]
        for term in self.terms:
            value = None if not term.is_fixed else float(term.modifier)
            if term.label or term.rhs not in (*self.indicators, factor, ""):
                return False
            if term.lhs == factor and term.op == "~~":
                holds = value == 1 or (value is None and term.modifier == "")
            elif term.lhs == factor and term.op == "~1":
                holds = value == 0
            else:
                holds = value is None and (term.op != "~~" or term.lhs == term.rhs)
            if not holds:
                return False
        return True

    @property
    def marked_factors(self) -> dict[str, str]:
        """The factors whose sign a fixed loading (not 0) determines, and the indicator of each."""
        return {
            t.lhs: t.rhs
            for t in reversed(self.scaled_terms)
            if t.op == "=~" and t.is_fixed and float(t.modifier)
        }

    @property
    def equal_loadings(self) -> bool:
        """Whether this is one factor with equal loadings and no further specification."""
        return len(self.factors) == 1 and all(
            term.op == "=~" and term.label == EQUAL and not term.is_fixed
            and term.rhs in self.indicators
            for term in self.terms
        )  # fmt: skip

    def with_equal_loadings(self) -> MeasurementModel:
        """Return the model with the loadings of each factor held equal to one another.

        Raises
        ------
        DataError
            If a loading has a number or a label already.
        """
        for term in self.terms:
            if term.op == "=~" and (term.is_fixed or term.label):
                raise DataError(
                    say(
                        "{equal_loadings=} constrains all loadings of a factor to be equal, "
                        "but the model also specifies that of {rhs!r}; remove one of the two",
                        rhs=term.rhs,
                    )
                )
        return MeasurementModel(
            tuple(replace(t, label=EQUAL) if t.op == "=~" else t for t in self.terms)
        )

    @property
    def scaled_terms(self) -> tuple[Term, ...]:
        """The terms with each factor's unit made explicit, as engines with unit variances require.

        A factor's variance is 1, unless a loading is fixed at a number other than 0 or the
        variance is freed (``NA*``) or has a label. Its unit is then that of an indicator, as
        in lavaan's ``cfa()``: the variance is free, and the first loading 1 unless it is
        specified as another number or as free.
        """
        terms = list(self.terms)
        for factor in self.factors:
            own = [i for i, t in enumerate(terms) if t.op == "=~" and t.lhs == factor]
            variances = [i for i, t in enumerate(terms) if t.key == (factor, "~~", factor)]
            if variances:
                variance = terms[variances[0]]
                marked = not variance.is_fixed and (variance.modifier == "NA" or variance.label)
            else:
                marked = any(terms[i].is_fixed and float(terms[i].modifier) for i in own)
            if not marked:
                continue
            if terms[own[0]].modifier == "":
                terms[own[0]] = replace(terms[own[0]], modifier="1")
            if variances:
                terms[variances[0]] = replace(terms[variances[0]], modifier="NA")
            else:
                terms.append(Term(factor, "~~", factor, "NA"))
        return tuple(terms)

    def syntax(self) -> str:
        """Return lavaan syntax with the user's names, odd ones between backticks."""
        return self._write({name: _readable(name) for name in self.safe_names}, labels=False)

    def safe_syntax(self, n_groups: int = 1) -> str:
        """Return lavaan syntax for R: only names and labels that we chose."""
        return MeasurementModel(self.scaled_terms)._write(
            self.safe_names, labels=True, n_groups=n_groups
        )

    def _write(self, names: Mapping[str, str], *, labels: bool, n_groups: int = 1) -> str:
        chosen: dict[str, str] | None = {} if labels else None
        lines: list[str] = []
        for factor in self.factors:
            parts = [
                _modified(term, names[term.rhs], chosen, n_groups)
                for term in self.terms
                if term.op == "=~" and term.lhs == factor
            ]
            lines.append(f"{names[factor]} =~ {' + '.join(parts)}")
        for term in self.terms:
            if term.op != "=~":
                right = _modified(term, names[term.rhs] if term.rhs else "1", chosen, n_groups)
                lines.append(f"{names[term.lhs]} {term.op.removesuffix('1')} {right}")
        return "\n".join(lines)


def _readable(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else f"`{name}`"


def _modified(term: Term, name: str, chosen: dict[str, str] | None, n_groups: int) -> str:
    """Return the name of a term with its modifiers; with `chosen`, labels become p1, p2, ...

    lavaan accepts one modifier at a time, so a term with several modifiers is repeated.
    """
    label = term.label
    if label == EQUAL:
        # A label for each context: one for all would hold the contexts equal, too.
        label = "equal" if chosen is None else _label_by_group(term.lhs, chosen, n_groups)
    elif label and chosen is not None:
        label = chosen.setdefault(label, f"p{len(chosen) + 1}")
    start = f"start({term.start})" if term.start else ""
    modifiers = [text for text in (term.modifier, label, start) if text]
    return " + ".join(f"{text}*{name}" for text in modifiers) or name


def _label_by_group(factor: str, chosen: dict[str, str], n_groups: int) -> str:
    labels = [
        chosen.setdefault(f"{factor} {EQUAL} {g}", f"p{len(chosen) + 1}") for g in range(n_groups)
    ]
    return labels[0] if n_groups == 1 else f"c({','.join(labels)})"
