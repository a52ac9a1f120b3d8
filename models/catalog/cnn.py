"""The convolutional net (chapter 9)."""

from dataclasses import replace

from models.catalog.descent import DESCENT, UNEQUAL
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, REGRESSION
from models.catalog.mlp import MLP

_SHARED = ("activation", "slope", "init")

CNN = Trainer(
    name="cnn",
    title="Convolutional net, over images or along sequences",
    chapter="9",
    forms=("image", "sequence"),
    tasks=("classification", "regression"),
    parameters={
        **DESCENT,
        **UNEQUAL,
        "learning_rate": replace(DESCENT["learning_rate"], default=0.02),
        "blocks": Parameter("int", 2, "Blocks of convolutions, each with a pooling at its end", low=1, high=12),
        "convolutions": Parameter("int", 1, "Convolutions in each block", low=1, high=12),
        "filters": Parameter("int", 16, "Filters of each convolution in the first block", low=1, high=4096),
        "filter_growth": Parameter(
            "float", 2.0, "Each block has so many times the filters of the block before it", low=0.25, high=4.0
        ),
        "filter_size": Parameter("int", 3, "Pixels of a filter's side, or steps along a sequence", low=1, high=101),
        "stride": Parameter("int", 1, "Stride of each block's first convolution", low=1, high=100),
        "padding": Parameter(
            "categorical",
            "same",
            "Zeros around the maps so that they keep their size; valid: none, and maps shrink by filter_size - 1",
            choices=("same", "valid"),
        ),
        "pooling": Parameter(
            "categorical",
            "max",
            "How each block ends; none: its last convolution strides by pool_size in place of a pooling",
            choices=("max", "average", "none"),
        ),
        "pool_size": Parameter("int", 2, "Side of the pooling's window, which is its stride too", low=1, high=100),
        "fc_layers": Parameter(
            "int", 1, "Fully connected hidden layers after the blocks, before the output layer", low=0, high=12
        ),
        "fc_width": Parameter("int", 64, "Units in each fully connected hidden layer", low=1, high=65_536),
        **{name: MLP.parameters[name] for name in _SHARED},
        "dropout": Parameter(
            "float", 0.0, "Share of the inputs of each fully connected layer dropped at each step", low=0.0, high=0.95
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "cnn",
            "data": "digits",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 20, "batch_size": 64},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 3e-3, "high": 0.3, "log": True},
            "blocks": {"type": "int", "low": 1, "high": 3},
            "convolutions": {"type": "int", "low": 1, "high": 2},
            "filters": {"type": "int", "low": 8, "high": 32, "log": True},
            "filter_size": {"type": "int", "low": 3, "high": 5, "step": 2},
            "pooling": {"type": "categorical", "choices": ["max", "average", "none"]},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        },
        "early_stopping": {"patience": 5, "min_delta": 0.0},
    },
)
