"""What autoencoders and pretraining do on the digits (chapters 14 and 15).

usage: python benchmarks/book_autoencoders.py [sizes] [kinds] [labels]   (all of them, about two minutes)
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn

from models import autoencoder, pretrained_mlp
from models.autoencoder import Coder
from models.catalog import TRAINERS, Value
from models.codes import CORRUPTIONS, Layer
from models.datasets import Split, load, split
from models.descent import Descent, Training
from models.probe import fit_probe, last_features
from models.units import Dense, Flat

Params = dict[str, Value]


def train_coder(data: Split, params: Params) -> Coder:
    model = autoencoder.build(seed=0, **TRAINERS["autoencoder"].complete(params))  # type: ignore[arg-type]
    model.begin(data)
    for step in range(model.epochs):
        model.train(step)
    return model


def probe_error(data: Split, encode: Callable[[Tensor], Tensor]) -> float:
    """Test error of a linear probe on features of the training part."""
    probe = fit_probe(encode(data.train.x), data.train.y, len(data.schema.classes))
    return (probe(encode(data.test.x)).argmax(dim=1) != data.test.y).double().mean().item()


def compare_sizes(data: Split) -> None:
    """Test part: squared error by standardized pixel, and error of a linear probe on the codes."""
    train, test = data.train.x.flatten(1), data.test.x.flatten(1)
    centre = train.mean(dim=0)
    axes = torch.linalg.svd((train - centre).double(), full_matrices=False).Vh.float()
    print(f"{'code size':>9} {'PCA':>8} {'autoenc.':>8}   {'probe: PCA':>10} {'autoenc.':>8}")
    for size in (4, 8, 16, 32):
        down = axes[:size].T
        principal = ((test - centre) @ down @ down.T + centre - test).square().mean().item()
        model = train_coder(data, {"code_size": size})
        error = model.measure("test")["reconstruction"]
        probes = probe_error(data, lambda x, down=down: (x.flatten(1) - centre) @ down), probe_error(data, model.encode)  # type: ignore[misc]
        print(f"{size:>9} {principal:>8.4f} {error:>8.4f}   {probes[0]:>10.3f} {probes[1]:>8.3f}", flush=True)
    net = train_classifier(data)
    raw, learned = probe_error(data, lambda x: x.flatten(1)), probe_error(data, lambda x: last_features(net, x))
    print(f"probe on all pixels {raw:.3f}, on the last hidden layer of a trained mlp {learned:.3f}")


def train_classifier(data: Split) -> nn.Module:
    """A perceptron that is trained by the labels."""
    random = torch.Generator().manual_seed(0)
    hidden = [Layer(64, 128, "relu", random), Layer(128, 128, "relu", random)]
    net = nn.Sequential(Flat(), *hidden, Dense(torch.zeros(10, 128)))
    model = Descent(lambda *_: net, Training.of(learning_rate=0.05, momentum=0.9, epochs=20, batch_size=64), seed=0)
    model.begin(data)
    for step in range(model.epochs):
        model.train(step)
    return net


KINDS: dict[str, Params] = {
    "undercomplete, relu": {"code_activation": "relu", "tied": True},
    "sparse l1, relu": {"kind": "sparse", "penalty": 0.01, "code_activation": "relu", "tied": True},
    "undercomplete, sigmoid": {"code_activation": "sigmoid"},
    "sparse kl, sigmoid": {"kind": "sparse", "sparsity": "kl", "penalty": 0.02, "code_activation": "sigmoid"},
    "contractive, sigmoid": {"kind": "contractive", "penalty": 0.1, "code_activation": "sigmoid"},
    "undercomplete, linear": {},
    "denoising, linear": {"kind": "denoising", "noise": 0.3},
}


def compare_kinds(data: Split) -> None:
    """One layer to a code of 32, 15 epochs; measured on the test part."""
    x = data.test.x.flatten(1)
    masked = CORRUPTIONS["masking"](0.3, torch.Generator().manual_seed(0))(x)
    print(
        f"{'kind':<24} {'error':>7} {'of masked x':>11} {'code < 1e-3':>11} {'mean |h|':>8} {'slopes':>8} {'probe':>6}"
    )
    for name, params in KINDS.items():
        shared: Params = {"hidden_layers": 0, "code_size": 32, "epochs": 15, "learning_rate": 5e-3}
        model = train_coder(data, {**shared, **params})
        code, measured = model.encode(x), model.measure("test")
        print(
            f"{name:<24} {measured['reconstruction']:>7.4f} {(model.reconstruct(masked) - x).square().mean():>11.4f}"
            f" {(code.abs() < 1e-3).double().mean():>11.3f} {code.abs().mean():>8.3f} {squared_slopes(model, x):>8.3f}"
            f" {measured['probe_error']:>6.3f}",
            flush=True,
        )


def squared_slopes(model: Coder, x: Tensor) -> float:
    """The mean squared Frobenius norm of the code's Jacobian, by autograd."""
    x = x.clone().requires_grad_()
    code = model.net.eval().activations(x)[-1]
    rows = [torch.autograd.grad(number.sum(), x, retain_graph=True)[0] for number in code.unbind(dim=1)]
    return torch.stack(rows).square().sum(dim=(0, 2)).mean().item()


NETS: dict[str, Params] = {
    "relu 2 x 64": {"hidden_layers": 2},
    "relu 4 x 64": {"hidden_layers": 4},
    "sigmoid 2 x 64": {"hidden_layers": 2, "activation": "sigmoid", "learning_rate": 0.3},
    "sigmoid 3 x 64": {"hidden_layers": 3, "activation": "sigmoid", "learning_rate": 0.3},
}


def compare_labels() -> None:
    """Test error after 100 epochs of fine-tuning, mean ± deviation over five splits and seeds."""
    print(f"{'net':<16} {'labels':>6} {'without':>15} {'pretrained':>15}")
    for name, net in NETS.items():
        for labelled in (50, 0):
            if labelled == 0 and name != "relu 2 x 64":
                continue
            cells = []
            for each in (0, 8):
                passes = (100 if labelled else 20) + each * int(net["hidden_layers"])
                params: Params = {"width": 64, "batch_size": 25 if labelled else 64, "labelled": labelled, "noise": 0.2}
                params |= {"pretraining_rate": 5e-3, "pretraining_epochs": each, "epochs": passes, **net}
                errors = [tune(seed, params) for seed in range(5)]
                cells.append(f"{statistics.mean(errors):.3f} ± {statistics.stdev(errors):.3f}")
            print(f"{name:<16} {labelled or 'all':>6} {cells[0]:>15} {cells[1]:>15}", flush=True)


def tune(seed: int, params: Params) -> float:
    model = pretrained_mlp.build(seed=seed, **TRAINERS["pretrained_mlp"].complete(params))  # type: ignore[arg-type]
    model.begin(split(load("digits"), seed=seed))
    for step in range(model.epochs):
        model.train(step)
    return model.measure("test")["error"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["sizes", "kinds", "labels", []], default=[])
    what = parser.parse_args().what or ["sizes", "kinds", "labels"]
    torch.set_num_threads(1)
    data = split(load("digits"))
    parts: dict[str, Callable[[], None]] = {
        "sizes": lambda: compare_sizes(data),
        "kinds": lambda: compare_kinds(data),
        "labels": compare_labels,
    }
    for name in what:
        parts[name]()


if __name__ == "__main__":
    main()
