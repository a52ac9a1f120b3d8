"""Polynomial regression (section 5.2)."""

from models.catalog.descent import FLAT
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import LOSS, REGRESSION

POLYNOMIAL = Trainer(
    name="polynomial",
    title="Polynomial regression",
    chapter="5.2",
    forms=FLAT,
    tasks=("regression",),
    parameters={
        "degree": Parameter("int", 3, "Highest degree of a term; it sets the model's capacity", low=1, high=100),
        "l2": Parameter("float", 0.0, "L2 penalty: l2 / 2 * sum of squared weights is added to the loss", low=0.0),
        "interactions": Parameter(
            "bool", True, "Products of several features too, up to the degree in all; false: powers of each alone"
        ),
    },
    metrics=(*LOSS, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "polynomial",
            "data": "polynomial",
            "metric": "val_mse",
            "direction": "minimize",
            "fixed": {},
        },
        "space": {
            "degree": {"type": "int", "low": 1, "high": 15},
            "l2": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
        },
    },
)
