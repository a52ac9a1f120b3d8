"""Recurrent nets: lengths of their own, readouts, both directions of time, and how gradients flow back through it."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

from models.cells import Recurrence
from models.datasets import IGNORED, Dataset, load, split
from models.datasets.sequences import make_adding
from models.families import build
from models.rnn import READOUTS, Layer, RecurrentNet, gradient_norms, reverse
from models.units import Dense, Dropout

each_readout = pytest.mark.parametrize("readout", READOUTS)
each_direction = pytest.mark.parametrize("directions", [1, 2])


def make_net(
    kind: str,
    readout: str | None,
    directions: int = 1,
    *,
    layers: int = 1,
    size: int = 3,
    features: int = 2,
    forget: float = 1.0,
) -> RecurrentNet:
    """From sequences, of six steps where all are read, to two outputs, in float64."""
    generator = Generator().manual_seed(0)
    width = directions * size

    def layer(inputs: int) -> Layer:
        cells = [Recurrence(kind, inputs, size, generator, forget=forget) for _ in range(directions)]
        return Layer(*cells)

    seen = width * (6 if readout == "all" else 1)
    output = Dense(torch.randn(2, seen, generator=generator))
    stack = [layer(features), *(layer(width) for _ in range(layers - 1))]
    return RecurrentNet(stack, None, READOUTS[readout] if readout else None, output).double()


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(1), dtype=torch.float64)


@each_readout
@each_direction
def test_padding_never_matters(readout: str, directions: int) -> None:
    net, x, lengths = make_net("gru", readout, directions, layers=2), draw(3, 6, 2), torch.tensor([6, 4, 1])
    beyond = (torch.arange(6) >= lengths[:, None])[:, :, None]
    torch.testing.assert_close(net(x, lengths), net(x.masked_fill(beyond, 7.0), lengths))


@pytest.mark.parametrize("readout", ["last", "mean", "max"])
@each_direction
def test_a_padded_sequence_gives_what_it_gives_alone(readout: str, directions: int) -> None:
    net, x, lengths = make_net("lstm", readout, directions, layers=2), draw(3, 6, 2), torch.tensor([6, 4, 1])
    together = net(x, lengths)
    for i, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(together[i : i + 1], net(x[i : i + 1, :length]))


@each_direction
def test_labelling_gives_each_step_of_a_padded_sequence_what_it_gets_alone(directions: int) -> None:
    net, x, lengths = make_net("gru", None, directions, layers=2), draw(3, 6, 2), torch.tensor([6, 4, 1])
    together = net(x, lengths)
    for i, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(together[i : i + 1, :length], net(x[i : i + 1, :length]))


@each_readout
@each_direction
def test_full_lengths_are_as_none(readout: str, directions: int) -> None:
    net, x = make_net("rnn", readout, directions), draw(3, 6, 2)
    torch.testing.assert_close(net(x, torch.tensor([6, 6, 6])), net(x))


def test_reverse_is_its_own_inverse_and_leaves_the_padding() -> None:
    x, lengths = torch.arange(8.0).reshape(2, 4, 1), torch.tensor([4, 3])
    assert reverse(x, lengths)[:, :, 0].tolist() == [[3, 2, 1, 0], [6, 5, 4, 7]]
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)


def test_stacked_bidirectional_layers_are_torchs() -> None:
    net, x = make_net("lstm", "last", directions=2, layers=2), draw(4, 6, 2)
    theirs = nn.LSTM(2, 3, num_layers=2, bidirectional=True, batch_first=True).double()
    for i, layer in enumerate((*net.below, net.top)):
        for suffix, cell in (("", layer.onwards), ("_reverse", layer.backwards)):
            given = {"weight_ih": cell.W, "weight_hh": cell.U, "bias_ih": cell.b, "bias_hh": torch.zeros_like(cell.b)}
            for name, tensor in given.items():
                getattr(theirs, f"{name}_l{i}{suffix}").data = tensor.detach()
    _, (last, _) = theirs(x)
    expected = net.output(torch.cat([last[2], last[3]], dim=1))  # the upper layer's two directions
    torch.testing.assert_close(net(x), expected)


def test_an_image_is_read_row_by_row() -> None:
    net, image = make_net("gru", "all", features=8), draw(2, 2, 6, 4)  # 2 channels, 6 rows, 4 columns
    rows = torch.stack([image[:, :, i].flatten(1) for i in range(6)], dim=1)
    torch.testing.assert_close(net(image), net(rows))


def test_dropout_acts_between_layers_and_in_training_alone() -> None:
    net, x = make_net("gru", "last", layers=2), draw(3, 6, 2)
    dropping = RecurrentNet(
        [*net.below, net.top], Dropout(0.5, Generator().manual_seed(0)), READOUTS["last"], net.output
    )
    assert not torch.allclose(dropping(x), net(x))
    torch.testing.assert_close(dropping.eval()(x), net(x))


def test_trains_on_sequences_of_different_lengths_and_ignores_what_is_not_asked() -> None:
    """Each step is to be labelled by its own sign; half the sequences end early."""
    generator = Generator().manual_seed(0)
    x, lengths = torch.randn(120, 5, 1, generator=generator), torch.tensor([5, 3] * 60)
    y = (x[:, :, 0] > 0).long().masked_fill(torch.arange(5) >= lengths[:, None], IGNORED)
    data = Dataset("signs", "labelling", x, y, classes=("-", "+"), form="sequence", lengths=lengths)
    last = list(
        build("rnn", {"hidden_size": 8, "learning_rate": 0.1, "batch_size": 16, "epochs": 12}).fit(split(data))
    )[-1]
    assert last.metrics["val_error"] < 0.1


def bumped(net: RecurrentNet, x: Tensor, y: Tensor, step: int, unit: int, by: float) -> float:
    """The loss where one unit of the state after a step is moved, by the equations alone."""
    cell, state = net.top.onwards, None
    hs = []
    for t in range(x.shape[1]):
        state = cell.unroll(x[:, t : t + 1], state)[0]
        if t == step:
            moved = state[-1].clone()
            moved[0, unit] += by
            # the LSTM's h of this very step is of its s too
            state = (state[0] * moved.tanh() / state[1].tanh(), moved) if len(state) == 2 else (moved,)
        hs.append(state[0])
    outputs = net.leave(torch.stack(hs, dim=1))
    return (outputs[:, 0] - y).square().mean().item()


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_gradient_norms_are_those_of_finite_differences(kind: str) -> None:
    net, x, y = make_net(kind, "mean"), draw(1, 6, 2), torch.tensor([0.3], dtype=torch.float64)
    norms = gradient_norms(net, x, y)
    for step in (0, 3, 5):
        moved = [[bumped(net, x, y, step, unit, by) for by in (1e-5, -1e-5)] for unit in range(3)]
        slopes = torch.tensor([(up - down) / 2e-5 for up, down in moved], dtype=torch.float64)
        assert norms[step].item() == pytest.approx(slopes.norm().item(), rel=1e-6)


def test_gradients_vanish_in_the_vanilla_rnn_and_live_through_gates_that_keep() -> None:
    """The gradient of an error at the end of 100 steps, at the first step against the last."""
    x, y, shares = draw(8, 100, 2), torch.zeros(8, dtype=torch.float64), {}
    for kind in ("rnn", "lstm", "gru"):
        norms = gradient_norms(make_net(kind, "last", size=16, forget=5.0), x, y)
        shares[kind] = (norms[0] / norms[-1]).item()
    assert shares["rnn"] < 1e-6
    assert min(shares["lstm"], shares["gru"]) > 0.1


def test_clipping_saves_a_run_that_explodes() -> None:
    data = split(make_adding("adding", 200, 50))
    options = {"cell": "rnn", "nonlinearity": "relu", "hidden_size": 32, "readout": "all", "batch_size": 20}
    steps = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.3, "epochs": 4}
    exploded = list(build("rnn", {**options, **steps}).fit(data))
    clipped = list(build("rnn", {**options, **steps, "clip_norm": 0.1}).fit(data))
    assert not math.isfinite(exploded[-1].metrics["train_loss"])
    assert clipped[-1].metrics["train_loss"] < 0.95 * clipped[0].metrics["train_loss"]


@pytest.mark.slow
def test_gated_cells_add_across_fifty_steps_where_the_vanilla_rnn_does_not() -> None:
    data, options = split(load("adding_50")), {"hidden_size": 32, "learning_rate": 0.01, "batch_size": 32}
    errors = {}
    for cell in ("lstm", "gru", "rnn"):
        learner = build("rnn", {**options, "cell": cell, "forget_bias": 3.0, "clip_norm": 1.0, "epochs": 5})
        errors[cell] = list(learner.fit(data))[-1].metrics["val_mse"]
    assert max(errors["lstm"], errors["gru"]) < 0.01
    assert errors["rnn"] > 0.1
