"""Several models as one: over folds of the data and over seeds, one epoch each in turn (section 5.3.1)."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor

from models.checkpoint import part, require_fit
from models.datasets import Split
from models.learner import Model


class Lockstep:
    """A `Model` whose members are one per fold of the split and seed; its metrics are their means.

    Where there are several members, `{metric}_std` beside each metric is their sample standard deviation.
    """

    def __init__(self, make: Callable[[int], Model], seeds: Sequence[int]) -> None:
        self._make, self._seeds = make, seeds
        self._members: list[Model] = []
        self.epochs = make(seeds[0]).epochs

    def begin(self, split: Split) -> None:
        self._members = []
        for fold in split.folds or (split,):
            for seed in self._seeds:
                member = self._make(seed)
                member.begin(fold)
                self._members.append(member)

    def train(self, step: int) -> None:
        for member in self._members:
            member.train(step)

    def evaluate(self) -> Mapping[str, float]:
        measured = [member.evaluate() for member in self._members]
        if len(measured) == 1:
            return measured[0]
        columns = {name: [metrics[name] for metrics in measured] for name in measured[0]}
        means = {name: sum(values) / len(values) for name, values in columns.items()}
        return means | {f"{name}_std": spread(values) for name, values in columns.items()}

    def predict(self, x: Tensor) -> Tensor:
        """The members' mean. Only for members with equal features, which folds of a table may not have."""
        return torch.stack([member.predict(x) for member in self._members]).mean(dim=0)

    def parameters(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": t for i, member in enumerate(self._members) for name, t in member.parameters().items()}

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        require_fit(self.parameters(), tensors)  # as a whole: a file of more members than these is refused too
        for i, member in enumerate(self._members):
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
