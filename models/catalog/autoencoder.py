"""Autoencoders (chapter 14), and the perceptron that they pretrain layer by layer (section 15.1)."""

from dataclasses import replace

from models.catalog.descent import DESCENT, FLAT, UNEQUAL
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, PROBE, RECONSTRUCTION, REGRESSION
from models.catalog.mlp import MLP

_CORRUPTION = {
    "corruption": Parameter(
        "categorical",
        "masking",
        "Noise on the input in training: gaussian adds to each number, masking sets numbers to the mean",
        choices=("masking", "gaussian"),
    ),
    "noise": Parameter(
        "float",
        0.3,
        "Share of the numbers that masking hides, or deviation of gaussian noise (the data's own is about 1)",
        low=0.0,
        high=0.95,
    ),
}

AUTOENCODER = Trainer(
    name="autoencoder",
    title="Autoencoder",
    chapter="14",
    forms=FLAT,
    tasks=("classification", "regression"),
    parameters={
        **{name: parameter for name, parameter in DESCENT.items() if name != "input_noise"},  # denoising has its own
        "learning_rate": replace(DESCENT["learning_rate"], default=2e-3),
        "optimizer": replace(DESCENT["optimizer"], default="adam"),
        "kind": Parameter(
            "categorical",
            "undercomplete",
            "What keeps the code from merely copying: its size alone, a sparsity penalty, noise on the input, or a"
            " penalty on the encoder's slopes",
            choices=("undercomplete", "sparse", "denoising", "contractive"),
        ),
        "code_size": Parameter("int", 16, "Numbers in the code", low=1, high=65_536),
        "hidden_layers": Parameter("int", 1, "Hidden layers before the code, and as many after it", low=0, high=20),
        "width": Parameter("int", 128, "Hidden units in each layer", low=1, high=65_536),
        "activation": Parameter(
            "categorical", "tanh", "The hidden unit", choices=("relu", "tanh", "sigmoid", "softplus")
        ),
        "code_activation": Parameter(
            "categorical",
            "linear",
            "The code's unit; for a sparse code relu, or sigmoid with kl",
            choices=("linear", "relu", "tanh", "sigmoid", "softplus"),
        ),
        "tied": Parameter("bool", False, "The decoder's weights are the encoder's, transposed"),
        "penalty": Parameter(
            "float",
            1e-3,
            "Weight of the penalty in the loss; only for sparse and contractive. Beside l1 or l2, or tied, it cannot be"
            " evaded by small codes and large weights",
            low=0.0,
        ),
        "sparsity": Parameter(
            "categorical",
            "l1",
            "Penalty of sparse: the code's absolute values, or how far each unit's mean activity is from `activity`"
            " (kl; the code must be sigmoid)",
            choices=("l1", "kl"),
        ),
        "activity": Parameter("float", 0.05, "Mean activity of each unit that kl asks for", low=0.001, high=0.999),
        **_CORRUPTION,
    },
    metrics=(*LOSS, *RECONSTRUCTION, *PROBE),
    default_spec={
        "objective": {
            "trainer": "autoencoder",
            "data": "digits",
            # reconstruction alone would always choose the largest code without penalty or noise
            "metric": "val_probe_error",
            "direction": "minimize",
            "fixed": {"epochs": 40, "batch_size": 64, "code_size": 16},
        },
        "space": {
            "kind": {"type": "categorical", "choices": ["undercomplete", "sparse", "denoising", "contractive"]},
            "learning_rate": {"type": "float", "low": 3e-4, "high": 1e-2, "log": True},
            "hidden_layers": {"type": "int", "low": 0, "high": 2},
            "width": {"type": "int", "low": 32, "high": 256, "log": True},
            "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
            "code_activation": {"type": "categorical", "choices": ["linear", "relu", "tanh"]},
            "penalty": {
                "type": "float",
                "low": 1e-5,
                "high": 1e-1,
                "log": True,
                "when": {"kind": ["sparse", "contractive"]},
            },
            "noise": {"type": "float", "low": 0.05, "high": 0.6, "when": {"kind": ["denoising"]}},
        },
        "early_stopping": {"patience": 10, "min_delta": 0.0},
    },
)

PRETRAINED_MLP = Trainer(
    name="pretrained_mlp",
    title="Perceptron with layer-wise pretraining",
    chapter="15.1",
    forms=FLAT,
    tasks=("classification", "regression"),
    parameters={
        **DESCENT,
        **UNEQUAL,
        "epochs": replace(
            DESCENT["epochs"],
            default=60,
            help="Passes over the training data, at most; the first hidden_layers * pretraining_epochs are pretraining",
        ),
        "hidden_layers": replace(MLP.parameters["hidden_layers"], help="Number of hidden layers", low=1),
        **{name: MLP.parameters[name] for name in ("width", "activation", "slope", "dropout")},
        "pretraining_epochs": Parameter(
            "int",
            10,
            "Epochs in which each hidden layer learns to reconstruct the layer below, without labels, before the whole"
            " net is trained; 0 for none. Meanwhile only reconstruction improves: early stopping's patience and a"
            " pruner's warm-up should be longer than hidden_layers * pretraining_epochs",
            low=0,
            high=1_000_000,
        ),
        "pretraining_rate": Parameter("float", 2e-3, "Adam's step size in pretraining", low=0.0),
        **_CORRUPTION,
        "labelled": Parameter(
            "int",
            0,
            "Training rows whose labels are used, evenly spread over the classes or the target's range; 0 for all."
            " Pretraining sees all rows",
            low=0,
            high=1_000_000_000,
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION, *RECONSTRUCTION),
    default_spec={
        "objective": {
            "trainer": "pretrained_mlp",
            "data": "digits",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 60, "batch_size": 64},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 1e-3, "high": 0.5, "log": True},
            "hidden_layers": {"type": "int", "low": 1, "high": 3},
            "width": {"type": "int", "low": 32, "high": 256, "log": True},
            "pretraining_epochs": {"type": "int", "low": 0, "high": 6},
            "pretraining_rate": {"type": "float", "low": 3e-4, "high": 1e-2, "log": True},
            "noise": {"type": "float", "low": 0.0, "high": 0.6},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        },
        "early_stopping": {"patience": 20, "min_delta": 0.0},  # longer than 3 layers of 6 epochs
    },
)
