"""The catalogue: each trainer and each built-in data set as plain data. Loads no torch, so a server can show it."""

from models.catalog.autoencoder import AUTOENCODER, PRETRAINED_MLP
from models.catalog.classical import KNN, SVM, TREE
from models.catalog.cnn import CNN
from models.catalog.data import DATASETS
from models.catalog.entries import BuiltinDataset, Direction, Form, Metric, Parameter, Task, Trainer, Value
from models.catalog.linear import LINEAR, LOGISTIC
from models.catalog.mlp import MLP
from models.catalog.multitask import MULTITASK_NET
from models.catalog.polynomial import POLYNOMIAL
from models.catalog.rnn import RNN, RNN2D
from models.catalog.seq2seq import SEQ2SEQ_NET
from models.catalog.words import LANGUAGE_MODEL, WORD2VEC

TRAINERS: dict[str, Trainer] = {
    "linear": LINEAR,
    "polynomial": POLYNOMIAL,
    "logistic": LOGISTIC,
    "svm": SVM,
    "knn": KNN,
    "tree": TREE,
    "mlp": MLP,
    "multitask": MULTITASK_NET,
    "cnn": CNN,
    "rnn": RNN,
    "rnn2d": RNN2D,
    "seq2seq": SEQ2SEQ_NET,
    "autoencoder": AUTOENCODER,
    "pretrained_mlp": PRETRAINED_MLP,
    "word2vec": WORD2VEC,
    "language_model": LANGUAGE_MODEL,
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
