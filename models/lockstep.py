"""Several models as one: over folds of the data and over seeds, one epoch each in turn (section 5.3.1)."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor

from models.checkpoint import part
from models.datasets import PartName, Schema, Split
from models.learner import Model


class Lockstep:
    """A `Model` whose members are one per fold of the split and seed; its metrics are their means.

    Where there are several members, `{metric}_std` beside each metric is their sample standard deviation.
    """

    def __init__(self, make: Callable[[int], Model], seeds: Sequence[int]) -> None:
        self._make, self._seeds = make, seeds
        self._members: list[Model] = []
        self.epochs = make(seeds[0]).epochs

    def prepare(self, schema: Schema) -> None:
        """One member for each seed, as for a split without folds."""
        self.prepare_folds([schema])

    def prepare_folds(self, schemas: Sequence[Schema]) -> None:
        """One member for each fold's schema and seed, in the order of `begin`."""
        self._members = [self._make(seed) for _ in schemas for seed in self._seeds]
        for i, member in enumerate(self._members):
            member.prepare(schemas[i // len(self._seeds)])

    def begin(self, split: Split) -> None:
        self._members = []
        for fold in split.folds or (split,):
            for seed in self._seeds:
                member = self._make(seed)
                member.begin(fold)
                self._members.append(member)

    @property
    def first(self) -> Model:
        """The member of the first fold and seed."""
        return self._members[0]

    def train(self, step: int) -> None:
        for member in self._members:
            member.train(step)

    def measure(self, which: PartName) -> Mapping[str, float]:
        measured = [member.measure(which) for member in self._members]
        if len(measured) == 1:
            return measured[0]
        columns = {name: [metrics[name] for metrics in measured] for name in measured[0]}
        means = {name: sum(values) / len(values) for name, values in columns.items()}
        return means | {f"{name}_std": spread(values) for name, values in columns.items()}

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The members' mean. Only for members with equal features, which folds of a table may not have."""
        return self.predict_folds([x] * (len(self._members) // len(self._seeds)), lengths)

    def predict_folds(self, xs: Sequence[Tensor], lengths: Tensor | None = None) -> Tensor:
        """The members' mean, or what most say where they say tokens; x of each fold, preprocessed as the fold's."""
        each = [m.predict(xs[i // len(self._seeds)], lengths) for i, m in enumerate(self._members)]
        if len(each) == 1:
            return each[0]
        stacked = torch.stack(each)
        return stacked.mean(dim=0) if stacked.is_floating_point() else stacked.mode(dim=0).values

    def parameters(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": t for i, member in enumerate(self._members) for name, t in member.parameters().items()}

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        members = {str(i) for i in range(len(self._members))}
        for name in tensors:
            if name.split(".", 1)[0] not in members:
                raise ValueError(f"the checkpoint does not fit: {name} is only in the file")
        for i, member in enumerate(self._members):  # each looks at its own shapes, which may depend on the data
            member.load_parameters(part(tensors, str(i)))

    def memory(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": t for i, member in enumerate(self._members) for name, t in member.memory().items()}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        for i, member in enumerate(self._members):
            member.load_memory(part(tensors, str(i)))


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation; nan where a value is not finite."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) * (v - mean) for v in values) / (len(values) - 1))


def derive_seeds(seed: int, count: int) -> list[int]:
    """The seed itself, then others drawn from it, so that neighbouring seeds share none."""
    drawn = torch.randint(2**62, (count,), generator=Generator().manual_seed(seed)).tolist()
    return [seed, *drawn[1:]]
