"""The OpenFace-LSTM as a regressor: clips of frames to one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from pyexpr.base.checks import is_number, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.foreign import as_pandas
from pyexpr.base.messages import say
from pyexpr.behavior.features.frame_store import wanted_groups
from pyexpr.behavior.features.sequences import ClipSequences, read_sequences
from pyexpr.behavior.openface.options import Place
from pyexpr.deep.base import DeepRegressor
from pyexpr.deep.data import Sequences, checked_sequences
from pyexpr.deep.lstm import OpenFaceLSTM
from pyexpr.deep.saved_facts import FittedFacts, Plain, Size

if TYPE_CHECKING:
    import pandas as pd


class _LSTMConfig(Plain):
    n_inputs: Size
    hidden_size: Size
    # Built one by one.
    num_layers: Annotated[int, Field(ge=1, le=1000)]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class _LSTMFacts(FittedFacts):
    columns_: list[str]
    frames_: dict[str, NonNegativeInt]


class LSTMRegressor(DeepRegressor):
    r"""The OpenFace-LSTM of the paper, with the interface of a scikit-learn regressor.

    Each column of a clip is standardised over the frames of the clip. A stacked LSTM processes the
    frames, and a linear layer maps its last state to the label (`OpenFaceLSTM`). The network is
    trained by Adam on the mean squared error of the label, which is standardised on the training
    clips. The weights of the epoch with the lowest error on other subjects are kept.

    Parameters
    ----------
    hidden_size, num_layers : int, default 128 and 2
        Width and number of the LSTM's layers.
    lr : float, default 0.005
        Learning rate of Adam.
    columns : str or sequence of str, default "points"
        The columns to read for a clip table: "points" (face and eyes, 2D and 3D; 620 columns),
        "points_2d" (136), "points_3d" (204), "eyes" (280), "gaze" (8), "pose" (6), "aus" (35),
        "parameters" (40), "expressions" (action units, and of other trackers blendshapes and
        emotions), "all", or names of `OpenFaceRecording.groups`. The numbers are OpenFace's; for
        another tracker's tables, a name stands for the columns of this kind in the layout. Arrays
        are used as they are.
    rate : float, default 25
        Frames per second at which recordings of a clip table are read.
    fps, min_confidence, face
        As in `read_openface`, for clip tables.
    layout : str or None, default None
        For clip tables with files of a tracker other than OpenFace, as in `read_tracks`.
    cache_dir : path, optional
        Folder in which the arrays of the recordings are cached, so that each file is parsed only
        once.
    dropout : float, default 0
        Dropout between layers.
    max_epochs : int, default 100
    batch_size : int, default 32
        Clips per step.
    patience : int or None, default 10
        Number of epochs without a lower validation error after which training stops. None: no early
        stopping.
    clip_norm : float or None, default 1
        Largest norm of the gradient.
    weight_decay : float, default 0
    validation_share : float, default 0.2
        Proportion of the subjects in ``groups=`` that are used for validation without
        ``validation=``.
    tune : None, "paper", or mapping of str to sequence, default None
        Values of parameters, which are tried in all combinations. The combination with the lowest
        validation error (of the first seed) is used. "paper" tries the three parameters that the
        paper tuned: lr (0.001, 0.005, 0.01), num_layers (1, 2, 3), hidden_size (64, 128, 256). The
        paper does not report which values it tried; these values were chosen around its final
        values.
    n_seeds : int, default 1
        Number of trainings that differ only in their seed: `seed`, `seed` + 1, and so on.
        Predictions are the mean over them; `predict_each` returns the predictions of each.
    seed : int, default 0
        Seed of the initial weights, the order of the clips, dropout, and the choice of validation
        subjects.
    device : {"cpu", "cuda", "cuda:0", "mps"} or None, default None
        None: CUDA if available, otherwise MPS, otherwise the CPU.
    devices : int, default 1
        Number of devices of this machine that share each batch. Each runs in a separate process, so
        a script needs ``if __name__ == "__main__":``. In a process that torchrun or Slurm started
        it must be 1, since all processes share each batch.
    train_jobs : int or None, default None
        Number of trainings at a time, which differ in their seed or in the values of `tune`, with
        the meaning of ``n_jobs`` in joblib. None is 1, or the value of ``joblib.parallel_config``,
        which may also send them to a cluster. Each GPU runs at most one at a time. Results do not
        depend on it.
    precision : {"32", "16-mixed", "bf16-mixed"}, default "32"
    deterministic : bool, default True
        Whether to use only deterministic algorithms.
    n_threads : int or None, default 1
        Number of torch's threads on the CPU. With one thread, results do not depend on the number
        of cores. None: the setting of torch.
    checkpoint_dir : path, optional
        Folder to which a training writes its state after each epoch, in a file whose name depends
        on all settings and data of the training.
    resume : bool, default True
        Whether to continue from the state in `checkpoint_dir`, if there is one. False: start again.
    progress : bool or None, default None
        Whether to show a progress bar. None: if standard error is a terminal.

    Attributes
    ----------
    modules_ : list of OpenFaceLSTM
        One per seed, on the CPU.
    seeds_, best_epochs_ : list of int
        The seeds, and the epochs whose weights are kept, counted from 1.
    n_features_in_ : int
        Columns per frame, p.
    columns_ : list of str
        Names of the columns, if clips came from a table.
    frames_ : dict of str to int
        For the clips of `fit` from a table: numbers of clips, of frames, and of missing or failed
        frames.
    history_ : DataFrame
        The learning curve: seed, epoch, train_rmse, validation_rmse (units of the label;
        NaN without validation), best.
    path_ : DataFrame
        One row per combination tried: the values, rmse, best_epoch, chosen. Without
        tuning it has no rows.
    best_params_ : dict
        The chosen combination; empty without tuning.
    tuning_, stopping_ : str
        The data used for tuning and for early stopping.
    label_mean_, label_scale_ : float
        Mean and standard deviation of the label in the training clips.
    config_ : dict
        The configuration from which the modules are built.
    device_ : str
        Where it was trained.
    versions_ : dict

    Notes
    -----
    X is an array (clips, frames, p), a list of arrays (frames, p), or a clip table with one row per
    clip and the columns openface (path), start, end (seconds), and optionally face and layout (as
    the arguments, for each row). `ContextualRegressor` requires the last form. Clips of different
    lengths are packed, so the prediction of a clip does not depend on the other clips.

    Missing values (NaN) are replaced by the mean of their column in the clip, which is 0 after
    standardisation. A column that is constant or completely missing in the clip is 0 as well. A
    clip without any observed value is an error.

    With the same seed the CPU gives identical results, also if a training was interrupted and
    resumed. Pickles store the weights as safetensors; `save` and `load` use only safetensors and
    JSON.

    Source: Lin, Girard and Morency (2020), section 4. Checked against: ``nn.LSTM``
    and ``nn.Linear`` with the same weights; a planted signal, and shuffled labels.

    Examples
    --------
    Clips of 30 frames whose speed is the label:

    >>> import numpy as np
    >>> speed = np.linspace(0.2, 2.0, 40)
    >>> clips = np.sin(speed[:, None, None] * np.arange(30)[None, :, None] * [0.2, 0.3])
    >>> model = LSTMRegressor(8, 1, lr=0.05, max_epochs=30, patience=None, progress=False)
    >>> predicted = model.fit(clips, speed).predict(clips)
    >>> bool(np.corrcoef(predicted, speed)[0, 1] > 0.9)
    True
    """

    _FITTED: ClassVar[type[FittedFacts]] = _LSTMFacts
    _CONFIG: ClassVar[type[Plain]] = _LSTMConfig
    _TUNABLE: ClassVar[tuple[str, ...]] = (
        "hidden_size", "num_layers", "dropout", *DeepRegressor._TUNABLE,
    )  # fmt: skip
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
        rate: float = 25.0,
        fps: float | None = None,
        min_confidence: float | None = None,
        face: Place | int = "largest",
        layout: str | None = None,
        cache_dir: str | Path | None = None,
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
        train_jobs: int | None = None,
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
        self.rate = rate
        self.fps = fps
        self.min_confidence = min_confidence
        self.face = face
        self.layout = layout
        self.cache_dir = cache_dir
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
        self.train_jobs = train_jobs
        self.precision = precision
        self.deterministic = deterministic
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir
        self.resume = resume
        self.progress = progress

    def _examples(self, X: Any, *, reset: bool, what: str) -> Sequences:
        X = as_pandas(X, what=what)
        table = hasattr(X, "columns")
        found = self._read(X, what) if table else None
        clips = checked_sequences(X, what=what) if found is None else found.clips
        width = int(clips[0].shape[1])
        names = [] if found is None else list(found.names)
        if reset:
            self.n_features_in_, self.columns_ = width, names
            self.frames_ = {} if found is None else frame_counts(found.table)
        elif width != self.n_features_in_:
            raise DataError(
                f"{what} has {width} columns per frame, but the model was fitted with "
                f"{self.n_features_in_}"
            )
        elif names and self.columns_ and names != self.columns_:
            raise DataError(
                f"{what} has other columns than the clips of fit: "
                f"{listed(sorted(set(names) ^ set(self.columns_)))} occur in only one of them"
            )
        lengths = [len(clip) for clip in clips] if found is None else found.lengths
        return Sequences(clips, width, lengths)

    def _read(self, table: Any, what: str) -> ClipSequences:
        return read_sequences(
            table,
            self.columns,
            rate=self.rate,
            fps=self.fps,
            min_confidence=self.min_confidence,
            face=self.face,
            layout=self.layout,
            cache_dir=self.cache_dir,
            progress=self.progress,
            what=what,
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("hidden_size", "num_layers"):
            whole_number(getattr(self, name), argument=name, least=1)
        if not (is_number(self.dropout) and 0 <= self.dropout < 1):
            raise DataError(
                say("{dropout=} must be at least 0 and below 1, not {given!r}", given=self.dropout)
            )
        wanted_groups(self.columns)

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


def frame_counts(table: pd.DataFrame) -> dict[str, int]:
    """Return the numbers of clips, of frames, and of frames that are not valid."""
    return {
        "clips": len(table),
        "frames": int(table["n_frames"].sum()),
        "missing": int(table["n_missing_frames"].sum()),
        "failed": int(table["n_failed_frames"].sum()),
    }
