"""Sequence to sequence and vector to sequence (section 10.4)."""

from dataclasses import replace

from models.catalog.descent import DESCENT
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import LOSS, SEQ2SEQ

SEQ2SEQ_NET = Trainer(
    name="seq2seq",
    title="Encoder-decoder: from a sequence or a vector to a sequence",
    chapter="10.4",
    forms=("tokens", "table", "image"),
    tasks=("seq2seq",),
    parameters={
        **DESCENT,
        "optimizer": replace(DESCENT["optimizer"], default="adam"),
        "learning_rate": replace(DESCENT["learning_rate"], default=0.005),
        "cell": Parameter(
            "categorical", "gru", "Vanilla RNN, or with gates that keep what is old", choices=("rnn", "lstm", "gru")
        ),
        "hidden_size": Parameter("int", 128, "Hidden units of each layer, in each direction", low=1, high=65_536),
        "embedding_size": Parameter("int", 32, "Numbers that stand for each token", low=1, high=65_536),
        "layers": Parameter("int", 1, "Recurrent layers of the encoder, and of the decoder", low=1, high=100),
        "bidirectional": Parameter(
            "bool", False, "The encoder also reads from the end to the start; only for sequences of tokens"
        ),
        "context": Parameter(
            "categorical",
            "initial",
            "What has been read is the decoder's first state, an input at each of its steps, or both",
            choices=("initial", "each_step", "both"),
        ),
        "teacher_forcing": Parameter(
            "float",
            1.0,
            "Share of the batches in which the decoder is fed with the true tokens; in the others with its own",
            low=0.0,
            high=1.0,
        ),
        "dropout": Parameter(
            "float", 0.0, "Share of what enters a layer, or leaves the last, dropped in training", low=0.0, high=0.95
        ),
    },
    metrics=(*LOSS, *SEQ2SEQ),
    default_spec={
        "objective": {
            "trainer": "seq2seq",
            "data": "reversal",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {"epochs": 15, "batch_size": 32, "learning_rate_decay": "exponential", "decay_epochs": 15},
        },
        "space": {
            "learning_rate": {"type": "float", "low": 1e-3, "high": 0.02, "log": True},
            "cell": {"type": "categorical", "choices": ["lstm", "gru"]},
            "context": {"type": "categorical", "choices": ["initial", "each_step", "both"]},
            "hidden_size": {"type": "int", "low": 64, "high": 160, "log": True},
        },
        "early_stopping": {"patience": 5, "min_delta": 0.0},
    },
)
