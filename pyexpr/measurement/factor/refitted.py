"""Further results of lavaan after a fit: scores of ordered indicators, modification indices.

lavaan fits once more, and the signs of its factors are changed to those of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import EngineError
from pyexpr.base.messages import say
from pyexpr.measurement.engines.choice import fit_and_more
from pyexpr.measurement.engines.protocol import FitOutput, FitRequest, user_names
from pyexpr.measurement.engines.units import unit_of_parameter
from pyexpr.measurement.factor.orientation import signs_between, standardised

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.measurement.factor.fitted import FittedModel

# lavPredict's name for categorical data.
_METHODS = {"bartlett": "ML", "regression": "EBM"}


def ordered_scores(
    result: FittedModel, columns: NDArray[np.float64], groups: NDArray[np.int64], method: str
) -> NDArray[np.float64]:
    """Return lavPredict's scores (n, m) of complete rows (n, p) of categories."""
    request = result.request
    own = np.zeros(len(request.columns)) if request.group is None else request.group
    # lavaan wants every category in new rows, too: those that were fitted hold them.
    wanted = np.column_stack([groups, columns])
    fitted = np.column_stack([own, request.columns])
    rows, places = np.unique(np.vstack([fitted, wanted]), axis=0, return_inverse=True)
    more: dict[str, Any] = {
        "method": _METHODS[method],
        "new_rows": {
            request.model.safe_names[name]: np.ascontiguousarray(rows[:, 1 + j])
            for j, name in enumerate(request.model.indicators)
        },
    }
    if request.group is not None:
        more["new_group"] = [str(int(code)) for code in rows[:, 0]]
    output, value = fit_and_more(result.engine, request, "scores", **more)
    m = len(request.model.factors)
    scores = np.asarray(value["scores"]).reshape(m, len(rows)).T
    turned = np.array([_turned(result, output, int(code)) for code in range(len(result.labels))])
    return np.asarray((scores * turned[rows[:, 0].astype(np.int64)])[places.ravel()[len(fitted) :]])


def modification_indices(result: FittedModel) -> pd.DataFrame:
    """Return the rows of `CFAResult.modification_indices`."""
    import pandas as pd
    from scipy.special import chdtrc

    if result.engine == "native":
        raise EngineError(
            say(
                "the native engine has no modification indices; fit the model with lavaan "
                "({engine='auto'} with R installed)"
            )
        )
    request: FitRequest = result.request
    output, value = fit_and_more(result.engine, request, "modindices")
    found = value["indices"]
    names = user_names(request) | {"": ""}
    units = dict(zip(request.model.indicators, request.units.tolist(), strict=True))
    # lavaan numbers groups by first appearance; its labels are our codes.
    codes = [int(label) if label else 0 for label in value["groups"]]
    turned = [
        dict(zip(request.model.factors, _turned(result, output, code), strict=True))
        for code in range(len(result.labels))
    ]
    rows = []
    for i, (left, op, right) in enumerate(
        zip(found["lhs"], found["op"], found["rhs"], strict=True)
    ):
        lhs, rhs = names[left], names[right]
        code = codes[max(found["group"][i], 1) - 1]
        sign = turned[code].get(lhs, 1.0) * turned[code].get(rhs, 1.0)
        own = {} if result.context_name is None else {result.context_name: result.labels[code]}
        rows.append(
            {
                **own, "lhs": lhs, "op": op, "rhs": rhs, "mi": found["mi"][i],
                "p_value": float(chdtrc(1, found["mi"][i])),
                "epc": found["epc"][i] * sign * unit_of_parameter(lhs, op, rhs, units),
                "sepc_all": found["sepc_all"][i] * sign,
            }
        )  # fmt: skip
    group = [] if result.context_name is None else [result.context_name]
    table = pd.DataFrame(
        rows, columns=[*group, "lhs", "op", "rhs", "mi", "p_value", "epc", "sepc_all"]
    )
    return table.sort_values("mi", ascending=False, kind="stable", ignore_index=True)


def _turned(result: FittedModel, output: FitOutput, code: int) -> NDArray[np.float64]:
    """Return (m,) signs by which a fit as lavaan has it becomes the result's."""
    ours = standardised(result.output.parameters, code, result.model)
    theirs = standardised(output.parameters, code, result.model)
    return signs_between(ours, theirs, result.model)
