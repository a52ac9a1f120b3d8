"""Autoencoders: penalties against autograd, corruption, tied weights, and what each kind does to digits."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import grad

from models import autoencoder
from models.autoencoder import Autoencoder, Coder, Reconstruction
from models.catalog import TRAINERS, Value
from models.codes import SLOPES, Layer, Masking, contractive_penalty, kl_penalty, l1_penalty
from models.datasets import Split, load, split
from models.units import Noise
from tests.models.tiny import tiny


def make(**params: Value) -> Coder:
    return autoencoder.build(seed=0, **TRAINERS["autoencoder"].complete(params))  # type: ignore[arg-type]


def trained(data: Split, **params: Value) -> Coder:
    model = make(**params)
    model.begin(data)
    for step in range(model.epochs):
        model.train(step)
    return model


def layers_of(sizes: tuple[int, ...], unit: str) -> list[Layer]:
    random = Generator().manual_seed(0)
    return [Layer(inputs, outputs, unit, random) for inputs, outputs in pairwise(sizes)]


def squared_slopes(net: Autoencoder, x: Tensor) -> Tensor:
    """The mean over the examples of the squared Frobenius norm of the code's Jacobian, by autograd."""
    x = x.clone().requires_grad_()
    code = net.activations(x)[-1]  # each row depends on its own x alone
    rows = [grad(number.sum(), x, create_graph=True)[0] for number in code.unbind(dim=1)]
    return torch.stack(rows).square().sum(dim=(0, 2)).mean()


@pytest.mark.parametrize("unit", SLOPES)
@pytest.mark.parametrize("sizes", [(6, 4), (6, 5, 4), (6, 5, 7, 3)], ids=str)
def test_contractive_penalty_and_its_gradient_are_autograds(unit: str, sizes: tuple[int, ...]) -> None:
    layers, x = layers_of(sizes, unit), torch.randn(5, 6, generator=Generator().manual_seed(1))
    net = Autoencoder(torch.nn.Identity(), layers, [])
    weights = [layer.dense.weight for layer in layers]
    expected = squared_slopes(net, x)
    penalty = contractive_penalty(layers, net.activations(x))
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-5)
    for own, theirs in zip(grad(penalty, weights), grad(expected, weights, materialize_grads=True), strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-4, atol=1e-5)


def test_sparsity_penalties_by_hand() -> None:
    code = torch.tensor([[0.5, 0.0], [0.1, 0.2]])
    assert l1_penalty(code).item() == pytest.approx(0.4)
    expected = sum(0.2 * math.log(0.2 / mean) + 0.8 * math.log(0.8 / (1 - mean)) for mean in (0.3, 0.1))
    assert kl_penalty(code, 0.2).item() == pytest.approx(expected, rel=1e-5)
    assert kl_penalty(torch.zeros(2, 2), 0.2).isfinite()


@pytest.mark.parametrize("noise", [Noise, Masking])
def test_corruption_is_for_training_alone(noise: type[Noise] | type[Masking]) -> None:
    x, corruption = torch.ones(4000, 5), noise(0.4, Generator().manual_seed(0))
    corrupted = corruption(x)
    if noise is Masking:
        assert (corrupted == 0.0).double().mean().item() == pytest.approx(0.4, abs=0.02)
        assert ((corrupted == 0.0) | (corrupted == 1.0)).all()
    else:
        assert (corrupted - x).std().item() == pytest.approx(0.4, abs=0.02)
    assert torch.equal(corruption.eval()(x), x)


def test_loss_is_reconstruction_plus_the_weighted_penalty() -> None:
    data = tiny("digits")
    model = trained(data, kind="sparse", penalty=0.01, code_activation="relu", epochs=2)
    measured, x = model.measure("validation"), data.validation.x
    squared = (model.reconstruct(x) - x.flatten(1)).square().mean().item()
    assert measured["reconstruction"] == pytest.approx(squared, rel=1e-5)
    assert measured["loss"] == pytest.approx(squared + 0.01 * l1_penalty(model.encode(x)).item(), rel=1e-5)


def test_labels_change_the_probe_but_not_the_code() -> None:
    data = tiny("iris")
    x, y = data.train.x, data.train.y
    other = Split(data.schema, type(data.train)(x, y.flip(0)), data.validation, data.test)
    first, second = trained(data, epochs=2), trained(other, epochs=2)
    assert torch.equal(first.encode(x), second.encode(x))
    assert not torch.equal(first.parameters()["probe.weight"], second.parameters()["probe.weight"])


def test_tied_weights_are_learned_once() -> None:
    free, tied = (make(tied=tied, hidden_layers=1, code_size=3, width=5) for tied in (False, True))
    for model in (free, tied):
        model.begin(tiny("iris"))
    weights = [[t.shape for t in model.parameters().values() if t.dim() == 2] for model in (free, tied)]
    assert weights == [[(5, 4), (3, 5), (5, 3), (4, 5), (3, 3)], [(5, 4), (3, 5), (3, 3)]]


def test_kl_asks_for_a_sigmoid_code() -> None:
    with pytest.raises(ValueError, match="code_activation must be sigmoid"):
        make(kind="sparse", sparsity="kl")


def test_a_large_part_is_measured_as_a_whole() -> None:
    data, net = tiny("digits"), Autoencoder(torch.nn.Identity(), layers_of((64, 3), "tanh"), layers_of((3, 64), "tanh"))
    whole, pieces = (Reconstruction(data.schema, largest=largest) for largest in (0, 10**9))
    for goal in (whole, pieces):
        goal.start_probe(3)
    with torch.inference_mode():
        expected, measured = whole.measure(net, data.train), pieces.measure(net, data.train)
    assert measured["reconstruction"].item() == pytest.approx(expected["reconstruction"].item(), rel=1e-6)


def principal_components(data: Split, size: int) -> Tensor:
    """The test part reconstructed from its projection on the training part's principal components, (N, F)."""
    train, test = data.train.x.flatten(1).double(), data.test.x.flatten(1).double()
    centre = train.mean(dim=0)
    axes = torch.linalg.svd(train - centre, full_matrices=False).Vh[:size]  # (size, F)
    return centre + (test - centre) @ axes.T @ axes


def test_a_linear_autoencoder_comes_no_nearer_than_principal_components() -> None:
    """With linear layers the best there is are principal components (section 14.1)."""
    data = tiny("iris")
    model = trained(data, hidden_layers=0, code_size=2, optimizer="lbfgs", epochs=30)
    train = data.train.x.double()
    lost = torch.linalg.svdvals(train - train.mean(dim=0))[2:].square().sum().item() / train.numel()
    assert lost * 0.999 <= model.measure("train")["reconstruction"] <= lost * 1.01


@pytest.mark.slow
def test_reconstructs_digits_better_than_principal_components_of_equal_code_size() -> None:
    data = split(load("digits"))
    model = trained(data, code_size=8)
    error = (principal_components(data, 8) - data.test.x.flatten(1)).square().mean().item()
    assert model.measure("test")["reconstruction"] < 0.85 * error


@pytest.mark.slow
def test_each_kind_does_to_digits_what_its_name_says() -> None:
    data, shared = split(load("digits")), {"hidden_layers": 0, "code_size": 32, "epochs": 15, "learning_rate": 5e-3}
    x = data.test.x.flatten(1)

    def run(**params: Value) -> Coder:
        return trained(data, **{**shared, **params})  # type: ignore[arg-type]

    plain, sparse = (
        run(kind=kind, penalty=0.01, tied=True, code_activation="relu") for kind in ("undercomplete", "sparse")
    )
    zeros = [(model.encode(x) == 0.0).double().mean().item() for model in (plain, sparse)]
    assert zeros[1] > zeros[0] + 0.3

    plain, flat = (run(kind=kind, penalty=0.1, code_activation="sigmoid") for kind in ("undercomplete", "contractive"))
    slopes = [squared_slopes(model.net.eval(), x).item() for model in (plain, flat)]
    assert slopes[1] < 0.5 * slopes[0]

    plain, denoising = run(), run(kind="denoising", noise=0.3)
    masked = Masking(0.3, Generator().manual_seed(0))(x)
    errors = [(model.reconstruct(masked) - x).square().mean().item() for model in (plain, denoising)]
    assert errors[1] < 0.8 * errors[0]
