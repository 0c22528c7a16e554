"""The choices of a study file of which no intervals of the whole analysis can be computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pyexpr.base.errors import listed
from pyexpr.modeling.chain.intervals import METHODS
from pyexpr.modeling.chain.performance import METRICS
from pyexpr.modeling.fitting.plan import SEPARATE

if TYPE_CHECKING:
    from pyexpr.study.file.config import StudyConfig

#: The entry that requests these intervals.
ENTRY: Final = 'bootstrap = "chain" under [compare]'


def chain_misfits(config: StudyConfig) -> Iterator[str]:
    """Say which choices do not fit intervals of the whole analysis, if these are requested."""
    if not config.compare.chained:
        return
    if config.label.classified:
        yield f"{ENTRY} requires a label that is a number, but the label is a class; leave it out"
    elif not config.label.is_rated:
        yield (
            f"{ENTRY} begins with the ratings, but the label is a column of the table of features; "
            "leave it out"
        )
    if not config.evaluation.crossed:
        yield (
            f'{ENTRY} requires scheme = "cross_validation" under [evaluation]: a single split says '
            "nothing about other training subjects"
        )
    for name in config.models.deep():
        yield (
            f"{ENTRY} fits every model again for each subject and each draw, for which a neural "
            f"network takes too long; leave out bootstrap, or [models.{name}]"
        )
    yield from _of_factor_model(config)
    yield from _of_comparison(config)


def _of_factor_model(config: StudyConfig) -> Iterator[str]:
    if config.label.method != "factor" or not config.data.contexts:
        return
    ways = config.models.context_as or ()
    if config.factor_model.labels == "context" and SEPARATE in ways and len(ways) > 1:
        yield (
            f"{ENTRY} evaluates every model with the score to which it was fitted, but with "
            f"{listed(ways)} in context_as under [models] the study evaluates all of them with the "
            'same score; use labels = "pooled" under [factor_model], so that there is only one, or '
            "leave out context_as"
        )


def _of_comparison(config: StudyConfig) -> Iterator[str]:
    others = [name for name in config.compare.metrics if name not in METRICS]
    if others and not config.label.classified:
        yield (
            f"{ENTRY} does not have the metric {others[0]}, but only {listed(METRICS)}; leave out "
            "bootstrap, or the metric"
        )
    if not set(METHODS) & set(config.compare.methods):
        yield (
            f"{ENTRY} has intervals by {listed(METHODS)} only; add one of them to methods, or "
            "leave out bootstrap"
        )


def chain_methods(config: StudyConfig) -> tuple[str, ...]:
    """Return the methods of the study by which the whole analysis has intervals, in order."""
    return tuple(name for name in config.compare.methods if name in METHODS)


def chain_draws(config: StudyConfig) -> int:
    """Return the number of draws of subjects for which the whole analysis is computed."""
    return config.compare.n_boot if "percentile" in chain_methods(config) else 0
