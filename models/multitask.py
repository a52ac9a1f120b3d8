"""Multi-task learning (section 7.7): hidden layers that all tasks share, then a head for each task."""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.datasets import IGNORED, Part, Schema
from models.descent import Descent, Training
from models.goals import rows_at_once
from models.units import FIRST_BIAS, UNITS, Dense, Dropout, Flat, draw_weight


def build(
    *,
    seed: int,
    hidden_layers: int,
    width: int,
    head_layers: int,
    head_width: int,
    activation: str,
    slope: float,
    init: str,
    dropout: float,
    task_weight: float,
    only_head: int,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """[dense → unit → dropout] · hidden_layers, then for each head the same · head_layers → dense."""

    def make_hidden(layers: int, size: int, inputs: int, generator: Generator) -> tuple[list[nn.Module], int]:
        """The layers, and how many numbers leave them."""
        made: list[nn.Module] = []
        for _ in range(layers):
            weight = draw_weight(size, inputs, activation, slope, init, generator)
            made += [Dense(weight, FIRST_BIAS.get(activation, 0.0)), UNITS[activation](size, slope)]
            made += [Dropout(dropout, generator)] if dropout else []
            inputs = size
        return made, inputs

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        trunk, shared = make_hidden(hidden_layers, width, schema.size, generator)
        heads: list[nn.Module] = []
        for head in schema.heads:
            layers, inputs = make_hidden(head_layers, head_width, shared, generator)
            last = Dense(draw_weight(len(head.classes), inputs, "linear", slope, init, generator))
            heads.append(nn.Sequential(*layers, last))
        return Branches(nn.Sequential(Flat(), *trunk), heads)

    def make_goal(schema: Schema) -> "AllHeads":
        return AllHeads(schema, task_weight, only_head)

    return Descent(make_net, Training.of(**training), seed=seed, make_goal=make_goal)


class Branches(nn.Module):
    """The heads' logits side by side, on one shared representation: (B, …) → (B, C₁ + C₂ + …)."""

    def __init__(self, trunk: nn.Module, heads: list[nn.Module]) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(heads)

    def forward(self, x: Tensor) -> Tensor:
        shared = self.trunk(x)
        return torch.cat([head(shared) for head in self.heads], dim=1)


class AllHeads:
    """The goal of all tasks: the weighted sum of the heads' cross-entropies.

    In training each known label counts the same, so a head with few labels pulls little at the shared layers unless
    its weight is large; a mean over a batch's one or two labels would be all noise. Measured are plain means over the
    heads, whatever their weights, so that weights can be compared; a head without a label in the part is left out.
    Predictions: the heads' probabilities side by side (N, C₁ + C₂ + …).
    """

    def __init__(self, schema: Schema, task_weight: float, only_head: int) -> None:
        self._sizes = [len(head.classes) for head in schema.heads]
        if len(self._sizes) < 2:
            raise ValueError(f"{schema.name} has too few heads for learning several tasks: {len(self._sizes)}")
        if only_head > len(self._sizes):
            raise ValueError(f"only_head is {only_head}, but {schema.name} has {len(self._sizes)} heads")
        weights = [1.0] + [task_weight] * (len(self._sizes) - 1)
        self._weights = [1.0 * (only_head == i + 1) for i in range(len(weights))] if only_head else weights

    def prepare(self, part: Part) -> Part:
        return Part(part.x, part.y, part.lengths, part.y)

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        loss = torch.zeros(())
        for logits, y, weight in zip(self._part(net(batch.x)), batch.y.unbind(dim=1), self._weights, strict=True):
            if weight:
                loss = loss + weight / len(y) * _cross_entropies(logits, y)
        return loss

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        """Means over the heads of loss, error and accuracy; the first head's error, and the others' mean error."""
        outputs = self._part(self._forward(net, part))
        judged = [_judge(logits, y) for logits, y in zip(outputs, part.y.unbind(dim=1), strict=True)]
        loss, error = torch.cat(judged).mean(dim=0)
        first, others = judged[0].mean(dim=0)[1], torch.cat(judged[1:]).mean(dim=0)[1]
        return {"loss": loss, "error": error, "accuracy": 1.0 - error, "first_error": first, "others_error": others}

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        return torch.cat([logits.softmax(dim=1) for logits in self._part(self._forward(net, part))], dim=1)

    def _forward(self, net: nn.Module, part: Part) -> Tensor:
        return torch.cat([net(batch.x) for batch in part.batches(rows_at_once(part.x))])

    def _part(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(outputs, self._sizes, dim=1)


def _judge(logits: Tensor, y: Tensor) -> Tensor:
    """Loss and error of a head by its known labels: (1, 2) float64, or (0, 2) where there is none."""
    known = y != IGNORED
    if not known.any():
        return torch.empty(0, 2, dtype=torch.float64)
    largest, likeliest = logits.max(dim=1)
    wrong = (likeliest != y).logical_or_(largest.isnan())[known]
    return torch.stack([_cross_entropies(logits, y).double() / known.sum(), wrong.double().mean()])[None]


def _cross_entropies(logits: Tensor, y: Tensor) -> Tensor:
    """The sum over the known labels."""
    return functional.cross_entropy(logits, y, ignore_index=IGNORED, reduction="sum")
