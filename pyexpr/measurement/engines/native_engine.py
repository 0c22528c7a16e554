"""The built-in engine: one factor with at least three indicators, without R.

Equal to lavaan with ``std.lv=TRUE, meanstructure=TRUE, likelihood="normal"``:
maximum likelihood, standard errors from the expected information, and the same
fit measures. Each group is fitted on its own, as lavaan does without constraints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import FactorModelError
from pyexpr.base.messages import say
from pyexpr.core.factor_model import FactorFit, fit_factor, moments
from pyexpr.measurement.engines.equal_loadings import fit_equal_loadings
from pyexpr.measurement.engines.fit_measures import FitSums, fit_measures
from pyexpr.measurement.engines.protocol import FitOutput, FitRequest, Parameters, unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NativeEngine:
    """One factor by maximum likelihood, in C++."""

    name = "native"

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit every group; see `pyexpr.measurement.engines.protocol.Engine`."""
        refuse_unsupported(request)
        tables: list[Parameters] = []
        blocks: list[NDArray[np.float64]] = []
        sums: list[FitSums] = []
        counts: list[int] = []
        for code in range(request.n_groups):
            rows = request.columns
            if request.group is not None:
                rows = rows[request.group == code]
            mean, covariance = moments(rows)
            equal = request.model.equal_loadings
            fit = (fit_equal_loadings if equal else fit_factor)(covariance, len(rows))
            if fit.reason:
                raise FactorModelError(
                    "the native engine found no minimum of the likelihood of the one-factor "
                    f"model ({fit.reason})",
                    reason=fit.reason,
                )
            first_free = sum(len(block) for block in blocks)
            block = _joint_covariance(fit, len(rows))
            tables.append(_group_table(request, code, first_free, fit, mean, block))
            blocks.append(block)
            sums.append(FitSums(len(rows), covariance, fit.loadings, fit.residuals))
            counts.append(len(rows))
        return FitOutput(
            parameters=_stacked(tables),
            vcov=_block_diagonal(blocks),
            measures=fit_measures(sums, equal_loadings=request.model.equal_loadings),
            n_obs=tuple(counts),
            messages=(),
            versions={},
        )


def refuse_unsupported(request: FitRequest) -> None:
    """Raise `EngineError` for a request that needs lavaan."""
    if request.ordered:
        raise unsupported("native", "ordered indicators, which need lavaan's WLSMV")
    if request.options:
        raise unsupported("native", say("a model with {lavaan_options=}"))
    if request.model.higher_order:
        raise unsupported("native", "a higher-order factor, which is measured by other factors")
    if not (request.model.plain_factor or request.model.equal_loadings):
        raise unsupported("native", "a model other than one factor with free or equal loadings")
    if request.cluster is not None or request.estimator != "ML":
        raise unsupported("native", say("{estimator=} or {cluster=}", estimator=request.estimator))
    if request.group_equal:
        raise unsupported("native", "parameters that are constrained to be equal between groups")
    if request.missing != "listwise" and np.isnan(request.columns).any():
        raise unsupported("native", say("incomplete rows with {missing='fiml'}"))


def _joint_covariance(fit: FactorFit, n: int) -> NDArray[np.float64]:
    """Covariance of (loadings, residual variances, intercepts): means are independent."""
    p = len(fit.loadings)
    joint = np.zeros((3 * p, 3 * p))
    joint[: 2 * p, : 2 * p] = fit.vcov
    joint[2 * p :, 2 * p :] = (np.outer(fit.loadings, fit.loadings) + np.diag(fit.residuals)) / n
    return joint


def _standardised(
    fit: FactorFit, mean: NDArray[np.float64], joint: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standardised loadings, residual variances and intercepts, with delta-method errors."""
    loading, residual = fit.loadings, fit.residuals
    p = len(loading)
    variance = loading**2 + residual
    root = np.sqrt(variance)
    values = np.concatenate([loading / root, residual / variance, mean / root])
    slopes = np.zeros((3 * p, 3 * p))
    j = np.arange(p)
    slopes[j, j] = residual / (variance * root)
    slopes[j, p + j] = -loading / (2 * variance * root)
    slopes[p + j, j] = -2 * loading * residual / variance**2
    slopes[p + j, p + j] = loading**2 / variance**2
    slopes[2 * p + j, j] = -mean * loading / (variance * root)
    slopes[2 * p + j, p + j] = -mean / (2 * variance * root)
    slopes[2 * p + j, 2 * p + j] = 1 / root
    errors = np.sqrt(np.einsum("ij,jk,ik->i", slopes, joint, slopes).clip(min=0))
    return values, errors


def _group_table(
    request: FitRequest,
    code: int,
    first_free: int,
    fit: FactorFit,
    mean: NDArray[np.float64],
    joint: NDArray[np.float64],
) -> Parameters:
    """Return the parameters of one group, in lavaan's order."""
    names = request.model.indicators
    factor = request.model.factors[0]
    p = len(names)
    free = np.arange(3 * p)
    # Two fixed rows: the factor's variance after the residuals, its mean at the end.
    at = [2 * p, 3 * p]

    def with_fixed(values: NDArray[np.float64], fixed: tuple[float, float]) -> NDArray[np.float64]:
        return np.insert(values.astype(np.float64), at, fixed)

    std_all, std_errors = _standardised(fit, mean, joint)
    return Parameters(
        lhs=(*[factor] * p, *names, factor, *names, factor),
        op=(*["=~"] * p, *["~~"] * (p + 1), *["~1"] * (p + 1)),
        rhs=(*names, *names, factor, *[""] * (p + 1)),
        group=np.full(3 * p + 2, code, dtype=np.int64),
        free=np.insert(free + first_free, at, -1).astype(np.int64),
        estimate=with_fixed(np.concatenate([fit.loadings, fit.residuals, mean]), (1.0, 0.0)),
        std_error=with_fixed(np.sqrt(np.diag(joint)), (0.0, 0.0)),
        std_all=with_fixed(std_all, (1.0, 0.0)),
        std_all_error=with_fixed(std_errors, (0.0, 0.0)),
    )


def _stacked(tables: list[Parameters]) -> Parameters:
    return Parameters(
        lhs=tuple(name for table in tables for name in table.lhs),
        op=tuple(name for table in tables for name in table.op),
        rhs=tuple(name for table in tables for name in table.rhs),
        **{
            column: np.concatenate([getattr(table, column) for table in tables])
            for column in ("group", "free", "estimate", "std_error", "std_all", "std_all_error")
        },
    )


def _block_diagonal(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    size = sum(len(block) for block in blocks)
    joint = np.zeros((size, size))
    at = 0
    for block in blocks:
        joint[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return joint
