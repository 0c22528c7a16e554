"""Truth and predictions that are classes: their labels, and the positive class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import ColumnError, DataError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.base.metrics import KINDS
from pyexpr.base.tables import called, numeric_column, require_columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# A truth with more distinct numbers is not a class, but was probably meant for metrics of numbers.
_MOST = 50
_THRESHOLD = 0.5
# Metrics of one class against the rest: those that need a score, and those that need a class.
_OF_POSITIVE = tuple(name for name, kind in KINDS.items() if kind.positive)
_OF_SCORES = tuple(name for name, kind in KINDS.items() if kind.scores)
_OF_LABELS = tuple(name for name, kind in KINDS.items() if kind.classes and not kind.scores)
_OTHER_METRICS = "metrics of numbers are rmse, correlation and similar ones"


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes, in the order of their codes; with two classes, the second is positive.

    Attributes
    ----------
    labels : tuple of str
        Names of the classes, as in messages.
    positive : str
        Name of the positive class; "" if no metric needs it.
    rest : tuple of str
        The classes that are combined as not positive; empty if there are only two classes.
    threshold : float, optional
        Smallest prediction that counts as the positive class; None if all predictions are classes.
    numbers : bool
        Whether the codes are the numbers in the column of the truth.
    """

    labels: tuple[str, ...]
    positive: str = ""
    rest: tuple[str, ...] = ()
    threshold: float | None = None
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Rarest:
    """The class of the truth with the fewest rows, and the number of their subjects."""

    label: str
    n: int
    n_clusters: int


@dataclass(frozen=True, slots=True)
class ClassColumn:
    """A column of truth or predictions as classes, each (n,).

    Attributes
    ----------
    values : float64
        The scores, or the codes if there are no scores; NaN if missing.
    codes : int64
        The codes; -1 if missing.
    """

    values: NDArray[np.float64]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A column as it was read: classes by `label_at`, or numbers (then codes are empty)."""

    name: str
    missing: NDArray[np.bool_]
    numbers: NDArray[np.float64] | None
    texts: NDArray[np.object_] | None

    def distinct(self) -> list[Any]:
        if self.numbers is not None:
            return [float(one) for one in np.unique(self.numbers[~self.missing])]
        assert self.texts is not None
        return sorted(set(self.texts[~self.missing].tolist()))


def _raw(frame: pd.DataFrame, name: str, what: str) -> _Raw:
    """Read a column of text or of numbers (True is 1); `ColumnError` for other things."""
    import pandas as pd

    require_columns(frame, [name], what=what)
    column = frame[name]
    missing = column.isna().to_numpy(dtype=bool)
    if missing.all():
        raise ColumnError(f"column {name!r} of {called(column, what)} has no value in any row")
    of_category = isinstance(column.dtype, pd.CategoricalDtype)
    values = column.astype(column.cat.categories.dtype) if of_category else column
    there = values[~missing]
    if values.dtype == "str" or any(isinstance(one, str) for one in there):
        if not all(isinstance(one, str) for one in there):
            raise ColumnError(
                f"column {name!r} of {called(column, what)} mixes text and numbers; make it all "
                "text or all numbers"
            )
        return _Raw(name, missing, None, np.array(values.tolist(), dtype=object))
    if all(isinstance(one, (bool, np.bool_)) for one in there):
        numbers = np.array([np.nan if gone else float(one) for gone, one in
                            zip(missing.tolist(), values.tolist(), strict=True)])  # fmt: skip
    else:
        numbers = numeric_column(frame, name, what=what)
    return _Raw(name, np.isnan(numbers), numbers, None)


def read_classes(
    frame: pd.DataFrame,
    truths: Sequence[str],
    predictions: Sequence[str],
    metrics: Sequence[str],
    positive: Any,
    threshold: float | None,
    *,
    what: str,
    decided: Mapping[str, str] | None = None,
) -> tuple[Classes, dict[str, ClassColumn], dict[str, ClassColumn]]:
    """Return the classes, and the columns of truth and of predictions.

    Parameters
    ----------
    truths, predictions : sequence of str
        Columns.
    metrics : sequence of str
        The requested metrics of classes.
    positive : label, optional
    threshold : float, optional
    decided : mapping of str to str, optional
        Column of predictions that are numbers -> column of the predicted classes, for columns whose
        classes are not derived by a threshold.

    Raises
    ------
    ColumnError
        If a truth does not contain classes, or a prediction neither classes nor numbers.
    DataError
        If the positive class is not given, or metrics cannot be computed from such predictions.
    """
    decided = decided or {}
    every = dict.fromkeys((*truths, *predictions, *decided.values()))
    read = {name: _raw(frame, name, what) for name in every}
    of_truth: set[Any] = set()
    for name in truths:
        of_truth |= set(_checked_classes(read[name], what, _OTHER_METRICS))
    _check_alike(of_truth)
    if of_truth <= {0.0, 1.0}:
        of_truth = {0.0, 1.0}
    chosen = _positive(positive, of_truth)
    scored = [
        name for name in predictions if name in decided or _is_score(read[name], of_truth, chosen)
    ]
    _check_decided(decided, read, what)
    of_classes = [name for name in predictions if name not in scored]
    found = of_truth.union(*(read[name].distinct() for name in (*of_classes, *decided.values())))
    _check_alike(found)
    labels = sorted(found)
    chosen = 1.0 if chosen is None and labels == [0.0, 1.0] else chosen
    _check_metrics(metrics, labels, chosen, predictions, read, scored)
    rest: tuple[str, ...] = ()
    shown = [_label(one) for one in labels]
    if chosen is None:
        places = {one: at for at, one in enumerate(labels)}
    else:
        others = [_label(one) for one in labels if one != chosen]
        rest = tuple(others) if len(others) > 1 else ()
        places = {one: int(one == chosen) for one in labels}
        shown = [others[0] if len(others) == 1 else f"not {_label(chosen)}", _label(chosen)]
    cut = _cut(metrics, threshold, [read[name] for name in scored], decided)
    classes = Classes(
        tuple(shown),
        "" if chosen is None else _label(chosen),
        rest,
        cut if set(scored) - set(decided) else None,
        all(one == at for one, at in places.items()),
    )
    return (
        classes,
        {name: _coded(read[name], places) for name in truths},
        {
            name: _decided(read[name], read[decided[name]], places)
            if name in decided
            else _cut_at(read[name], cut)
            if name in scored
            else _coded(read[name], places)
            for name in predictions
        },
    )


def class_column(
    frame: pd.DataFrame, name: str, *, what: str, otherwise: str
) -> tuple[list[str] | list[int], NDArray[np.int64]]:
    """Return the classes of a column, sorted, and each row's position among them; -1 is missing.

    Text stays text, whole numbers (True is 1) are int.

    Raises
    ------
    ColumnError
        If the column contains other things, both text and numbers, nothing, or more than 50
        different values. `otherwise` says what to do about numbers that are not classes.
    """
    raw = _raw(frame, name, what)
    labels = _checked_classes(raw, what, otherwise)
    _check_alike(set(labels))
    codes = _coded(raw, {one: at for at, one in enumerate(labels)}).codes
    if raw.numbers is None:
        return labels, codes
    return [int(one) for one in labels], codes


def holds_classes(column: pd.Series[Any]) -> bool:
    """Return whether a column can only be of classes: text, truth values, or categories.

    If a part of the text can be read as numbers, it is taken as a column of numbers with an error.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return True
    there = column[~column.isna()]
    texts = [isinstance(one, str) for one in there]
    if all(texts):
        numbers = pd.to_numeric(there, errors="coerce").notna()
        return bool(numbers.all() or not numbers.any())
    return all(isinstance(one, (bool, np.bool_)) for one in there)


def _check_alike(labels: set[Any]) -> None:
    texts = [one for one in labels if isinstance(one, str)]
    _refuse_same_but_for_space(texts)
    if texts and len(texts) < len(labels):
        shown = listed(sorted(_label(one) for one in labels))
        raise DataError(
            f"truth and predictions contain both text and numbers as classes: {shown}; use the "
            "same type for all"
        )


def _refuse_same_but_for_space(texts: Sequence[str]) -> None:
    """Raise `DataError` for two classes that look the same in a table."""
    seen: dict[str, str] = {}
    for text in sorted(texts):
        other = seen.setdefault(" ".join(text.split()), text)
        if other != text:
            raise DataError(
                f"classes {other!r} and {text!r} differ only in white space; if they are the "
                "same class, write them identically, and if they are two classes, rename one "
                "of them"
            )


def rarest_class(classes: Classes, truth: NDArray[np.float64], codes: NDArray[np.int64]) -> Rarest:
    """Return the class with the fewest rows, given the truth (n,) and the subjects (n,)."""
    of_row = truth.astype(np.int64)
    numbers = np.bincount(of_row, minlength=len(classes.labels))
    code = int(np.argmin(numbers))
    subjects = len(np.unique(codes[of_row == code]))
    return Rarest(classes.labels[code], int(numbers[code]), subjects)


def _label(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Whole numbers keep all digits: several classes could be shown as 1e+07.
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _checked_classes(raw: _Raw, what: str, otherwise: str) -> list[Any]:
    labels = raw.distinct()
    if raw.numbers is not None:
        odd = ~raw.missing & (raw.numbers != np.floor(raw.numbers))
        if odd.any():
            row = int(np.flatnonzero(odd)[0])
            raise ColumnError(
                say(
                    "column {name!r} of {what} must hold classes, which are text or whole "
                    "numbers, but row {row} holds {value:g}; {otherwise}",
                    name=raw.name,
                    what=what,
                    row=row + 1,
                    value=raw.numbers[row],
                    otherwise=otherwise,
                )
            )
    if len(labels) > _MOST:
        raise ColumnError(
            f"column {raw.name!r} of {what} holds {len(labels)} different values; there may be "
            f"at most {_MOST} classes"
        )
    return labels


def _positive(positive: Any, labels: set[Any]) -> Any:
    if positive is None:
        return None
    value: Any = positive if isinstance(positive, str) else None
    if value is None and (is_number(positive) or isinstance(positive, (bool, np.bool_))):
        value = float(positive)
    if value not in labels:
        shown = [_label(one) for one in sorted(labels)]
        raise DataError(
            say(
                "{positive=} is {given!r}, which is not a class of the truth; {hint}",
                given=positive,
                hint=hint_of_class(positive, shown),
            )
        )
    return value


def hint_of_class(given: Any, shown: Sequence[str]) -> str:
    """Return a hint for a value that is not a class, with the classes as they are shown."""
    if str(given) in shown:
        return "its classes are " + ("numbers" if isinstance(given, str) else "text")
    return near_names(str(given), shown)


def _is_score(raw: _Raw, labels: set[Any], positive: Any) -> bool:
    """Return whether a prediction is a number that expresses how likely a class is."""
    if raw.numbers is None:
        return False
    if any(isinstance(one, str) for one in labels):
        return True
    if labels == {0.0, 1.0}:
        # A 0 is class 0, and if this is the positive class, the value is not its probability.
        return positive != 0.0 or not set(raw.distinct()) <= labels
    two = len(labels) == 2 or positive is not None
    return two and not set(raw.distinct()) <= labels


def _check_metrics(
    metrics: Sequence[str],
    labels: Sequence[Any],
    positive: Any,
    predictions: Sequence[str],
    read: dict[str, _Raw],
    scored: Sequence[str],
) -> None:
    """Raise `DataError` if metrics cannot be computed from such classes and predictions."""
    shown = listed(_label(one) for one in labels)
    needs = [metric for metric in metrics if metric in _OF_POSITIVE]
    if positive is None and len(labels) > 2:
        if needs:
            raise DataError(
                say(
                    "{metric} is of one class, and there are {n} ({shown}); name the positive "
                    "class in {positive=}, which is then compared with all others, or use "
                    "accuracy, balanced_accuracy, f1_macro and kappa",
                    metric=needs[0],
                    n=len(labels),
                    shown=shown,
                )
            )
        if scored:
            raise DataError(
                say(
                    "prediction {name!r} holds numbers, and there are {n} classes ({shown}); a "
                    "prediction of several classes must be a class in every row, or name in "
                    "{positive=} the class whose probability it is",
                    name=scored[0],
                    n=len(labels),
                    shown=shown,
                )
            )
    elif positive is None and (needs or scored):
        about = needs[0] if needs else f"prediction {scored[0]!r}"
        raise DataError(
            say(
                "{about} refers to one class; name in {positive=} which of {shown} it is",
                about=about,
                shown=shown,
            )
        )
    for metric in metrics:
        if metric not in _OF_SCORES:
            continue
        for name in predictions:
            if name not in scored:
                raise DataError(
                    f"prediction {name!r} holds classes, but {metric} requires numbers that "
                    "express how likely the positive class is; leave it out, or name a column "
                    "of probabilities"
                )
    for name in scored if "brier" in metrics else ():
        numbers = read[name].numbers
        assert numbers is not None
        if not _are_probabilities(numbers):
            raise DataError(
                f"brier requires probabilities, but prediction {name!r} goes from "
                f"{np.nanmin(numbers):g} to {np.nanmax(numbers):g}"
            )


def _are_probabilities(numbers: NDArray[np.float64]) -> bool:
    return bool(np.nanmin(numbers) >= 0 and np.nanmax(numbers) <= 1)


def _check_decided(decided: Mapping[str, str], read: Mapping[str, _Raw], what: str) -> None:
    """Raise `ColumnError` if predictions that are accompanied by classes are not numbers."""
    for name in decided:
        if read[name].numbers is None:
            raise ColumnError(
                f"column {name!r} of {what} is accompanied by predicted classes in column "
                f"{decided[name]!r}, so it must contain numbers that express how likely the "
                "positive class is, but it contains text"
            )


def _cut(
    metrics: Sequence[str],
    threshold: float | None,
    scored: Sequence[_Raw],
    decided: Mapping[str, str],
) -> float:
    """Return the smallest score with which a row is positive."""
    if threshold is not None and decided:
        raise DataError(
            say(
                "{threshold=} derives classes from numbers, but the classes of {name!r} are "
                "given in column {other!r}; give only one of them",
                name=next(iter(decided)),
                other=next(iter(decided.values())),
            )
        )
    scored = [raw for raw in scored if raw.name not in decided]
    if threshold is not None:
        if not is_number(threshold):
            raise DataError(
                say("{threshold=} must be one finite number, not {given!r}", given=threshold)
            )
        if not scored:
            raise DataError(
                say("{threshold=} derives classes from numbers, but all predictions are classes")
            )
        return float(threshold)
    for raw in scored if any(metric in _OF_LABELS for metric in metrics) else ():
        assert raw.numbers is not None
        if not _are_probabilities(raw.numbers):
            raise DataError(
                say(
                    "prediction {name!r} goes from {low:g} to {high:g}, so it is not a "
                    "probability with the threshold {cut:g}; set in {threshold=} the number "
                    "from which the positive class is predicted, or use only auc",
                    name=raw.name,
                    low=np.nanmin(raw.numbers),
                    high=np.nanmax(raw.numbers),
                    cut=_THRESHOLD,
                )
            )
    return _THRESHOLD


def _coded(raw: _Raw, places: dict[Any, int]) -> ClassColumn:
    if raw.numbers is not None:
        found = [-1 if gone else places[one] for gone, one in
                 zip(raw.missing.tolist(), raw.numbers.tolist(), strict=True)]  # fmt: skip
    else:
        assert raw.texts is not None
        found = [-1 if gone else places[one] for gone, one in
                 zip(raw.missing.tolist(), raw.texts.tolist(), strict=True)]  # fmt: skip
    codes = np.array(found, dtype=np.int64)
    return ClassColumn(np.where(raw.missing, np.nan, codes), codes)


def _decided(numbers: _Raw, classes: _Raw, places: dict[Any, int]) -> ClassColumn:
    """Return the numbers of one column with the classes of another; missing if either is."""
    assert numbers.numbers is not None
    coded = _coded(classes, places).codes
    missing = numbers.missing | classes.missing
    return ClassColumn(
        np.where(missing, np.nan, numbers.numbers), np.where(missing, np.int64(-1), coded)
    )


def _cut_at(raw: _Raw, threshold: float) -> ClassColumn:
    assert raw.numbers is not None
    with np.errstate(invalid="ignore"):
        codes = (raw.numbers >= threshold).astype(np.int64)
    codes[raw.missing] = -1
    return ClassColumn(raw.numbers, codes)
