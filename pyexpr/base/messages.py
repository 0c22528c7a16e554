"""Messages of results and errors as data: a declared text and its values.

A `Message` is text in Python's terms, so it can be used wherever text can. It keeps its template
and values, so that another voice can render it again: that of R (`pyexpr.hosted.voice`) or that of
the report's reader (`pyexpr.words.reader`). Code uses its `code`, never its words.

The text of a template has fields in braces:

=========================== ================================================== ==================
field                       what it is                                         in Python
=========================== ================================================== ==================
``{name}``                  a text, a number or a message                      as it is
``{name:.3g}``              a number in Python's format
``{name:percent}``          a number of hundredths                             ``95 %``
``{name:p}``                a p-value with its sign                            ``p = .032``
``{name:count clip, is, are}`` a number with its noun, and verb                ``2 clips are``
``{name:label}``            the user's own text: a column, a label, a file     ``'x'``
``{name:model}``            a model, metric or method by its code name         ``'human'``
``{name:metric}``           the same without quotation marks                   ``nrmse``
``{name!r}``                any value                                          as its code
``{name=}``                 an option with its value, or without one its name  ``n=3``, ``n=``
``{name=literal}``          an option with the value that is written there     ``n=3``
``{name=@other}``           an option with the value of another field          ``n=3``
``{@name=}``                the option of which a field has the name           ``n=``
``{column name}``           a column of our tables                             ``p_value``
``{table name}``            a table of a result                                ``contrasts()``
``{call code}``             a call                                             as it is
``{argument name}``         an argument that stands for its content            ``X``
``{value NaN}``             a value                                            ``NaN``
``{thing target}``          a word that a study has another one for            ``target``
=========================== ================================================== ==================
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from pyexpr.base.errors import counted

if TYPE_CHECKING:
    import pandas as pd

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_OPTION = re.compile(r"(@?\w+)=(.*)", re.DOTALL)
_LITERAL = re.compile(r"(argument|call|column|table|thing|value) (.+)", re.DOTALL)
_JOINED = "joined"
_FORMAT = re.compile(r",?(\.\d{1,2})?[defg]?")
_VALUE = re.compile(r"(\w+)(?:(!r)|:(.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of a template: its kind, its content, and the value that it takes."""

    kind: str
    text: str
    name: str = ""


@cache
def slots_of(text: str) -> tuple[str | Slot, ...]:
    """Return the parts of a template's text; `ValueError` if a field is not understood.

    Examples
    --------
    >>> slots_of("give {n_boot=} of {column p_value}")[1:]
    (Slot(kind='option', text='', name='n_boot'), ' of ', Slot(kind='column', text='p_value', name=''))
    """  # noqa: E501
    parts: list[str | Slot] = []
    end = 0
    for found in [*_FIELD.finditer(text), None]:
        between = text[end : found.start() if found else None]
        if "{" in between or "}" in between:
            raise ValueError(f"a brace is open in {text!r}")
        parts.append(between)
        if found:
            parts.append(found[0][0] if found[1] is None else _slot(found[1]))
            end = found.end()
    return tuple(part for part in parts if part != "")


def _slot(field: str) -> Slot:
    if literal := _LITERAL.fullmatch(field):
        return Slot(literal[1], literal[2])
    if option := _OPTION.fullmatch(field):
        if option[2] and not option[2].startswith("@"):
            ast.literal_eval(option[2])
        return Slot("option", option[2], option[1])
    if value := _VALUE.fullmatch(field):
        if value[2]:
            return Slot("code", "", value[1])
        kind, _, rest = (value[3] or "").partition(" ")
        if kind in {"percent", "p", "count", "label", "model", "metric"}:
            return Slot(kind, rest, value[1])
        if not value[3] or _FORMAT.fullmatch(value[3]):
            return Slot("number" if value[3] else "plain", value[3] or "", value[1])
    raise ValueError(f"{field!r} is no field of a message")


class Voice:
    """Rendering of each kind of field, here for Python; other voices override some of them."""

    def text_of(self, template: Template) -> str:
        """Return the text of a template in this voice."""
        return template.text

    def argument(self, name: str) -> str:
        """Return an argument that stands for its content."""
        return name

    def option(self, name: str, value: Any = None, *, bare: bool = False) -> str:
        """Return an option with its value or, if `bare`, only its name."""
        # A whole number is rendered alike, whatever its type.
        shown = f"{value:.12g}" if isinstance(value, float) else self.code(value)
        return f"{name}=" if bare else f"{name}={shown}"

    def column(self, name: str) -> str:
        """Return a column of our tables."""
        return name

    def table(self, name: str) -> str:
        """Return a table of a result."""
        return f"{name}()"

    def call(self, code: str) -> str:
        """Return a call."""
        return code

    def value(self, code: str) -> str:
        """Return a value by how Python prints it."""
        return code

    def thing(self, word: str) -> str:
        """Return a word for which a study may have another one."""
        return word

    def code(self, value: Any) -> str:
        """Return a value as code."""
        return repr(value)

    def label(self, value: Any) -> str:
        """Return the user's name for something, a text or a number."""
        return self.code(value)

    def model(self, name: str) -> str:
        """Return a model's name."""
        return repr(name)

    def metric(self, name: str) -> str:
        """Return a metric's or method's name."""
        return name

    def number(self, text: str) -> str:
        """Return a number that is formatted already."""
        return text

    def percent(self, text: str) -> str:
        """Return a number of hundredths."""
        return f"{self.number(text)} %"

    def p(self, value: float) -> str:
        """Return a p-value with its sign."""
        return "p < .001" if value < 0.001 else f"p = {f'{value:.3f}'.removeprefix('0')}"

    def count(self, n: int, noun: str, one: str, several: str) -> str:
        """Return a number with its noun and verb."""
        return counted(n, self.thing(noun), one, several)


#: The voice of `str` of a message.
PYTHON: Final = Voice()


@dataclass(frozen=True, slots=True)
class Template:
    """A message without its values; a call with the values returns the message.

    Attributes
    ----------
    code : str
        Identifier of the message for code; "" if no code needs it.
    text : str
        The text, with fields in braces.
    report : str or None
        The text for the report's reader, if it differs; "" if the report has a sentence or table of
        its own for it.
    r : str or None
        The text for R, if the fields alone do not produce it.

    Examples
    --------
    >>> few = Template("few", "there are {n:count subject} in {context:label}; see {n_boot=}")
    >>> few(n=3, context="pain", n_boot=200)
    "there are 3 subjects in 'pain'; see n_boot=200"
    >>> few(n=3, context="pain").code
    'few'
    """

    code: str
    text: str
    report: str | None = None
    r: str | None = None

    def __call__(self, **values: Any) -> Message:
        """Return the message with these values."""
        return Message(self, values)


class Message(str):
    """A text in Python's syntax that keeps its template and values.

    Attributes
    ----------
    template : Template
    values : dict of str to object
        The value of each field that takes one: text, numbers, messages, lists of these; anything
        else as Python prints it.
    """

    __slots__ = ("template", "values")
    template: Template
    values: dict[str, Any]

    def __new__(cls, template: Template, values: Mapping[str, Any]) -> Message:
        """Render a template with values in Python's terms."""
        of_code = {slot.name for slot in slots_of(template.text) if _is_code(slot)}
        plain = {name: _plain(value, name in of_code) for name, value in values.items()}
        made = super().__new__(cls, _rendered(template, plain, PYTHON))
        made.template, made.values = template, plain
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, self.values)

    @property
    def code(self) -> str:
        """The identifier of the message, for code."""
        return self.template.code

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the message and of those within it."""
        return frozenset({self.code} - {"", _JOINED}).union(*map(codes_of, self.values.values()))

    def with_values(self, **values: Any) -> Message:
        """Return the same message with other values for some fields."""
        return Message(self.template, self.values | values)

    def in_voice(self, voice: Voice) -> str:
        """Return the text in another voice."""
        return _rendered(self.template, self.values, voice)

    def as_json(self) -> dict[str, Any]:
        """Return its template and values in a form for JSON; `from_json` is the inverse."""
        found: dict[str, Any] = {
            name: getattr(self.template, name)
            for name in ("code", "text", "report", "r")
            if getattr(self.template, name) not in ("", None) or name == "text"
        }
        # "" differs from None: the report states it elsewhere.
        if self.template.report == "":
            found["report"] = ""
        return found | {"values": {name: _encoded(value) for name, value in self.values.items()}}


def from_json(node: Mapping[str, Any]) -> Message:
    """Return the message of `Message.as_json`."""
    template = Template(
        str(node.get("code", "")), str(node["text"]), node.get("report"), node.get("r")
    )
    return Message(template, {name: _decoded(value) for name, value in node["values"].items()})


def _encoded(value: Any) -> Any:
    if isinstance(value, Message):
        return {"message": value.as_json()}
    if isinstance(value, Shown):
        return {"shown": str(value)}
    if isinstance(value, tuple):
        return {"several": [_encoded(item) for item in value]}
    return [_encoded(item) for item in value] if isinstance(value, list) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "message" in value:
        return from_json(value["message"])
    if "shown" in value:
        return Shown(value["shown"])
    return tuple(_decoded(item) for item in value["several"])


def say(text: str, /, *, r: str | None = None, report: str | None = None, **values: Any) -> Message:
    """Return a message without a code, as in most errors.

    Examples
    --------
    >>> say("{confidence=} must be between 0 and 1, not {given!r}", given=95)
    'confidence= must be between 0 and 1, not 95'
    """
    return Message(Template("", text, report, r), values)


def kind_of(value: object) -> str:
    """Return the kind of a value for a sentence that R users read, too: "a number", "a list"."""
    if value is None or isinstance(value, bool):
        return say("{value!r}", value=value)
    if isinstance(value, Real):
        return "a number"
    kinds: dict[type, str] = {
        str: "text", list: "a list", tuple: "a list", dict: "a mapping", set: "a set",
    }  # fmt: skip
    return kinds.get(type(value), type(value).__name__)


def joined(texts: Iterable[str], by: str = "; ") -> str:
    """Join messages without repeated and empty ones; the result has all their codes."""
    found = tuple(dict.fromkeys(text for text in texts if text))
    if len(found) < 2:
        return found[0] if found else ""
    fields = by.join(f"{{_{i}}}" for i in range(len(found)))
    values = {f"_{i}": text for i, text in enumerate(found)}
    return Message(Template(_JOINED, fields), values)


def parts_of(text: str) -> tuple[str, ...]:
    """Return the messages that `joined` joined; any other text as a single one."""
    if isinstance(text, Message) and text.code == _JOINED:
        return tuple(text.values.values())
    return (text,) if text else ()


def brief(text: str) -> str:
    """Return the ``brief`` part of a message, or all of it if there is none.

    For text that is not ours, it is the first sentence.
    """
    if not isinstance(text, Message):
        return text.split(". ")[0]
    return str(text.values["brief"]) if "brief" in text.values else text


def codes_of(text: Any) -> frozenset[str]:
    """Return the codes of a message; empty for anything else."""
    if isinstance(text, Message):
        return text.codes
    return frozenset()


def has_code(text: Any, *known: Template | Message) -> bool:
    """Say whether a text is, or holds, one of the messages of these codes."""
    return not codes_of(text).isdisjoint(one.code for one in known)


def message_column(texts: Iterable[str], index: Any = None) -> pd.Series[Any]:
    """Return texts as a column that keeps messages; by default pandas keeps only the text."""
    import pandas as pd

    found = list(texts)
    # Without one it is text nevertheless.
    return pd.Series(found, index=index, dtype=object if found else "str")


def in_voice(text: str, voice: Voice) -> str:
    """Return a message in another voice; other text is unchanged."""
    return text.in_voice(voice) if isinstance(text, Message) else str(text)


def message_of(error: BaseException | str) -> str:
    """Return the message of an error, with template and values if it is one of ours."""
    if isinstance(error, str):
        return error
    first = error.args[0] if error.args else None
    return first if isinstance(first, Message) and str(first) == str(error) else str(error)


class Shown(str):
    """A value of a kind that a message does not keep, as Python prints it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _is_code(slot: str | Slot) -> TypeGuard[Slot]:
    return isinstance(slot, Slot) and slot.kind in {"code", "label", "option"}


def _plain(value: Any, as_code: bool) -> Any:
    """Return a value that JSON supports, or otherwise its text."""
    if value is None or isinstance(value, Message | Shown | bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        # A number or a truth value of NumPy.
        return _plain(value.item(), as_code)
    if type(value) in (list, tuple):
        items = [_plain(item, as_code=True) for item in value]
        if not any(isinstance(item, Shown) for item in items):
            return type(value)(items)
    return Shown(repr(value)) if as_code else str(value)


def _rendered(template: Template, values: Mapping[str, Any], voice: Voice) -> str:
    parts = slots_of(voice.text_of(template))
    return "".join(
        part if isinstance(part, str) else _filled(part, values, voice) for part in parts
    )


def _filled(slot: Slot, values: Mapping[str, Any], voice: Voice) -> str:
    if slot.kind == "option":
        return _option(slot, values, voice)
    if not slot.name:
        render: Callable[[str], str] = getattr(voice, slot.kind)
        return render(slot.text)
    value = values[slot.name]
    if slot.kind == "plain":
        return _unquoted(value, voice)
    if slot.kind == "number":
        return voice.number(format(value, slot.text))
    if slot.kind == "percent":
        return voice.percent(format(value, slot.text or "g"))
    if slot.kind == "count":
        noun, one, several = [*(part.strip() for part in slot.text.split(",")), "", ""][:3]
        return voice.count(value, noun, one, several)
    render_value: Callable[[Any], str] = getattr(voice, slot.kind)
    return render_value(value if slot.kind in {"code", "label", "p"} else str(value))


def _option(slot: Slot, values: Mapping[str, Any], voice: Voice) -> str:
    if slot.name.startswith("@"):
        return voice.option(str(values[slot.name[1:]]), bare=True)
    if slot.text.startswith("@"):
        return voice.option(slot.name, values[slot.text[1:]])
    if slot.text:
        return voice.option(slot.name, ast.literal_eval(slot.text))
    return voice.option(slot.name, values.get(slot.name), bare=slot.name not in values)


def _unquoted(value: Any, voice: Voice) -> str:
    return value.in_voice(voice) if isinstance(value, Message) else str(value)
