"""Features that are exchanged together: named by the user, or because they are correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import real_number
from pyexpr.base.errors import ColumnError, DataError, near_names
from pyexpr.base.messages import say
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.importance.donors import SUBJECTS, WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CORRELATED = "correlated"


@dataclass(frozen=True, slots=True)
class Group:
    """Features that are exchanged together.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Columns of the table of features.
    """

    name: str
    columns: tuple[str, ...]


def read_groups(
    groups: Any, threshold: Any, known: Mapping[str, Sequence[str]], default: Sequence[str],
    correlations: Array,
) -> list[Group]:  # fmt: skip
    """Return the groups, in order.

    Parameters
    ----------
    groups, threshold
        As `feature_importance` takes them.
    known : mapping of str to sequence of str
        The columns of everything that can be named.
    default : sequence of str
        The features.
    correlations : (features, features) float64
        Correlations of the features, by which groups are formed.
    """
    limit = real_number(threshold, argument="threshold")
    if not 0 < limit < 1:
        raise DataError(say("{threshold=} must be between 0 and 1, not {given}", given=threshold))
    if groups is None:
        return [Group(name, (name,)) for name in default]
    if isinstance(groups, str) and groups == CORRELATED:
        return _correlated(default, correlations, limit)
    if not isinstance(groups, Mapping):
        raise DataError(
            say(
                "{groups=} must be 'correlated', or a mapping of names to features, such as "
                "{{'mouth': ['smile', 'smile_velocity']}}, not {given!r}",
                r='{groups=} must be "correlated", or a named list of features, such as '
                'list(mouth = c("smile", "smile_velocity")), not {given!r}',
                given=groups,
            )
        )
    found = []
    for name, members in groups.items():
        if not isinstance(name, str) or not name.strip():
            raise DataError(say("{groups=} must have text as keys, not {name!r}", name=name))
        names = checked_names(members, argument=say("group {name:label} of {groups=}", name=name))
        unknown = [one for one in names if one not in known]
        if unknown:
            raise ColumnError(
                say(
                    "group {name:label} of {groups=} names {unknown:label}, which is not a feature "
                    "of the models; {hint}",
                    name=name,
                    unknown=unknown[0],
                    hint=near_names(unknown[0], list(known)),
                )
            )
        if not names:
            raise DataError(say("group {name:label} of {groups=} names no feature", name=name))
        columns = dict.fromkeys(column for one in names for column in known[one])
        found.append(Group(str(name), tuple(columns)))
    named = {column for group in found for column in group.columns}
    found += [Group(name, (name,)) for name in default if name not in named]
    doubled = [name for name in default if name in groups and (name,) != _columns(found, name)]
    if doubled:
        raise DataError(
            say(
                "group {name:label} of {groups=} has the name of a feature, but contains others; "
                "give it another name",
                name=doubled[0],
            )
        )
    return found


def _columns(groups: Sequence[Group], name: str) -> tuple[str, ...]:
    return next(group.columns for group in groups if group.name == name)


def _correlated(names: Sequence[str], correlations: Array, limit: float) -> list[Group]:
    """Group features whose correlation reaches the threshold, directly or through others."""
    if len(names) < 2:
        return [Group(name, (name,)) for name in names]
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    # A constant feature has no correlation with any other.
    distance = 1 - np.abs(np.nan_to_num(correlations))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(np.maximum(distance, 0), checks=False), "single")
    cluster = fcluster(tree, 1 - limit + 1e-12, "distance")
    members: dict[int, list[str]] = {}
    for name, one in zip(names, cluster.tolist(), strict=True):
        members.setdefault(one, []).append(name)
    return [Group(" + ".join(own), tuple(own)) for own in members.values()]


def correlations_of(
    values: Array, contexts: NDArray[np.int64], subjects: NDArray[np.int64], kind: str
) -> Array:
    """Return the correlations of features, computed from the variation that is exchanged.

    Parameters
    ----------
    values : (n, features)
    contexts, subjects : (n,) int64
    kind : str
        A kind of `pyexpr.modeling.importance.donors`. It decides whether deviations from the means
        of contexts are used, deviations from the means of a subject in a context, or these means.
    """
    part = _exchanged(values, contexts, subjects, kind)
    squares = np.einsum("ij,ij->j", part, part)
    squares[squares <= 1e-24 * np.einsum("ij,ij->j", values, values)] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.einsum("ij,ik->jk", part, part) / np.sqrt(squares[:, None] * squares[None])
        )


def _exchanged(
    values: Array, contexts: NDArray[np.int64], subjects: NDArray[np.int64], kind: str
) -> Array:
    """Return the part of the values that is exchanged."""
    of_context = _means(values, contexts)
    if kind not in (WITHIN, SUBJECTS):
        return values - of_context
    own = _means(values, contexts * (int(subjects.max()) + 1) + subjects)
    return np.asarray(values - own if kind == WITHIN else own - of_context)


def _means(values: Array, codes: NDArray[np.int64]) -> Array:
    """Return the mean of each row's group."""
    _, again = np.unique(codes, return_inverse=True)
    again = again.reshape(-1)
    count = np.bincount(again)
    means = np.stack([np.bincount(again, column) / count for column in values.T], axis=1)
    return np.asarray(means[again])


def farthest_apart(
    groups: Sequence[Group], names: Sequence[str], correlations: Array
) -> tuple[str, str, float] | None:
    """Return the two features of different groups that correlate most, and by how much."""
    together = np.eye(len(names), dtype=bool)
    place = {name: at for at, name in enumerate(names)}
    for group in groups:
        own = [place[name] for name in group.columns if name in place]
        together[np.ix_(own, own)] = True
    size = np.where(together, 0.0, np.abs(np.nan_to_num(correlations)))
    first, second = divmod(int(size.argmax()), len(names))
    if not size[first, second]:
        return None
    return names[first], names[second], float(correlations[first, second])
