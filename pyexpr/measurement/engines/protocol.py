"""The request to an engine and its answer, shared by all four engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pyexpr.base.errors import (
    EngineError,
    FactorModelError,
    Interrupted,
    LavaanNotFoundError,
    RError,
    RNotFoundError,
)
from pyexpr.base.messages import say
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.r_install import lavaan_command, r_commands
from pyexpr.measurement.engines.r_startup import hidden_lavaan, unread_profile
from pyexpr.measurement.engines.units import measures_in, unit_of_parameter, units_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.specification import MeasurementModel

STOPPED = "stopped by Ctrl-C while the factor model was fitted: there is no result of this fit"


@dataclass(frozen=True, slots=True)
class FitRequest:
    """One model and its data, checked: nothing degenerate reaches an engine.

    Attributes
    ----------
    model : MeasurementModel
    columns : (n, p) float64, the indicators in the model's order, NaN where missing
    group, cluster : (n,) int codes from 0, or None
    n_groups : int
    estimator : "ML" or "MLR"
    missing : "listwise" or "fiml"
    group_equal : what is held equal over groups ("loadings", "intercepts")
    group_partial : (lhs, op, rhs) of parameters that are free all the same
    ordered : indicators whose columns are categories, 1, 2, ... (estimator "WLSMV")
    options : further options of lavaan, by name
    """

    model: MeasurementModel
    columns: NDArray[np.float64]
    group: NDArray[np.int64] | None = None
    cluster: NDArray[np.int64] | None = None
    n_groups: int = 1
    estimator: str = "ML"
    missing: str = "listwise"
    group_equal: tuple[str, ...] = ()
    group_partial: tuple[tuple[str, str, str], ...] = ()
    ordered: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> NDArray[np.float64]:
        """The (p,) units in which the indicators are fitted; 1 for those that keep their own."""
        if self.ordered or self.options:
            return np.ones(self.columns.shape[1])
        return units_of(self.columns, self.model)


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of a fitted model, one entry per row; `group` and `free` as noted.

    `group` is the code of the group (from 0); `free` is the position in
    `vcov`, or -1 for a fixed parameter. Names are the user's.
    """

    lhs: tuple[str, ...]
    op: tuple[str, ...]
    rhs: tuple[str, ...]
    group: NDArray[np.int64]
    free: NDArray[np.int64]
    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]
    std_all: NDArray[np.float64]
    std_all_error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitOutput:
    """What an engine found; `measures` under lavaan's names (chisq, df, cfi, ...)."""

    parameters: Parameters
    vcov: NDArray[np.float64]
    measures: dict[str, float]
    n_obs: tuple[int, ...]
    messages: tuple[str, ...]
    versions: dict[str, str]


class Engine(Protocol):
    """A way to fit a measurement model."""

    name: str

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit, or raise `EngineError`, `RError` or `FactorModelError`."""
        ...


@lru_cache(maxsize=1)
def bridge_text() -> str:
    """Return the text of bridge.R."""
    return files("pyexpr.measurement.engines").joinpath("bridge.R").read_text(encoding="utf-8")


def r_not_found(what: str) -> RNotFoundError:
    """Return the error that says what is missing and the commands that install it."""
    return RNotFoundError(
        say(
            "{brief}. To fix this, run: {commands}. Without R, {engine='native'} fits "
            "one-factor models",
            brief=what,
            commands=r_commands(),
        )
    )


def request_payload(request: FitRequest, *, task: str = "fit") -> dict[str, Any]:
    """Return a request as plain values for bridge.R, with safe names only."""
    columns = request.columns / request.units
    payload: dict[str, Any] = {
        "task": task,
        "syntax": request.model.safe_syntax(request.n_groups),
        "columns": {
            request.model.safe_names[name]: np.ascontiguousarray(columns[:, j])
            for j, name in enumerate(request.model.indicators)
        },
        "estimator": request.estimator,
        "missing": "ml" if request.missing == "fiml" else request.missing,
    }
    if request.group is not None:
        # As text, because lavaan sorts numbers and keeps text by first appearance:
        # either way the labels come back with the answer.
        payload["group"] = [str(code) for code in request.group.tolist()]
    if request.group_equal:
        payload["group_equal"] = list(request.group_equal)
    if request.group_partial:
        safe = {**request.model.safe_names, "": ""}
        payload["group_partial"] = [
            f"{safe[lhs]}{op}{safe[rhs]}" for lhs, op, rhs in request.group_partial
        ]
    if request.ordered:
        payload["ordered"] = [request.model.safe_names[name] for name in request.ordered]
    if request.options:
        payload["options"] = dict(request.options)
    if request.cluster is not None:
        payload["cluster"] = request.cluster.astype(np.int64)
    return payload


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of bridge.R: the value, the output and warnings of R, and the versions."""

    value: Any
    messages: tuple[str, ...]
    versions: dict[str, str]


def read_answer(raw: bytes, *, started_here: bool = False) -> Answer:
    """Decode an answer of bridge.R; R's errors become `RError` with R's own text.

    `started_here` says that pyexpr, and not the user, has started this R.
    """
    answer = wire.decode(raw)
    found = {key: str(item[0]) for key, item in answer["versions"].items() if item}
    messages = tuple(" ".join(str(text).split()) for text in answer.get("warnings") or ())
    messages = tuple(text for text in messages if text)
    if (answer.get("interrupted") or [False])[0]:
        raise Interrupted(STOPPED)
    error = answer.get("error")
    if error:
        if "lavaan" not in found:
            raise _without_lavaan(f"R {found.get('R', '')}", started_here)
        warned = f" (before that R warned: {'; '.join(messages)})" if messages else ""
        raise RError(f"{error[0]}{warned}")
    return Answer(answer.get("value"), messages, found)


def _without_lavaan(r: str, started_here: bool) -> LavaanNotFoundError:
    hidden = hidden_lavaan() if started_here else None
    if hidden is not None:
        return LavaanNotFoundError(
            say(
                "{brief}. Without lavaan, {engine='native'} fits one-factor models",
                brief=f"{r} does not find its package lavaan, but finds it {hidden.without()}",
            )
        )
    unread = unread_profile() if started_here else ""
    library = (
        f"; R was started without {unread!r}, so a library that only this profile sets must be "
        "set in the environment variable R_LIBS"
        if unread
        else ""
    )
    return LavaanNotFoundError(
        say(
            "{brief}. To fix this, run: {command}. Without it, {engine='native'} fits "
            "one-factor models",
            brief=f"{r} does not have its package lavaan{library}",
            r='{brief}. To fix this, run: {call install.packages("lavaan")}. Without it, '
            "{engine='native'} fits one-factor models",
            command=lavaan_command(),
        )
    )


def fitted(request: FitRequest, ask: Callable[[dict[str, Any]], Answer]) -> FitOutput:
    """Send a request to bridge.R by `ask`; messages of lavaan get the user's names."""
    return fitted_and_more(request, ask, "fit", {})[0]


def fitted_and_more(
    request: FitRequest,
    ask: Callable[[dict[str, Any]], Answer],
    task: str,
    more: Mapping[str, Any],
) -> tuple[FitOutput, Any]:
    """Return lavaan's fit, and the whole answer of bridge.R to a further task."""
    try:
        answer = ask(request_payload(request, task=task) | dict(more))
    except RError as error:
        raise RError(_with_user_names(str(error), user_names(request))) from None
    return fit_output(request, answer), answer.value


def fit_output(request: FitRequest, answer: Answer) -> FitOutput:
    """Turn bridge.R's answer to a fit into a `FitOutput` with the user's names."""
    value = answer.value
    user = user_names(request)
    if not value["converged"][0]:
        texts = dict.fromkeys(_with_user_names(text, user) for text in answer.messages)
        theirs = f" Message of lavaan: {'; '.join(texts).rstrip('.!')}." if texts else ""
        raise FactorModelError(
            say(
                "{brief}.{theirs} Check that the indicators are correlated, that there are "
                "enough rows, and that the model does not have more parameters than the data "
                "can identify",
                brief="lavaan found no solution for the factor model: the optimiser did not "
                "converge, or the model is not identified",
                theirs=theirs,
            ),
            reason="not_converged",
        )
    rows = value["parameters"]
    # lavaan numbers groups by first appearance; its labels are our codes.
    labels = [int(label) if label else 0 for label in value["groups"]]
    n_free = int(value["n_free"][0])
    group = np.array([labels[max(number, 1) - 1] for number in rows["group"]], dtype=np.int64)
    order = np.argsort(group, kind="stable")
    parameters = Parameters(
        lhs=tuple(user.get(rows["lhs"][i], rows["lhs"][i]) for i in order),
        op=tuple(rows["op"][i] for i in order),
        rhs=tuple(user.get(rows["rhs"][i], rows["rhs"][i]) for i in order),
        group=group[order],
        free=np.array(rows["free"], dtype=np.int64)[order] - 1,
        estimate=rows["estimate"][order],
        std_error=rows["std_error"][order],
        std_all=rows["std_all"][order],
        std_all_error=rows["std_all_error"][order],
    )
    counts = dict(zip(labels, value["n_obs"], strict=True))
    output = FitOutput(
        parameters=parameters,
        vcov=value["vcov"].reshape(n_free, n_free),
        measures={key: float(item[0]) for key, item in value["measures"].items()},
        n_obs=tuple(int(counts[code]) for code in sorted(counts)),
        messages=tuple(_with_user_names(text, user) for text in answer.messages),
        versions=answer.versions,
    )
    return _in_units_of_the_user(output, request)


def _in_units_of_the_user(output: FitOutput, request: FitRequest) -> FitOutput:
    units = request.units
    if (units == 1).all():
        return output
    by_name = dict(zip(request.model.indicators, units.tolist(), strict=True))
    found = output.parameters
    own = np.array(
        [
            unit_of_parameter(*row, by_name)
            for row in zip(found.lhs, found.op, found.rhs, strict=True)
        ]
    )
    free = found.free >= 0
    of_free = np.ones(len(output.vcov))
    of_free[found.free[free]] = own[free]
    return replace(
        output,
        parameters=replace(found, estimate=found.estimate * own, std_error=found.std_error * own),
        vcov=output.vcov * np.outer(of_free, of_free),
        measures=measures_in(output.measures, request.columns, units),
    )


def user_names(request: FitRequest) -> dict[str, str]:
    """Return the user's name for each name of a factor or indicator in R."""
    return {safe: name for name, safe in request.model.safe_names.items()}


def _with_user_names(text: str, user: Mapping[str, str]) -> str:
    """Put the user's names back into what lavaan said about v1, v2, f1, ..."""
    import re

    return re.sub(r"\b[vf]\d+\b", lambda match: user.get(match[0], match[0]), text)


def unsupported(engine: str, what: str) -> EngineError:
    """Return the error for a model that an engine cannot fit."""
    return EngineError(
        say(
            "{engine=} cannot fit {what}; use {engine='auto'} with R installed",
            engine=engine,
            what=what,
        )
    )
