"""Many studies evaluated at once, by the package's own functions.

`compare_models` builds rows, levels, groups and evidence from one table. Here the same
functions build them for one study after another, and the evidence of all is stacked, so
that each method runs once for hundreds of studies. What it gives for a study is what
`compare_models` gives, byte for byte: tests/test_coverage_study.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.inference.comparison.evidence import MetricDraws, gather
from pyexpr.inference.comparison.levels import Group, build_groups, build_levels
from pyexpr.inference.comparison.predictions import ColumnValues, ModelValues
from pyexpr.inference.comparison.quantities import Row, build_measures, build_rows
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup

METRICS = ("rmse", "mae", "correlation", "concordance", "r2", "correlation_within")
NULLS = ("rmse", "correlation")
RATIO = "a / b"
RATIO_METRICS = ("rmse", "mae")


def is_null(row: Row) -> bool:
    """Return whether a difference is truly 0: a and c are alike, a and d have the same RMSE."""
    return (row.term == "a - c" and row.metric in NULLS) or (
        row.term == "a - d" and row.metric == "rmse"
    )


def is_wanted(row: Row) -> bool:
    """Return whether a row of the comparison is counted."""
    return row.term in {"a", "a - b"} or is_null(row)


@dataclass(frozen=True)
class Study:
    """One study as `compare_models` sees it between reading and evaluating."""

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    evidence: Evidence


def prepare(
    columns: dict[str, np.ndarray], *, n_boot: int, seed: int, ratio: bool = False
) -> Study:
    """Return the evidence on the rows that are counted: with `ratio` ratios of errors alone."""
    truth, codes = columns["y"], columns["subject"]
    everywhere = np.ones(len(truth), dtype=bool)
    models = [
        ModelValues(name, (ColumnValues(name, "y", columns[name], truth, everywhere),))
        for name in "abcd"
    ]
    measures = build_measures(RATIO_METRICS if ratio else METRICS, ratio=ratio)
    every = build_rows(measures, models, [ALL], pairwise=True)
    rows = tuple(row for row in every if (row.term == RATIO if ratio else is_wanted(row)))
    n_subjects = int(codes.max()) + 1
    levels = build_levels(measures, models, [ALL], [None], codes, n_subjects, score_range=7.0)
    groups = tuple(build_groups(rows, levels, None))
    draws = MetricDraws(groups, len(rows), seed, 1, ())
    drawn = draws.replicates(0, n_boot)
    null = 0.0, dict.fromkeys((row.metric for row in rows), 0.0)
    evidence = gather(rows, groups, draws, levels.why_undefined, null, drawn, levels.repeats, 0)
    return Study(rows, groups, evidence)


@dataclass(frozen=True)
class _Errors:
    """The standard errors within the replicates of all studies."""

    studies: Sequence[Study]

    def __call__(self) -> np.ndarray:
        return np.concatenate([study.evidence.replicate_errors() for study in self.studies])


def stacked(studies: Sequence[Study]) -> Evidence:
    """Return one evidence on the rows of all studies, which have equally many subjects."""
    parts = [study.evidence for study in studies]
    values, effective, at = [], [], []
    first = 0
    for part in parts:
        (group,) = part.groups
        values.append(group.values)
        effective.append(group.effective)
        at.append(group.rows + first)
        first += len(part.estimate)
    stack = JackknifeGroup(
        np.concatenate(at),
        np.concatenate(values),
        parts[0].groups[0].strata,
        np.concatenate(effective),
    )
    return Evidence(
        estimate=np.concatenate([part.estimate for part in parts]),
        scale=[scale for part in parts for scale in part.scale],
        simple_df=np.concatenate([part.simple_df for part in parts]),
        null=np.concatenate([part.null for part in parts]),
        replicates=np.concatenate([part.replicates for part in parts]),
        groups=[stack],
        reason=[reason for part in parts for reason in part.reason],
        replicate_errors=_Errors(studies),
        n_threads=1,
        ratio=np.concatenate([part.ratio for part in parts]),
    )
