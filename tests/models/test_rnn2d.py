"""The recurrent net over an image against its equations cell by cell, and what it sees."""

import math

import pytest
import torch
from torch import Generator, Tensor

from models.catalog import TRAINERS
from models.datasets import load, split
from models.rnn2d import CELLS, Recurrence2d, RecurrentNet2d, as_patches, build
from models.units import Dense

each_kind = pytest.mark.parametrize("kind", CELLS)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(1), dtype=torch.float64)


def recurrence(kind: str, inputs: int = 2, size: int = 3) -> Recurrence2d:
    """With biases that are not zero, in float64."""
    made = Recurrence2d(kind, inputs, size, Generator().manual_seed(0)).double()
    made.b.data += torch.linspace(-1.0, 1.0, len(made.b))
    return made


def cell_by_cell(net: Recurrence2d, kind: str, x: Tensor, corner: int) -> dict[tuple[int, int], Tensor]:
    """h at each place (R, S) of one image (R, S, P) from its upper left corner, by the equations."""
    W, U, b = net.W[corner], net.U[corner], net.b.chunk(4)[corner]
    nothing = torch.zeros(3, dtype=torch.float64)
    h: dict[tuple[int, int], Tensor] = {}
    s: dict[tuple[int, int], Tensor] = {}
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            left, above = (i, j - 1), (i - 1, j)
            z = x[i, j] @ W + h.get(left, nothing) @ U[:3] + h.get(above, nothing) @ U[3:] + b
            if kind == "rnn":
                h[i, j] = z.tanh()
                continue
            i_gate, f_left, f_above, g, o = z.chunk(5)
            kept = f_left.sigmoid() * s.get(left, nothing) + f_above.sigmoid() * s.get(above, nothing)
            s[i, j] = kept + i_gate.sigmoid() * g.tanh()
            h[i, j] = o.sigmoid() * s[i, j].tanh()
    return h


TURNS = ((), (1,), (0,), (0, 1))  # the axes of (R, S) that are flipped, so that a corner becomes the upper left one


@each_kind
@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 2), (1, 3), (3, 1)])
def test_diagonals_together_equal_the_equations_cell_by_cell(kind: str, rows: int, columns: int) -> None:
    net, x = recurrence(kind), draw(2, rows, columns, 2)
    h = net(x)  # (D, 4, B, R, H)
    for corner, axes in enumerate(TURNS):
        for b in range(2):
            for (i, j), expected in cell_by_cell(net, kind, x[b].flip(axes), corner).items():
                torch.testing.assert_close(h[i + j, corner, b, i], expected)


@each_kind
def test_readouts_are_the_last_states_and_the_means(kind: str) -> None:
    net, image = recurrence(kind), draw(2, 2, 3, 4)
    x = image.permute(0, 2, 3, 1)  # patches of one pixel
    each = [[cell_by_cell(net, kind, x[b].flip(axes), c) for c, axes in enumerate(TURNS)] for b in range(2)]
    output = Dense(torch.eye(12)).double()
    last = torch.stack([torch.cat([h[2, 3] for h in corners]) for corners in each])
    mean = torch.stack([torch.cat([sum(h.values()) / 12 for h in corners]) for corners in each])
    torch.testing.assert_close(RecurrentNet2d(net, 1, "last", output)(image), last)
    torch.testing.assert_close(RecurrentNet2d(net, 1, "mean", output)(image), mean)


def test_each_corners_last_state_sees_every_pixel() -> None:
    net, image = recurrence("rnn", inputs=1), draw(1, 1, 4, 5).requires_grad_()
    for corner in range(4):
        (gradient,) = torch.autograd.grad(net(image.permute(0, 2, 3, 1))[-1, corner, 0, -1].sum(), image)
        assert gradient.ne(0).all()


def test_patches_hold_each_pixel_once_and_are_filled_up() -> None:
    image = torch.arange(1.0, 31.0).reshape(1, 2, 3, 5)
    patches = as_patches(image, 2)
    assert patches.shape == (1, 2, 3, 8)
    assert patches[0, 0, 0].tolist() == [1, 2, 6, 7, 16, 17, 21, 22]
    assert patches[0, 1, 2].tolist() == [15, 0, 0, 0, 30, 0, 0, 0]
    assert patches.sum().item() == image.sum().item()


def test_states_keep_their_size_from_corner_to_corner_at_the_start() -> None:
    net = Recurrence2d("rnn", 4, 64, Generator().manual_seed(0)).double()
    h = net(0.1 * draw(16, 8, 8, 4))
    assert 0.3 < (h[-1, :, :, -1].norm() / h[7, :, :, 3].norm()).item() < 3.0
    assert math.isfinite(h.sum().item())


def test_metrics_by_small_batches_are_those_of_all_examples_at_once() -> None:
    data = split(load("digits"))
    model = build(seed=0, **TRAINERS["rnn2d"].complete({"hidden_size": 8}))  # type: ignore[arg-type]
    model.begin(data)
    logits = model._net.eval()(data.validation.x)
    sizes: list[int] = []
    model._net.register_forward_hook(lambda net, inputs, outputs: sizes.append(len(outputs)))
    measured = model.measure("validation")
    assert sizes == [68] * 5 + [20]  # 2 ** 18 numbers; for each image 15 diagonals of 8 rows, 4 corners, 8 units
    expected = torch.nn.functional.cross_entropy(logits, data.validation.y)
    assert measured["loss"] == pytest.approx(expected.item(), rel=1e-5)
