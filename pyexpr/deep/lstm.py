"""The OpenFace-LSTM of the paper: a stacked LSTM over frames, and a linear layer."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_sequence


class OpenFaceLSTM(nn.Module):
    r"""A stacked LSTM whose last hidden state gives one value per clip.

    Parameters
    ----------
    n_inputs : int
        Values per frame, p.
    hidden_size : int, default 128
        Width h of every layer.
    num_layers : int, default 2
    dropout : float, default 0
        Proportion of the values between layers that are set to 0 in training.

    Notes
    -----
    Per layer the LSTM has :math:`4h(p + h + 2)` parameters, where p is the width of its input (h
    from the second layer on), and the linear layer has h + 1.

    Source: Hochreiter and Schmidhuber (1997), Neural Computation 9, 1735-1780; Lin,
    Girard and Morency (2020), section 4. Checked against: ``nn.LSTM`` and
    ``nn.Linear`` with the same weights.

    Examples
    --------
    >>> import torch
    >>> model = OpenFaceLSTM(n_inputs=620)
    >>> model(torch.zeros(4, 75, 620)).shape
    torch.Size([4])
    """

    def __init__(
        self, n_inputs: int, hidden_size: int = 128, num_layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            n_inputs,
            hidden_size,
            num_layers,
            batch_first=True,
            # Between layers: with one layer torch warns.
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.head = nn.Linear(hidden_size, 1)

    @property
    def draws_by_clip(self) -> bool:
        """Whether training draws numbers for each clip; if so, `forward` takes their seeds."""
        return bool(self.lstm.dropout > 0)

    def forward(self, frames: Any, lengths: Any = None, draws: Any = None) -> Any:
        """Return one value per clip.

        Parameters
        ----------
        frames : Tensor, shape (clips, frames, p)
            Standardised; clips shorter than the longest are padded at their end.
        lengths : Tensor of int64, shape (clips,), optional
            Frames of each clip; None: all are whole.
        draws : Tensor of int64, shape (clips,), optional
            A seed for the dropout of each clip, which then does not depend on the other clips in
            the batch; None: drawn as in ``nn.LSTM``.

        Returns
        -------
        Tensor, shape (clips,)
        """
        packed = None
        if lengths is not None:
            frames = packed = pack_padded_sequence(
                frames, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
        if draws is not None and self.training and self.draws_by_clip:
            last = self._layer_by_layer(frames, packed, lengths, draws)
        else:
            _, (hidden, _) = self.lstm(frames)  # (layers, clips, h): the state after the last frame
            last = hidden[-1]
        return self.head(last).squeeze(-1)  # (clips, h) -> (clips, 1) -> (clips,)

    def _layer_by_layer(
        self, frames: Any, packed: PackedSequence | None, lengths: Any, draws: Any
    ) -> Any:
        """Return the last layer's state after the last frame, shape (clips, h)."""
        values = frames if packed is None else packed.data
        masks = self._masks(values, draws, lengths, frames)
        hidden = None
        for layer, weights in enumerate(self.lstm.all_weights):
            if layer:
                values = values * masks[layer - 1]
            values, hidden = _one_layer(values, packed, weights, len(draws), self.lstm.hidden_size)
        assert hidden is not None
        if packed is None or packed.unsorted_indices is None:
            return hidden
        return hidden.index_select(0, packed.unsorted_indices)

    def _masks(self, values: Any, draws: Any, lengths: Any, frames: Any) -> list[Any]:
        """Return the factors by which the output of each layer but the last is multiplied."""
        n_layers, width = self.lstm.num_layers - 1, self.lstm.hidden_size
        kept = 1 - self.lstm.dropout
        n_frames = [frames.shape[1]] * len(draws) if lengths is None else lengths.tolist()
        # On the CPU, whatever the device, because its generators are the same everywhere.
        drawn = [
            torch.rand((n, n_layers, width), generator=torch.Generator().manual_seed(seed)) < kept
            for seed, n in zip(draws.tolist(), n_frames, strict=True)
        ]
        whole = pad_sequence(drawn, batch_first=True)  # (clips, frames, layers - 1, h)
        if lengths is not None:
            whole = pack_padded_sequence(
                whole, lengths.cpu(), batch_first=True, enforce_sorted=False
            ).data
        scaled = whole.to(values.device).to(values.dtype) / kept
        return list(scaled.unbind(-2))


def _one_layer(
    values: Any, packed: PackedSequence | None, weights: list[Any], n: int, width: int
) -> tuple[Any, Any]:
    """Return the output of one layer of an LSTM, and its state after the last frame, (n, h)."""
    nothing = values.new_zeros((1, n, width))
    with warnings.catch_warnings():
        # cuDNN wants the weights of all layers in one piece; those of one layer it copies.
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single")
        if packed is None:
            found = torch.lstm(values, (nothing, nothing), weights, True, 1, 0.0, True, False, True)
        else:
            found = torch.lstm(
                values, packed.batch_sizes, (nothing, nothing), weights, True, 1, 0.0, True, False
            )
    return found[0], found[1][0]
