"""The 3D-CNN as a regressor: clips of video to one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from pyexpr.base.errors import DataError
from pyexpr.base.files import sha256
from pyexpr.base.foreign import as_pandas
from pyexpr.base.messages import say
from pyexpr.behavior.video.clips import Crop, VideoClips, VideoOptions
from pyexpr.behavior.video.sampling import Resize
from pyexpr.behavior.video.video import read_video_clips
from pyexpr.deep.base import DeepRegressor
from pyexpr.deep.resnet3d import KINETICS, Video3DNet, check_trainable, pretrained_state
from pyexpr.deep.saved_facts import FittedFacts, Plain, Size
from pyexpr.deep.video_data import FrameClips, checked_frames


class _VideoConfig(Plain):
    trainable: str
    pretrained: str | None
    pretrained_sha256: str | None = None


class _VideoFacts(FittedFacts):
    clip_shape_: Annotated[list[Size], Field(min_length=3, max_length=3)]
    video_: dict[str, NonNegativeInt]


class Video3DRegressor(DeepRegressor):
    r"""The 3D-CNN of the paper, with the interface of a scikit-learn regressor.

    The network is torchvision's ``r3d_18`` with one output (`Video3DNet`). It is trained by Adam on
    the mean squared error of the label, which is standardised on the training clips. The weights of
    the epoch with the lowest error on other subjects are kept.

    Parameters
    ----------
    pretrained : None, "kinetics400" or path, default None
        Initial weights: random, those of torchvision, or a ``state_dict()`` in a file (.pth or
        .safetensors). See `Video3DNet`.
    frames, size : int, default 16 and 112
        Number of frames of a clip, and their height and width, for a clip table. Arrays are used as
        they are.
    crop : None or "face", default None
        For a clip table: use the centre of the image, or the face located by OpenFace's landmarks.
    trainable : {"all", "layer1", "layer2", "layer3", "layer4", "fc"}, default "all"
        The first stage that is trained; others keep their pretrained weights.
    rate, resize, margin, n_jobs
        As in `read_video_clips`, for a clip table.
    cache_dir : path, optional
        Folder in which decoded frames are cached; as in `read_video_clips`.
    lr : float, default 0.0001
        Learning rate of Adam.
    max_epochs, batch_size : int, default 45 and 24
    weight_decay : float, default 0.0001
        These three defaults are those of torchvision's recipe.
    patience : int or None, default 10
        Number of epochs without a lower validation error after which training stops. None: no early
        stopping.
    clip_norm : float or None, default 1
        Largest norm of the gradient.
    validation_share, n_seeds, seed, device, devices, train_jobs, precision, deterministic
        As in `LSTMRegressor`.
    n_threads
        As in `LSTMRegressor`.
    tune, checkpoint_dir, resume, progress
        As in `LSTMRegressor`, but ``tune="paper"`` is not available; pass a mapping. A checkpoint
        has a size of 0.5 GB.

    Attributes
    ----------
    modules_ : list of Video3DNet
        One per seed, on the CPU.
    clip_shape_ : list of int
        Frames, height and width.
    n_features_in_ : int
        Values per clip.
    video_ : dict
        For the clips of `fit` from a table: numbers of clips, of frames, and of missing (black)
        frames.
    seeds_, best_epochs_, history_, path_, best_params_, tuning_, stopping_
        As in `LSTMRegressor`.
    label_mean_, label_scale_, config_, device_, versions_
        As in `LSTMRegressor`.

    Notes
    -----
    X is an array (clips, frames, height, width, 3) of uint8 RGB, a list of such clips,
    the result of `read_video_clips`, or a clip table with one row per clip and the columns video
    (path), start, end (seconds), and openface (path) for ``crop="face"``. `ContextualRegressor`
    requires the last form. Missing frames are black and counted in `video_`.

    With the same seed the CPU gives identical results, also if a training was interrupted and
    resumed. Pickles store the weights as safetensors; `save` and `load` use only safetensors and
    JSON.

    Source: Lin, Girard and Morency (2020), section 4; torchvision's references for
    video classification. Checked against: torchvision's own ``r3d_18`` with its head
    replaced; a planted motion, and shuffled labels.

    Examples
    --------
    Clips of 4 frames whose brightness is the label; a real training takes many more epochs:

    >>> import numpy as np
    >>> bright = np.linspace(40, 200, 6).astype(np.uint8)
    >>> clips = np.tile(bright[:, None, None, None, None], (1, 4, 16, 16, 3))
    >>> model = Video3DRegressor(max_epochs=1, patience=None, progress=False)
    >>> model.fit(clips, bright).predict(clips).shape, model.clip_shape_
    ((6,), [4, 16, 16])
    """

    _TUNABLE: ClassVar[tuple[str, ...]] = ("pretrained", "trainable", *DeepRegressor._TUNABLE)
    _FITTED: ClassVar[type[FittedFacts]] = _VideoFacts
    _CONFIG: ClassVar[type[Plain]] = _VideoConfig

    def __init__(
        self,
        pretrained: str | Path | None = None,
        frames: int = 16,
        size: int = 112,
        crop: Crop | None = None,
        trainable: str = "all",
        *,
        rate: float | None = None,
        resize: Resize = "torchvision",
        margin: float = 0.3,
        cache_dir: str | Path | None = None,
        n_jobs: int | None = -1,
        lr: float = 0.0001,
        max_epochs: int = 45,
        batch_size: int = 24,
        patience: int | None = 10,
        clip_norm: float | None = 1.0,
        weight_decay: float = 0.0001,
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
        self.pretrained = pretrained
        self.frames = frames
        self.size = size
        self.crop = crop
        self.trainable = trainable
        self.rate = rate
        self.resize = resize
        self.margin = margin
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.lr = lr
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

    def _examples(self, X: Any, *, reset: bool, what: str) -> FrameClips:
        X = as_pandas(X, what=what)
        if hasattr(X, "columns"):
            X = read_video_clips(
                X,
                cache_dir=self.cache_dir,
                n_jobs=self.n_jobs,
                progress=self.progress,
                **self._reading(),
            )
        video = {}
        if isinstance(X, VideoClips):
            video = {
                "clips": len(X),
                "frames": len(X) * X.options.frames,
                "missing": int(X.table["n_missing"].sum()),
            }
        examples = FrameClips(X if video else checked_frames(X, what=what))
        frames, height, width = examples.shape
        if reset:
            self.clip_shape_, self.video_ = [frames, height, width], video
            self.n_features_in_ = frames * height * width * 3
        elif list(examples.shape) != list(self.clip_shape_):
            raise DataError(
                f"the clips of {what} have the shape {examples.shape} (frames, height, width), but "
                f"the model was fitted with {tuple(self.clip_shape_)}"
            )
        return examples

    def _reading(self) -> dict[str, Any]:
        names = ("frames", "size", "rate", "resize", "crop", "margin")
        return {name: getattr(self, name) for name in names}

    def _check_parameters(self) -> None:
        super()._check_parameters()
        VideoOptions(**self._reading())
        check_trainable(self.trainable)
        if self.pretrained is None and self.trainable != "all":
            raise DataError(
                say(
                    "{trainable=} does not train the earlier layers, so they must be "
                    "pretrained; give {pretrained=}, or {trainable='all'}",
                    trainable=self.trainable,
                )
            )
        if self.tune == "paper":
            raise DataError(
                say(
                    "{tune='paper'} is the grid of the LSTM, since the paper did not tune its "
                    "3D-CNN; pass a mapping such as {{'lr': [0.0001, 0.001]}}"
                )
            )

    def _config(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        pretrained = parameters["pretrained"]
        config = {"trainable": parameters["trainable"], "pretrained": pretrained}
        if pretrained not in (None, KINETICS):
            # A checkpoint must not be continued with other weights under the same name.
            path = Path(pretrained)
            config["pretrained"] = str(pretrained)
            config["pretrained_sha256"] = sha256(path) if path.is_file() else None
        return config

    @classmethod
    def _build(cls, config: Mapping[str, Any]) -> Video3DNet:
        return Video3DNet(trainable=config["trainable"])

    @classmethod
    def _initialise(cls, module: Any, config: Mapping[str, Any]) -> None:
        if config["pretrained"] is not None:
            hashed = config.get("pretrained_sha256")
            module.load_body(pretrained_state(config["pretrained"], hashed))
