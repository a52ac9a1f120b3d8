"""Linear regression, and logistic or softmax regression (chapter 5)."""

from dataclasses import replace

from models.catalog.descent import DESCENT, FLAT, UNEQUAL
from models.catalog.entries import Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, REGRESSION

_SPACE = {
    "learning_rate": {"type": "float", "low": 1e-3, "high": 0.3, "log": True},
    "l1": {"type": "float", "low": 1e-6, "high": 0.1, "log": True},
    "l2": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
}

LINEAR = Trainer(
    name="linear",
    title="Linear regression",
    chapter="5.1.4",
    forms=FLAT,
    tasks=("regression",),
    parameters={**DESCENT, "learning_rate": replace(DESCENT["learning_rate"], default=0.01)},
    metrics=(*LOSS, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "linear",
            "data": "diabetes",
            "metric": "val_mse",
            "direction": "minimize",
            "fixed": {"epochs": 60, "batch_size": 32},
        },
        "space": _SPACE,
        "early_stopping": {"patience": 10, "min_delta": 0.0},
    },
)

LOGISTIC = Trainer(
    name="logistic",
    title="Logistic and softmax regression",
    chapter="5.7.1",
    forms=FLAT,
    tasks=("classification",),
    parameters={**DESCENT, **UNEQUAL},
    metrics=(*LOSS, *CLASSIFICATION),
    default_spec={
        "objective": {
            "trainer": "logistic",
            "data": "breast_cancer",
            "metric": "val_loss",
            "direction": "minimize",
            "fixed": {"epochs": 60, "batch_size": 32},
        },
        "space": _SPACE,
        "early_stopping": {"patience": 10, "min_delta": 0.0},
    },
)
