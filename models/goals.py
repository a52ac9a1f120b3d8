"""What a net is trained for: the loss of a batch, the metrics of a part, and how its outputs read as predictions."""

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from models.datasets import Part, Schema
from models.metrics import Costs
from models.outputs import Output, choose_output

EVALUATED_NUMBERS = 2**18  # inputs at a time, so that a large part's hidden layers stay within the processor's cache
FEWEST_ROWS, MOST_ROWS = 64, 4096


class Goal(Protocol):
    """Knows one kind of net and target. `measure` and `predict` are called in inference mode, with the net in eval."""

    def prepare(self, part: Part) -> Part:
        """The part with `targets` as `loss` takes them; made once, before training, of the training part first."""

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        """What is minimized, of a prepared batch: a mean over its examples, as a scalar."""

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        """`loss` and the catalogue's other metrics of a prepared part, as float64 scalars."""

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        """What the model says of the examples, by task; y is not looked at."""


class Supervised:
    """A label or labels for each example: the outputs of `net(x)`, or of `net(x, lengths)`, in one output unit.

    Predictions: probabilities (N, C) of classes, or (N, T, C) for each step; numbers (N,) in the target's own unit.
    Balanced class weights count all classes of the training part alike in what is minimized; the loss that is measured
    stays the plain one, so that trials with and without them compare. `costs` decide and are measured, but the
    probabilities are learned without them. `largest` is how many numbers the net holds of one example, where they are
    many more than x's.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        with_lengths: bool = False,
        class_weights: Literal["none", "balanced"] = "none",
        costs: Costs = (),
        largest: int = 0,
    ) -> None:
        self._output: Output = choose_output(schema, costs)
        self._with_lengths, self._largest = with_lengths, largest
        self._classes = len(schema.classes) if schema.task == "classification" and class_weights == "balanced" else 0
        self._weights: Tensor | None = None  # (C,)

    def prepare(self, part: Part) -> Part:
        if self._classes and self._weights is None:
            self._weights = balance(part.y, self._classes)
        return Part(part.x, part.y, part.lengths, self._output.encode(part.y))

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        assert batch.targets is not None  # noqa: S101  # prepared
        return self._output.loss(self._call(net, batch), batch.targets, self._weights)

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        assert part.targets is not None  # noqa: S101  # prepared
        outputs = self._forward(net, part)
        return {"loss": self._output.loss(outputs, part.targets).double(), **self._output.measure(outputs, part.y)}

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        return self._output.predict(self._forward(net, part))

    def _forward(self, net: nn.Module, part: Part) -> Tensor:
        outputs = [self._call(net, batch) for batch in part.batches(rows_at_once(part.x, self._largest))]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _call(self, net: nn.Module, batch: Part) -> Tensor:
        outputs: Tensor = net(batch.x, batch.lengths) if self._with_lengths else net(batch.x)
        return outputs


def balance(y: Tensor, classes: int) -> Tensor:
    """Weights (C,) under which the classes of y (N,) count alike and an example counts 1 in the mean; 0 for none."""
    counts = torch.bincount(y, minlength=classes).float()
    return torch.where(counts > 0, len(y) / ((counts > 0).sum() * counts), 0.0)


def rows_at_once(x: Tensor, largest: int = 0) -> int:
    """How many examples of x (N, …) to evaluate in one call, by a net that holds at least `largest` numbers of each."""
    return max(FEWEST_ROWS, min(MOST_ROWS, EVALUATED_NUMBERS // max(1, x[:1].numel(), largest)))
