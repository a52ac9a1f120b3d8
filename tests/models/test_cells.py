"""Recurrent cells: the equations by hand, torch's own layers, and the kernels against both."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

from models.cells import CELLS, Recurrence, State

each_kind = pytest.mark.parametrize("kind", CELLS)


def recurrence(kind: str, inputs: int = 3, size: int = 4, **options: float | str) -> Recurrence:
    """With biases that are not zero, in float64."""
    made = Recurrence(kind, inputs, size, Generator().manual_seed(0), **options)  # type: ignore[arg-type]
    made.b.data += torch.linspace(-1.0, 1.0, len(made.b))
    return made.double()


def example(batch: int = 2, steps: int = 5, inputs: int = 3) -> Tensor:
    return torch.randn(batch, steps, inputs, generator=Generator().manual_seed(1), dtype=torch.float64)


def state(kind: str, batch: int = 2, size: int = 4) -> State:
    drawn = torch.randn(2, batch, size, generator=Generator().manual_seed(2), dtype=torch.float64)
    return tuple(drawn[: CELLS[kind].states])


def sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def rows(cell: Recurrence) -> list[tuple[float, float, float]]:
    """Of a cell with one input and one hidden unit: each gate's w, u and b."""
    triples = zip(cell.W[:, 0].tolist(), cell.U[:, 0].tolist(), cell.b.tolist(), strict=True)
    return list(triples)


def test_lstm_follows_its_equations() -> None:
    cell, x, h, s = recurrence("lstm", 1, 1), 0.7, -0.4, 1.3
    i, f, g, o = (w * x + u * h + b for w, u, b in rows(cell))
    new_s = sigmoid(f) * s + sigmoid(i) * math.tanh(g)
    after = cell.step(torch.tensor([[x]]).double(), tuple(torch.tensor([[v]]).double() for v in (h, s)))
    assert [t.item() for t in after] == pytest.approx([sigmoid(o) * math.tanh(new_s), new_s])


def test_gru_follows_its_equations() -> None:
    cell, x, h = recurrence("gru", 1, 1), 0.7, -0.4
    (w_r, u_r, b_r), (w_u, u_u, b_u), (w_g, u_g, b_g) = rows(cell)
    reset, update = sigmoid(w_r * x + u_r * h + b_r), sigmoid(w_u * x + u_u * h + b_u)
    g = math.tanh(w_g * x + reset * u_g * h + b_g)
    (after,) = cell.step(torch.tensor([[x]]).double(), (torch.tensor([[h]]).double(),))
    assert after.item() == pytest.approx((1 - update) * h + update * g)


@pytest.mark.parametrize(("kind", "unit"), [("rnn", math.tanh), ("relu_rnn", lambda z: max(0.0, z))])
def test_vanilla_rnn_follows_its_equation(kind: str, unit: object) -> None:
    cell, x, h = recurrence(kind, 1, 1), 0.7, -0.4
    ((w, u, b),) = rows(cell)
    (after,) = cell.step(torch.tensor([[x]]).double(), (torch.tensor([[h]]).double(),))
    assert callable(unit)
    assert after.item() == pytest.approx(unit(w * x + u * h + b))


@each_kind
def test_kernel_equals_the_equations_in_states_and_gradients(kind: str) -> None:
    cell, x, begun = recurrence(kind), example().requires_grad_(), state(kind)
    outputs, last = cell(x, begun)
    states = cell.unroll(x, begun)
    torch.testing.assert_close(outputs, torch.stack([after[0] for after in states], dim=1))
    torch.testing.assert_close(last, states[-1])
    leaves = [x, *cell.parameters()]
    fast = torch.autograd.grad(outputs.square().sum() + last[-1].sum(), leaves)
    slow = torch.autograd.grad(sum(after[0].square().sum() for after in states) + states[-1][-1].sum(), leaves)
    torch.testing.assert_close(fast, slow)


@each_kind
def test_kernel_equals_the_equations_in_single_precision(kind: str) -> None:
    """Where the LSTM has another kernel than in double precision."""
    cell, x = recurrence(kind).float(), example().float()
    outputs, _ = cell(x)
    unrolled = torch.stack([after[0] for after in cell.unroll(x)], dim=1)
    torch.testing.assert_close(outputs, unrolled)
    fast, slow = (torch.autograd.grad(h.square().sum(), list(cell.parameters())) for h in (outputs, unrolled))
    torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [("rnn", nn.RNN(3, 4, batch_first=True)), ("lstm", nn.LSTM(3, 4, batch_first=True))],
)
def test_rnn_and_lstm_are_torchs_layers_with_one_bias(kind: str, theirs: nn.RNNBase) -> None:
    cell = recurrence(kind)
    set_weights(theirs.double(), cell.W, cell.U, cell.b)
    torch.testing.assert_close(cell(example())[0], theirs(example())[0])


def test_gru_is_torchs_layer_with_the_update_gate_turned_round_and_no_bias_under_the_reset_gate() -> None:
    cell, theirs = recurrence("gru"), nn.GRU(3, 4, batch_first=True).double()
    turned = torch.tensor([1.0] * 4 + [-1.0] * 4 + [1.0] * 4).double()
    set_weights(theirs, cell.W * turned[:, None], cell.U * turned[:, None], cell.b * turned)
    torch.testing.assert_close(cell(example())[0], theirs(example())[0])


def set_weights(theirs: nn.RNNBase, W: Tensor, U: Tensor, b: Tensor) -> None:
    given = {"weight_ih_l0": W, "weight_hh_l0": U, "bias_ih_l0": b, "bias_hh_l0": torch.zeros_like(b)}
    theirs.load_state_dict({name: tensor.detach() for name, tensor in given.items()})


def test_recurrent_weights_start_orthogonal_gate_by_gate() -> None:
    cell = Recurrence("gru", 3, 6, Generator().manual_seed(0))
    for gate in cell.U.detach().chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)


def test_gates_start_by_keeping_the_old_state() -> None:
    lstm, gru, rnn = (Recurrence(kind, 3, 2, Generator().manual_seed(0), forget=1.5) for kind in ("lstm", "gru", "rnn"))
    assert lstm.b.tolist() == [-1.5, -1.5, 1.5, 1.5, 0, 0, 0, 0]  # input gate shut, forget gate open
    assert gru.b.tolist() == [0, 0, -1.5, -1.5, 0, 0]  # update gate shut
    assert rnn.b.tolist() == [0, 0]
