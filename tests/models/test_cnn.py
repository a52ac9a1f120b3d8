"""Convolutional nets against torch's own layers and plain loops; which sizes fit; what convolutions are good for."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.catalog import TRAINERS, Value
from models.cnn import Convolution, build
from models.datasets import Schema, Split, load, split
from models.families import build as build_learner

IMAGES = Schema("made", "image", "classification", (3, 11, 9), ("a", "b", "c"))
SEQUENCES = Schema("made", "sequence", "classification", (21, 4), ("a", "b", "c"))


def make_net(schema: Schema, **params: Value) -> nn.Sequential:
    model = build(seed=0, **TRAINERS["cnn"].complete({"filters": 5, "fc_width": 7, **params}))  # type: ignore[arg-type]
    model.prepare(schema)
    assert isinstance(model._net, nn.Sequential)
    return model._net.eval()


def examples(schema: Schema, count: int = 6) -> Tensor:
    return torch.randn(count, *schema.shape, generator=Generator().manual_seed(0))


def convolutions(net: nn.Module) -> list[Convolution]:
    return [layer for layer in net.modules() if isinstance(layer, Convolution)]


def correlate(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """Maps (C, H, W) and weights (O, h, w, C), by the definition (equation 9.6), without zeros around."""
    filters, height, width, _ = weight.shape
    rows, columns = (x.shape[1] - height) // stride + 1, (x.shape[2] - width) // stride + 1
    out = np.zeros((filters, rows, columns))
    for o, i, j in itertools.product(range(filters), range(rows), range(columns)):
        window = x[:, i * stride : i * stride + height, j * stride : j * stride + width]
        out[o, i, j] = (window.transpose(1, 2, 0) * weight[o]).sum()
    return out


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_convolution_is_the_sum_over_each_window(size: int, stride: int) -> None:
    x = torch.randn(2, 3, 9, 7)
    weight = torch.randn(4, size, size, 3)
    layer = Convolution(weight, 0.5, (stride, stride), (size - 1, size - 1))
    before, after = (size - 1) // 2, size // 2
    padded = np.pad(x.double().numpy(), ((0, 0), (0, 0), (before, after), (before, after)))
    expected = np.stack([correlate(one, weight.double().numpy(), stride) + 0.5 for one in padded])
    assert expected.shape[2:] == (-(-9 // stride), -(-7 // stride))  # same: only strides shrink
    assert torch.allclose(layer(x).double(), torch.from_numpy(expected), atol=1e-4)


@pytest.mark.parametrize("pooling", ["max", "average", "none"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_over_images_it_equals_torchs_layers(pooling: str, padding: str) -> None:
    net = make_net(IMAGES, pooling=pooling, padding=padding, convolutions=2, blocks=1, stride=2)
    x, (first, second) = examples(IMAGES), convolutions(net)
    around = 1 if padding == "same" else 0
    h = functional.conv2d(x, first.weight.permute(0, 3, 1, 2), first.bias, stride=2, padding=around).relu()
    last = 2 if pooling == "none" else 1
    h = functional.conv2d(h, second.weight.permute(0, 3, 1, 2), second.bias, stride=last, padding=around).relu()
    if pooling == "max":
        h = functional.max_pool2d(h, 2, ceil_mode=True)
    elif pooling == "average":
        h = functional.avg_pool2d(h, 2, ceil_mode=True)
    dense = [layer for layer in net if hasattr(layer, "weight") and not isinstance(layer, Convolution)]
    features = h.permute(0, 2, 3, 1).reshape(len(x), -1)
    hidden = functional.linear(features, dense[0].weight, dense[0].bias).relu()
    assert torch.allclose(net(x), functional.linear(hidden, dense[1].weight, dense[1].bias), atol=1e-5)


def test_along_sequences_it_equals_torchs_1d_layers() -> None:
    net = make_net(SEQUENCES, blocks=2, filter_size=5, fc_layers=0, pool_size=3, pooling="average")
    h = examples(SEQUENCES).transpose(1, 2)
    for layer in convolutions(net):
        h = functional.conv1d(h, layer.weight[:, 0].transpose(1, 2), layer.bias, padding=2).relu()
        h = functional.avg_pool1d(h, 3, ceil_mode=True)
    last: Any = net[-1]
    expected = functional.linear(h.transpose(1, 2).flatten(1), last.weight, last.bias)
    assert torch.allclose(net(examples(SEQUENCES)), expected, atol=1e-5)


def test_a_window_that_hangs_over_the_edge_counts_only_what_is_there() -> None:
    net = make_net(Schema("made", "sequence", "regression", (5, 1)), blocks=1, pooling="average", pool_size=2)
    pool = next(layer for layer in net if isinstance(layer, nn.AvgPool2d))
    pooled = pool(torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0]).reshape(1, 1, 1, 5))
    assert pooled.flatten().tolist() == [1.5, 3.5, 9.0]


def test_blocks_grow_by_the_factor_and_only_the_first_convolution_strides() -> None:
    net = make_net(
        IMAGES, blocks=3, convolutions=2, filters=4, filter_growth=1.5, stride=2, pooling="none", pool_size=3
    )
    assert [len(layer.weight) for layer in convolutions(net)] == [4, 4, 6, 6, 9, 9]
    assert [layer._stride[0] for layer in convolutions(net)] == [2, 3, 2, 3, 2, 3]


@pytest.mark.parametrize("schema", [IMAGES, SEQUENCES], ids=["images", "sequences"])
def test_with_padding_same_any_depth_fits(schema: Schema) -> None:
    for pooling, size in itertools.product(("max", "average", "none"), (1, 2, 5, 30)):
        net = make_net(schema, blocks=6, filter_growth=1.0, pooling=pooling, pool_size=size, filter_size=4)
        assert net(examples(schema)).shape == (6, 3)


def test_a_filter_that_does_not_fit_is_refused_by_the_place_and_the_sizes() -> None:
    with pytest.raises(ValueError, match=r"convolution 1 of block 2: a filter of 5 x 5 is larger than .* 4 x 3;"):
        make_net(IMAGES, padding="valid", filter_size=5)
    with pytest.raises(ValueError, match=r"convolution 2 of block 1: a filter of 12 steps .* its input of 10 steps"):
        make_net(SEQUENCES, padding="valid", filter_size=12, convolutions=2)


@pytest.mark.parametrize("schema", [IMAGES, SEQUENCES], ids=["images", "sequences"])
def test_first_weights_have_hes_and_glorots_variance(schema: Schema) -> None:
    area = 9 if schema is IMAGES else 3
    for init, fans in (("he", (64 * area, 64 * area)), ("glorot", (64 * area, 128 * area))):
        net = make_net(schema, init=init, filters=64, blocks=2)
        second = convolutions(net)[1].weight
        assert second.var().item() == pytest.approx(2.0 / (fans[0] if init == "he" else sum(fans)), rel=0.06)


def test_max_pooling_answers_the_same_when_a_feature_moves_within_its_window() -> None:
    """Section 9.3: invariance to small translations."""
    net = make_net(Schema("made", "image", "regression", (1, 8, 8)), blocks=1, filter_size=1, pool_size=4)
    x = torch.zeros(2, 1, 8, 8)
    x[0, 0, 4, 4], x[1, 0, 7, 6] = 3.0, 3.0
    assert torch.equal(net(x)[0], net(x)[1])


def train(data: Split, trainer: str, params: dict[str, Value]) -> tuple[float, int]:
    """The validation error at the end, and how many parameters one of the models has."""
    learner = build_learner(trainer, params)
    last = list(learner.fit(data))[-1]
    count = sum(tensor.numel() for name, tensor in learner.parameters().items() if name.startswith("0."))
    return last.metrics["val_error"], count


@pytest.mark.slow
def test_reads_digits_as_well_as_a_perceptron_with_a_fifth_of_its_parameters() -> None:
    digits = split(load("digits"))
    error, count = train(digits, "cnn", {"filters": 8, "fc_layers": 0, "epochs": 15})
    rival, rivals = train(digits, "mlp", {"hidden_layers": 1, "width": 128, "epochs": 15})
    assert error <= rival + 0.005
    assert count * 5 < rivals
