"""Published numbers that stand in for a pilot."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf
from typing import Any

from pyexpr.base.checks import is_number, is_whole
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say

# The numbers that each plan needs or may have -> their smallest and largest allowed value.
_SHARE, _CORRELATION, _POSITIVE = (0.0, 1.0), (-1.0, 1.0), (0.0, float("inf"))
NEEDED: dict[str, dict[str, tuple[float, float]]] = {
    "correlation": {"correlation": _CORRELATION, "between_models": _CORRELATION, "icc": _SHARE},
    "rmse": {"rmse": _POSITIVE, "between_errors": _CORRELATION, "icc": _SHARE},
    "slope": {"residual_sd": _POSITIVE, "icc_feature": _SHARE, "icc_residual": _SHARE},
    "icc": {"subject": _POSITIVE, "residual": _POSITIVE},
}
OPTIONAL: dict[str, dict[str, tuple[float, float]]] = {
    "correlation": {},
    "rmse": {},
    "slope": {"slope_sd": _POSITIVE},
    "icc": {
        "clip": _POSITIVE,
        "rater": _POSITIVE,
        "low": (-float("inf"), 1.0),
        "high": (-float("inf"), 1.0),
    },
}
# Sizes of the published study, from which its uncertainty follows.
SIZES = {"n_subjects": (6.0, 1e6), "n_clips": (1.0, 1e6)}


def read_published(published: Any, kind: str) -> dict[str, float]:
    """Return the numbers of a plan of this kind; `DataError` for one that is missing or unknown."""
    if not isinstance(published, Mapping):
        raise DataError(
            say(
                "{published=} must name numbers, such as {example}, not {given!r}",
                example=dict.fromkeys(NEEDED[kind], 0.5),
                given=published,
            )
        )
    sizes = {} if kind == "icc" else SIZES
    known = {**NEEDED[kind], **OPTIONAL[kind], **sizes}
    for name in published:
        if name not in known:
            raise DataError(
                say(
                    "{published=} names {name!r}; {hint}",
                    name=str(name),
                    hint=near_names(str(name), list(known), lead="this plan uses"),
                )
            )
    missing = [name for name in NEEDED[kind] if name not in published]
    if missing:
        raise DataError(
            say("{published=} lacks {names}, which this plan needs", names=listed(missing))
        )
    found = {}
    for name, value in published.items():
        least, most = known[name]
        if not is_number(value) or (name in sizes and not is_whole(value)):
            raise DataError(
                say(
                    "{name!r} in {published=} must be a {kind}, not {given!r}",
                    name=str(name),
                    kind="whole number" if name in sizes else "finite number",
                    given=value,
                )
            )
        number = float(value)
        if not least <= number <= most:
            span = f"between {least:g} and {most:g}"
            if isinf(most):
                span = f"at least {least:g}"
            elif isinf(least):
                span = f"at most {most:g}"
            raise DataError(
                say(
                    "{name!r} in {published=} must be {span}, not {given}",
                    name=str(name), span=span, given=value,
                )
            )  # fmt: skip
        found[str(name)] = number
    return found
