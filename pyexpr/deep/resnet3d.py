"""The 3D-CNN of the paper: torchvision's 18-layer residual network with one output."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import Any, Final, Self

import torch
from safetensors.torch import load
from torch import nn
from torchvision.models.video import R3D_18_Weights, r3d_18

from pyexpr.base.errors import DataError, listed
from pyexpr.base.files import writable_folder
from pyexpr.base.messages import say
from pyexpr.deep.batch_norm import is_shared
from pyexpr.deep.checkpoints import Tensors

KINETICS: Final = "kinetics400"
#: The stages of the network in their order; training may start at any of them.
STAGES: Final = ("stem", "layer1", "layer2", "layer3", "layer4", "fc")
_WEIGHTS: Final = R3D_18_Weights.KINETICS400_V1
# Entries in which training scripts save the weights, and prefixes of names in them.
_NESTED = ("model", "state_dict")
_PREFIXES = ("module.", "body.")


class Video3DNet(nn.Module):
    r"""torchvision's ``r3d_18`` with one output, applied to frames as they are stored.

    Parameters
    ----------
    pretrained : None, "kinetics400" or path
        Initial weights. None: random. ``"kinetics400"``: those of torchvision. A path: those of a
        file with the ``state_dict()`` of an ``r3d_18`` or a `Video3DNet`, as ``.pth`` or
        ``.safetensors``. A head of another size is not used, and its weights are random.
    trainable : {"all", "layer1", "layer2", "layer3", "layer4", "fc"}
        The first stage that is trained. Earlier stages are not changed; this includes their batch
        normalisation, which uses its pretrained means and variances.

    Raises
    ------
    DataError
        If the weights are not available or belong to another network, or a stage is unknown.

    Notes
    -----
    33,166,785 parameters. Frames are scaled to [0, 1] and normalised with the mean and
    standard deviation of the weights' own transforms. Source: Tran et al. (2018), "A
    closer look at spatiotemporal convolutions for action recognition". Checked against:
    torchvision's ``r3d_18`` with its head replaced, on the same weights.

    Examples
    --------
    >>> import torch
    >>> model = Video3DNet().eval()
    >>> model(torch.zeros(2, 8, 32, 32, 3, dtype=torch.uint8)).shape
    torch.Size([2])
    """

    def __init__(self, pretrained: str | Path | None = None, trainable: str = "all") -> None:
        super().__init__()
        check_trainable(trainable)
        self.body = r3d_18(weights=None)
        self.body.fc = nn.Linear(self.body.fc.in_features, 1)
        transforms = _WEIGHTS.transforms()
        # Not among the weights: a constant of the method.
        for name in ("mean", "std"):
            values = torch.tensor(getattr(transforms, name)).view(1, 3, 1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        if pretrained is not None:
            self.load_body(pretrained_state(pretrained))
        first = 0 if trainable == "all" else STAGES.index(trainable)
        self.frozen = STAGES[:first]
        for name in self.frozen:
            getattr(self.body, name).requires_grad_(False)
        self.train()

    def load_body(self, state: Tensors) -> None:
        """Load weights from `pretrained_state`; a missing head keeps its random weights."""
        self.body.load_state_dict({**self.body.state_dict(), **state})

    def train(self, mode: bool = True) -> Self:
        """Set training mode, except for the stages that are not trained."""
        super().train(mode)
        for name in self.frozen:
            getattr(self.body, name).eval()
        return self

    def forward(self, frames: Any) -> Any:
        """Return one value per clip.

        Parameters
        ----------
        frames : Tensor of uint8, shape (clips, frames, height, width, 3)
            RGB.

        Returns
        -------
        Tensor, shape (clips,)

        Raises
        ------
        DataError
            In training, for a single clip so small that a normalisation would have only one value.
        """
        # Frames are halved three times, height and width four times; this is the size at the last
        # layer.
        shape = [-(-frames.shape[k] // 2**halved) for k, halved in ((1, 3), (2, 4), (3, 4))]
        normalised = self.training and "layer4" not in self.frozen
        if normalised and len(frames) == 1 and math.prod(shape) == 1 and not is_shared(self):
            raise DataError(
                f"a batch of one clip of {tuple(frames.shape[1:4])} (frames, height, width) "
                "gives only one value for the last normalisation; train with batches of at "
                "least 2 clips, or on clips of more than 8 frames or 16 pixels"
            )
        moved = frames.permute(0, 4, 1, 2, 3)  # (clips, 3, frames, height, width)
        scaled = (moved.to(self.mean.dtype) / 255 - self.mean) / self.std
        return self.body(scaled).squeeze(-1)  # (clips, 1) -> (clips,)


def check_trainable(trainable: Any) -> None:
    """Raise `DataError` unless `trainable` names a stage, or all."""
    if trainable not in ("all", *STAGES[1:]):
        raise DataError(
            say(
                "{trainable=} must be one of {names}, not {given!r}",
                names=listed(("all", *STAGES[1:])),
                given=trainable,
            )
        )


def pretrained_state(pretrained: str | Path, expected: str | None = None) -> Tensors:
    """Return the weights of an ``r3d_18`` from torchvision or from a file.

    The head is left out unless the file has one with a single output. Loading runs no code in the
    file. Raises `DataError` if the weights are not available, belong to another network, or if the
    file's SHA-256 is not `expected`.
    """
    state = _kinetics() if pretrained == KINETICS else _from_file(Path(pretrained), expected)
    whole = r3d_18(weights=None).state_dict()
    if state.get("fc.weight") is None or state["fc.weight"].shape[0] != 1:
        state = {name: value for name, value in state.items() if not name.startswith("fc.")}
        whole = {name: value for name, value in whole.items() if not name.startswith("fc.")}
    else:
        whole |= {"fc.weight": torch.zeros(1, 512), "fc.bias": torch.zeros(1)}
    missing = [name for name in whole if name not in state]
    unknown = [name for name in state if name not in whole]
    odd = [name for name in state if name in whole and state[name].shape != whole[name].shape]
    for names, what in (
        (missing, "lacks the weights"),
        (unknown, "contains weights that do not belong to an r3d_18:"),
        (odd, "contains weights with a shape that differs from an r3d_18:"),
    ):
        if names:
            raise DataError(
                say(
                    "{pretrained=} {what} {names}; give the state_dict() of "
                    "torchvision's r3d_18 or of a Video3DNet",
                    pretrained=str(pretrained),
                    what=what,
                    names=listed(names, most=3),
                )
            )
    return state


def _kinetics() -> Tensors:
    """Return torchvision's weights, from its cache or from the web."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = _WEIGHTS.url.rpartition("/")[2]
    path = folder / name
    expected = _hash_prefix(name)
    if not path.is_file():
        try:
            writable_folder(folder)
            torch.hub.download_url_to_file(
                _WEIGHTS.url, str(path), hash_prefix=expected, progress=False
            )
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                say(
                    "torchvision's Kinetics-400 weights are not available ({reason}); download "
                    "{name} from {url} on a computer with network access, and put it into "
                    "{folder!r} or pass its path as {pretrained=}",
                    reason=reason,
                    name=name,
                    url=_WEIGHTS.url,
                    folder=str(folder),
                )
            ) from None
    # Whatever its origin, the file is hashed before it is parsed, and only tensors are read.
    content = path.read_bytes()
    if not hashlib.sha256(content).hexdigest().startswith(expected):
        raise DataError(
            say(
                "{path!r} is not torchvision's file of that name (its SHA-256 does not begin "
                "with {expected}); remove it, or pass the path of your own weights as "
                "{pretrained=}",
                path=str(path),
                expected=expected,
            )
        )
    return _tensors(path, content)


def _hash_prefix(name: str) -> str:
    """Return the beginning of the SHA-256 of a file of torch's hub, with which its name ends."""
    return name.rpartition("-")[2].partition(".")[0]


def _from_file(path: Path, expected: str | None) -> Tensors:
    if not path.is_file():
        raise DataError(
            say(
                "{pretrained=}: there is no such file; it may be {value None}, "
                "{kinetics!r}, or the path of a state_dict() (.pth or .safetensors)",
                pretrained=str(path),
                kinetics=KINETICS,
            )
        )
    content = path.read_bytes()
    if expected is not None and hashlib.sha256(content).hexdigest() != expected:
        raise DataError(
            say(
                "{pretrained=} was changed while it was used; fit the model again when no "
                "other process writes to it",
                pretrained=str(path),
            )
        )
    return _tensors(path, content)


def _tensors(path: Path, content: bytes) -> Tensors:
    """Return the weights in a file's content."""
    try:
        if path.suffix == ".safetensors":
            found: Any = load(content)
        else:
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        # If the file is not a state dict, the reader's error depends on its bytes.
        reason = " ".join(str(error).split()).partition(". ")[0][:200]
        # For a few bytes that are not a pickle, the error has only the number of one of them.
        why = f" ({reason})" if any(letter.isalpha() for letter in reason) else ""
        raise DataError(
            say(
                "{pretrained=} cannot be read as a file of tensors{why}: it is damaged, or has "
                "another format; save the network's state_dict() as .pth or .safetensors",
                pretrained=str(path),
                why=why,
            )
        ) from None
    for name in _NESTED:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(
        isinstance(value, torch.Tensor) for value in found.values()
    ):
        raise DataError(
            say(
                "{pretrained=} does not contain a state_dict() (names and tensors)",
                pretrained=str(path),
            )
        )
    return {_plain_name(str(name)): value for name, value in found.items()}


def _plain_name(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
