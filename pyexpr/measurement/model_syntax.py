"""Parsing of measurement models from a dictionary or lavaan's syntax. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.measurement.specification import LABEL, NUMBER, MeasurementModel, Term

_TOKEN = re.compile(
    r"`(?P<quoted>[^`]*)`|(?P<op>=~|~~|~\s*1\b|~)|(?P<sign>[+*])"
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])"
    r"|(?P<call>[^\W\d_]\w*\s*\((?:[^()]|\([^()]*\))*\))|(?P<name>[^\W\d][\w.]*)"
)
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
# Statements of lavaan that are not part of a measurement model, or that are not supported here.
_OTHERS = (
    (r":=", "defines a parameter (:=)", "compute it from tidy()"),
    (r"~\*~", "scales a response (~*~)", "leave it out"),
    (r"==", "is a constraint (==)", "give both parameters one label instead"),
    (r"<~", "has a formative construct (<~)", "only =~, ~~ and ~ 1 are understood"),
    (r"[<>]", "is an inequality", "leave it out; an inadmissible solution is reported"),
    (r"\|", "has thresholds (|)", say("name the ordered indicators with {ordered=} instead")),
    (r"^\s*(level|group|class)\s*:", "begins a block", say("use {context=} or {cluster=} instead")),
    (r":|%", "is not understood", "only =~, ~~ and ~ 1 are"),
)
_CALLS = {
    "c": "gives a value for each context; one label holds a parameter equal over contexts, and "
    "other values by context are not supported",
    "equal": "names another parameter; give both the same label instead, as in 'f =~ a*x + a*y'",
    "efa": "begins an exploratory block, which is not supported",
}


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
            say(
                "model must be a dictionary of factors, such as {{'expressiveness': ['response', "
                "'emotion', 'motion']}}, or lavaan syntax, not {kind}",
                r="model must be a list of factors, such as list(expressiveness = c('response', "
                "'emotion', 'motion')), or lavaan syntax, not {kind}",
                kind=type(model).__name__,
            )
        )
    _check(parsed)
    return parsed


def _from_mapping(model: Mapping[Any, Any]) -> list[Term]:
    terms = []
    for factor, columns in model.items():
        if isinstance(columns, str) or not hasattr(columns, "__iter__"):
            raise DataError(
                say(
                    "the indicators of factor {factor!r} must be a list of column names, "
                    "not {columns!r}",
                    factor=str(factor),
                    columns=columns,
                )
            )
        terms += [Term(str(factor), "=~", str(column)) for column in columns]
    return terms


def _check(model: MeasurementModel) -> None:
    if not model.factors:
        raise DataError(
            "the model has no factor; name one with its indicators, as in 'f =~ x + y + z'"
        )
    seen: set[tuple[str, str, str]] = set()
    known = {*model.factors, *model.indicators}
    for term in model.terms:
        key = term.key
        if key in seen:
            raise DataError(f"the model contains '{term.lhs} {term.op} {term.rhs}' twice")
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
    # If factors measure one another in a circle, there are no levels: computing them raises the
    # error.
    assert model.levels


def _parse_syntax(text: str) -> list[Term]:
    found: dict[tuple[str, str, str], Term] = {}
    for statement in _statements(text):
        for term in _parse_statement(statement):
            known = found.get(term.key)
            found[term.key] = term if known is None else _merged(known, term)
    return list(found.values())


def _merged(known: Term, more: Term) -> Term:
    """Merge two terms, as in 'f =~ NA*x + a*x', which specifies one loading twice."""
    parts = ("modifier", "label", "start")
    modifiers = [{name for name in parts if getattr(term, name)} for term in (known, more)]
    if not modifiers[0] or not modifiers[1] or modifiers[0] & modifiers[1]:
        raise DataError(f"the model contains '{more.lhs} {more.op} {more.rhs}' twice")
    return replace(known, **{name: getattr(more, name) for name in modifiers[1]})


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
    bare = re.sub(r"`[^`]*`|\"[^\"]*\"|'[^']*'", "", statement)
    for pattern, what, instead in _OTHERS:
        if re.search(pattern, bare):
            raise DataError(
                say(
                    "the model statement {statement:label} {what}: {instead}",
                    statement=statement,
                    what=what,
                    instead=instead,
                )
            )
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
                "~~ and ~ 1 are understood, and unusual names must be enclosed in backticks"
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
    at = next((i for i, (kind, _) in enumerate(tokens) if kind == "op"), 0)
    left = _split(tokens[:at])
    for part in left:
        for kind, value in part:
            if kind == "call":
                _refuse_call(value, statement)
    if not at or any([kind for kind, _ in part] != ["name"] for part in left):
        raise DataError(
            f"cannot read the model statement {statement!r}: write it as 'factor =~ x + y'"
        )
    op, rest = tokens[at][1], tokens[at + 1 :]
    if op == "~1" and rest:
        # "~ 1*1": the first 1 is what the intercept is fixed at.
        op, rest = "~", [("number", "1"), *rest]
    if op == "~1":
        parts = [("", dict[str, str]())]
    elif op == "~":
        parts = [_parse_part(part, op, statement) for part in _split(rest)]
        if len(parts) > 1 or parts[0][0] != "1":
            raise DataError(
                f"the model statement {statement!r} is a regression; a measurement model has only "
                "=~, ~~ and ~ 1"
            )
        op, parts = "~1", [("", parts[0][1])]
    else:
        parts = [_parse_part(part, op, statement) for part in _split(rest)]
    return [Term(lhs[0][1], op, rhs, **modifiers) for lhs in left for rhs, modifiers in parts]


def _parse_part(part: list[tuple[str, str]], op: str, statement: str) -> tuple[str, dict[str, str]]:
    """Return the name on the right-hand side and its prefix: number or NA, label, start."""
    *before, last = part or [("", "")]
    modifiers: dict[str, str] = {}
    readable = last[0] == "name" or (last == ("number", "1") and op == "~")
    readable &= len(before) % 2 == 0 and all(sign == ("sign", "*") for sign in before[1::2])
    for kind, value in before[::2] if readable else ():
        if kind == "call":
            modifiers |= _read_call(value, statement)
        elif kind == "number" or value == "NA":
            modifiers |= {"modifier": value}
        elif kind == "name" and LABEL.fullmatch(value):
            modifiers |= {"label": value}
        elif kind == "name":
            raise DataError(
                f"{value!r} stands before * in the model: only a number, NA or a label "
                "of letters, digits, . and _ may"
            )
        else:
            readable = False
    if not readable or len(modifiers) != len(before[::2]):
        values = " ".join(value for _, value in part)
        raise DataError(
            f"cannot read {values or 'an empty term'!r} in the model statement {statement!r}"
        )
    return last[1], modifiers


def _read_call(text: str, statement: str) -> dict[str, str]:
    match = _CALL.fullmatch(text)
    assert match is not None  # the tokenizer found it
    name, inside = match[1], match[2].strip()
    if name == "start" and NUMBER.fullmatch(inside):
        return {"start": inside}
    if name == "label" and LABEL.fullmatch(inside.strip("\"'")):
        return {"label": inside.strip("\"'")}
    _refuse_call(text, statement)
    return {}


def _refuse_call(text: str, statement: str) -> None:
    name = text.partition("(")[0].strip()
    why = _CALLS.get(name, "is not understood: only a number, NA, a label and start() are")
    raise DataError(f"{text!r} in the model statement {statement!r} {why}")


def _split(tokens: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("sign", "+"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
