r"""The terms of the restricted likelihood at given ratios of variances.

With ``V = I + sum_k gamma_k V_k``, ``V_k = Z_k Z_k'`` (ratios to the residual variance) and
``P = V^-1 - V^-1 1 (1' V^-1 1)^-1 1' V^-1``, the likelihood, its derivatives and MIVQUE need
``tr(P V_k)``, ``tr(P V_k P V_l)``, ``y'Py``, ``y'P V_k P y`` and ``y'P V_k P V_l P y``. Subjects
enter only through sums. To leave a subject out, or to draw it twice, it is therefore enough to add
sums and to solve a system of the size of the outer effects. The terms of the residual follow from
``P V P = P``.

References
----------
Searle, S. R., Casella, G. and McCulloch, C. E. (1992). Variance components. Wiley, chapters 6, 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.components.blocks import Blocks


@dataclass(frozen=True, slots=True)
class Moments:
    """The terms for R weightings of the subjects; effects are in their order, the residual last.

    Attributes
    ----------
    log_determinant : ndarray, shape (R,)
        ``log|V| + log|1' V^-1 1|``.
    square : ndarray, shape (R,)
        ``y'Py``.
    df : ndarray, shape (R,)
        ``n - 1``.
    traces, forms : ndarray, shape (R, q + 1)
        ``tr(P V_k)`` and ``y'P V_k P y``.
    information : ndarray, shape (R, q + 1, q + 1)
        ``tr(P V_k P V_l)``.
    curvature : ndarray, shape (R, q + 1, q + 1), or None
        ``y'P V_k P V_l P y``; not computed for weightings.
    """

    log_determinant: NDArray[np.float64]
    square: NDArray[np.float64]
    df: NDArray[np.float64]
    traces: NDArray[np.float64]
    forms: NDArray[np.float64]
    information: NDArray[np.float64]
    curvature: NDArray[np.float64] | None = None

    def mivque(self) -> NDArray[np.float64]:
        """Return the unbiased quadratic estimates with these ratios as a priori values, (R, q+1).

        NaN where the effects cannot be separated.
        """
        scale = np.sqrt(np.einsum("rkk->rk", self.information))
        with np.errstate(divide="ignore", invalid="ignore"):
            likeness = self.information / (scale[:, :, None] * scale[:, None, :])
            right = self.forms / scale
        found = np.full_like(self.forms, np.nan)
        usable = np.isfinite(likeness).all(axis=(1, 2))
        usable[usable] = np.linalg.eigvalsh(likeness[usable])[:, 0] > SMALLEST_LIKENESS
        if usable.any():
            solved = np.linalg.solve(likeness[usable], right[usable][:, :, None])[:, :, 0]
            found[usable] = solved / scale[usable]
        return found


# The effects differ only by rounding errors.
SMALLEST_LIKENESS = 1e-9


@dataclass(frozen=True, slots=True)
class _Reduced:
    """Products with ``V0^-1``, where V0 excludes outer effects, per subject or summed."""

    zz: NDArray[np.float64]
    zt: NDArray[np.float64]
    zy: NDArray[np.float64]
    tt: NDArray[np.float64]
    ty: NDArray[np.float64]
    yy: NDArray[np.float64]
    log_determinant: NDArray[np.float64]


def _reduced(blocks: Blocks, ratios: NDArray[np.float64]) -> _Reduced:
    own = ratios[list(blocks.inner)][blocks.slots] if len(blocks.slots) else np.zeros(0)
    root = np.sqrt(own)
    right = np.concatenate([blocks.zz, blocks.zt, blocks.zy[:, :, None]], axis=2)
    scaled = root[None, :, None] * right
    inner = np.eye(len(root)) + root[None, :, None] * blocks.zz * root[None, None, :]
    solved = root[None, :, None] * np.linalg.solve(inner, scaled)
    m, t = len(root), blocks.zt.shape[2]
    zz, zt, zy = solved[:, :, :m], solved[:, :, m : m + t], solved[:, :, m + t]
    back = blocks.zz.transpose(0, 2, 1)
    zt_flat, solved_flat = blocks.zt.reshape(-1, t), zt.reshape(-1, t)
    each = blocks.zt.transpose(0, 2, 1) @ zt if blocks.each else (zt_flat.T @ solved_flat)[None]
    return _Reduced(
        zz=blocks.zz - back @ zz,
        zt=blocks.zt - back @ zt,
        zy=blocks.zy - (back @ zy[:, :, None])[:, :, 0],
        tt=blocks.tt - each,
        ty=blocks.ty - np.einsum("smt,sm->st", blocks.zt, zy),
        yy=blocks.yy - np.einsum("sm,sm->s", blocks.zy, zy),
        log_determinant=np.linalg.slogdet(inner)[1],
    )


def moments(blocks: Blocks, ratios: NDArray[np.float64]) -> Moments:
    """Return the moments of all subjects, R = 1, with ``curvature``."""
    red = _reduced(blocks, ratios)
    t = red.zt.shape[2]
    parts = [blocks.slots == place for place in range(len(blocks.inner))]
    zt = [red.zt[:, part] for part in parts]
    sums = _Sums(
        log_determinant=red.log_determinant.sum()[None],
        n=blocks.n.sum()[None],
        tt=red.tt.sum(axis=0)[None],
        ty=red.ty.sum(axis=0)[None],
        yy=red.yy.sum()[None],
        trace=np.array([[np.einsum("sii->", red.zz[:, p][:, :, p]) for p in parts]]),
        squares=np.array(
            [[[np.sum(red.zz[:, p][:, :, o] ** 2) for o in parts] for p in parts]]
        ).reshape(1, len(parts), len(parts)),
        outer=np.array([z.reshape(-1, t).T @ z.reshape(-1, t) for z in zt]).reshape(
            1, len(parts), t, t
        ),
        middle=np.array(
            [
                [
                    z.reshape(-1, t).T @ (red.zz[:, p][:, :, o] @ x).reshape(-1, t)
                    for o, x in zip(parts, zt, strict=True)
                ]
                for p, z in zip(parts, zt, strict=True)
            ]
        ).reshape(1, len(parts), len(parts), t, t),
        zy=np.array([[np.sum(red.zy[:, p] ** 2) for p in parts]]),
        cross=np.array(
            [z.reshape(-1, t).T @ red.zy[:, p].ravel() for p, z in zip(parts, zt, strict=True)]
        ).reshape(1, len(parts), t),
    )
    solution = _solved(blocks, sums, ratios)
    return _finished(blocks, sums, solution, ratios, _curvature(blocks, red, sums, solution))


def sums_per_subject(blocks: Blocks, ratios: NDArray[np.float64]) -> _Sums:
    """Return the terms of each subject that `weighted` adds up."""
    red = _reduced(blocks, ratios)
    parts = [blocks.slots == place for place in range(len(blocks.inner))]
    zt = [red.zt[:, part] for part in parts]
    g, q, t = len(red.yy), len(parts), red.zt.shape[2]
    outer, cross = np.zeros((g, q, t, t)), np.zeros((g, q, t))
    middle, squares = np.zeros((g, q, q, t, t)), np.zeros((g, q, q))
    for k, (p, z) in enumerate(zip(parts, zt, strict=True)):
        outer[:, k] = z.transpose(0, 2, 1) @ z
        cross[:, k] = np.einsum("smt,sm->st", z, red.zy[:, p])
        for j, (o, x) in enumerate(zip(parts, zt, strict=True)):
            own = red.zz[:, p][:, :, o]
            squares[:, k, j] = np.sum(own**2, axis=(1, 2))
            middle[:, k, j] = z.transpose(0, 2, 1) @ (own @ x)
    return _Sums(
        log_determinant=red.log_determinant, n=blocks.n, tt=red.tt, ty=red.ty, yy=red.yy,
        trace=np.array([np.einsum("sii->s", red.zz[:, p][:, :, p]) for p in parts]).reshape(q, g).T,
        squares=squares, outer=outer, middle=middle,
        zy=np.array([np.sum(red.zy[:, p] ** 2, axis=1) for p in parts]).reshape(q, g).T,
        cross=cross,
    )  # fmt: skip


def weighted(
    blocks: Blocks, each: _Sums, ratios: NDArray[np.float64], weights: NDArray[np.float64]
) -> Moments:
    """Return the moments of R weightings (R, G) of the subjects."""
    sums = each.times(weights)
    return _finished(blocks, sums, _solved(blocks, sums, ratios), ratios, None)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over subjects of the products with V0^-1, (R or G, ...)."""

    log_determinant: NDArray[np.float64]
    n: NDArray[np.float64]
    tt: NDArray[np.float64]
    ty: NDArray[np.float64]
    yy: NDArray[np.float64]
    trace: NDArray[np.float64]
    squares: NDArray[np.float64]
    outer: NDArray[np.float64]
    middle: NDArray[np.float64]
    zy: NDArray[np.float64]
    cross: NDArray[np.float64]

    def times(self, weights: NDArray[np.float64]) -> _Sums:
        """Return the sums of weighted subjects."""
        return _Sums(
            **{
                name: np.tensordot(weights, getattr(self, name), axes=(1, 0))
                for name in self.__dataclass_fields__
            }
        )


@dataclass(frozen=True, slots=True)
class _Solution:
    """The part ``H`` of V^-1 due to outer effects, the remainder of T, and the log determinant."""

    h: NDArray[np.float64]
    hb: NDArray[np.float64]
    rest: NDArray[np.float64]
    own: NDArray[np.float64]
    log_determinant: NDArray[np.float64]


def _solved(blocks: Blocks, sums: _Sums, ratios: NDArray[np.float64]) -> _Solution:
    mean = blocks.columns == len(blocks.outer)
    root = np.ones(len(mean))
    root[~mean] = np.sqrt(ratios[list(blocks.outer)][blocks.columns[~mean]])
    inner = root[:, None] * sums.tt * root + np.diag(np.where(mean, 0.0, 1.0))
    h = root[:, None] * np.linalg.inv(inner) * root
    h = (h + h.transpose(0, 2, 1)) / 2
    rest = np.eye(len(root)) - h @ sums.tt
    return _Solution(
        h=h,
        hb=np.einsum("rtu,ru->rt", h, sums.ty),
        rest=rest,
        own=sums.tt @ rest,
        log_determinant=np.linalg.slogdet(inner)[1],
    )


def _finished(
    blocks: Blocks,
    sums: _Sums,
    solution: _Solution,
    ratios: NDArray[np.float64],
    curvature: NDArray[np.float64] | None,
) -> Moments:
    q, inner = blocks.n_effects, list(blocks.inner)
    r = len(sums.n)
    traces, forms = np.zeros((r, q + 1)), np.zeros((r, q + 1))
    information = np.zeros((r, q + 1, q + 1))
    h, hb = solution.h, solution.hb
    with_h = h[:, None] @ sums.outer
    traces[:, inner] = sums.trace - np.einsum("rktt->rk", with_h)
    forms[:, inner] = (
        sums.zy
        - 2 * np.einsum("rkt,rt->rk", sums.cross, hb)
        + np.einsum("rkt,rt->rk", (sums.outer @ hb[:, None, :, None])[..., 0], hb)
    )
    information[np.ix_(range(r), inner, inner)] = (
        sums.squares
        - 2 * np.sum(h[:, None, None] * sums.middle, axis=(3, 4))
        + np.einsum("rktu,rjut->rkj", with_h, with_h, optimize=True)
    )
    effects = sums.ty - np.einsum("rtu,ru->rt", sums.tt, hb)
    for place, j in enumerate(blocks.outer):
        own = blocks.columns == place
        traces[:, j] = np.einsum("rtt->rt", solution.own)[:, own].sum(axis=1)
        forms[:, j] = np.sum(effects[:, own] ** 2, axis=1)
        left = solution.rest[:, :, own]
        shared = np.sum((sums.outer @ left[:, None]) * left[:, None], axis=(2, 3))
        information[:, j, inner] = shared
        information[np.ix_(range(r), inner, [j])] = shared[:, :, None]
        for other, k in enumerate(blocks.outer):
            part = solution.own[:, own][:, :, blocks.columns == other]
            information[:, j, k] = np.sum(part**2, axis=(1, 2))
    square = sums.yy - np.einsum("rt,rt->r", sums.ty, hb)
    _with_residual(information, traces, forms, square, sums.n - 1, ratios)
    if curvature is not None:
        products = forms[:, :q] - curvature[:, :q, :q] @ ratios
        curvature[:, :q, q] = curvature[:, q, :q] = products
        curvature[:, q, q] = forms[:, q] - products @ ratios
    return Moments(
        sums.log_determinant + solution.log_determinant, square, sums.n - 1, traces, forms,
        information, curvature,
    )  # fmt: skip


def _with_residual(
    information: NDArray[np.float64],
    traces: NDArray[np.float64],
    forms: NDArray[np.float64],
    square: NDArray[np.float64],
    df: NDArray[np.float64],
    ratios: NDArray[np.float64],
) -> None:
    """Fill in the terms of the residual, in place."""
    q = len(ratios)
    traces[:, q] = df - traces[:, :q] @ ratios
    shared = traces[:, :q] - information[:, :q, :q] @ ratios
    information[:, :q, q] = information[:, q, :q] = shared
    information[:, q, q] = traces[:, q] - shared @ ratios
    forms[:, q] = square - forms[:, :q] @ ratios


def _curvature(
    blocks: Blocks, red: _Reduced, sums: _Sums, solution: _Solution
) -> NDArray[np.float64]:
    """Return ``y'P V_k P V_l P y`` of all effects; the rows of the residual are still empty."""
    q = blocks.n_effects
    found = np.zeros((1, q + 1, q + 1))
    hb = solution.hb[0]
    t = len(hb)
    pull = red.zy - (red.zt @ hb)
    effects = sums.ty[0] - sums.tt[0] @ hb
    # V_k P y in terms of Z and T, as factors of each effect's levels.
    vectors: dict[int, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = {}
    for place, j in enumerate(blocks.inner):
        own = np.where(blocks.slots == place, pull, 0.0)
        vectors[j] = own, np.zeros(t), np.einsum("smt,sm->t", red.zt, own)
    for place, j in enumerate(blocks.outer):
        own = np.where(blocks.columns == place, effects, 0.0)
        vectors[j] = np.zeros_like(pull), own, sums.tt[0] @ own
    for k, (z, w, x) in vectors.items():
        for j, (z2, w2, x2) in vectors.items():
            direct = float(np.sum(z[:, None] @ red.zz @ z2[:, :, None]))
            mixed = float(np.sum(z * (red.zt @ w2)) + np.sum(z2 * (red.zt @ w)))
            found[0, k, j] = direct + mixed + w @ sums.tt[0] @ w2 - x @ solution.h[0] @ x2
    return found
