"""What our training loop costs beside the same loop written bare in PyTorch, one row for each family and kind of data.

usage: python benchmarks/training_overhead.py [family …] [--seconds 4] [--limit 1.10]   (about two minutes)

Epochs of both in turn, in one thread, by the process's CPU time, so that a busy machine disturbs little. After each
epoch bare measures the loss and the main metric of both parts, ours all that the catalogue says. Exit 1 where a ratio
is above the limit. What is fitted at once has no loop: a support vector machine and a tree are compared with
scikit-learn's own fit; a polynomial is solved in closed form, and nearest neighbours only remember the rows.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import bare_loops
import bare_words
import torch

from models.catalog import TRAINERS, Value
from models.datasets import Column, Dataset, Split, load, split
from models.families import build
from models.learner import EarlyStopping, Epoch

WARM_UP = 3  # epochs of each that are not counted
FEWEST, MOST = 7, 120  # epochs that are


@dataclass(frozen=True)
class Case:
    """`data` is a built-in set or `blobs`, of which at most `rows` train and half as many validate; 0 for all."""

    trainer: str
    title: str
    data: str
    params: Mapping[str, Value] = field(default_factory=dict)
    rows: int = 0
    patience: int = 0


MOMENTUM = {"learning_rate": 1e-3}
ADAM = {"learning_rate": 1e-3, "optimizer": "adam"}
PRETRAINING = {"hidden_layers": 2, "width": 64}
CASES = (
    Case("linear", "diabetes", "diabetes", {"batch_size": 32}),
    Case("logistic", "digits", "digits", MOMENTUM),
    Case("mlp", "digits 1x32 sgd", "digits", {**MOMENTUM, "hidden_layers": 1, "width": 32}),
    Case("mlp", "digits 2x128 sgd", "digits", MOMENTUM),
    Case("mlp", "digits 2x128 sgd, stopping", "digits", MOMENTUM, patience=1_000_000),
    Case("mlp", "digits 2x128 sgd, dropout", "digits", {**MOMENTUM, "dropout": 0.3}),
    Case("mlp", "digits 2x128 adam", "digits", ADAM),
    Case("mlp", "digits 4x256 adam, batch 16", "digits", {**ADAM, "hidden_layers": 4, "width": 256, "batch_size": 16}),
    Case("mlp", "blobs 2x128 sgd, batch 128", "blobs", {**MOMENTUM, "batch_size": 128}),
    Case("mlp", "blobs 2x256 adam, batch 256", "blobs", {**ADAM, "width": 256, "batch_size": 256}),
    Case("multitask", "digits and parity 2x128 sgd", "digits_parity", MOMENTUM),
    Case("cnn", "digits 16, 32 filters sgd", "digits", MOMENTUM),
    Case("cnn", "mnist1d 16, 32 filters sgd", "mnist1d", MOMENTUM, rows=1000),
    Case("rnn", "adding_50 rnn 64", "adding_50", {**ADAM, "cell": "rnn"}, rows=1000),
    Case("rnn", "mnist1d lstm 32", "mnist1d", {**ADAM, "cell": "lstm", "hidden_size": 32}, rows=1000),
    Case("rnn", "mnist1d gru 32", "mnist1d", {**ADAM, "cell": "gru", "hidden_size": 32}, rows=1000),
    Case("rnn2d", "digits rnn 32", "digits", ADAM, rows=600),
    Case("seq2seq", "reversal gru 128", "reversal", ADAM, rows=600),
    Case("autoencoder", "digits to 16, 1x128 tanh", "digits", ADAM),
    Case("pretrained_mlp", "digits 2x64, pretraining", "digits", {**PRETRAINING, "pretraining_epochs": 60}),
    Case("pretrained_mlp", "digits 2x64, fine-tuning", "digits", {**PRETRAINING, "pretraining_epochs": 1}),
    Case("word2vec", "python_docs 64", "python_docs", ADAM, rows=320),
    Case("language_model", "python_docs lstm 128", "python_docs", ADAM, rows=128),
    Case("svm", "digits, fitted", "digits"),
    Case("tree", "digits, fitted", "digits"),
)

BARE: dict[str, bare_loops.Loop] = {
    "linear": bare_loops.train_affine,
    "logistic": bare_loops.train_affine,
    "svm": bare_loops.fit_svm,
    "tree": bare_loops.fit_tree,
    "mlp": bare_loops.train_mlp,
    "multitask": bare_loops.train_multitask,
    "cnn": bare_loops.train_cnn,
    "rnn": bare_loops.train_rnn,
    "rnn2d": bare_loops.train_rnn2d,
    "seq2seq": bare_words.train_seq2seq,
    "autoencoder": bare_loops.train_autoencoder,
    "pretrained_mlp": bare_loops.train_pretrained,
    "word2vec": bare_words.train_word2vec,
    "language_model": bare_words.train_language_model,
}


def read(case: Case) -> Split:
    data = split(make_blobs(20_000) if case.data == "blobs" else load(case.data))
    if not case.rows:
        return data
    return replace(data, train=data.train.first(case.rows), validation=data.validation.first(case.rows // 2))


def make_blobs(rows: int) -> Dataset:
    """Ten overlapping classes in 64 dimensions."""
    random = torch.Generator().manual_seed(0)
    y = torch.randint(10, (rows,), generator=random)
    centres = torch.randn(10, 64, generator=random)
    x = centres[y] + 2.0 * torch.randn(rows, 64, generator=random)
    return Dataset("blobs", "classification", x, y, tuple(Column(f"x{i}") for i in range(64)), tuple("0123456789"))


def train_ours(case: Case, data: Split) -> Iterator[Epoch]:
    """What is fitted at once is fitted again and again."""
    stopping = EarlyStopping("val_loss", "minimize", case.patience) if case.patience else None
    while True:
        more = {"epochs": 1_000_000} if "epochs" in TRAINERS[case.trainer].parameters else {}
        yield from build(case.trainer, {**case.params, **more}).fit(data, early_stopping=stopping)


def measure(case: Case, seconds: float) -> tuple[float, float]:
    """Median CPU seconds of an epoch, ours and bare, within so many in all; the order within each pair alternates."""
    data = read(case)
    bare = BARE[case.trainer](data, TRAINERS[case.trainer].complete(case.params))
    pair: list[Iterator[object]] = [train_ours(case, data), bare]
    spent: list[list[float]] = [[], []]
    ends = time.process_time() + seconds
    while len(spent[0]) < FEWEST + WARM_UP or (len(spent[0]) < MOST + WARM_UP and time.process_time() < ends):
        for which in (0, 1) if len(spent[0]) % 2 else (1, 0):
            begun = time.process_time()
            next(pair[which])
            spent[which].append(time.process_time() - begun)
    ours, theirs = (statistics.median(each[WARM_UP:]) for each in spent)
    return ours, theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(BARE)}; all of them without")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each row")
    parser.add_argument("--limit", type=float, default=1.10)
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(BARE):
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'family':<15} {'case':<29} {'ours ms':>9} {'bare ms':>9} {'ratio':>7}")
    worst = 0.0
    for case in CASES:
        if arguments.families and case.trainer not in arguments.families:
            continue
        ours, bare = measure(case, arguments.seconds)
        worst = max(worst, ours / bare)
        print(
            f"{case.trainer:<15} {case.title:<29} {ours * 1e3:>9.2f} {bare * 1e3:>9.2f} {ours / bare:>7.3f}", flush=True
        )
    print(f"worst ratio {worst:.3f}, limit {arguments.limit:.2f}")
    return int(worst > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
