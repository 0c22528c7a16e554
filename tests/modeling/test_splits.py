"""Splits: disjoint, exact, blind to the order of rows, fair; and what they refuse."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.modeling.splits import SubjectSplit, split_subjects, subject_folds

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)


def labels(n: int) -> list[str]:
    return [f"S{i:03d}" for i in range(n)]


@SETTINGS
@given(
    n=st.integers(3, 150),
    seed=st.integers(0, 2**64 - 1),
    repeats=st.integers(1, 4),
    shuffle=st.randoms(use_true_random=False),
)
def test_parts_are_disjoint_exact_and_blind_to_order(n, seed, repeats, shuffle) -> None:
    subjects = labels(n)
    split = split_subjects(subjects, seed=seed)
    # In whole numbers: 0.2 n rounded.
    expected = math.floor(Fraction(n, 5) + Fraction(1, 2))
    assert (len(split.validation), len(split.test)) == (expected, expected)
    assert sorted(split.train + split.validation + split.test) == subjects
    rows = subjects * repeats
    shuffle.shuffle(rows)
    assert split_subjects(rows, seed=seed) == split


@SETTINGS
@given(
    sizes=st.lists(st.integers(12, 40), min_size=2, max_size=6),
    seed=st.integers(0, 10_000),
)
def test_strata_share_the_counts(sizes, seed) -> None:
    # Twelve subjects are enough that a stratum, here a context of its own, reaches every part.
    subjects = labels(sum(sizes))
    own = np.repeat(np.arange(len(sizes)), sizes)
    rows, contexts = list(subjects), ["all"] * len(subjects)
    for subject, h in zip(subjects, own, strict=True):
        rows.append(subject)
        contexts.append(f"c{h}")
    split = split_subjects(rows, context=contexts, seed=seed)
    n, n_test = len(subjects), round(0.2 * len(subjects))
    assert (len(split.test), len(split.validation)) == (n_test, n_test)
    assert split.n_strata == len(sizes)
    parts = split.part(subjects)
    for h, size in enumerate(sizes):
        share = n_test * size / n
        in_test = int((parts[own == h] == "test").sum())
        assert math.floor(share) <= in_test <= math.ceil(share)
        left = size - in_test
        share = n_test * left / (n - n_test)
        assert math.floor(share) <= (parts[own == h] == "validation").sum() <= math.ceil(share)


def test_every_subject_has_the_same_chance_of_each_part() -> None:
    # Strata of 24 and three of 2: a rule by remainders alone would never test the small ones.
    subjects = labels(30)
    patterns = ["abc"] * 24 + ["ab"] * 2 + ["ac"] * 2 + ["bc"] * 2
    rows = [s for s, pattern in zip(subjects, patterns, strict=True) for _ in pattern]
    contexts = list("".join(patterns))
    counts = {"test": np.zeros(30), "validation": np.zeros(30)}
    n_seeds = 600
    for seed in range(n_seeds):
        parts = split_subjects(rows, context=contexts, seed=seed).part(subjects)
        for name, seen in counts.items():
            seen += parts == name
    for seen in counts.values():
        # 6 of 30; five standard errors of a proportion of .2 over the seeds.
        np.testing.assert_allclose(seen / n_seeds, 0.2, atol=5 * math.sqrt(0.16 / n_seeds))


def test_golden_split() -> None:
    # Independent of the code: the order of Philox words, from NumPy itself.
    subjects = labels(10)
    words = np.random.Philox(key=[7, 3], counter=[0, 0, 0, 0]).random_raw(10)
    order = [subjects[i] for i in np.argsort(words)]
    split = split_subjects(subjects, seed=7)
    assert split.test == tuple(sorted(order[:2]))
    assert split.validation == tuple(sorted(order[2:4]))
    assert split.train == tuple(sorted(order[4:]))
    assert split != split_subjects(subjects, seed=8)


def test_result() -> None:
    split = split_subjects([3, 1, 2, 5, 4, 5], seed=2)
    table = split.tidy()
    assert list(table.columns) == ["subject", "part"]
    assert table["subject"].tolist() == [1, 2, 3, 4, 5]
    assert split.part(table["subject"]).tolist() == table["part"].tolist()
    assert str(split).startswith("5 subjects: 3 for training, 1 for validation, 1 for testing")
    assert json.loads(json.dumps(split.to_dict()))["provenance"]["seed"] == 2


def test_validation_may_be_left_out() -> None:
    split = split_subjects(labels(10), proportions=(0.8, 0, 0.2), context=["a", "b"] * 5)
    assert (len(split.train), len(split.validation), len(split.test)) == (8, 0, 2)


def test_halves_round_up() -> None:
    split = split_subjects(labels(10), proportions=(0.7, 0.15, 0.15))
    assert (len(split.validation), len(split.test)) == (2, 2)


def test_check_finds_leaks() -> None:
    split = SubjectSplit(("a", "b"), ("c",), ("d",))
    split.check(train=["a", "a", "b"], validation=["c"], test=["d", "d"])
    with pytest.raises(StudyError, match="used for the train part contain subjects of the test"):
        split.check(train=["a", "d"])
    with pytest.raises(StudyError, match="both the train and the test part: 'a'"):
        SubjectSplit(("a", "b"), ("c",), ("a",))
    with pytest.raises(StudyError, match="no subject for the test part"):
        SubjectSplit(("a", "b"), ("c",), ())
    with pytest.raises(StudyError, match="1 subject is not in this split of 4: 'z'"):
        split.part(["a", "z"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"subjects": ["a", "b", "a"]}, DataError, "need at least 3 subjects, but there are 2"),
        ({"subjects": ["a"]}, DataError, "but there is 1"),
        ({"subjects": ["a", None, "b"]}, ColumnError, "row 2 is empty"),
        ({"subjects": pd.Series(["a", None], name="id")}, ColumnError, "column 'id' of the subj"),
        ({"subjects": labels(5), "proportions": (0.98, 0.01, 0.01)}, DataError, "gives none"),
        ({"subjects": labels(5), "proportions": (0.5, 0.5, 0.5)}, DataError, "sum to 1"),
        ({"subjects": labels(5), "proportions": (0.8, 0.2)}, DataError, "three numbers"),
        ({"subjects": labels(5), "proportions": (1.2, -0.4, 0.2)}, DataError, "above 0"),
        ({"subjects": labels(5), "context": ["a"]}, DataError, "one value per row"),
        ({"subjects": labels(5), "seed": -1}, DataError, "seed="),
        (
            {"subjects": [*labels(5), "S000", "S001"], "context": ["a"] * 5 + ["pain"] * 2},
            StudyError,
            "context 'pain' has 2 subjects, fewer than the 3 parts",
        ),
    ],
)
def test_refused(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        split_subjects(**arguments)


def test_a_context_without_a_part_is_named() -> None:
    rows = labels(40) + labels(3)
    contexts = ["all"] * 40 + ["rare"] * 3
    messages = set()
    for seed in range(20):
        try:
            parts = split_subjects(rows, context=contexts, seed=seed).part(labels(3))
            assert set(parts) == {"train", "validation", "test"}
        except StudyError as error:
            messages.add(str(error))
    assert messages
    assert all("none of the 3 subjects of context 'rare'" in text for text in messages)


@SETTINGS
@given(n=st.integers(2, 60), n_folds=st.integers(2, 8), seed=st.integers(0, 1000))
def test_folds_keep_subjects_whole_and_even(n, n_folds, seed) -> None:
    subjects = np.repeat(labels(n), 3)
    if n < n_folds:
        with pytest.raises(DataError, match="folds need as many subjects"):
            subject_folds(subjects, n_folds, seed)
        return
    folds = subject_folds(subjects, n_folds, seed)
    per_subject = folds.reshape(n, 3)
    assert (per_subject == per_subject[:, :1]).all()
    sizes = np.bincount(per_subject[:, 0], minlength=n_folds)
    # As even as scikit-learn's.
    theirs = [
        len(set(subjects[test])) for _, test in GroupKFold(n_folds).split(subjects, groups=subjects)
    ]
    assert sorted(sizes) == sorted(theirs)
    order = np.random.default_rng(seed).permutation(len(subjects))
    assert (subject_folds(subjects[order], n_folds, seed) == folds[order]).all()


def test_one_fold_is_refused() -> None:
    with pytest.raises(DataError, match="at least 2, not 1"):
        subject_folds(labels(4), 1)


def test_folds_balance_rows_where_subjects_differ_much() -> None:
    subjects = np.repeat(np.arange(20), [500] + [5] * 19)
    for seed in range(5):
        # As even as scikit-learn's, which are dealt out by size.
        theirs = [len(test) for _, test in GroupKFold(5).split(subjects, groups=subjects)]
        folds = subject_folds(subjects, 5, seed)
        assert sorted(np.bincount(folds)) == sorted(theirs)
        assert (folds == subject_folds(subjects, 5, seed, balance="rows")).all()
        assert len({tuple(set(folds[subjects == one])) for one in range(20)}) == 5
        in_turn = subject_folds(subjects, 5, seed, balance="subjects")
        assert np.bincount(in_turn).max() > 500
    assert not (subject_folds(subjects, 5, 0) == subject_folds(subjects, 5, 1)).all()
    # Sizes that differ a little: by subjects, unless asked.
    few = np.repeat(np.arange(12), [4, 5, 6, 7] * 3)
    assert (subject_folds(few, 4, 3) == subject_folds(few, 4, 3, balance="subjects")).all()
    with pytest.raises(DataError, match="balance= must be 'subjects', 'rows' or None, not 'row'"):
        subject_folds(few, 4, balance="row")


@SETTINGS
@given(n=st.integers(2, 40), n_folds=st.integers(2, 8), seed=st.integers(0, 1000))
def test_equal_subjects_have_one_set_of_folds(n, n_folds, seed) -> None:
    if n < n_folds:
        return
    subjects = np.repeat(labels(n), 3)
    by_rows, by_subjects = (
        subject_folds(subjects, n_folds, seed, balance=balance) for balance in ("rows", "subjects")
    )
    assert by_rows.tobytes() == by_subjects.tobytes()
    assert by_rows.tobytes() == subject_folds(subjects, n_folds, seed).tobytes()
