"""Models that are fitted at once, not by descent: one epoch, from plain features to the outputs that nets have too."""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from models.datasets import Part, PartName, Schema, Split
from models.goals import Supervised

Shape = tuple[int | str, ...]  # a word stands for a size that the data decides, the same wherever it stands
Learned = Mapping[str, Tensor]


class Method(Protocol):
    """Fits and predicts; holds hyperparameters, nothing that was learned."""

    def shapes(self) -> dict[str, Shape]:
        """Of what is learned, by name."""

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Training features (N, F) float32 and classes (N,) int64, or standardized numbers (N,) float64.

        Raises ValueError for hyperparameters that such data does not permit.
        """

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        """Features (B, F) → what the output unit takes (B, width): logits of classes, or the standardized number."""


class Fitted:
    """A method as a `Model`: measured, and read for predictions, by the goal that nets have."""

    epochs = 1
    _net: "_Net"
    _parts: dict[PartName, Part]

    def __init__(self, make_method: Callable[[Schema], Method]) -> None:
        self._make_method = make_method

    def prepare(self, schema: Schema) -> None:
        self._schema, self._goal = schema, Supervised(schema)
        self._net = _Net(self._make_method(schema))

    def begin(self, split: Split) -> None:
        self.prepare(split.schema)
        self._parts = {name: self._goal.prepare(rows) for name, rows in split.parts.items()}

    def train(self, step: int) -> None:
        rows, schema, y = self._parts["train"], self._schema, self._parts["train"].y
        if schema.task == "regression":
            y = (y.double() - schema.target_mean) / schema.target_deviation
        self._net.learned = self._net.method.fit(rows.x.flatten(1), y)

    def measure(self, which: PartName) -> Mapping[str, float]:
        with torch.inference_mode():
            return {name: value.item() for name, value in self._goal.measure(self._net, self._parts[which]).items()}

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        with torch.inference_mode():
            return self._goal.predict(self._net, Part(x, torch.empty(len(x), 0), lengths))

    def parameters(self) -> dict[str, Tensor]:
        return dict(self._net.learned)

    def load_parameters(self, tensors: Learned) -> None:
        require_shapes(self._net.method.shapes(), tensors)
        self._net.learned = {name: tensor.clone() for name, tensor in tensors.items()}

    def memory(self) -> dict[str, Tensor]:
        return {}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        if tensors:
            raise ValueError(f"the checkpoint does not fit: {', '.join(tensors)} is only in the file")


class _Net(nn.Module):
    """The method with what it learned, as a goal calls it: (B, …) → (B, width) float32."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method, self.learned = method, dict[str, Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        return self.method.outputs(self.learned, x.flatten(1)).float()


def require_shapes(expected: Mapping[str, Shape], given: Learned) -> None:
    """Raises ValueError where names or shapes differ, or where one word of the shapes stands for two sizes."""
    if expected.keys() != given.keys():
        raise ValueError(f"the checkpoint does not fit: it holds {', '.join(given)}, not {', '.join(expected)}")
    sizes: dict[str, int] = {}
    for name, shape in expected.items():
        found = tuple(given[name].shape)
        wanted = tuple(
            sizes.setdefault(size, there) if isinstance(size, str) else size
            for size, there in zip(shape, found, strict=False)
        )
        if len(shape) != len(found) or wanted != found:
            raise ValueError(f"the checkpoint does not fit: {name} is {found}, not {shape}")


def to_outputs(shares: Tensor) -> Tensor:
    """Probabilities of the classes (B, C), all above 0 → the logits that give them: (B, C), or (B, 1) of two."""
    logits = shares.log()
    return logits[:, 1:] - logits[:, :1] if shares.shape[1] == 2 else logits


def smooth(shares: Tensor, count: Tensor) -> Tensor:
    """Shares (B, C) of classes among `count` (B,) examples, with one example more that is of each class in equal parts.

    So no class is impossible, and the log-likelihood is finite; the order of the classes stays.
    """
    count = count[:, None]
    return (shares * count + 1.0 / shares.shape[1]) / (count + 1.0)
