"""The training loop: Adam on the mean squared error; the best epoch is kept.

Random numbers in epoch e depend on (seed, e) and on the clip, but not on earlier epochs or on the
process. A training that was killed and resumed therefore equals an uninterrupted one, and several
processes compute the same as one, apart from the order in which sums are added.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from pyexpr.base.errors import DataError
from pyexpr.base.files import temporary_folder
from pyexpr.base.messages import say
from pyexpr.base.progress import progress
from pyexpr.core import streams
from pyexpr.deep.batch_norm import count_clips, share_batch_norm
from pyexpr.deep.checkpoints import (
    Checkpoint,
    Tensors,
    TrainingState,
    adam_moments,
    copied,
    restore_adam,
)
from pyexpr.deep.devices import Place, choose_place, memory_errors_explained, repeatable
from pyexpr.deep.fabrics import make_fabric, place_in_group
from pyexpr.deep.process_group import ProcessGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The "epoch" whose random words give the first weights.
FIRST_WEIGHTS = 0


class Examples(Protocol):
    """Clips in the form that a module takes; labels are kept elsewhere."""

    def __len__(self) -> int:
        """Return the number of clips."""

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Return the clips at these positions."""

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
        """Return the arguments of the module's `forward` for the clips at these positions."""

    def fingerprint(self) -> str:
        """Return a hash of the clips' contents."""


@dataclass(frozen=True, slots=True)
class Part:
    """Clips and their labels, standardised, shape (clips,)."""

    examples: Examples
    labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of training, which are described in the regressors."""

    lr: float
    max_epochs: int
    batch_size: int
    patience: int | None
    clip_norm: float | None
    weight_decay: float
    seed: int
    device: str | None
    devices: int
    precision: str
    deterministic: bool
    n_threads: int | None


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights of the best epoch, on the CPU, and the history of the training."""

    weights: Tensors
    best_epoch: int
    history: list[dict[str, float]]


def train(
    make_module: Callable[[], Any],
    training: Part,
    validation: Part | None,
    options: TrainingOptions,
    *,
    checkpoint: Checkpoint | None = None,
    group: ProcessGroup | None = None,
    show: bool | None = None,
) -> Trained:
    """Train a module and return the weights of its best epoch.

    Parameters
    ----------
    make_module : function without arguments
        Returns the module with its first weights, which may be random. With several devices it is
        pickled.
    training, validation : Part
        Clips of different subjects. The best epoch is that of the lowest mean
        squared error on `validation` (ties: the earliest); without it, the last.
    options : TrainingOptions
    checkpoint : Checkpoint, optional
        Written after each epoch; if it exists already, training continues from it. In a group the
        first process reads and writes it.
    group : ProcessGroup, optional
        The processes that call this together, each with the same arguments; None: this one alone.
    show : bool, optional
        Whether to show progress; None: if standard error is a terminal.

    Raises
    ------
    DataError
        If the loss is not finite.
    DeepMemoryError
        If a batch does not fit.
    """
    place = (
        choose_place(options.device)
        if group is None
        else place_in_group(options.device, options.devices, group)
    )
    fabric = make_fabric(place, options.devices, options.precision, group)
    # Bound to its arguments, because Fabric would otherwise convert these.
    run = partial(
        _train,
        make_module=make_module,
        training=training,
        validation=validation,
        options=options,
        checkpoint=checkpoint,
        group=group,
        show=show,
    )
    with memory_errors_explained(options.batch_size, place):
        if group is not None:
            with group.watched():
                return run(fabric)
        if options.devices == 1:
            return run(fabric)
        with temporary_folder() as folder:
            # Through a file, since a pipe that is not read before the processes end holds only 64
            # KB.
            handover = folder / "trained"
            fabric.launch(partial(_train_and_save, run=run, target=handover))
            best, rest = handover.with_suffix(".weights"), handover.with_suffix(".json")
            facts = json.loads(rest.read_text(encoding="utf-8"))
            return Trained(from_bytes(best.read_bytes()), facts["best_epoch"], facts["history"])


def _train_and_save(fabric: Any, *, run: Callable[[Any], Trained], target: Path) -> None:
    trained = run(fabric)
    if fabric.is_global_zero:
        target.with_suffix(".weights").write_bytes(to_bytes(trained.weights))
        facts = {"best_epoch": trained.best_epoch, "history": trained.history}
        target.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8", newline="\n")


def _train(
    fabric: Any,
    *,
    make_module: Callable[[], Any],
    training: Part,
    validation: Part | None,
    options: TrainingOptions,
    checkpoint: Checkpoint | None,
    group: ProcessGroup | None,
    show: bool | None,
) -> Trained:
    place = Place(fabric.device.type, fabric.device.index)
    with repeatable(
        place,
        deterministic=options.deterministic,
        n_threads=options.n_threads,
        mixed=options.precision != "32",
    ):
        torch.manual_seed(torch_seed(epoch_words(options.seed, FIRST_WEIGHTS, 1)))
        plain = make_module()
        if fabric.world_size > 1:
            share_batch_norm(plain)
        weights = [weight for weight in plain.parameters() if weight.requires_grad]
        adam = torch.optim.Adam(weights, lr=options.lr, weight_decay=options.weight_decay)
        module, optimizer = fabric.setup(plain, adam)
        state = _state_before(checkpoint, group)
        if state is None:
            state = TrainingState(0, {}, {}, {}, 0, [], {})
        else:
            plain.load_state_dict(state.module)
            restore_adam(optimizer, state.optimizer)
            if state.scaler:
                fabric.strategy.precision.load_state_dict(state.scaler)

        epochs = progress(
            _epochs_left(state, options),
            total=options.max_epochs - state.epoch,
            label="Training",
            show=show if fabric.is_global_zero else False,
        )
        for epoch in epochs:
            loss = _train_epoch(fabric, module, optimizer, training, options, epoch)
            validation_loss = math.nan
            if validation is not None:
                validation_loss = _mean_squared_error(
                    fabric, module, validation, options.batch_size
                )
            whole = all(bool(weight.isfinite().all()) for weight in weights)
            validation_loss_or_0 = validation_loss if validation is not None else 0.0
            _refuse_divergence(loss if whole else math.nan, validation_loss_or_0, epoch, options)
            state.epoch = epoch
            state.history.append({"epoch": epoch, "train": loss, "validation": validation_loss})
            state.module = copied(plain.state_dict())
            if _is_best(state.history):
                state.best, state.best_epoch = copied(state.module), epoch
            if checkpoint is not None and fabric.is_global_zero:
                state.optimizer = adam_moments(optimizer)
                state.scaler = fabric.strategy.precision.state_dict()
                checkpoint.write(state)
    return Trained(state.best, state.best_epoch, state.history)


def _state_before(
    checkpoint: Checkpoint | None, group: ProcessGroup | None
) -> TrainingState | None:
    """Return the state on disk; in a group, the state or error of the first process."""
    if checkpoint is None:
        return None
    if group is None:
        return checkpoint.read()
    found: TrainingState | DataError | None = None
    if group.first:
        try:
            found = checkpoint.read()
        except DataError as error:
            found = error
    found = group.from_first(found)
    if isinstance(found, DataError):
        raise found
    return found


def _epochs_left(state: TrainingState, options: TrainingOptions) -> Iterator[int]:
    """Yield the remaining epochs, until the last or until there is no improvement for too long."""
    while state.epoch < options.max_epochs:
        waited = state.epoch - state.best_epoch
        if options.patience is not None and state.epoch and waited >= options.patience:
            return
        yield state.epoch + 1


def _is_best(history: list[dict[str, float]]) -> bool:
    now = history[-1]["validation"]
    # Without validation every epoch is better than those before.
    return math.isnan(now) or all(now < past["validation"] for past in history[:-1])


def _refuse_divergence(
    loss: float, validation_loss: float, epoch: int, options: TrainingOptions
) -> None:
    if not (math.isfinite(loss) and math.isfinite(validation_loss)):
        raise DataError(
            say(
                "training diverged in epoch {epoch}: the loss is not finite; use a "
                "smaller {lr=} than {given:g}, or a {clip_norm=} such as 1",
                epoch=epoch,
                given=options.lr,
            )
        )


def _train_epoch(
    fabric: Any,
    module: Any,
    optimizer: Any,
    part: Part,
    options: TrainingOptions,
    epoch: int,
) -> float:
    """Go once through the clips in the order of this epoch; return the mean squared error."""
    words = epoch_words(options.seed, epoch, 1 + len(part.labels))
    # For random numbers that a module draws by itself.
    torch.manual_seed(torch_seed(words))
    order = np.argsort(words[1:], kind="stable")
    # For random numbers per clip, as in dropout, which do not depend on the process.
    draws = torch.from_numpy((words[1:] >> np.uint64(1)).astype(np.int64))
    module.train()
    drawing = bool(getattr(module.module, "draws_by_clip", False))
    total = torch.zeros((), dtype=torch.float64)
    for shard in _prefetched(_shards(fabric, part, order, options.batch_size)):
        inputs, labels = fabric.to_device((shard.inputs, shard.labels))
        optimizer.zero_grad()
        if fabric.world_size > 1:
            count_clips(module, shard.weight > 0)
        drawn = {"draws": draws[shard.rows]} if drawing else {}
        squares = (module(*inputs, **drawn) - labels).square().sum() * shard.weight
        # Devices average their gradients, which gives that of the batch's mean.
        fabric.backward(squares * (fabric.world_size / shard.n))
        if options.clip_norm is not None:
            # Gradients that are not finite are left to the scaler of mixed precision, which then
            # skips the step; otherwise the loss shows the problem.
            fabric.clip_gradients(
                module, optimizer, max_norm=options.clip_norm, error_if_nonfinite=False
            )
        optimizer.step()
        total += squares.detach().cpu().double()
    return _over_devices(fabric, total) / len(part.labels)


def _mean_squared_error(fabric: Any, module: Any, part: Part, batch_size: int) -> float:
    module.eval()
    total = torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        shards = _shards(fabric, part, np.arange(len(part.labels)), batch_size)
        for shard in _prefetched(shards):
            inputs, labels = fabric.to_device((shard.inputs, shard.labels))
            squares = (module(*inputs) - labels).square().sum() * shard.weight
            total += squares.cpu().double()
    return _over_devices(fabric, total) / len(part.labels)


def _over_devices(fabric: Any, total: torch.Tensor) -> float:
    if fabric.world_size == 1:
        return float(total)
    # MPS has no float64, but then there is only one device.
    return float(fabric.all_reduce(total.to(fabric.device), reduce_op="sum"))


def batches(order: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each batch; a last batch of a single clip is joined to the one before.

    Normalisation over a batch is not defined for one clip.
    """
    ends = list(range(batch_size, len(order), batch_size))
    if ends and len(order) - ends[-1] == 1 and batch_size > 1:
        ends.pop()
    yield from np.split(order, ends)


@dataclass(frozen=True, slots=True)
class _Shard:
    """A device's share of a batch: its clips, and whether they count (1) or not (0)."""

    rows: NDArray[np.int64]
    inputs: tuple[torch.Tensor, ...]
    labels: torch.Tensor
    weight: float
    # Clips of the whole batch.
    n: int


def _shards(fabric: Any, part: Part, order: NDArray[np.int64], batch_size: int) -> Iterator[_Shard]:
    """Yield this device's share of each batch."""
    for rows in batches(order, batch_size):
        mine = rows[fabric.global_rank :: fabric.world_size]
        weight = 1.0
        if not len(mine):
            # All devices must take part in each step; this one does so without effect.
            mine, weight = rows[:1], 0.0
        labels = torch.from_numpy(part.labels[mine])
        yield _Shard(mine, part.examples.batch(mine), labels, weight, len(rows))


def _prefetched(shards: Iterable[_Shard]) -> Iterator[_Shard]:
    """Make the next batch while the present one is used in training."""
    source = iter(shards)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, None)
        while (shard := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield shard


def epoch_words(seed: int, epoch: int, n: int) -> NDArray[np.uint64]:
    """Return the random words of an epoch: the first for torch, the others order the clips."""
    bits = streams.generator(seed, streams.TRAINING, epoch).bit_generator
    return np.asarray(bits.random_raw(n), dtype=np.uint64)


def torch_seed(words: NDArray[np.uint64]) -> int:
    """Return the seed of torch's generator for an epoch."""
    # torch takes whole numbers under 2**63.
    return int(words[0] >> np.uint64(2))


def predicted(
    module: Any,
    examples: Examples,
    *,
    batch_size: int,
    device: str | None,
    deterministic: bool,
    n_threads: int | None,
) -> NDArray[np.float64]:
    """Return the module's value for every clip, shape (clips,)."""
    place = choose_place(device)
    values = []
    with (
        memory_errors_explained(batch_size, place),
        repeatable(place, deterministic=deterministic, n_threads=n_threads),
        torch.no_grad(),
    ):
        module.to(place.device).eval()
        try:
            for rows in np.split(
                np.arange(len(examples)), range(batch_size, len(examples), batch_size)
            ):
                inputs = [tensor.to(place.device) for tensor in examples.batch(rows)]
                values.append(module(*inputs).cpu().numpy().astype(np.float64))
        finally:
            module.to("cpu")
    return np.concatenate(values)
