"""The matrix of equalities: outcomes of comparisons as tables for the terminal and the docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parity.comparison import Comparison, NotHereError, Tolerance
from pyexpr.report.tables.display import DisplayTable

NOT_SERVED = "not served"
NOT_HERE = "not here"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One comparison, the largest differences found, and what went wrong, if anything did."""

    comparison: Comparison
    differences: Mapping[str, float] = field(default_factory=dict)
    state: str = ""
    message: str = ""

    @property
    def bad(self) -> bool:
        """Whether it failed, or a difference is beyond its tolerance."""
        return self.state == FAILED or any(
            beyond(value, self.comparison.quantities[name])
            for name, value in self.differences.items()
        )


def beyond(value: float, tolerance: Tolerance) -> bool:
    """Say whether a difference is not within its tolerance; NaN is not."""
    return not value <= tolerance.limit


def outcome_of(comparison: Comparison) -> Outcome:
    """Run one comparison; a failure is an outcome, not the end."""
    try:
        found = comparison.differences()
    except NotHereError as error:
        return Outcome(comparison, state=NOT_HERE, message=str(error))
    except Exception as error:
        if comparison.not_served and isinstance(error, comparison.not_served):
            return Outcome(comparison, state=NOT_SERVED, message=str(error))
        return Outcome(comparison, state=FAILED, message=f"{type(error).__name__}: {error}")
    if comparison.not_served:
        return Outcome(comparison, state=FAILED, message="served what it should refuse")
    if set(found) != set(comparison.quantities):
        return Outcome(comparison, state=FAILED, message=f"gave {sorted(found)}")
    return Outcome(comparison, found)


def tables(outcomes: Iterable[Outcome]) -> list[DisplayTable]:
    """Lay the outcomes out, a table per area, kept and new numbers of one package together."""
    by_area: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_area.setdefault(outcome.comparison.area, []).append(outcome)
    return [_table(area, found) for area, found in by_area.items()]


def _table(area: str, outcomes: list[Outcome]) -> DisplayTable:
    engines = list(dict.fromkeys(one.comparison.ours for one in outcomes))
    # Engines stand beside one another where they meet the same data.
    data = {one.comparison.data for one in outcomes}
    matrix = len(outcomes) > len(engines) * len(data) // 2 and len(engines) > 1
    reasons: dict[str, str] = {}
    rows: dict[tuple[str, ...], dict[str, list[str | float]]] = {}
    versions: dict[tuple[str, ...], dict[str, None]] = {}
    bold = set()
    for one in outcomes:
        requested = one.comparison
        who = () if matrix else (requested.ours,)
        for quantity, tolerance in requested.quantities.items():
            mark = reasons.setdefault(tolerance.reason, _letters(len(reasons)))
            measured = "" if tolerance.measured == "absolute" else f" {tolerance.measured}"
            key = (*who, requested.data, quantity, requested.peer.name,
                   f"{tolerance.limit:g}{measured} ({mark})")  # fmt: skip
            seen = versions.setdefault(key, {})
            if one.state not in {NOT_HERE, NOT_SERVED}:
                seen[str(requested.peer.version())] = None
            column = requested.ours if matrix else "largest difference"
            found = one.differences.get(quantity, one.state)
            rows.setdefault(key, {}).setdefault(column, []).append(found)
            if isinstance(found, float) and beyond(found, tolerance):
                bold.add((key, column))
    columns = engines if matrix else ["largest difference"]
    heads = ("data", "quantity", "compared with", "tolerance")
    lines = []
    for key, cells in rows.items():
        *front, quantity, peer, tolerance = key
        with_version = f"{peer} {_joined(versions[key])}".strip()
        shown = [_cell(cells.get(column, ["not here"])) for column in columns]
        lines.append((*front, quantity, with_version, tolerance, *shown))
    return DisplayTable(
        title=area,
        columns=(*(() if matrix else ("ours",)), *heads, *columns),
        rows=tuple(lines),
        notes=(
            *(f"({mark}) {reason}." for reason, mark in reasons.items()),
            *dict.fromkeys(
                f"{one.comparison.name}: {one.message}"
                for one in outcomes
                if one.state in {FAILED, NOT_HERE}
            ),
        ),
        bold=frozenset(
            (i, len(lines[i]) - len(columns) + columns.index(column))
            for i, key in enumerate(rows)
            for column in columns
            if (key, column) in bold
        ),
        text_columns=4 if matrix else 5,
    )


def _letters(number: int) -> str:
    return chr(ord("a") + number)


def _joined(versions: Iterable[str]) -> str:
    """Join "0.6.14 (kept)" and "0.6.14 (made now)" to one."""
    by_number: dict[str, list[str]] = {}
    for text in versions:
        number, _, how = text.partition(" ")
        by_number.setdefault(number, []).append(how.strip("()"))
    return ", ".join(
        f"{number} ({' and '.join(how)})" if all(how) else number
        for number, how in by_number.items()
    )


def _cell(found: list[str | float]) -> str:
    """Show the largest difference, or why there is none."""
    states = [one for one in found if isinstance(one, str)]
    if FAILED in states:
        return FAILED
    values = [one for one in found if not isinstance(one, str)]
    if not values:
        return states[0]
    return f"{max(values):.0e}" if max(values) else "0"
