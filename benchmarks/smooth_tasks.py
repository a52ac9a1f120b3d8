"""Test functions of known minimum: smooth ones of the literature, and a made-up training with a cliff."""

import math

import numpy as np
from tuning_tasks import Task

from trialbook.space import Point, Space

REAL = {"type": "float", "low": 0.0, "high": 1.0}
TRAINING = {
    "rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 6},
    "width": {"type": "int", "low": 8, "high": 512, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "leaky_relu", "tanh"]},
}
WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
STEEPNESS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
PEAKS = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)


def branin(p: Point) -> float:
    """Three equal valleys in two dimensions."""
    x, y = 15 * p["x0"] - 5, 15 * p["x1"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann(p: Point) -> float:
    """Four peaks in six dimensions."""
    x = np.array([p[f"x{i}"] for i in range(6)])
    return -float(WEIGHTS @ np.exp(-(STEEPNESS * (x - PEAKS) ** 2).sum(axis=1)))


def rosenbrock(p: Point) -> float:
    """A long bent valley in five dimensions."""
    x = np.array([4 * p[f"x{i}"] - 2 for i in range(5)])
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def training(p: Point) -> float:
    """A made-up validation error: choices, a condition, and learning rates that blow up by 10^4 and more."""
    best = -1.5 - p.get("momentum", 0.5) + 0.5 if p["optimizer"] == "sgd" else -3.0
    off = math.log10(p["rate"]) - best
    if off > 1.7:
        return 1e4 * 10**off
    error = 0.02 + 0.03 * off**2 + 0.01 * abs(p["layers"] - 3) + 0.005 * (math.log2(p["width"] / 128)) ** 2
    error += {"relu": 0.0, "leaky_relu": 0.005, "tanh": 0.02}[p["activation"]]
    return min(error + (0.004 + 0.02 * (p["momentum"] - 0.8) ** 2 if p["optimizer"] == "sgd" else 0.0), 0.9)


def cube(width: int) -> Space:
    return Space.model_validate({f"x{i}": REAL for i in range(width)})


FUNCTIONS = {
    "Branin": Task(cube(2), branin, 0.397887),
    "Hartmann in 6 dimensions": Task(cube(6), hartmann, -3.32237),
    "Rosenbrock in 5 dimensions": Task(cube(5), rosenbrock, 0.0),
    "made-up training": Task(Space.model_validate(TRAINING), training, 0.02),
}
