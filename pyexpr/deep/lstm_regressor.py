"""The OpenFace-LSTM as a regressor: clips of frames to one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pyexpr.base.errors import DataError
from pyexpr.deep.base import DeepRegressor, _require_count
from pyexpr.deep.data import Sequences, checked_sequences
from pyexpr.deep.lstm import OpenFaceLSTM


class LSTMRegressor(DeepRegressor):
    """The paper's OpenFace-LSTM in the shape of a scikit-learn regressor."""

    _PAPER_GRID: ClassVar[dict[str, tuple[Any, ...]]] = {
        "lr": (0.001, 0.005, 0.01),
        "num_layers": (1, 2, 3),
        "hidden_size": (64, 128, 256),
    }

    def __init__(
        self,
        hidden_size: int = 128,
        num_layers: int = 2,
        lr: float = 0.005,
        columns: str | Sequence[str] = "points",
        *,
        dropout: float = 0.0,
        max_epochs: int = 100,
        batch_size: int = 32,
        patience: int | None = 10,
        clip_norm: float | None = 1.0,
        weight_decay: float = 0.0,
        validation_share: float = 0.2,
        tune: str | Mapping[str, Sequence[Any]] | None = None,
        n_seeds: int = 1,
        seed: int = 0,
        device: str | None = None,
        devices: int = 1,
        precision: str = "32",
        deterministic: bool = True,
        n_threads: int | None = 1,
        checkpoint_dir: str | Path | None = None,
        resume: bool = True,
        progress: bool | None = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lr = lr
        self.columns = columns
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.patience = patience
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.validation_share = validation_share
        self.tune = tune
        self.n_seeds = n_seeds
        self.seed = seed
        self.device = device
        self.devices = devices
        self.precision = precision
        self.deterministic = deterministic
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir
        self.resume = resume
        self.progress = progress

    def _examples(self, X: Any, *, reset: bool, what: str) -> Sequences:
        clips = checked_sequences(X, what=what)
        width = clips[0].shape[1]
        if reset:
            self.n_features_in_ = width
        elif width != self.n_features_in_:
            raise DataError(
                f"{what} has {width} columns per frame, but the model was fitted with "
                f"{self.n_features_in_}"
            )
        return Sequences(clips)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("hidden_size", "num_layers"):
            _require_count(name, getattr(self, name))

    def _config(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "n_inputs": self.n_features_in_,
            "hidden_size": int(parameters["hidden_size"]),
            "num_layers": int(parameters["num_layers"]),
            "dropout": float(parameters["dropout"]),
        }

    @classmethod
    def _build(cls, config: Mapping[str, Any]) -> OpenFaceLSTM:
        return OpenFaceLSTM(**config)
