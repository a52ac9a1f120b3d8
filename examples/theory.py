"""Chapter 5 in numbers: bias and variance over capacity, the VC bound, the curse of dimensionality.

Run: python examples/theory.py
"""

import torch
from torch import Generator, Tensor

from models.catalog import Value
from models.datasets import load, split
from models.datasets.generated import NOISE, true_polynomial
from models.families import build
from models.theory import Decomposition, add_irrelevant, decompose_error, fit_polynomial, vc_bound

ROWS, RESAMPLES = 40, 200
NET: dict[str, Value] = {"hidden_layers": 1, "width": 16, "epochs": 60, "batch_size": 32, "l1": 0.006}


def decompose(degree: int) -> Decomposition:
    """Of polynomials of that degree, fitted to samples of the built-in set's distribution."""

    def inputs(rows: int, generator: Generator) -> Tensor:
        return 2.0 * torch.rand(rows, 1, generator=generator, dtype=torch.float64) - 1.0

    return decompose_error(
        fit_polynomial(degree),
        lambda x: true_polynomial(x[:, 0]),
        inputs=inputs,
        noise=NOISE,
        rows=ROWS,
        resamples=RESAMPLES,
        generator=Generator().manual_seed(0),
    )


def compare(data: str, irrelevant: int) -> tuple[float, float]:
    """Validation errors of 10-NN and of the net, with so many columns of noise beside the set's two: of three seeds."""
    knn, net = [], []
    for seed in range(3):
        parts = split(add_irrelevant(load(data), irrelevant, seed), seed)
        knn.append(list(build("knn", {"k": 10}).fit(parts))[-1].metrics["val_error"])
        net.append(list(build("mlp", NET, seed=seed).fit(parts))[-1].metrics["val_error"])
    return sum(knn) / 3, sum(net) / 3


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("degree   bias²  variance  noise   error")
    for degree in range(1, 11):
        found = decompose(degree)
        print(f"{degree:6}  {found.bias_squared:6.3f}  {found.variance:8.3f}  {found.noise:5.2f}  {found.error:6.3f}")
    print(
        "\nVC bound of the gap, 95 % sure, h = 10:", {m: round(vc_bound(10, m, 0.05), 3) for m in (100, 1000, 10_000)}
    )
    print("\ndata    irrelevant features   k-NN's error   a net's with L1")
    for data in ("moons", "blobs"):
        for irrelevant in (0, 10, 50, 200):
            knn, net = compare(data, irrelevant)
            print(f"{data:6}  {irrelevant:19}   {knn:12.3f}   {net:15.3f}")
