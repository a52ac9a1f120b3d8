"""Support vector machines (section 5.7.2), solved by scikit-learn; kept and evaluated as plain tensors."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.datasets import Schema
from models.fitted import Fitted, Learned, Shape

MOST_STEPS = 1_000_000  # of the solver, so that a hopeless C ends
CALIBRATED = 3000  # training rows, at most, on which the probabilities' sharpness is found
FOLDS = 3  # of that calibration
SHARPNESS = (0.01, 100.0)  # its range
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Kernel:
    """k(u, v): the scalar product, exp(-γ |u - v|²), or (γ u·v + coef0)^degree."""

    name: str
    degree: int
    coef0: float

    def __call__(self, x: Tensor, rows: Tensor, gamma: Tensor) -> Tensor:
        """(B, F), (S, F) → (B, S), all float64."""
        if self.name == "rbf":
            return torch.exp(-gamma * torch.cdist(x, rows).square())
        product = x @ rows.T
        return product if self.name == "linear" else (gamma * product + self.coef0) ** self.degree


def build(
    *, seed: int, kernel: str, C: float, gamma: float, gamma_unit: str, degree: int, coef0: float, epsilon: float
) -> Fitted:
    """Hinge loss for classes, one machine for each pair; epsilon-insensitive loss for numbers. No randomness."""

    def make(schema: Schema) -> Classifier | Regressor:
        machine = Machine(Kernel(kernel, degree, coef0), C, gamma, gamma_unit == "scale")
        return Classifier(schema, machine) if schema.classes else Regressor(schema, machine, epsilon)

    return Fitted(make)


@dataclass(frozen=True)
class Machine:
    """The hyperparameters that both tasks share, and the function that both learn."""

    kernel: Kernel
    C: float
    gamma: float
    is_scaled: bool  # whether gamma is in units of 1 / (features · variance)

    def options(self, x: Tensor) -> dict[str, Any]:  # Any: scikit-learn's arguments
        """For the solver, to be fitted to x (N, F)."""
        kernel = self.kernel
        shape = {"kernel": kernel.name, "degree": kernel.degree, "coef0": kernel.coef0, "gamma": self._width(x)}
        return {**shape, "C": self.C, "max_iter": MOST_STEPS}

    def _width(self, x: Tensor) -> float:
        variance = x.var(correction=0).item() * x.shape[1] if self.is_scaled else 1.0
        return self.gamma / (variance or 1.0)

    def decide(self, learned: Learned, x: Tensor) -> Tensor:
        """Σ c k(x, v) + b over the support vectors v: (B, F) → (B, machines)."""
        vectors, gamma, coefficients = learned["vectors"], learned["gamma"], learned["coefficients"].T
        sums = [self.kernel(rows.double(), vectors, gamma) @ coefficients for rows in torch.split(x, ROWS_AT_ONCE)]
        return torch.cat(sums) + learned["intercepts"]


def list_shapes(features: int, machines: int) -> dict[str, Shape]:
    """Of what `Machine.decide` takes."""
    vectors: dict[str, Shape] = {"vectors": ("vectors", features), "coefficients": (machines, "vectors")}
    return {**vectors, "intercepts": (machines,), "gamma": ()}


class Regressor:
    """A number, in deviations of the target; errors below epsilon cost nothing."""

    def __init__(self, schema: Schema, machine: Machine, epsilon: float) -> None:
        self._features, self._machine, self._epsilon = schema.size, machine, epsilon

    def shapes(self) -> dict[str, Shape]:
        return list_shapes(self._features, 1)

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        from sklearn.svm import SVR  # only here: scikit-learn costs each training process two seconds

        options = self._machine.options(x.double())
        solved = SVR(**options, epsilon=self._epsilon).fit(x.double().numpy(), y.numpy())
        return _tensors(solved.support_vectors_, solved.dual_coef_, solved.intercept_, options["gamma"])

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        return self._machine.decide(learned, x)


class Classifier:
    """A machine for each pair of classes; they vote, and decisions, which count less than a vote, part equal votes.

    The probabilities are softmax(sharpness · scores). The sharpness, above 0, has the best likelihood in a
    cross-validation within the training rows (after Platt 1999); so the likeliest class is the one that wins the vote.
    """

    def __init__(self, schema: Schema, machine: Machine) -> None:
        self._features, self._classes, self._machine = schema.size, len(schema.classes), machine
        self._pairs = list(itertools.combinations(range(self._classes), 2))

    def shapes(self) -> dict[str, Shape]:
        return {**list_shapes(self._features, len(self._pairs)), "sharpness": ()}

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        some = torch.arange(0, len(x), math.ceil(len(x) / CALIBRATED))
        sharpness = self._calibrate(x[some], y[some])
        return {**self._solve(x, y), "sharpness": torch.tensor(sharpness, dtype=torch.float64)}

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        logits = learned["sharpness"] * self._score(learned, x)
        return logits[:, 1:] - logits[:, :1] if self._classes == 2 else logits

    def _score(self, learned: Learned, x: Tensor) -> Tensor:
        """(B, F) → (B, C): of two classes the decision for and against, else votes + Σ / (3 (|Σ| + 1)), Σ of decisions.

        The latter are scikit-learn's scores of its decision_function_shape "ovr".
        """
        decisions = self._machine.decide(learned, x)  # (B, pairs)
        if self._classes == 2:
            return torch.cat([decisions, -decisions], dim=1) / 2
        first, second = (torch.tensor(side) for side in zip(*self._pairs, strict=True))
        wins, sums = (torch.zeros(len(x), self._classes, dtype=torch.float64) for _ in range(2))
        won = (decisions >= 0).double()
        wins.index_add_(1, first, won).index_add_(1, second, 1.0 - won)
        sums.index_add_(1, first, decisions).index_add_(1, second, -decisions)
        return wins + sums / (3.0 * (sums.abs() + 1.0))

    def _solve(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        from sklearn.svm import SVC  # as above

        options = self._machine.options(x.double())
        solved = SVC(**options).fit(x.double().numpy(), y.numpy())
        # scikit-learn's decision between two classes is positive for the second, among several for a pair's first
        sign = -1.0 if len(solved.classes_) == 2 else 1.0
        dual, owner = sign * solved.dual_coef_, np.repeat(solved.classes_, solved.n_support_)
        place = {int(label): position for position, label in enumerate(solved.classes_)}
        machines = dict(zip(itertools.combinations(place, 2), sign * solved.intercept_, strict=True))
        coefficients, intercepts = np.zeros((len(self._pairs), len(owner))), np.zeros(len(self._pairs))
        for row, (first, second) in enumerate(self._pairs):
            if (first, second) in machines:
                coefficients[row, owner == first] = dual[place[second] - 1, owner == first]
                coefficients[row, owner == second] = dual[place[first], owner == second]
                intercepts[row] = machines[first, second]
            else:  # a class that no row here is of loses
                intercepts[row] = 1.0 if first in place else -1.0
        return _tensors(solved.support_vectors_, coefficients, intercepts, options["gamma"])

    def _calibrate(self, x: Tensor, y: Tensor) -> float:
        if torch.bincount(y, minlength=2).sort().values[-2] < 2:
            return 1.0  # too few rows to leave some out
        turn = torch.empty_like(y)
        turn[y.argsort(stable=True)] = torch.arange(len(y)) % FOLDS  # each class in proportion
        scores = torch.empty(len(y), self._classes, dtype=torch.float64)
        for fold in range(FOLDS):
            scores[turn == fold] = self._score(self._solve(x[turn != fold], y[turn != fold]), x[turn == fold])
        return find_sharpness(scores, y)


def find_sharpness(scores: Tensor, y: Tensor) -> float:
    """The a for which softmax(a · scores) (N, C) has the best likelihood of y (N,), by bisection of its derivative.

    The likelihood is concave in a. As in Platt's scaling, y is taken as one observation of each class more would have
    it: so that a stays finite where no row is wrong.
    """
    rows, classes = scores.shape
    wanted = torch.full_like(scores, 1.0 / (rows + classes)).scatter_(1, y[:, None], (rows + 1.0) / (rows + classes))
    low, high = (math.log(end) for end in SHARPNESS)
    for _ in range(40):
        middle = (low + high) / 2
        slope = ((torch.softmax(math.exp(middle) * scores, dim=1) - wanted) * scores).sum()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return math.exp((low + high) / 2)


def _tensors(vectors: Any, coefficients: Any, intercepts: Any, gamma: float) -> dict[str, Tensor]:  # Any: numpy's
    return {
        "vectors": torch.tensor(vectors),
        "coefficients": torch.tensor(coefficients),
        "intercepts": torch.tensor(intercepts),
        "gamma": torch.tensor(gamma, dtype=torch.float64),
    }
