"""Baselines: random predictions, and the performance of a single human rater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import ColumnError, DataError, counted, listed, near_names
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame, label_codes, numeric_column, require_columns
from pyexpr.core import streams

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike

CLIP_KEY = ("subject", "context", "clip")

# Blocks of the baseline stream. Each has its own; otherwise the two baselines would be monotone
# transforms of each other.
_UNIFORM_BLOCK = 0
_NORMAL_BLOCK = 1
# A variance this small relative to its mean square is rounding, not variation.
_CONSTANT = 1e-12


def uniform_baseline(
    table: FrameLike,
    *,
    keys: Sequence[str] = CLIP_KEY,
    low: float,
    high: float,
    seed: int = 0,
) -> pd.Series[float]:
    """Return draws from the uniform distribution over the range of the scores.

    Parameters
    ----------
    table : DataFrame
        One row per clip.
    keys : sequence of str, default ("subject", "context", "clip")
        The columns that together identify a row.
    low, high : float
        Open limits of the distribution: the lowest and the highest possible score, -3.5 and 3.5 for
        the factor scores of the paper.
    seed : int, default 0
        Seed; its stream 4 is used. The i-th row in the order of the sorted keys gets the i-th draw,
        so the order of the rows does not matter.

    Returns
    -------
    Series of float, shape (n,)
        Named "uniform", on the table's index.

    Raises
    ------
    ColumnError
        If a key column is missing, or has missing values.
    DataError
        If two rows have the same key, or the limits are not in order.

    Examples
    --------
    >>> table = {"subject": ["a", "b"], "context": ["t", "t"], "clip": ["1", "1"]}
    >>> bool(uniform_baseline(table, low=0, high=100, seed=1).between(0, 100).all())
    True
    """
    if not (is_number(low) and is_number(high) and low < high):
        raise DataError(
            say(
                "{low=} and {high=} must be finite numbers, low below high, not "
                "{given!r} and {given_2!r}",
                given=low,
                given_2=high,
            )
        )
    draws = _draws(table, keys, seed, _UNIFORM_BLOCK)
    return (low + (high - low) * draws).rename("uniform")


def normal_baseline(
    table: FrameLike, *, mean: float, sd: float, keys: Sequence[str] = CLIP_KEY, seed: int = 0
) -> pd.Series[float]:
    """Return draws from a normal distribution with the mean and SD of the scores.

    Parameters
    ----------
    table, keys, seed
        As for `uniform_baseline`; the two are independent of each other.
    mean, sd : float
        Mean and standard deviation of the score, sd above 0: 0 and 1 for factor scores, whose
        factor is standardised.

    Returns
    -------
    Series of float, shape (n,)
        Named "normal", on the table's index; in units of the score.

    Raises
    ------
    ColumnError, DataError
        As `uniform_baseline`; and if `mean` and `sd` are not finite numbers with sd above 0.

    Examples
    --------
    >>> table = {"subject": ["a", "b"], "context": ["t", "t"], "clip": ["1", "1"]}
    >>> normal_baseline(table, mean=0, sd=1, seed=1).name
    'normal'
    """
    from scipy.special import ndtri

    if not (is_number(mean) and is_number(sd) and sd > 0):
        raise DataError(
            say(
                "{mean=} and {sd=} must be finite numbers, sd above 0, not {given!r} and "
                "{given_2!r}",
                given=mean,
                given_2=sd,
            )
        )
    draws = _draws(table, keys, seed, _NORMAL_BLOCK)
    return (mean + sd * draws.map(ndtri).astype(np.float64)).rename("normal")


def class_shares(labels: ArrayLike) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the sorted classes and the proportion of each in the fitted rows.

    A classifier without information about the clip predicts these proportions as probabilities, and
    the most frequent class (the first of equally frequent ones).

    Parameters
    ----------
    labels : array_like, shape (n,)
        The classes of the rows fitted, none missing.

    Returns
    -------
    classes : ndarray, shape (k,)
    shares : ndarray of float64, shape (k,)
        Summing to 1.

    Notes
    -----
    Checked against: scikit-learn's ``DummyClassifier(strategy="prior")``.

    Examples
    --------
    >>> classes, shares = class_shares(["no", "yes", "no", "no"])
    >>> classes.tolist(), shares.tolist()
    (['no', 'yes'], [0.75, 0.25])
    """
    classes, counts = np.unique(np.asarray(labels), return_counts=True)
    return classes, counts / counts.sum()


def _draws(table: Any, keys: Sequence[str], seed: int, block: int) -> pd.Series[float]:
    """Return numbers in the open interval (0, 1), the i-th for the i-th sorted key."""
    import pandas as pd

    frame = as_frame(table, what="the table")
    codes = _row_codes(frame, keys, what="the table")
    order = np.lexsort(codes.T[::-1])
    doubled = np.flatnonzero((np.diff(codes[order], axis=0) == 0).all(axis=1))
    if len(doubled):
        row = frame.iloc[order[doubled[0]]]
        raise DataError(
            f"{counted(len(doubled), 'row')} of the table "
            f"{'repeats' if len(doubled) == 1 else 'repeat'} a "
            f"key; the first is {_named(row, keys)}"
        )
    bits = streams.generator(seed, streams.BASELINES, block).bit_generator
    words = np.asarray(bits.random_raw(len(frame)), dtype=np.uint64)
    values = np.empty(len(frame))
    # 53 bits, moved by half a step: neither 0 nor 1 can come out.
    values[order] = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return pd.Series(values, index=frame.index)


def _row_codes(frame: pd.DataFrame, keys: Sequence[str], *, what: str) -> NDArray[np.int64]:
    """Return each row's position among the sorted labels of each key, shape (n, n_keys)."""
    require_columns(frame, keys, what=what)
    return np.column_stack([label_codes(frame[key], name=key, what=what)[0] for key in keys])


def _named(row: pd.Series[Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{key}={str(row[key])!r}" for key in keys)


_NOTE_CRITERION = Template(
    "human_criterion",
    "the criterion is the mean of the other raters, not the label of the models",
)()
_NOTE_INCOMPLETE = Template(
    "incomplete_pairs",
    "{pairs} an answer and {verb} left out",
)
_NOTE_SHORT = Template(
    "short_clips",
    "{short:count clip, has, have} no value of some {human}; see {column reason}",
    report="{short:count clip, has, have} no value of some {human}",
)
_ONE_RATER = Template("only_one_rater", "only one rater")()
_FEW_RATERS = Template("only_some_raters", "only {there} of {raters} raters")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HumanBaseline(Result):
    """The performance of single raters, each compared with the mean of the others.

    Attributes
    ----------
    table : DataFrame
        One row per clip, sorted: the key columns; for each rater r the columns
        ``human_r`` (standardised weighted sum, no unit) and
        ``human_r_criterion`` (mean of the other raters', not rescaled); n_raters;
        reason ("" if every rater has a value, otherwise the reason why some are NaN).
    values, truth : tuple of str
        The columns of predictions and of their criteria, in the same order.
    raters : tuple
        The slot or person of each pair.
    human : str
        "slot" or "person".
    loadings : dict
        Weight of each question.
    mean, scale : float
        Mean and standard deviation of the weighted sums over all (clip, rater) pairs; divisor n.
    n_pairs, n_incomplete : int
        Pairs used, and pairs left out because an answer was missing.
    """

    table: pd.DataFrame
    values: tuple[str, ...]
    truth: tuple[str, ...]
    raters: tuple[Any, ...]
    human: str
    loadings: dict[str, float]
    mean: float
    scale: float
    n_pairs: int
    n_incomplete: int

    def tidy(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def heading(self) -> str:
        """Return a sentence with the numbers of raters and clips."""
        return (
            f"Human baseline: {len(self.raters)} {self.human}s on {len(self.table)} clips, each "
            "against the mean of the others"
        )

    def provenance(self) -> dict[str, Any]:
        """Return raters, weights, standardisation and counts."""
        return {
            "human": self.human,
            "raters": self.raters,
            "loadings": self.loadings,
            "mean": self.mean,
            "scale": self.scale,
            "n_pairs": self.n_pairs,
            "n_incomplete": self.n_incomplete,
        }

    def notes(self) -> tuple[str, ...]:
        """Return notes on the criterion, and on what was left out."""
        found: list[str] = [_NOTE_CRITERION]
        if self.n_incomplete:
            verb = "is" if self.n_incomplete == 1 else "are"
            pairs = counted(self.n_incomplete, "(clip, rater) pair", "lacks", "lack")
            found.append(_NOTE_INCOMPLETE(pairs=pairs, verb=verb))
        short = int((self.table["reason"] != "").sum())
        if short:
            found.append(_NOTE_SHORT(short=short, human=self.human))
        return tuple(found)


def human_baseline(
    ratings: FrameLike,
    loadings: Mapping[str, float] | FrameLike,
    *,
    human: str = "slot",
    keys: Sequence[str] = CLIP_KEY,
    rater: str = "rater",
    question: str = "question",
    score: str = "score",
) -> HumanBaseline:
    """Return each rater's score of each clip, and the mean of the other raters' scores.

    With x_irq the answer of rater r to question q about clip i and lambda_q the
    question's loading: ``w_ir = sum_q lambda_q x_irq``; z is w standardised
    (divisor n) over all (clip, rater) pairs given; the criterion of rater r is the
    mean of z over the clip's other raters, not rescaled. Pass only the ratings of the part to be
    evaluated, since z depends on them.

    Parameters
    ----------
    ratings : DataFrame
        One row per clip, rater and question.
    loadings : mapping of str to float, or DataFrame
        Weight of each question, or a table with columns indicator and loading, as returned by
        `CFAResult.loadings` for one group. Multiplying all weights by a constant has no effect.
    human : {"slot", "person"}, default "slot"
        "person": every rater rated every clip and is identified by the label. "slot": the sets of
        raters may differ between clips. Labels that are slots themselves (no more than there are
        raters of one clip) are kept; otherwise the slot of a rater is the position among the sorted
        raters of the clip.
    keys : sequence of str, default ("subject", "context", "clip")
        The columns that together identify a clip.
    rater, question, score : str
        Column names.

    Returns
    -------
    HumanBaseline
        ``.values`` and ``.truth`` are the columns that
        `pyexpr.inference.comparison.predictions.Predictions` takes.

    Raises
    ------
    ColumnError
        If a column does not exist, has missing labels, or contains text instead of numbers.
    DataError
        If an answer is duplicated, questions and loadings do not match, all weighted sums are
        equal, no raters can be compared, or ``human="person"`` and a rater did not rate every clip.

    Notes
    -----
    A pair with a missing answer is left out and counted. If a slot of a clip is empty, or a clip
    has only one rater, the value is NaN, and `reason` states why.

    Source: the human baseline of the paper "Context-dependent models for
    predicting and characterizing facial expressiveness" (2020).
    Checked against: values computed by hand, and pandas' group means.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame(
    ...     [("s", "t", str(c), r, "emotion", x)
    ...      for c, answers in enumerate([(0, 0), (4, 4)]) for r, x in enumerate(answers)],
    ...     columns=["subject", "context", "clip", "rater", "question", "score"])
    >>> human_baseline(ratings, {"emotion": 0.9}).table["human_1"].tolist()
    [-1.0, 1.0]
    """
    if human not in ("slot", "person"):
        raise DataError(say("{human=} must be 'slot' or 'person', not {given!r}", given=human))
    frame = as_frame(ratings, what="the ratings")
    weights = _checked_loadings(loadings)
    pairs, n_incomplete = _weighted_sums(frame, weights, tuple(keys), rater, question, score)
    mean, scale = float(pairs["w"].mean()), float(pairs["w"].std(ddof=0))
    if scale**2 <= _CONSTANT * (mean**2 + scale**2):
        raise DataError("the weighted sums of all raters are equal, so they have no z-values")
    pairs["z"] = (pairs["w"] - mean) / scale
    raters = _name_raters(pairs, tuple(keys), rater, human)
    clips = frame[list(keys)].drop_duplicates().sort_values(list(keys), ignore_index=True)
    table, values, truth = _leave_one_out(pairs, clips, raters)
    return HumanBaseline(
        table=table,
        values=values,
        truth=truth,
        raters=tuple(raters),
        human=human,
        loadings=weights,
        mean=mean,
        scale=scale,
        n_pairs=len(pairs),
        n_incomplete=n_incomplete,
    )


def _checked_loadings(loadings: Any) -> dict[str, float]:
    if not isinstance(loadings, Mapping):
        frame = as_frame(loadings, what=say("{loadings=}"))
        require_columns(frame, ["indicator", "loading"], what=say("{loadings=}"))
        doubled = frame["indicator"][frame["indicator"].duplicated()]
        if len(doubled):
            raise DataError(
                say(
                    "{loadings=} has more than one loading of {names}; give those of one group",
                    names=listed(doubled.unique()),
                )
            )
        loadings = dict(zip(frame["indicator"], frame["loading"], strict=True))
    weights = {str(name): float(value) for name, value in loadings.items()}
    bad = [name for name, value in weights.items() if not np.isfinite(value)]
    if bad or not weights:
        raise DataError(
            say(
                "{loadings=} must be finite numbers, one per question; wrong: {names}",
                names=listed(bad),
            )
        )
    return weights


def _weighted_sums(
    frame: pd.DataFrame,
    weights: dict[str, float],
    keys: tuple[str, ...],
    rater: str,
    question: str,
    score: str,
) -> tuple[pd.DataFrame, int]:
    """Return one row per complete (clip, rater) pair with its w, and how many were incomplete."""
    names = [*keys, rater, question]
    require_columns(frame, [*names, score], what="the ratings")
    for name in names:
        label_codes(frame[name], name=name, what="the ratings")
    answers = frame[names].assign(x=numeric_column(frame, score, what="the ratings"))
    answers[question] = answers[question].astype(str)
    questions = answers[question].unique()
    for name in weights:
        if name not in questions:
            hint = near_names(name, questions, lead="there are")
            raise ColumnError(f"there is no rating of question {name!r}; {hint}")
    extra = [name for name in questions if name not in weights]
    if extra:
        raise DataError(say("{loadings=} has no loading for question {names}", names=listed(extra)))
    doubled = answers.duplicated(names)
    if doubled.any():
        first = answers[doubled].iloc[0]
        raise DataError(
            f"{counted(int(doubled.sum()), 'rating', 'is', 'are')} doubled; the first is "
            f"{_named(first, names)}"
        )
    answers["w"] = answers["x"] * answers[question].map(weights).to_numpy(dtype=np.float64)
    answers = answers.dropna(subset="x")
    sums = answers.groupby([*keys, rater], sort=True, observed=True)["w"].agg(["sum", "count"])
    complete = sums[sums["count"] == len(weights)]
    n_pairs = len(frame[[*keys, rater]].drop_duplicates())
    if complete.empty:
        raise DataError("no rater answered every question about any clip")
    pairs = complete.rename(columns={"sum": "w"})[["w"]].reset_index()
    return pairs, n_pairs - len(pairs)


def _name_raters(
    pairs: pd.DataFrame, keys: tuple[str, ...], rater: str, human: str
) -> dict[Any, int]:
    """Add the column r, each pair's rater from 1 on; return the labels and their numbers."""
    labels = _natural_order(pairs[rater].unique().tolist())
    per_clip = pairs.groupby(list(keys), observed=True)[rater].transform("size")
    most = int(per_clip.max())
    if human == "person" and int(per_clip.min()) < len(labels):
        short = pairs[per_clip < len(labels)].iloc[0]
        n_short = len(pairs.loc[per_clip < len(labels), list(keys)].drop_duplicates())
        raise DataError(
            say(
                "{human='person'} needs all {n} raters on every clip, but {many} some; "
                "the first is {text}; use {human='slot'}",
                n=len(labels),
                many=counted(n_short, "clip", "lacks", "lack"),
                text=_named(short, keys),
            )
        )
    if most < 2:
        raise DataError("no clip has two raters, so no rater can be compared with the others")
    place = {label: i + 1 for i, label in enumerate(labels)}
    pairs["r"] = pairs[rater].map(place).astype(np.int64)
    if len(labels) <= most:
        return place
    pairs["r"] = pairs.groupby(list(keys), observed=True)["r"].rank(method="first").astype(np.int64)
    return {slot: slot for slot in range(1, most + 1)}


def _natural_order(labels: list[Any]) -> list[Any]:
    """Sort labels, whole numbers written as text by their size."""
    texts = [str(label) for label in labels]
    if all(text.isdecimal() for text in texts):
        return sorted(labels, key=lambda label: int(str(label)))
    return sorted(labels, key=str)


def _leave_one_out(
    pairs: pd.DataFrame, clips: pd.DataFrame, raters: Mapping[Any, int]
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    import pandas as pd

    numbers = list(raters.values())
    keys = list(clips.columns)
    z = pairs.pivot(index=keys, columns="r", values="z").reindex(columns=numbers)
    # Clips that no rater answered in full keep their row.
    array = clips.merge(z.reset_index(), on=keys, how="left")[numbers].to_numpy(dtype=np.float64)
    present = ~np.isnan(array)
    count = present.sum(axis=1)
    columns: dict[str, Any] = {}
    for j, number in enumerate(numbers):
        others = np.where(present, array, 0.0)
        others[:, j] = 0.0
        n_others = count - present[:, j]
        criterion = np.full(len(array), np.nan)
        usable = present[:, j] & (n_others > 0)
        criterion[usable] = others[usable].sum(axis=1) / n_others[usable]
        columns[f"human_{number}"] = np.where(usable, array[:, j], np.nan)
        columns[f"human_{number}_criterion"] = criterion
    columns["n_raters"] = count
    columns["reason"] = message_column(
        ""
        if n == len(numbers)
        else _ONE_RATER
        if n == 1
        else _FEW_RATERS(there=n, raters=len(numbers))
        for n in count.tolist()
    )
    table = pd.concat([clips, pd.DataFrame(columns)], axis=1)
    values = tuple(f"human_{number}" for number in numbers)
    return table, values, tuple(f"{name}_criterion" for name in values)
