"""The module: against nn.LSTM and nn.Linear put together anew, and packing against no padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyexpr.deep.lstm import OpenFaceLSTM

# Packing computes a step for fewer clips at a time: other blocks, float32 rounding.
ROUNDING = 1e-6


@pytest.mark.parametrize(("p", "h", "layers"), [(620, 128, 2), (614, 128, 2), (5, 3, 1), (4, 6, 3)])
def test_number_of_parameters(p: int, h: int, layers: int) -> None:
    counted = sum(weight.numel() for weight in OpenFaceLSTM(p, h, layers).parameters())
    expected = sum(4 * h * ((p if layer == 0 else h) + h + 2) for layer in range(layers)) + h + 1
    assert counted == expected


def test_the_papers_size() -> None:
    # Worked out by hand: 4*128*(614+128+2) + 4*128*(128+128+2) + 129.
    assert sum(w.numel() for w in OpenFaceLSTM(614).parameters()) == 513_153


def test_equals_lstm_and_linear_with_the_same_weights() -> None:
    torch.manual_seed(0)
    model = OpenFaceLSTM(7, 5, 2)
    lstm, head = torch.nn.LSTM(7, 5, 2, batch_first=True), torch.nn.Linear(5, 1)
    lstm.load_state_dict(model.lstm.state_dict())
    head.load_state_dict(model.head.state_dict())
    frames = torch.randn(4, 11, 7)
    outputs, _ = lstm(frames)
    torch.testing.assert_close(model(frames), head(outputs[:, -1])[:, 0], rtol=0, atol=0)


def test_equals_the_equations_of_the_lstm() -> None:
    torch.manual_seed(1)
    model = OpenFaceLSTM(3, 4, 1)
    frames = torch.randn(1, 6, 3)
    weights = {name: w.detach().double().numpy() for name, w in model.named_parameters()}
    hidden = cell = np.zeros(4)

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    for frame in frames[0].double().numpy():
        gates = (
            weights["lstm.weight_ih_l0"] @ frame
            + weights["lstm.bias_ih_l0"]
            + weights["lstm.weight_hh_l0"] @ hidden
            + weights["lstm.bias_hh_l0"]
        )
        entry, forget, candidate, exit_ = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(entry) * np.tanh(candidate)
        hidden = sigmoid(exit_) * np.tanh(cell)
    expected = weights["head.weight"] @ hidden + weights["head.bias"]
    assert model(frames).item() == pytest.approx(expected.item(), abs=ROUNDING)


def test_packing_equals_unpadded_clips() -> None:
    torch.manual_seed(2)
    model = OpenFaceLSTM(3, 8, 2)
    clips = [torch.randn(n, 3) for n in (5, 9, 1, 7)]
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    lengths = torch.tensor([len(clip) for clip in clips])
    alone = torch.cat([model(clip[None]) for clip in clips])
    torch.testing.assert_close(model(padded, lengths), alone, rtol=0, atol=ROUNDING)
    # And the padding is not read: other values in it change nothing.
    other = padded.clone()
    other[2, 1:] = 1e3
    torch.testing.assert_close(model(other, lengths), model(padded, lengths), rtol=0, atol=0)
    assert not torch.allclose(model(padded), alone)
