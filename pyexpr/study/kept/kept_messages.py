"""Messages in files that contain only text, which are stored next to them by their text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyexpr.base.messages import Message, from_json, message_column

if TYPE_CHECKING:
    import pandas as pd


def messages_in(facts: Any, tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, Any]]:
    """Return the parts of the messages in facts and tables, in a form for JSON."""
    columns = (table[name] for table in tables.values() for name in _of_messages(table))
    found = (*_walked(facts), *(text for column in columns for text in column))
    return {str(text): text.as_json() for text in found if isinstance(text, Message)}


def known_messages(kept: Mapping[str, Any]) -> dict[str, Message]:
    """Return the messages of `messages_in` by their text."""
    return {text: from_json(node) for text, node in kept.items()}


def with_messages(facts: Any, known: Mapping[str, Message]) -> Any:
    """Return facts with texts replaced by messages."""
    if isinstance(facts, str):
        return known.get(facts, facts)
    if isinstance(facts, Mapping):
        return {known.get(key, key): with_messages(value, known) for key, value in facts.items()}
    return [with_messages(item, known) for item in facts] if isinstance(facts, list) else facts


def table_with_messages(table: pd.DataFrame, known: Mapping[str, Message]) -> pd.DataFrame:
    """Return a table whose reasons and notes are messages where their texts are known."""
    return table.assign(
        **{
            str(name): message_column(
                ("" if missing else known.get(text, text)
                for text, missing in zip(table[name], table[name].isna(), strict=True)),
                table.index,
            )
            for name in _of_messages(table)
        }
    )  # fmt: skip


def _of_messages(table: pd.DataFrame) -> list[Any]:
    return [name for name in table if str(name).endswith("reason") or name == "notes"]


def _walked(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _walked(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walked(item)
    else:
        yield value
