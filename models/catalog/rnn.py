"""Recurrent nets (chapter 10), over a sequence or over an image."""

from dataclasses import replace

from models.catalog.descent import DESCENT, UNEQUAL
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, REGRESSION

_DESCENT = {
    **DESCENT,
    **UNEQUAL,
    "optimizer": replace(DESCENT["optimizer"], default="adam"),
    "learning_rate": replace(DESCENT["learning_rate"], default=0.005),
}

RNN = Trainer(
    name="rnn",
    title="Recurrent net: vanilla RNN, LSTM or GRU",
    chapter="10",
    forms=("sequence", "image"),
    tasks=("classification", "regression", "labelling"),
    parameters={
        **_DESCENT,
        "cell": Parameter(
            "categorical", "gru", "Vanilla RNN, or with gates that keep what is old", choices=("rnn", "lstm", "gru")
        ),
        "nonlinearity": Parameter("categorical", "tanh", "The unit of the cell rnn", choices=("tanh", "relu")),
        "hidden_size": Parameter("int", 64, "Hidden units of a cell, in each direction", low=1, high=65_536),
        "layers": Parameter(
            "int", 1, "Cells one above the other: each reads the states of the one below", low=1, high=100
        ),
        "bidirectional": Parameter("bool", False, "A second cell in each layer reads from the end to the start"),
        "readout": Parameter(
            "categorical",
            "last",
            "What the output sees: the last state, their mean or maximum, or all side by side; not for labelling",
            choices=("last", "mean", "max", "all"),
        ),
        "dropout": Parameter(
            "float", 0.0, "Share of the states dropped between layers in training", low=0.0, high=0.95
        ),
        "init": Parameter(
            "categorical",
            "orthogonal",
            "First weights from state to state: orthogonal; or all uniform within 1 / sqrt(hidden_size)",
            choices=("orthogonal", "uniform"),
        ),
        "forget_bias": Parameter(
            "float",
            1.0,
            "First bias of the lstm's forget gate; its input gate's, as the gru's update gate's, is the negative",
            low=-100.0,
            high=100.0,
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "rnn",
            "data": "mnist1d",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 40, "batch_size": 100, "clip_norm": 1.0},
        },
        "space": {
            "cell": {"type": "categorical", "choices": ["rnn", "lstm", "gru"]},
            "learning_rate": {"type": "float", "low": 1e-3, "high": 0.03, "log": True},
            "hidden_size": {"type": "int", "low": 6, "high": 48, "log": True},
            "bidirectional": {"type": "categorical", "choices": [False, True]},
            "readout": {"type": "categorical", "choices": ["last", "mean", "all"]},
        },
        "early_stopping": {"patience": 8, "min_delta": 0.0},
    },
)

RNN2D = Trainer(
    name="rnn2d",
    title="Recurrent net over an image, from its four corners",
    chapter="10",
    forms=("image",),
    tasks=("classification", "regression"),
    parameters={
        **_DESCENT,
        "cell": Parameter(
            "categorical", "rnn", "Vanilla RNN, or LSTM with a forget gate for each side", choices=("rnn", "lstm")
        ),
        "hidden_size": Parameter("int", 32, "Hidden units of each corner's cell", low=1, high=65_536),
        "patch": Parameter("int", 1, "A step reads a square of so many pixels each way", low=1, high=10_000),
        "readout": Parameter(
            "categorical",
            "last",
            "What the output sees of each corner's states: the last one, opposite, or the mean of all places",
            choices=("last", "mean"),
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "rnn2d",
            "data": "digits",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 25, "batch_size": 64},
        },
        "space": {
            "cell": {"type": "categorical", "choices": ["rnn", "lstm"]},
            "learning_rate": {"type": "float", "low": 1e-3, "high": 0.03, "log": True},
            "hidden_size": {"type": "int", "low": 8, "high": 48, "log": True},
            "patch": {"type": "int", "low": 1, "high": 2},
            "readout": {"type": "categorical", "choices": ["last", "mean"]},
        },
        "early_stopping": {"patience": 6, "min_delta": 0.0},
    },
)
