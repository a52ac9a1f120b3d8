"""Windows on sequences: what a net of plain features sees of them."""

import torch
from torch import nn

from models.windows import Windowed


def test_last_window_ends_at_each_sequences_own_last_step() -> None:
    x, lengths = torch.arange(1.0, 17.0).reshape(2, 4, 2), torch.tensor([4, 3])
    last = Windowed(nn.Identity(), 2, at_each=False)
    assert sorted(last(x, lengths)[0].tolist()) == [5, 6, 7, 8]
    assert sorted(last(x, lengths)[1].tolist()) == [11, 12, 13, 14]
    assert torch.equal(last(x), last(x, torch.tensor([4, 4])))


def test_zeros_stand_before_the_start() -> None:
    x = torch.ones(1, 3, 1)
    each = Windowed(nn.Identity(), 3, at_each=True)
    assert each(x).tolist() == [[[0, 0, 1], [0, 1, 1], [1, 1, 1]]]


def test_each_steps_window_is_the_last_of_what_there_was_until_then() -> None:
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    each, last = (Windowed(nn.Identity(), 4, at_each=at_each) for at_each in (True, False))
    for t in range(5):
        assert torch.equal(each(x)[:, t], last(x[:, : t + 1]))
