"""Measurement models as data: from a dictionary or lavaan's syntax, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyexpr.base.errors import DataError, listed

_TOKEN = re.compile(
    r"`(?P<quoted>[^`]*)`|(?P<op>=~|~~|~\s*1\b|~)|(?P<sign>[+*])"
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])|(?P<name>[^\W\d][\w.]*)"
)
_PLAIN_NAME = re.compile(r"[^\W\d_][\w.]*")
# What may stand before "*": R sees a number, NA, or a label of ours in place of the user's.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LABEL = re.compile(r"[^\W\d][\w.]*")


@dataclass(frozen=True, slots=True)
class Term:
    """One statement of a model: `lhs op rhs`, perhaps with a fixed number or a label.

    Attributes
    ----------
    lhs, op, rhs : str
        `op` is ``=~`` (is measured by), ``~~`` (covaries with) or ``~1``
        (intercept; `rhs` is empty).
    modifier : str
        A number ("1"), ``NA`` (free), a label, or "" for none.
    """

    lhs: str
    op: str
    rhs: str
    modifier: str = ""

    @property
    def is_label(self) -> bool:
        """Whether the modifier names the parameter."""
        return self.modifier != "NA" and _LABEL.fullmatch(self.modifier) is not None


@dataclass(frozen=True, slots=True)
class MeasurementModel:
    """Factors, their indicators, and what else is said about them.

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
            if term.modifier and not (
                _NUMBER.fullmatch(term.modifier) or _LABEL.fullmatch(term.modifier)
            ):
                raise DataError(
                    f"{term.modifier!r} stands before * in the model: only a number, NA or a label "
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
    def plain_factor(self) -> bool:
        """Whether this is one factor with free loadings and nothing else said."""
        return len(self.factors) == 1 and all(
            term.op == "=~" and not term.modifier and term.rhs in self.indicators
            for term in self.terms
        )

    def syntax(self) -> str:
        """Return lavaan syntax with the user's names, odd ones between backticks."""
        return self._write({name: _readable(name) for name in self.safe_names}, labels=False)

    def safe_syntax(self) -> str:
        """Return lavaan syntax for R: only names and labels that we chose."""
        return self._write(self.safe_names, labels=True)

    def _write(self, names: Mapping[str, str], *, labels: bool) -> str:
        chosen: dict[str, str] = {}
        lines: list[str] = []
        for factor in self.factors:
            parts = [
                _modified(term.modifier, names[term.rhs], chosen if labels else None)
                for term in self.terms
                if term.op == "=~" and term.lhs == factor
            ]
            lines.append(f"{names[factor]} =~ {' + '.join(parts)}")
        for term in self.terms:
            if term.op != "=~":
                right = names[term.rhs] if term.rhs else "1"
                right = _modified(term.modifier, right, chosen if labels else None)
                lines.append(f"{names[term.lhs]} {term.op.removesuffix('1')} {right}")
        return "\n".join(lines)


def parse_model(model: Any) -> MeasurementModel:
    """Return the model given as a dictionary, as lavaan syntax, or already parsed.

    Parameters
    ----------
    model : dict, str or MeasurementModel
        ``{"factor": ["column", ...]}``, or lavaan's syntax with ``=~``, ``~~``
        and ``~ 1``; names with other characters than letters, digits, ``.``
        and ``_`` go between backticks.

    Raises
    ------
    DataError
        If the model is empty, names an indicator twice, or says something that
        is not a measurement model (a regression, a constraint).

    Examples
    --------
    >>> parse_model({"expressiveness": ["response", "emotion", "motion"]}).syntax()
    'expressiveness =~ response + emotion + motion'
    >>> parse_model("f =~ x1 + `x 2` + x3").indicators
    ('x1', 'x 2', 'x3')
    """
    if isinstance(model, MeasurementModel):
        return model
    if isinstance(model, str):
        parsed = MeasurementModel(tuple(_parse_syntax(model)))
    elif isinstance(model, Mapping):
        parsed = MeasurementModel(tuple(_from_mapping(model)))
    else:
        raise DataError(
            "model must be a dictionary of factors, such as {'expressiveness': ['response', "
            f"'emotion', 'motion']}}, or lavaan syntax, not {type(model).__name__}"
        )
    _check(parsed)
    return parsed


def _from_mapping(model: Mapping[Any, Any]) -> list[Term]:
    terms = []
    for factor, columns in model.items():
        if isinstance(columns, str) or not hasattr(columns, "__iter__"):
            raise DataError(
                f"the indicators of factor {str(factor)!r} must be a list of column names, "
                f"not {columns!r}"
            )
        terms += [Term(str(factor), "=~", str(column)) for column in columns]
    return terms


def _check(model: MeasurementModel) -> None:
    if not model.factors:
        raise DataError(
            "the model has no factor: name one with its indicators, as in 'f =~ x + y + z'"
        )
    seen: set[tuple[str, str, str]] = set()
    known = {*model.factors, *model.indicators}
    for term in model.terms:
        key = (term.lhs, term.op, term.rhs)
        if term.op == "~~":
            # Either way round it is the same covariance.
            key = (min(term.lhs, term.rhs), term.op, max(term.lhs, term.rhs))
        if key in seen:
            raise DataError(f"the model says '{term.lhs} {term.op} {term.rhs}' twice")
        seen.add(key)
        for name in (term.lhs, term.rhs):
            if name and name not in known:
                raise DataError(
                    f"the model mentions {name!r}, which is neither a factor nor an indicator; "
                    f"it has {listed(sorted(known))}"
                )
    mixed = [
        term
        for term in model.terms
        if term.op == "~~" and (term.lhs in model.factors) != (term.rhs in model.factors)
    ]
    if mixed:
        raise DataError(
            f"the model lets a factor covary with an indicator ('{mixed[0].lhs} ~~ "
            f"{mixed[0].rhs}'), which is not supported"
        )
    own = [term.rhs for term in model.terms if term.op == "=~" and term.rhs == term.lhs]
    if own:
        raise DataError(f"a factor and its indicator are both called {own[0]!r}; rename one")
    if any(term.op == "=~" and term.rhs in model.factors for term in model.terms):
        raise DataError("a factor that measures another factor is not supported")


def _parse_syntax(text: str) -> list[Term]:
    terms: list[Term] = []
    for statement in _statements(text):
        terms += _parse_statement(statement)
    return terms


def _statements(text: str) -> list[str]:
    """Split at ends of line and semicolons, outside backticks, and join continued lines."""
    text = re.sub(r"(`[^`\n]*`)|[#!][^\n]*", lambda match: match[1] or "", text)
    pieces = re.findall(r"(?:`[^`]*`|[^;\n`])+", text)
    statements: list[str] = []
    for piece in (piece.strip() for piece in pieces):
        if not piece:
            continue
        continued = statements and (
            statements[-1].endswith(("+", "~", "*")) or piece.startswith(("+", "=~", "~", "*"))
        )
        if continued:
            statements[-1] += f" {piece}"
        else:
            statements.append(piece)
    return statements


def _tokens(statement: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(statement):
        if statement[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(statement, at)
        if match is None:
            raise DataError(
                f"cannot read {statement[at:]!r} in the model statement {statement!r}: only =~, "
                "~~ and ~ 1 are understood, and odd names must stand between backticks"
            )
        kind = str(match.lastgroup)
        value = match[kind]
        if kind == "op" and value.startswith("~") and value.endswith("1"):
            value = "~1"
        tokens.append(("name" if kind == "quoted" else kind, value))
        at = match.end()
    return tokens


def _parse_statement(statement: str) -> list[Term]:
    tokens = _tokens(statement)
    if len(tokens) < 2 or tokens[0][0] != "name" or tokens[1][0] != "op":
        raise DataError(
            f"cannot read the model statement {statement!r}: write it as 'factor =~ x + y'"
        )
    lhs, op = tokens[0][1], tokens[1][1]
    rest = tokens[2:]
    if op == "~1" and not rest:
        return [Term(lhs, "~1", "")]
    if op == "~" and len(rest) == 3 and rest[1] == ("sign", "*") and rest[2] == ("number", "1"):
        return [Term(lhs, "~1", "", rest[0][1])]
    if op not in ("=~", "~~"):
        raise DataError(
            f"the model statement {statement!r} is a regression; a measurement model has only "
            "=~, ~~ and ~ 1"
        )
    terms: list[Term] = []
    for part in _split(rest):
        values = [value for _, value in part]
        kinds = [kind for kind, _ in part]
        if kinds == ["name"]:
            terms.append(Term(lhs, op, values[0]))
        elif kinds in (["name", "sign", "name"], ["number", "sign", "name"]) and values[1] == "*":
            terms.append(Term(lhs, op, values[2], values[0]))
        else:
            raise DataError(
                f"cannot read {' '.join(values) or 'an empty term'!r} in the model statement "
                f"{statement!r}"
            )
    return terms


def _split(tokens: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("sign", "+"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _readable(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else f"`{name}`"


def _modified(modifier: str, name: str, chosen: dict[str, str] | None) -> str:
    """Return `modifier*name`; with `chosen`, labels become p1, p2, ... in order."""
    if not modifier:
        return name
    is_label = modifier != "NA" and _LABEL.fullmatch(modifier) is not None
    if chosen is not None and is_label:
        modifier = chosen.setdefault(modifier, f"p{len(chosen) + 1}")
    return f"{modifier}*{name}"
