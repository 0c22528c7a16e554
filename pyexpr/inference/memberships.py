"""Two memberships as specified by the user: dyads of persons, and crossed clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning, warn_user
from pyexpr.base.messages import Template, say
from pyexpr.base.tables import column_or_array, label_codes
from pyexpr.resampling.memberships import Memberships, why_not

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# With fewer members intervals are approximate; see docs/coverage_dyads.md.
_FEW = 20

NOTE_DYADS = Template(
    "rows_of_dyads",
    "{name:label} share labels, so rows are of dyads: {cells} pairs of {members} persons; rows "
    "with a person in common are not treated as independent",
)
NOTE_CROSSED = Template(
    "rows_of_crossed_clusters",
    "{first:label} ({n_first}) and {second:label} ({n_second}) are crossed: rows with either in "
    "common are not treated as independent",
)
_FEW_MEMBERS = Template(
    "few_members_of_two",
    "there are only {n} {members}; intervals from fewer than {few} are approximate: the page on "
    "coverage of dyads and crossed clusters reports how often simulated ones covered",
)


class Clusters(NamedTuple):
    """The cluster of every row.

    With two memberships (`memberships`), the clusters are the cells: the pairs of members.
    """

    name: str
    codes: NDArray[np.int64]
    labels: list[Any]
    memberships: Memberships | None = None


def names_two(cluster: Any, n_rows: int) -> bool:
    """Return whether `cluster` consists of several columns, rather than of a label per row.

    A tuple or list with as many labels as the table has rows is taken as a label per row.
    """
    if not isinstance(cluster, (tuple, list)) or len(cluster) == n_rows:
        return False
    if all(isinstance(one, str) for one in cluster):
        return len(cluster) in {1, 2, 3}
    return len(cluster) == 2 and all(np.ndim(one) == 1 for one in cluster)


def columns_of(cluster: Any, n_rows: int) -> tuple[Any, ...]:
    """Return the columns that `cluster` consists of: one, or several (`names_two`)."""
    return tuple(cluster) if names_two(cluster, n_rows) else (cluster,)


def read_two(frame: pd.DataFrame, cluster: Any, *, what: str) -> Clusters:
    """Return the pairs of members, or the outer clusters if one membership is nested in the other.

    If each person is in one dyad only, the dyads are ordinary clusters. If each second member
    always has the same first member, the first members are ordinary clusters.
    """
    if len(cluster) != 2:
        raise DataError(
            say(
                "{cluster=} must name one column, or two columns of rows that belong to two "
                "persons or clusters, not {n}",
                n=len(cluster),
            )
        )
    pairs = [column_or_array(frame, one, argument="cluster", what=what) for one in cluster]
    if pairs[0][0] == pairs[1][0] and pairs[0][1].equals(pairs[1][1]):
        raise DataError(
            say(
                "{cluster=} names column {name!r} twice; the second membership is another column",
                name=pairs[0][0],
            )
        )
    names = (pairs[0][0], pairs[1][0])
    (one, first), (two, second) = (
        label_codes(series, name=name, what=what) for name, series in pairs
    )
    if _shared(first, second, names):
        return _dyads(one, first, two, second, names)
    return _crossed(one, first, two, second, names)


def _shared(first: list[Any], second: list[Any], names: tuple[str, str]) -> bool:
    """Return whether the columns have labels in common, so that both hold persons."""
    if set(first) & set(second):
        return True
    alike = {str(one) for one in first} & {str(one) for one in second}
    if alike:
        raise ColumnError(
            say(
                "columns {one!r} and {other!r} hold {label!r} in different types, as a number and "
                "as text, so it is not clear whether they are the same person; give both one type",
                one=names[0],
                other=names[1],
                label=sorted(alike)[0],
            )
        )
    return False


def _dyads(
    one: NDArray[np.int64], first: list[Any], two: NDArray[np.int64], second: list[Any],
    names: tuple[str, str],
) -> Clusters:  # fmt: skip
    try:
        labels = sorted({*first, *second})
    except TypeError:
        raise ColumnError(
            say(
                "columns {one!r} and {other!r} mix text and numbers; make them all text or all "
                "numbers",
                one=names[0],
                other=names[1],
            )
        ) from None
    place = {label: k for k, label in enumerate(labels)}
    a = np.array([place[label] for label in first])[one]
    b = np.array([place[label] for label in second])[two]
    same = np.flatnonzero(a == b)
    if len(same):
        raise DataError(
            say(
                "row {row} has {label!r} in both {one!r} and {other!r}; a dyad consists of two "
                "persons. If the columns do not both hold persons, such as subjects and stimuli, "
                "give their labels different prefixes, such as 's{label}'",
                row=int(same[0]) + 1,
                label=labels[a[same[0]]],
                one=names[0],
                other=names[1],
            )
        )
    ends = np.sort(np.column_stack([a, b]), axis=1)
    return _of_cells(ends, (len(labels),), labels, names)


def _crossed(
    one: NDArray[np.int64], first: list[Any], two: NDArray[np.int64], second: list[Any],
    names: tuple[str, str],
) -> Clusters:  # fmt: skip
    ends = np.column_stack([one, two + len(first)])
    return _of_cells(ends, (len(first), len(second)), [*first, *second], names)


def _of_cells(
    ends: NDArray[np.int64], sizes: tuple[int, ...], labels: list[Any], names: tuple[str, str]
) -> Clusters:
    members, codes = np.unique(ends, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    cells = [(labels[i], labels[j]) for i, j in members]
    name = " and ".join(names)
    often = np.bincount(members.ravel(), minlength=len(labels))
    if len(sizes) == 1 and (often == 1).all():
        return Clusters(name, codes, cells)
    if len(sizes) == 2:
        for k, nested in enumerate((often[sizes[0] :], often[: sizes[0]])):
            if (nested == 1).all():
                # One membership is nested within the other, whose clusters are independent.
                outer = ends[:, k] - (sizes[0] if k else 0)
                return Clusters(names[k], outer, labels[sizes[0] :] if k else labels[: sizes[0]])
    memberships = Memberships(members, sizes, tuple(labels), names)
    return Clusters(name, codes, cells, memberships)


def check_memberships(
    memberships: Memberships,
    codes: NDArray[np.int64],
    used: NDArray[np.bool_],
    *,
    context: str | None = None,
) -> None:
    """Raise `DataError` if the rows cannot show how members vary; warn if there are few members."""
    rows = np.bincount(codes[used], minlength=len(memberships.members)).astype(np.float64)
    cells = np.flatnonzero(rows)
    own = memberships.of_cells(cells)
    reason = why_not(own, rows[cells])
    if reason:
        where = "" if context is None else say("in context {context:label} ", context=context)
        raise DataError(
            say("{cluster=} has two memberships, but {where}{reason}", where=where, reason=reason)
        )
    if context is not None:
        return
    words = ("persons",) if own.dyadic else tuple(f"labels of {name!r}" for name in own.names)
    n, word = min(zip(own.sizes, words, strict=True))
    if n < _FEW:
        warn_user(_FEW_MEMBERS(n=n, members=word, few=_FEW), FewSubjectsWarning)


def note_of(memberships: Memberships) -> str:
    """Return how the two columns were understood."""
    if memberships.dyadic:
        return NOTE_DYADS(
            name=memberships.name, cells=len(memberships.members), members=memberships.sizes[0]
        )
    (first, second), (n_first, n_second) = memberships.names, memberships.sizes
    return NOTE_CROSSED(first=first, n_first=n_first, second=second, n_second=n_second)


def refuse_options(options: dict[str, Any]) -> None:
    """Raise `DataError` if an option is given that needs rows of one cluster each."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise DataError(
            say(
                "{@given=} cannot be combined with two memberships in {cluster=}: a row belongs to "
                "two clusters, which may differ in it",
                given=given[0],
            )
        )
