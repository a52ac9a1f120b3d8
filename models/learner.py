"""The contract of all learners: an epoch, when to stop early, and what a family of models must provide."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from models.catalog import Direction
from models.datasets import Schema, Split

JSON = dict[str, Any]  # Any: JSON
PartName = Literal["train", "validation", "test"]


class Epoch(NamedTuple):
    """One pass over the training data, counted from 0, and what was measured after it: `train_…` and `val_…`."""

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once `patience` epochs brought no gain above `min_delta`, and keep the best parameters (chapter 7.8)."""

    metric: str
    direction: Direction
    patience: int
    min_delta: float = 0.0

    def is_gain(self, epoch: Epoch, best: Epoch | None) -> bool:
        """Whether the epoch is better than the best so far; nan never is. ValueError for a metric nobody reports."""
        if self.metric not in epoch.metrics:
            raise ValueError(f"early stopping on {self.metric!r}, but the learner reports {', '.join(epoch.metrics)}")
        if best is None or math.isnan(best.metrics[self.metric]):
            return best is None or not math.isnan(epoch.metrics[self.metric])
        gain = best.metrics[self.metric] - epoch.metrics[self.metric]
        return (gain if self.direction == "minimize" else -gain) > self.min_delta

    def is_over(self, last: Epoch, best: Epoch) -> bool:
        return last.step - best.step >= self.patience


@runtime_checkable
class Inspectable(Protocol):
    """A model with more to look at than its metrics."""

    def artifacts(self) -> Mapping[str, JSON]:
        """Plain JSON by name."""


class Model(Protocol):
    """What a family of models provides to the one training loop. Equal seeds and equal calls give equal numbers.

    No method reads or moves torch's global random state.
    """

    @property
    def epochs(self) -> int:
        """How many passes there are, at most; 1 for a model that is fitted at once."""

    def prepare(self, schema: Schema) -> None:
        """Makes first parameters for data of that schema: enough to load parameters and to predict."""

    def begin(self, split: Split) -> None:
        """Prepares for the data and takes it, also where training had begun before."""

    def train(self, step: int) -> None:
        """One pass over the training part."""

    def measure(self, which: PartName) -> Mapping[str, float]:
        """The catalogue's metrics of that part without their prefix, by the present parameters; nan and inf may be."""

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Preprocessed examples (N, …) → what the model says of them, by task.

        Probabilities of classes (N, C), of several heads' side by side, or of each step's (N, T, C); numbers (N,) in
        the target's unit; tokens (N, U).
        """

    def parameters(self) -> dict[str, Tensor]:
        """What was learned, by flat names: what early stopping keeps. The tensors may change with further training."""

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse. Raises ValueError where names or shapes don't fit."""

    def memory(self) -> dict[str, Tensor]:
        """What further training depends on besides the parameters: the optimizer's state and the random state."""

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse. Raises ValueError where names don't fit."""
