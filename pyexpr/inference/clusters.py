"""Clusters and strata as specified by the user."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, FewSubjectsWarning, warn_user
from pyexpr.base.messages import Template, say
from pyexpr.base.tables import check_flat_columns, column_or_array, label_codes
from pyexpr.inference.memberships import Clusters, names_two, read_two

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    # One column, or two if rows belong to two persons or to crossed clusters.
    ClusterColumns = str | ArrayLike | tuple[str | ArrayLike, str | ArrayLike] | None

_FEW = 20
# Least effective number of subjects of unequal size, and least ratio to their actual number.
_WORTH = 10.0
_EQUAL = 0.6
# The coverage is from docs/coverage_coefficients.md.
_FEWEST_STUDIED = 24
# Names of columns that hold subjects: a repeated one means that rows are not independent.
_SUBJECT_NAMES = frozenset(
    {"subject", "subjectid", "participant", "participantid", "person", "personid"}
)


def read_clusters(frame: pd.DataFrame, cluster: ClusterColumns, *, what: str) -> Clusters:
    """Return the cluster of every row; None makes each row its own cluster."""
    if cluster is None:
        for column in frame.columns:
            plain = re.sub(r"[\W_]", "", str(column)).casefold()
            if plain in _SUBJECT_NAMES and frame[column].duplicated().any():
                raise DataError(
                    say(
                        "{cluster=} is {value None}, which treats all rows as independent, but "
                        "column {column!r} has repeated values; rows of one subject are not "
                        "independent, so use {cluster=@column}",
                        column=str(column),
                    )
                )
        n = len(frame)
        return Clusters("each row", np.arange(n), list(range(n)))
    if names_two(cluster, len(frame)):
        return read_two(frame, cluster, what=what)
    if isinstance(cluster, str):
        check_flat_columns(frame, what=what)
    name, series = column_or_array(frame, cluster, argument="cluster", what=what)
    return Clusters(name, *label_codes(series, name=name, what=what))


def check_enough(codes: NDArray[np.int64], labels: list[Any], used: NDArray[np.bool_]) -> None:
    """Raise `DataError` if all rows used belong to one subject."""
    present = np.unique(codes[used])
    if len(present) < 2:
        raise DataError(
            f"there is only one subject, {labels[int(present[0])]!r}, in the rows used; at "
            "least two are required to estimate how metrics vary between subjects"
        )


def warn_of_few_subjects(
    n_clusters: NDArray[np.int64], contexts: Sequence[str], worth: NDArray[np.float64]
) -> None:
    """Warn, with simulated coverage, if a quantity is based on few subjects.

    Few are fewer than 20, or so unequal that their effective number is below 10.

    Parameters
    ----------
    n_clusters : (rows,)
        Subjects of each quantity.
    contexts : sequence of str
        The context of each quantity.
    worth : (rows,) float64
        Effective number of subjects of equal size, for each quantity.
    """
    several = np.flatnonzero(n_clusters > 1)
    if not len(several):
        return
    # The quantity with the fewest subjects; among ties, the one with the lowest effective number.
    worst = several[np.lexsort((worth[several], n_clusters[several]))[0]]
    least = several[np.argmin(worth[several])]
    if n_clusters[worst] < _FEW and worth[worst] >= _EQUAL * n_clusters[worst]:
        _warn_of_few(int(n_clusters[worst]), contexts[worst], _alike(n_clusters[several]))
    elif n_clusters[worst] < _FEW or worth[least] < _WORTH:
        at = least if worth[least] < _WORTH else worst
        _warn_of_unequal(int(n_clusters[at]), float(worth[at]), contexts[at],
                         _alike(n_clusters[several]))  # fmt: skip


def _alike(numbers: NDArray[np.int64]) -> bool:
    return bool((numbers == numbers[0]).all())


#: What the simulations say of intervals from so few subjects.
FEW_SUBJECTS = Template(
    "few_subjects",
    "{where} only {n} subjects. In simulated studies of {studied} subjects, nominal "
    "{level:percent} intervals of {method:metric} covered on average {errors} for RMSE and "
    "MAE, {correlations} for correlations and {differences} for differences of errors; "
    "percentile intervals {least} to {most}. Prefer {method:metric}, and treat intervals from "
    "fewer than 20 subjects as approximate",
)
_UNEQUAL_SUBJECTS = Template(
    "unequal_subjects",
    "{where} {n} subjects with such unequal numbers of rows that they are equivalent to "
    "{worth:.1f} subjects of equal size. In the most similar simulated studies ({design}), "
    "nominal {level:percent} intervals of {method:metric} covered {errors} for RMSE, "
    "{correlations} for correlations and {differences} for differences of RMSE; treat them as "
    "approximate",
)
_FEW_CLUSTERS = Template(
    "few_clusters_of_statistic",
    "there are only {n} clusters: treat intervals from fewer than {few} as approximate; the "
    "page on coverage in the documentation reports the coverage for errors and correlations",
)
_FEW_FOR_SLOPES = Template(
    "few_subjects_for_slopes",
    "{where} only {n} subjects. Tests and intervals of slopes were studied from {studied} "
    "subjects on; with fewer than {few}, treat them as approximate",
)


def _where(context: str, alike: bool) -> str:
    return "there are" if alike else say("context {context:label} has", context=context)


def _warn_of_few(n: int, context: str, alike: bool) -> None:
    studied, covered = _measured(n)
    jackknife, percentile = covered["jackknife_t"], covered["percentile"]
    warn_user(
        FEW_SUBJECTS(
            where=_where(context, alike),
            n=n,
            studied=studied,
            level=95,
            method="jackknife_t",
            errors=_share(jackknife["RMSE and MAE"]),
            correlations=_share(jackknife["correlation"]),
            differences=_share(jackknife["difference of RMSE or MAE"]),
            least=_share(min(percentile.values())),
            most=_share(max(percentile.values())),
        ),
        FewSubjectsWarning,
    )


def _warn_of_unequal(n: int, worth: float, context: str, alike: bool) -> None:
    """Warn, quoting the nearest simulated unequal design by the logarithms of both numbers."""
    text = Path(__file__).with_name("coverage_awkward.json").read_text(encoding="utf-8")
    near = min(
        json.loads(text),
        key=lambda one: abs(np.log(n / one["subjects"])) + abs(np.log(worth / one["effective"])),
    )
    covered = near["coverage"]
    warn_user(
        _UNEQUAL_SUBJECTS(
            where=_where(context, alike),
            n=n,
            worth=worth,
            design=near["design"],
            level=95,
            method="jackknife_t",
            errors=_share(covered["rmse, a"]),
            correlations=_share(covered["correlation, a"]),
            differences=_share(covered["rmse, a - b"]),
        ),
        FewSubjectsWarning,
    )


def warn_of_few_clusters(n: int) -> None:
    """Warn if a custom statistic is based on fewer than 20 clusters."""
    if n >= _FEW:
        return
    warn_user(_FEW_CLUSTERS(n=n, few=_FEW), FewSubjectsWarning)


def warn_of_few_subjects_for_slopes(n_clusters: Mapping[str, int]) -> None:
    """Warn if the slopes of a context are based on fewer than 20 subjects."""
    few = {name: n for name, n in n_clusters.items() if n < _FEW}
    if not few:
        return
    name = min(few, key=lambda one: few[one])
    message = _FEW_FOR_SLOPES(
        where=_where(name, len(n_clusters) == 1), n=few[name], studied=_FEWEST_STUDIED, few=_FEW
    )
    warn_user(message, FewSubjectsWarning)


def _measured(n_subjects: int) -> tuple[int, dict[str, dict[str, float]]]:
    """Return the largest number of subjects studied up to `n_subjects`, and the coverage there.

    The values are those of docs/coverage.md. Below the smallest number studied, the value of the
    smallest number is used.
    """
    text = Path(__file__).with_name("coverage.json").read_text(encoding="utf-8")
    by_size = json.loads(text)["coverage"]
    sizes = sorted(int(size) for size in by_size)
    nearest = max((size for size in sizes if size <= n_subjects), default=sizes[0])
    return nearest, by_size[str(nearest)]


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")
