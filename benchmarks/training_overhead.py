"""What our training loop costs beside the same loop written bare in PyTorch: epochs of both, in turn, one thread.

usage: python benchmarks/training_overhead.py [--epochs 120] [--limit 1.10]   (exit 1 where a ratio is above the limit)
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.datasets import Column, Dataset, Split, load, split
from models.families import build
from models.learner import EarlyStopping


@dataclass(frozen=True)
class Case:
    title: str
    rows: int  # 0: the digits
    params: dict[str, float | int | str]
    patience: int = 0
    trainer: str = "mlp"


CASES = (
    Case("digits 1x32 sgd batch 64", 0, {"hidden_layers": 1, "width": 32}),
    Case("digits 2x128 sgd batch 64", 0, {"hidden_layers": 2, "width": 128}),
    Case(
        "digits 2x128 adam batch 64", 0, {"hidden_layers": 2, "width": 128, "optimizer": "adam", "learning_rate": 1e-3}
    ),
    Case("digits 2x128 sgd batch 64, dropout", 0, {"hidden_layers": 2, "width": 128, "dropout": 0.3}),
    Case("digits 4x256 adam batch 16", 0, {"hidden_layers": 4, "width": 256, "batch_size": 16, "optimizer": "adam"}),
    Case("digits 2x128 sgd batch 64, stopping", 0, {"hidden_layers": 2, "width": 128}, patience=1_000_000),
    Case("digits cnn 16, 32 filters sgd batch 64", 0, {"blocks": 2, "filters": 16}, trainer="cnn"),
    Case("20,000 x 64, 2x128 sgd batch 128", 20_000, {"hidden_layers": 2, "width": 128, "batch_size": 128}),
    Case("20,000 x 64, 2x256 adam batch 256", 20_000, {"width": 256, "batch_size": 256, "optimizer": "adam"}),
)


def make_mlp(data: Split, params: dict[str, float | int | str]) -> nn.Module:
    width, dropout, inputs = int(params["width"]), float(params["dropout"]), data.schema.size
    layers: list[nn.Module] = []
    for _ in range(int(params["hidden_layers"])):
        layers += [nn.Linear(inputs, width), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = width
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(inputs, len(data.schema.classes)))


def make_cnn(data: Split, params: dict[str, float | int | str]) -> nn.Module:
    """Channels-last, as a careful user would have it."""
    (channels, height, width), filters = data.schema.shape, int(params["filters"])
    layers: list[nn.Module] = []
    for _ in range(int(params["blocks"])):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, filters, height, width = filters, 2 * filters, height // 2, width // 2
    dense = [nn.Linear(channels * height * width, 64), nn.ReLU(), nn.Linear(64, len(data.schema.classes))]
    return nn.Sequential(*layers, nn.Flatten(), *dense).to(memory_format=torch.channels_last)


MAKE_BARE = {"mlp": make_mlp, "cnn": make_cnn}


def train_bare(net: nn.Module, data: Split, params: dict[str, float | int | str]) -> Iterator[dict[str, float]]:
    """The loop that a careful user writes by hand: same net, same optimizer, same metrics, nothing else."""
    rate, batch_size = float(params["learning_rate"]), int(params["batch_size"])
    if params["optimizer"] == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(net.parameters(), lr=rate, fused=True)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=float(params["momentum"]), fused=True)
    x_train, y_train = data.train.x, data.train.y
    while True:
        net.train()
        order = torch.randperm(len(y_train))
        x, y = x_train.index_select(0, order), y_train.index_select(0, order)
        for start in range(0, len(y), batch_size):
            loss = functional.cross_entropy(net(x[start : start + batch_size]), y[start : start + batch_size])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        yield evaluate_bare(net, data)


def evaluate_bare(net: nn.Module, data: Split) -> dict[str, float]:
    net.eval()
    metrics: dict[str, float] = {}
    with torch.inference_mode():
        for prefix, part in (("train_", data.train), ("val_", data.validation)):
            outputs: Tensor = net(part.x)
            accuracy = (outputs.argmax(dim=1) == part.y).float().mean().item()
            metrics[prefix + "loss"] = functional.cross_entropy(outputs, part.y).item()
            metrics[prefix + "accuracy"], metrics[prefix + "error"] = accuracy, 1.0 - accuracy
    return metrics


def generate(rows: int) -> Dataset:
    """Ten overlapping classes in 64 dimensions."""
    random = torch.Generator().manual_seed(0)
    y = torch.randint(10, (rows,), generator=random)
    centres = torch.randn(10, 64, generator=random)
    x = centres[y] + 2.0 * torch.randn(rows, 64, generator=random)
    return Dataset("blobs", "classification", x, y, tuple(Column(f"x{i}") for i in range(64)), tuple("0123456789"))


def measure(case: Case, epochs: int) -> tuple[float, float]:
    """Median seconds of an epoch, ours and bare; the order within each pair alternates."""
    data = split(generate(case.rows) if case.rows else load("digits"))
    shape = {"hidden_layers": 2} if case.trainer == "mlp" else {}
    params = {**shape, "dropout": 0.0, "optimizer": "sgd", "momentum": 0.9, "batch_size": 64}
    params = {"learning_rate": 1e-3, **params, **case.params}
    stopping = EarlyStopping("val_loss", "minimize", case.patience) if case.patience else None
    ours = build(case.trainer, {**params, "epochs": epochs + 10}).fit(data, early_stopping=stopping)
    pair: list[Iterator[object]] = [ours, train_bare(MAKE_BARE[case.trainer](data, params), data, params)]
    seconds: list[list[float]] = [[], []]
    for turn in range(epochs + 5):
        for which in (0, 1) if turn % 2 else (1, 0):
            begun = time.perf_counter()
            next(pair[which])
            if turn >= 5:  # the first few warm up
                seconds[which].append(time.perf_counter() - begun)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--limit", type=float, default=1.10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'case':<40} {'ours ms':>9} {'bare ms':>9} {'ratio':>7}")
    worst = 0.0
    for case in CASES:
        ours, bare = measure(case, arguments.epochs if not case.rows else max(arguments.epochs // 6, 10))
        worst = max(worst, ours / bare)
        print(f"{case.title:<40} {ours * 1e3:>9.2f} {bare * 1e3:>9.2f} {ours / bare:>7.3f}", flush=True)
    print(f"worst ratio {worst:.3f}, limit {arguments.limit:.2f}")
    return int(worst > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
