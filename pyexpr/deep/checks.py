"""Checks of the parameters and labels of the deep regressors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number, is_whole, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import float_values
from pyexpr.core.streams import checked_seed
from pyexpr.deep.devices import PRECISIONS, choose_place

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_training(parameters: Mapping[str, Any]) -> None:
    """Raise `DataError` for an invalid parameter of the training."""
    for name in ("max_epochs", "batch_size", "n_seeds", "devices"):
        whole_number(parameters[name], argument=name, least=1)
    for name in ("patience", "n_threads"):
        if parameters[name] is not None:
            whole_number(parameters[name], argument=name, least=1)
    require_above(0, "lr", parameters["lr"])
    if parameters["clip_norm"] is not None:
        require_above(0, "clip_norm", parameters["clip_norm"])
    decay, share = parameters["weight_decay"], parameters["validation_share"]
    if not (is_number(decay) and decay >= 0):
        raise DataError(say("{weight_decay=} must be at least 0, not {decay!r}", decay=decay))
    if not (is_number(share) and 0 < share < 1):
        raise DataError(
            say("{validation_share=} must be between 0 and 1, not {share!r}", share=share)
        )
    if parameters["precision"] not in PRECISIONS:
        raise DataError(
            say(
                "{precision=} must be one of {names}, not {given!r}",
                names=listed(PRECISIONS),
                given=parameters["precision"],
            )
        )
    checked_seed(parameters["seed"])
    jobs = parameters["train_jobs"]
    if jobs is not None and (not is_whole(jobs) or jobs == 0):
        raise DataError(
            say(
                "{train_jobs=} must be {value None} or a whole number other than 0, as n_jobs in "
                "joblib, not {given!r}",
                given=jobs,
            )
        )
    choose_place(parameters["device"])


def combinations(
    tune: Any, paper: Mapping[str, Sequence[Any]], tunable: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the combinations of values in `tune`, none without tuning."""
    if tune is None:
        return []
    grid = paper if isinstance(tune, str) and tune == "paper" and paper else tune
    if not isinstance(grid, Mapping):
        raise DataError(
            say(
                "{tune=} must be {value None}, a mapping of parameters to values to try{paper}, "
                "not {given!r}",
                paper=", or 'paper'" if paper else "",
                given=tune,
            )
        )
    for name, values in grid.items():
        if name not in tunable:
            raise DataError(
                say(
                    "{tune=} cannot contain {name!r}, which is set before tuning; it may "
                    "contain {names}",
                    name=name,
                    names=listed(tunable, most=12),
                )
            )
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise DataError(
                say(
                    "{tune=} must list values to try for {name!r}, not {values!r}",
                    name=name,
                    values=values,
                )
            )
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def checked_labels(y: Any, n: int, *, name: str, what: str) -> NDArray[np.float64]:
    """Return labels as float64, shape (n,), none missing."""
    try:
        values = float_values(y, argument=f"{name} of {what}")
    except (TypeError, ValueError):
        raise DataError(f"{name} of {what} must be numbers, but holds text") from None
    if values.shape != (n,):
        raise DataError(
            f"{name} must have one value per clip of {what}: {n} clips, but its shape is "
            f"{values.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{name} of {what} must be finite numbers, but clip {bad[0] + 1} has {values[bad[0]]} "
            f"({len(bad)} such clips); leave them out"
        )
    if n < 2:
        raise DataError(f"{what} has {n} clip; at least 2 are needed")
    return values


def checked_validation(validation: Any) -> tuple[Any, Any]:
    """Return clips and labels of ``validation=``: a pair, or a mapping with "X" and "y"."""
    if isinstance(validation, Mapping):
        if set(validation) != {"X", "y"}:
            raise DataError(
                say(
                    "{validation=} as a mapping must have 'X' and 'y'; it has {names}",
                    names=listed(validation),
                )
            )
        return validation["X"], validation["y"]
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise DataError(say("{validation=} must be a pair (X, y) or a mapping with 'X' and 'y'"))
    return validation[0], validation[1]


def require_above(low: float, name: str, value: Any) -> None:
    """Raise `DataError` if a parameter is not a number above `low`."""
    if not (is_number(value) and value > low):
        raise DataError(
            say(
                "{@name=} must be a number above {low:g}, not {value!r}",
                name=name,
                low=low,
                value=value,
            )
        )
