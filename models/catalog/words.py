"""Words: vectors by skip-gram with negative samples (chapter 15), and neural language models (section 12.4)."""

from dataclasses import replace

from models.catalog.descent import AUGMENTATION, DESCENT
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import LANGUAGE, LOSS, NEIGHBOURS

_SECOND_ORDER = ("damping", "history")  # words want mini-batches
_DESCENT = {
    **{name: parameter for name, parameter in DESCENT.items() if name not in (*AUGMENTATION, *_SECOND_ORDER)},
    "optimizer": Parameter(
        "categorical",
        "adam",
        "Gradient descent with momentum, Adam, or Adam with decoupled weight decay (AdamW)",
        choices=("sgd", "adam", "adamw"),
    ),
}

LANGUAGE_MODEL = Trainer(
    name="language_model",
    title="Neural language model: the next word",
    chapter="12.4",
    forms=("text",),
    tasks=("language",),
    parameters={
        **_DESCENT,
        "learning_rate": replace(DESCENT["learning_rate"], default=0.003),
        "epochs": replace(DESCENT["epochs"], default=15),
        "batch_size": Parameter(
            "int",
            16,
            "Stretches of 32 words in a mini-batch; each is read without what is before it",
            low=1,
            high=65_536,
        ),
        "kind": Parameter(
            "categorical",
            "lstm",
            "What tells the next word: a window of the last words, or all before in the stretch, by a recurrence",
            choices=("window", "rnn", "lstm", "gru"),
        ),
        "context": Parameter("int", 5, "Words that the window sees; only for kind window", low=1, high=1000),
        "embedding_size": Parameter("int", 128, "Numbers that stand for each word", low=1, high=65_536),
        "hidden_size": Parameter("int", 128, "Hidden units of each layer", low=1, high=65_536),
        "layers": Parameter("int", 1, "Layers one above the other, each with states of its own", low=1, high=100),
        "dropout": Parameter(
            "float",
            0.5,
            "Share of the words' vectors and of each layer's units dropped at each training step",
            low=0.0,
            high=0.95,
        ),
        "tie_weights": Parameter(
            "bool", False, "The output compares the hidden state with the words' vectors, instead of weights of its own"
        ),
    },
    metrics=(*LOSS, *LANGUAGE),
    default_spec={
        "objective": {
            "trainer": "language_model",
            "data": "python_docs",
            "metric": "val_perplexity",
            "direction": "minimize",
            "fixed": {"epochs": 15, "batch_size": 16},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
            "kind": {"type": "categorical", "choices": ["window", "lstm", "gru"]},
            "context": {"type": "int", "low": 2, "high": 8, "when": {"kind": ["window"]}},
            "embedding_size": {"type": "int", "low": 32, "high": 128, "log": True},
            "hidden_size": {"type": "int", "low": 64, "high": 192, "log": True},
            "dropout": {"type": "float", "low": 0.2, "high": 0.7},
            "tie_weights": {"type": "categorical", "choices": [True, False]},
        },
        "early_stopping": {"patience": 2, "min_delta": 0.0},
    },
)

WORD2VEC = Trainer(
    name="word2vec",
    title="Word vectors: skip-gram with negative samples",
    chapter="15",
    forms=("text",),
    tasks=("language",),
    parameters={
        **_DESCENT,
        "learning_rate": replace(DESCENT["learning_rate"], default=0.005),
        "epochs": replace(DESCENT["epochs"], default=20),
        "batch_size": Parameter(
            "int",
            32,
            "Stretches of 32 words in a mini-batch; each gives some hundred pairs of words",
            low=1,
            high=65_536,
        ),
        "embedding_size": Parameter("int", 64, "Numbers that stand for each word", low=1, high=65_536),
        "window": Parameter("int", 5, "How far away a word's neighbours are at most", low=1, high=1000),
        "dynamic_window": Parameter(
            "bool", True, "Draw each word's reach from 1 to the window, so that near neighbours count more"
        ),
        "negatives": Parameter("int", 5, "Noise words beside each true neighbour", low=1, high=1000),
        "subsampling": Parameter(
            "float",
            1e-3,
            "A word more frequent than this share is left out, but for sqrt(subsampling / frequency); 0: none is",
            low=0.0,
            high=1.0,
        ),
        "noise_power": Parameter(
            "float", 0.75, "Noise words come in proportion to frequency ** noise_power", low=0.0, high=10.0
        ),
    },
    metrics=(*LOSS, *NEIGHBOURS),
    default_spec={
        "objective": {
            "trainer": "word2vec",
            "data": "python_docs",
            "metric": "val_mrr",
            "direction": "maximize",
            "fixed": {"epochs": 20, "batch_size": 32},
        },
        "space": {  # not subsampling: mrr is of all words, so that keeping frequent ones raises it, but spoils vectors
            "learning_rate": {"type": "float", "low": 2e-3, "high": 2e-2, "log": True},
            "embedding_size": {"type": "int", "low": 16, "high": 128, "log": True},
            "window": {"type": "int", "low": 2, "high": 10},
            "negatives": {"type": "int", "low": 2, "high": 15, "log": True},
        },
        "early_stopping": {"patience": 3, "min_delta": 0.0},
    },
)
