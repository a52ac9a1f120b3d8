"""Gradient descent on mini-batches, for every family whose model is a torch module."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from models.augmentation import Augmentation, Change, augment
from models.checkpoint import part, require_fit
from models.datasets import Part, PartName, Schema, Split
from models.debugging import Histograms, check_net, describe_check
from models.goals import Goal, Supervised
from models.learner import JSON
from models.metrics import Costs
from models.numerics import GradientCheck
from models.optimizers import Descending, Optimizer, Rule
from models.second_order import LBFGS, Newton

# (schema, generator) → a net for data of that schema; all its randomness, dropout's too, comes from the generator
MakeNet = Callable[[Schema, Generator], nn.Module]


@dataclass(frozen=True)
class Training:
    """How a net is trained, as in the catalogue's DESCENT."""

    rule: Rule
    augmentation: Augmentation
    epochs: int
    batch_size: int
    precision: Literal["float32", "bfloat16"] = "float32"
    check_gradients: bool = False
    histograms: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    cost_matrix: Costs = ()

    @classmethod
    def of(cls, **options: Any) -> "Training":
        """From the catalogue's parameters by name: the rule's and the augmentation's among them."""

        def take(kind: type[Rule] | type[Augmentation]) -> dict[str, Any]:
            return {field.name: options.pop(field.name) for field in fields(kind) if field.name in options}

        return cls(Rule(**take(Rule)), Augmentation(**take(Augmentation)), **options)

    def supervise(self, schema: Schema, *, with_lengths: bool = False, largest: int = 0) -> Supervised:
        """The goal of labels, under these class weights and costs."""
        weights, costs = self.class_weights, self.cost_matrix
        return Supervised(schema, with_lengths=with_lengths, class_weights=weights, costs=costs, largest=largest)


class Descent:
    """A `Model` that trains a net: shuffled batches, one optimizer step each, from tensors in memory."""

    _net: nn.Module
    _goal: Goal
    _optimizer: Descending
    _random: Generator  # of first weights, order of the rows, augmentation and dropout
    _changes: tuple[Change, ...]
    _parts: dict[PartName, Part]
    _histograms: Histograms
    _check: GradientCheck | None

    def __init__(
        self, make_net: MakeNet, training: Training, *, seed: int, make_goal: Callable[[Schema], Goal] | None = None
    ) -> None:
        """Without `make_goal` it is the training's `supervise`. Raises ValueError for a rule that needs float32."""
        if training.precision != "float32" and training.rule.optimizer in ("lbfgs", "newton"):
            raise ValueError(f"precision must be float32 with the optimizer {training.rule.optimizer}")
        self.epochs = training.epochs
        self._make_net, self._make_goal = make_net, make_goal or training.supervise
        self._training, self._seed = training, seed

    def prepare(self, schema: Schema) -> None:
        self._schema = schema
        self._random = Generator().manual_seed(self._seed)
        self._goal = self._make_goal(schema)
        self._net = self._make_net(schema, self._random)

    def begin(self, split: Split) -> None:
        self.prepare(split.schema)
        self._parts = {name: self._goal.prepare(rows) for name, rows in split.parts.items()}
        self._changes = self._training.augmentation.changes(split.schema)
        self._optimizer = make_optimizer(self._net.parameters(), self._training.rule)
        self._histograms, self._check = Histograms(), None

    def train(self, step: int) -> None:
        net, optimizer, rows = self._net.train(), self._optimizer, self._parts["train"]
        optimizer.start_epoch(step)
        if step == 0 and self._training.check_gradients:
            self._check = self._check_gradients(rows)
        shuffled = rows.take(torch.randperm(len(rows), generator=self._random))
        for batch in [rows] if optimizer.takes_all else shuffled.batches(self._training.batch_size):
            if self._changes:
                batch = augment(batch, self._changes, self._random)
            loss = partial(self._training_loss, batch)
            optimizer.descend(_repeatable(loss, self._random) if optimizer.takes_all else loss)
        if self._training.histograms:
            self._histograms.record(step, net, self._plain_loss, rows.first(self._training.batch_size))

    def measure(self, which: PartName) -> Mapping[str, float]:
        with torch.inference_mode():
            measured = self._goal.measure(self._net.eval(), self._parts[which])
            values = torch.stack(list(measured.values())).tolist()  # one transfer for all
        return dict(zip(measured, values, strict=True))

    def artifacts(self) -> dict[str, JSON]:
        """By trainer's option: `gradient_check` as in `describe_check`, `histograms` as in `Histograms.describe`.

        A resumed run has all histograms, but no gradient check: that was before the first epoch.
        """
        found = {} if self._check is None else {"gradient_check": describe_check(self._check)}
        if self._training.histograms:
            first = self._parts["train"].first(self._training.batch_size)
            found["histograms"] = self._histograms.describe(self._net, self._plain_loss, first)
        return found

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
        recorded = {f"histograms.{name}": tensor for name, tensor in self._histograms.state().items()}
        return moments | recorded | {"random": self._random.get_state()}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        require_fit({"random": self._random.get_state()}, {n: t for n, t in tensors.items() if n == "random"})
        self._optimizer.load(part(tensors, "optimizer"))
        self._histograms.load(part(tensors, "histograms"))
        self._random.set_state(tensors["random"].clone())

    def _check_gradients(self, rows: Part) -> GradientCheck:
        """On a copy of the net with its first parameters, so that nothing of the training is touched."""
        random = Generator().manual_seed(self._seed)
        net = self._make_net(self._schema, random)
        return check_net(net, self._goal.loss, rows.first(self._training.batch_size), random, self._seed)

    def _training_loss(self, batch: Part) -> Tensor:
        """The loss at the training's precision: the parameters and their gradients stay float32 in any."""
        if self._training.precision == "float32":
            return self._goal.loss(self._net, batch)
        with torch.autocast(batch.x.device.type, torch.bfloat16):
            return self._goal.loss(self._net, batch)

    def _plain_loss(self, net: nn.Module, batch: Part) -> Tensor:
        """The loss that leaves the random state as it was."""
        state = self._random.get_state()
        loss = self._goal.loss(net, batch)
        self._random.set_state(state)
        return loss


def make_optimizer(parameters: Iterable[Tensor], rule: Rule) -> Descending:
    """What steps by that rule. Raises ValueError for more parameters than Newton's method can take."""
    if rule.optimizer == "newton":
        return Newton(parameters, rule)
    return LBFGS(parameters, rule) if rule.optimizer == "lbfgs" else Optimizer(parameters, rule)


def _repeatable(loss: Callable[[], Tensor], random: Generator) -> Callable[[], Tensor]:
    """The loss with the same dropout and noise each time it is called."""
    state = random.get_state()

    def evaluate() -> Tensor:
        random.set_state(state)
        return loss()

    return evaluate
