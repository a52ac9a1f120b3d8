"""The multilayer perceptron (chapter 6)."""

from models.catalog.descent import DESCENT, FLAT, UNEQUAL
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, REGRESSION

UNITS = ("relu", "leaky_relu", "prelu", "absolute", "tanh", "sigmoid", "softplus", "hard_tanh", "softmax")

MLP = Trainer(
    name="mlp",
    title="Multilayer perceptron",
    chapter="6",
    forms=FLAT,
    tasks=("classification", "regression", "labelling"),
    parameters={
        **DESCENT,
        **UNEQUAL,
        "hidden_layers": Parameter("int", 2, "Number of hidden layers; with 0 it is a linear model", low=0, high=100),
        "width": Parameter("int", 128, "Hidden units in each layer", low=1, high=65_536),
        "activation": Parameter("categorical", "relu", "The hidden unit", choices=UNITS),
        "slope": Parameter("float", 0.01, "Slope of leaky_relu below zero, or prelu's at the start", low=0.0, high=1.0),
        "init": Parameter(
            "categorical",
            "auto",
            "First weights: He's or Glorot's variance; auto takes He for rectifiers",
            choices=("auto", "he", "glorot"),
        ),
        "dropout": Parameter(
            "float", 0.0, "Share of the hidden units dropped at each training step", low=0.0, high=0.95
        ),
        "hidden_noise": Parameter(
            "float", 0.0, "Deviation of the noise added to the hidden units in training", low=0.0, high=100.0
        ),
        "window": Parameter(
            "int",
            0,
            "Of a sequence only the last so many steps are seen, at each step where each has a label; 0: all",
            low=0,
            high=1_000_000,
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "mlp",
            "data": "digits",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 40, "batch_size": 64},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            "hidden_layers": {"type": "int", "low": 1, "high": 4},
            "width": {"type": "int", "low": 16, "high": 256, "log": True},
            "activation": {"type": "categorical", "choices": ["relu", "leaky_relu", "tanh"]},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
            "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
            "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        },
        "early_stopping": {"patience": 8, "min_delta": 0.0},
    },
)
