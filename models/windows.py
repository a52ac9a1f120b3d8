"""A window on sequences: a model of plain features sees the last few steps (chapter 10, without recurrence)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Windowed(nn.Module):
    """A net over the last `steps` steps: (B, T, F) → net of (B, steps·F); zeros stand before the sequence's start.

    With `at_each` it is applied to the window that ends at each step in turn, (B, T, outputs); else to the last window
    alone, (B, outputs), which ends at each sequence's own last step.
    """

    def __init__(self, net: nn.Module, steps: int, *, at_each: bool) -> None:
        super().__init__()
        self.net = net
        self._steps, self._at_each = steps, at_each

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        windows = functional.pad(x, (0, 0, self._steps - 1, 0)).unfold(1, self._steps, 1)  # (B, T, F, steps), a view
        if self._at_each:
            seen = windows.flatten(0, 1)
        else:
            seen = windows[:, -1] if lengths is None else windows[torch.arange(len(x)), lengths - 1]
        outputs: Tensor = self.net(seen.flatten(1))
        return outputs.reshape(*x.shape[:2], -1) if self._at_each else outputs
