"""The OpenFace-LSTM of the paper: a stacked LSTM over frames, and a linear layer."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


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
        Share of the values between layers set to 0 while training.

    Notes
    -----
    Per layer the LSTM has :math:`4h(p + h + 2)` parameters, with p the width of what
    enters it (h from the second layer on), and the linear layer h + 1.

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

    def forward(self, frames: Any, lengths: Any = None) -> Any:
        """Return one value per clip.

        Parameters
        ----------
        frames : Tensor, shape (clips, frames, p)
            Standardised; clips shorter than the longest are padded at their end.
        lengths : Tensor of int64, shape (clips,), optional
            Frames of each clip; None: all are whole.

        Returns
        -------
        Tensor, shape (clips,)
        """
        if lengths is not None:
            frames = pack_padded_sequence(
                frames, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
        _, (hidden, _) = self.lstm(frames)  # (layers, clips, h): the state after the last frame
        return self.head(hidden[-1]).squeeze(-1)  # (clips, h) -> (clips, 1) -> (clips,)
