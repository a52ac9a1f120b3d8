"""Gradient descent on mini-batches, for every family whose model is a torch module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.augmentation import Augmentation, Change, augment
from models.checkpoint import part, require_fit
from models.datasets import Part, Schema, Split
from models.goals import Goal, Supervised
from models.learner import PartName
from models.optimizers import Optimizer, Rule

# (schema, generator) → a net for data of that schema; all its randomness, dropout's too, comes from the generator
MakeNet = Callable[[Schema, Generator], nn.Module]


@dataclass(frozen=True)
class Training:
    """How a net is trained, as in the catalogue's DESCENT."""

    rule: Rule
    augmentation: Augmentation
    epochs: int
    batch_size: int

    @classmethod
    def of(cls, **options: Any) -> "Training":
        """From the catalogue's parameters by name: the rule's and the augmentation's among them."""

        def take(kind: type[Rule] | type[Augmentation]) -> dict[str, Any]:
            return {field.name: options.pop(field.name) for field in fields(kind) if field.name in options}

        return cls(Rule(**take(Rule)), Augmentation(**take(Augmentation)), **options)


class Descent:
    """A `Model` that trains a net: shuffled batches, one optimizer step each, from tensors in memory."""

    _net: nn.Module
    _goal: Goal
    _optimizer: Optimizer
    _random: Generator  # of first weights, order of the rows, augmentation and dropout
    _changes: tuple[Change, ...]
    _parts: dict[PartName, Part]

    def __init__(
        self, make_net: MakeNet, training: Training, *, seed: int, make_goal: Callable[[Schema], Goal] = Supervised
    ) -> None:
        self.epochs = training.epochs
        self._make_net, self._make_goal = make_net, make_goal
        self._training, self._seed = training, seed

    def prepare(self, schema: Schema) -> None:
        self._random = Generator().manual_seed(self._seed)
        self._goal = self._make_goal(schema)
        self._net = self._make_net(schema, self._random)

    def begin(self, split: Split) -> None:
        self.prepare(split.schema)
        parts: dict[PartName, Part] = {"train": split.train, "validation": split.validation, "test": split.test}
        self._parts = {name: self._goal.prepare(rows) for name, rows in parts.items()}
        self._changes = self._training.augmentation.changes(split.schema)
        self._optimizer = Optimizer(self._net.parameters(), self._training.rule)

    def train(self, step: int) -> None:
        net, goal, optimizer, rows = self._net.train(), self._goal, self._optimizer, self._parts["train"]
        optimizer.start_epoch(step)
        shuffled = rows.take(torch.randperm(len(rows), generator=self._random))
        for batch in shuffled.batches(self._training.batch_size):
            if self._changes:
                batch = augment(batch, self._changes, self._random)
            torch.autograd.backward(goal.loss(net, batch))
            optimizer.step()

    def measure(self, which: PartName) -> Mapping[str, float]:
        with torch.inference_mode():
            measured = self._goal.measure(self._net.eval(), self._parts[which])
            values = torch.stack(list(measured.values())).tolist()  # one transfer for all
        return dict(zip(measured, values, strict=True))

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        with torch.inference_mode():
            return self._goal.predict(self._net.eval(), Part(x, torch.empty(len(x), 0), lengths))

    def parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._net.named_parameters()}

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.parameters()
        require_fit(own, tensors)
        for name, tensor in own.items():
            tensor.copy_(tensors[name])

    def memory(self) -> dict[str, Tensor]:
        moments = {f"optimizer.{name}": tensor for name, tensor in self._optimizer.state().items()}
        return moments | {"random": self._random.get_state()}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        require_fit({"random": self._random.get_state()}, {n: t for n, t in tensors.items() if n == "random"})
        self._optimizer.load(part(tensors, "optimizer"))
        self._random.set_state(tensors["random"].clone())
