"""What ``model.json`` may hold: names, kinds and bounds, checked before anything is built.

A folder may come from somebody else. Its checksums show that no file was damaged; the rules here
ensure that a file contains a model, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from pyexpr.base.errors import DataError, listed
from pyexpr.base.invalid_values import allowed
from pyexpr.deep.checkpoints import Tensors

if TYPE_CHECKING:
    import pandas as pd

# The product of two fits into the 64 bits of torch's counts of elements.
Size = Annotated[int, Field(ge=1, le=(1 << 31) - 1)]
_SEED_MAX = (1 << 64) - 1


class Plain(BaseModel):
    """Values from JSON: unknown entries are errors, and text is not converted to numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Facts = TypeVar("Facts", bound=Plain)


class Table(Plain):
    """A data frame as columns of equal length."""

    table: dict[str, list[bool | int | float | str | None]]

    @model_validator(mode="after")
    def _is_a_table(self) -> Table:
        if len({len(column) for column in self.table.values()}) > 1:
            raise ValueError("its columns have different lengths")
        return self

    def frame(self) -> pd.DataFrame:
        """Return the data frame."""
        import pandas as pd

        return pd.DataFrame(self.table)


class FittedFacts(Plain):
    """What `DeepRegressor.fit` sets besides the modules; a regressor adds its own attributes."""

    config_: dict[str, Any]
    label_mean_: FiniteFloat
    label_scale_: Annotated[FiniteFloat, Field(gt=0)]
    seeds_: Annotated[list[Annotated[int, Field(ge=0, le=_SEED_MAX)]], Field(min_length=1)]
    best_epochs_: list[PositiveInt]
    stopping_: str
    tuning_: Literal["validation", "none"]
    best_params_: dict[str, Any]
    history_: Table
    path_: Table
    n_features_in_: Size
    device_: str
    versions_: dict[str, str]

    @model_validator(mode="after")
    def _one_epoch_per_seed(self) -> FittedFacts:
        if len(self.best_epochs_) != len(self.seeds_):
            raise ValueError(
                f"best_epochs_ has {len(self.best_epochs_)} values for {len(self.seeds_)} seeds"
            )
        return self

    def attributes(self) -> dict[str, Any]:
        """Return the values as `fit` sets them."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: value.frame() if isinstance(value, Table) else value
            for name, value in found.items()
        }


def plain(value: Any) -> Any:
    """Return a fitted attribute in a form for JSON; numbers are restored exactly."""
    if hasattr(value, "columns"):
        return {"table": {str(name): value[name].tolist() for name in value.columns}}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def checked_facts(kind: type[Facts], found: Any, *, place: str, part: str) -> Facts:
    """Return the facts from JSON; `DataError` names the first invalid entry."""
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([part, *(str(name) for name in first["loc"])])
        must_be = allowed(first)
        message = f"it must be {must_be}" if must_be else first["msg"].removeprefix("Value error, ")
        raise DataError(f"{place}: {where} does not belong to a model: {message}") from None


def checked_parameters(names: Sequence[str], parameters: Any, *, place: str) -> dict[str, Any]:
    """Return the parameters of the constructor; `DataError` if there are others, or too few."""
    found = parameters if isinstance(parameters, Mapping) else {}
    other = sorted(set(names) ^ set(found))
    if other or not isinstance(parameters, Mapping):
        raise DataError(
            f"{place}: its parameters are not those of this version of pyexpr "
            f"({listed(other)}); save the model again"
        )
    return dict(found)


def check_weights(module: Any, weights: Sequence[Tensors], *, place: str) -> None:
    """Raise `DataError` unless each seed's weights fit the module, and are finite.

    `module` is on the meta device: it has shapes, and no memory.
    """
    expected = module.state_dict()
    for number, found in enumerate(weights, start=1):
        for name in sorted(set(expected) | set(found)):
            if name not in expected or name not in found:
                where = "which the model does not have" if name in found else "which is missing"
                raise DataError(f"{place}: the weights of seed {number} have {name!r}, {where}")
            one, other = found[name], expected[name]
            if one.shape != other.shape or one.dtype != other.dtype:
                raise DataError(
                    f"{place}: for seed {number} the weight {name!r} is {_described(one)}, but "
                    f"the configuration requires {_described(other)}"
                )
            if not bool(torch.isfinite(one).all()):
                raise DataError(f"{place}: for seed {number} the weight {name!r} is not finite")


def _described(tensor: torch.Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "one value"
    return f"{shape} of {str(tensor.dtype).removeprefix('torch.')}"
