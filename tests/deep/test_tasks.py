"""Trainings as tasks: the same bytes wherever they are done, and one at a time on a GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from deep.made_clips import trending_clips
from deep.test_training import small, weights

from pyexpr.base.errors import DataError
from pyexpr.deep import tasks
from pyexpr.deep.base import fit_all
from pyexpr.deep.tasks import Training
from pyexpr.deep.training import Part, Trained, TrainingOptions


def test_seeds_and_values_as_tasks_are_those_of_one_after_the_other() -> None:
    X, y, subjects = trending_clips(5)
    given: dict[str, Any] = {"max_epochs": 2, "n_seeds": 3, "tune": {"lr": [0.02, 0.01]}}
    alone = small(**given).fit(X, y, groups=subjects)
    # Threads of this process stand for a cluster's workers, which may have threads, too.
    with joblib.parallel_config("threading", n_jobs=2):
        shared = small(**given).fit(X, y, groups=subjects)
    assert weights(shared) == weights(alone)
    assert shared.history_.equals(alone.history_)
    assert shared.path_.equals(alone.path_)
    assert shared.seeds_ == alone.seeds_ == [1, 2, 3]


def test_several_models_train_all_their_seeds_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = trending_clips(3)
    given: dict[str, Any] = {"max_epochs": 1, "patience": None, "n_seeds": 2}
    models = [small(**given), small(**given)]
    data = [(X[:8], y[:8]), (X, y)]
    whole, counts = tasks.train_each, []

    def counted(trainings: list[Training], **options: Any) -> list[Trained]:
        counts.append(len(trainings))
        return whole(trainings, **options)

    monkeypatch.setattr("pyexpr.deep.base.train_each", counted)
    fits = [(model, *each, None, None) for model, each in zip(models, data, strict=True)]
    fit_all(fits, n_jobs=None, contexts=["pain", None])
    assert counts[0] == 4
    assert sum(counts) == 4
    for model, each in zip(models, data, strict=True):
        assert weights(model) == weights(small(**given).fit(*each))
    # An error says of which model it is.
    bad = small(**given).set_params(lr=1e30, max_epochs=3)
    with pytest.raises(DataError, match=r"^context 'pain': training diverged in epoch"):
        fit_all([(bad, X, y, None, None), fits[1]], n_jobs=None, contexts=["pain", None])
    with pytest.raises(DataError, match=r"^context 'pain': y of X must be finite numbers"):
        fit_all([(bad, X, y * np.nan, None, None)], n_jobs=None, contexts=["pain"])


def trainings(n: int, device: str | None) -> list[Training]:
    options = TrainingOptions(0.1, 1, 4, None, None, 0.0, 0, device, 1, "32", True, 1)
    part = Part(None, np.zeros(4, np.float32))  # type: ignore[arg-type]
    return [
        Training(dict, part, None, replace(options, seed=seed), None, None) for seed in range(n)
    ]


def test_each_gpu_has_one_training_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # There is none here: what would be done is asked, not done.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    requested: list[tuple[int, list[list[tuple[int, str | None]]]]] = []

    def in_processes(function: Any, chains: Any, *, n_jobs: int, what: str) -> Any:
        del function, what
        seen = [[(one.options.seed, one.options.device) for one in chain] for (chain,) in chains]
        requested.append((n_jobs, seen))
        for number, (chain,) in enumerate(chains):
            yield number, [(b"", one.options.seed, []) for one in chain]

    monkeypatch.setattr(tasks, "in_processes", in_processes)
    monkeypatch.setattr(tasks, "from_bytes", lambda content: {})
    found = tasks.train_each(trainings(5, None), n_jobs=4, group=None)
    assert [one.best_epoch for one in found] == [0, 1, 2, 3, 4]
    assert requested == [
        (2, [[(0, "cuda:0"), (2, "cuda:0"), (4, "cuda:0")], [(1, "cuda:1"), (3, "cuda:1")]])
    ]
    # With the one that is named they follow each other, here.
    done: list[int] = []
    monkeypatch.setattr(tasks, "_trained", lambda one, group: done.append(one.options.seed))
    tasks.train_each(trainings(3, "cuda:1"), n_jobs=4, group=None)
    assert done == [0, 1, 2]
    assert len(requested) == 1


def test_two_ways_at_once_are_refused() -> None:
    X, y, _ = trending_clips(3)
    model = small(n_seeds=2, devices=2, device="cpu", train_jobs=2, patience=None)
    with pytest.raises(DataError, match=r"train_jobs=2 and devices=2 both start processes"):
        model.fit(X, y)
    with pytest.raises(DataError, match=r"train_jobs= must be None or a whole number other than 0"):
        small(train_jobs=0).fit(X, y)
