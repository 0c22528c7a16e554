"""The choices of a study file of which no intervals of the whole analysis can be computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyexpr.base.errors import listed
from pyexpr.modeling.chain.intervals import METHODS
from pyexpr.modeling.chain.performance import METRICS
from pyexpr.study.file.data_sections import LabelSection
from pyexpr.study.file.model_sections import CompareSection, EvaluationSection, ModelsSection

#: The entry that requests these intervals.
ENTRY: Final = 'bootstrap = "chain" under [compare]'


def chain_misfits(
    label: LabelSection,
    evaluation: EvaluationSection,
    models: ModelsSection,
    compare: CompareSection,
) -> Iterator[str]:
    """Say which choices do not fit intervals of the whole analysis."""
    if label.classified:
        yield (
            f"{ENTRY} requires a label that is a number, but the label is a class; leave bootstrap "
            "out"
        )
    elif not label.is_rated:
        yield (
            f"{ENTRY} begins with the ratings, but the label is a column of the table of features; "
            "leave bootstrap out"
        )
    if not evaluation.crossed:
        yield (
            f'{ENTRY} requires scheme = "cross_validation" under [evaluation]: a single split says '
            "nothing about other training subjects; set it, or leave bootstrap out"
        )
    for name in models.deep():
        yield (
            f"{ENTRY} fits every model again for each subject and each draw, for which a neural "
            f"network takes too long; leave out bootstrap, or [models.{name}]"
        )
    yield from _of_comparison(compare, classified=label.classified)


def _of_comparison(compare: CompareSection, *, classified: bool) -> Iterator[str]:
    others = [name for name in compare.metrics if name not in METRICS]
    if others and not classified:
        yield (
            f"{ENTRY} does not have the metric {others[0]}, but only {listed(METRICS)}; leave out "
            "bootstrap, or the metric"
        )
    if not compare.chain_methods:
        yield (
            f"{ENTRY} has intervals by {listed(METHODS)} only; add one of them to methods, or "
            "leave out bootstrap"
        )
