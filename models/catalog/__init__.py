"""The catalogue: each trainer and each built-in data set as plain data. Loads no torch, so a server can show it."""

from models.catalog.data import DATASETS
from models.catalog.entries import BuiltinDataset, Direction, Form, Metric, Parameter, Task, Trainer, Value
from models.catalog.linear import LINEAR, LOGISTIC
from models.catalog.mlp import MLP

TRAINERS: dict[str, Trainer] = {
    "linear": LINEAR,
    "logistic": LOGISTIC,
    "mlp": MLP,
}

__all__ = [
    "DATASETS",
    "TRAINERS",
    "BuiltinDataset",
    "Direction",
    "Form",
    "Metric",
    "Parameter",
    "Task",
    "Trainer",
    "Value",
]
