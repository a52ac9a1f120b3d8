"""Augmentation against SciPy's geometry and the noise's own statistics; in training only, and exact after a resume."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Generator, Tensor

from models import augmentation
from models.augmentation import Augmentation, augment
from models.catalog import Form, Task, Value
from models.datasets import Dataset, Part, Schema, split
from models.datasets.preprocessing import ChannelScaling
from models.families import build
from tests.models.tiny import tiny


def random(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def schema(form: Form, *shape: int, task: Task = "classification") -> Schema:
    return Schema("made", form, task, shape, ("a", "b"))


def images(count: int, channels: int, height: int, width: int) -> Tensor:
    return torch.randn(count, channels, height, width, generator=random(1))


@pytest.mark.parametrize("degrees", [-30.0, 12.0, 90.0])
@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 8), (7, 12)])
def test_turning_equals_scipys_bilinear_rotation(degrees: float, height: int, width: int) -> None:
    x = torch.zeros(1, 2, height, width)
    x[:, :, 2:-2, 2:-2] = images(1, 2, height - 4, width - 4)  # SciPy fades differently within half a pixel of the rim
    turned = augmentation.turn(x, torch.tensor([math.radians(degrees)]))
    expected = ndimage.rotate(x.double().numpy(), -degrees, axes=(2, 3), reshape=False, order=1, cval=0.0)
    assert np.abs(turned.numpy() - expected)[:, :, 1:-1, 1:-1].max() < 1e-5


def test_angles_are_uniform_up_to_the_bound_and_differ_between_images() -> None:
    bar = torch.zeros(2000, 1, 21, 21)
    bar[:, :, 10, 10:] = 1.0
    turned = augmentation.rotate(bar, 40.0, random())[:, 0]
    down, across = torch.meshgrid(torch.arange(-10.0, 11.0), torch.arange(-10.0, 11.0), indexing="ij")
    angles = torch.atan2((turned * down).sum((1, 2)), (turned * across).sum((1, 2))).rad2deg()
    assert angles.abs().max() < 40.5
    assert angles.mean().abs() < 2.0
    assert angles.std().item() == pytest.approx(80.0 / math.sqrt(12.0), rel=0.05)


@pytest.mark.parametrize("most", [1, 3])
def test_shifted_images_are_scipys_by_some_whole_offset(most: int) -> None:
    x = images(40, 2, 6, 8)
    shifted = augmentation.shift_images(x, most, random())
    offsets = list(itertools.product(range(-most, most + 1), repeat=2))
    found = set()
    for before, after in zip(x.numpy(), shifted.numpy(), strict=True):
        fits = [o for o in offsets if np.array_equal(ndimage.shift(before, (0, *o), order=0), after)]
        assert len(fits) == 1
        found.update(fits)
    assert all({offset[axis] for offset in found} == set(range(-most, most + 1)) for axis in (0, 1))


def test_shifted_sequences_are_scipys_by_some_whole_offset() -> None:
    x = torch.randn(30, 9, 2, generator=random())
    shifted = augmentation.shift_sequences(x, 3, random())
    assert shifted.shape == x.shape
    found = set()
    for before, after in zip(x.numpy(), shifted.numpy(), strict=True):
        fits = [o for o in range(-3, 4) if np.array_equal(ndimage.shift(before, (o, 0), order=0), after)]
        assert len(fits) == 1
        found.update(fits)
    assert found == set(range(-3, 4))


def test_what_comes_into_an_image_is_black_not_the_mean() -> None:
    scaling = ChannelScaling(1, (4.0, 1.0), (2.0, 5.0))
    described = Schema("made", "image", "classification", (2, 6, 6), ("a", "b"), preprocessing=scaling)
    x = scaling.apply(torch.zeros(50, 2, 6, 6))
    for options in (Augmentation(shift=2), Augmentation(rotation=30.0)):
        changed = augment(Part(x, torch.zeros(50)), options.changes(described), random())
        assert torch.allclose(changed.x, x, atol=1e-6)


def test_mirrors_about_half_of_the_images() -> None:
    x = images(400, 1, 3, 4)
    flipped = augmentation.flip(x, random())
    same = (flipped == x).all(dim=(1, 2, 3))
    assert torch.equal(flipped[~same], x[~same].flip(3))
    assert 150 < same.sum() < 250


@pytest.mark.parametrize("shape", [(20_000,), (500, 40), (20, 10, 10, 10)])
def test_noise_is_normal_with_its_deviation(shape: tuple[int, ...]) -> None:
    noise = augmentation.add_noise(torch.ones(shape), 0.3, random()) - 1.0
    assert noise.mean().abs() < 0.01
    assert noise.std().item() == pytest.approx(0.3, rel=0.03)
    assert (noise.abs() < 0.3).double().mean().item() == pytest.approx(0.6827, abs=0.015)


def test_each_example_is_scaled_by_one_factor_of_mean_one() -> None:
    factors = augmentation.scale(torch.ones(5000, 3, 2), 0.2, random())
    assert torch.equal(factors, factors[:, :1, :1].expand(-1, 3, 2))
    assert factors.mean().item() == pytest.approx(1.0, abs=0.02)
    assert factors[:, 0, 0].std().item() == pytest.approx(0.2, rel=0.05)


def test_steps_beyond_the_end_stay_zero() -> None:
    lengths = torch.tensor([2, 5])
    batch = Part(torch.ones(2, 5, 3), torch.zeros(2), lengths)
    changed = augment(batch, Augmentation(input_noise=1.0, shift=2).changes(schema("sequence", 5, 3)), random())
    assert torch.equal(changed.x[0, 2:], torch.zeros(3, 3))
    assert changed.lengths is lengths


@pytest.mark.parametrize(
    ("options", "described", "said"),
    [
        (Augmentation(rotation=5.0), schema("table", 4), "rotation needs images, not table"),
        (Augmentation(flip=True), schema("sequence", 4, 1), "flip needs images, not sequence"),
        (Augmentation(shift=1), schema("table", 4), "shift needs images or sequences, not table"),
        (Augmentation(scaling=0.1), schema("image", 1, 4, 4), "scaling needs sequences or tables, not image"),
        (Augmentation(input_noise=0.1), schema("tokens", 9), "input_noise needs tables, images or sequences"),
        (Augmentation(shift=4), schema("image", 1, 4, 9), "shift must be less than 4"),
        (Augmentation(shift=1), schema("sequence", 4, 1, task="labelling"), "would part the steps"),
    ],
)
def test_what_does_not_suit_the_data_is_refused(options: Augmentation, described: Schema, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        options.changes(described)


def test_a_learner_refuses_it_before_the_first_epoch() -> None:
    with pytest.raises(ValueError, match="rotation needs images"):
        next(build("mlp", {"rotation": 5.0}).fit(tiny("iris")))


ALL: dict[str, Value] = {"shift": 1, "rotation": 10.0, "flip": True, "input_noise": 0.2}


def test_nothing_happens_in_evaluation() -> None:
    data = tiny("digits")
    plain, changed = build("mlp", {"epochs": 1}), build("mlp", {"epochs": 1, **ALL})
    list(changed.fit(data))
    plain.restore(data, changed.parameters())
    assert torch.equal(plain.predict(data.test.x), changed.predict(data.test.x))
    assert plain.measure_test() == changed.measure_test()


def test_a_resumed_run_goes_on_with_the_same_changes() -> None:
    data, params = tiny("digits"), {**ALL, "width": 8, "epochs": 5}
    whole, broken, resumed = build("mlp", params), build("mlp", params), build("mlp", params, seed=9)
    curve = list(whole.fit(data))
    list(itertools.islice(broken.fit(data), 2))
    assert list(resumed.fit(data, resume=broken.state())) == curve[2:]


def bumps(rows: int) -> Dataset:
    """Four shapes, each anywhere in 40 steps, with noise."""
    random = Generator().manual_seed(0)
    shapes = torch.randn(4, 8, generator=random)
    y, begins = torch.arange(rows) % 4, torch.randint(32, (rows,), generator=random)
    x = 0.3 * torch.randn(rows, 40, 1, generator=random)
    for row, (shape, begin) in enumerate(zip(y, begins, strict=True)):
        x[row, begin : begin + 8, 0] += shapes[shape]
    return Dataset("bumps", "classification", x, y, classes=tuple("abcd"), form="sequence")


def test_moved_examples_help_where_there_are_few() -> None:
    data = split(bumps(600), validation=0.8, test=0.1)
    assert len(data.train) == 60
    plain, moved = (build("mlp", {"width": 64, "epochs": 60, "shift": shift}) for shift in (0, 12))
    without, with_shift = (list(learner.fit(data))[-1].metrics["val_error"] for learner in (plain, moved))
    assert with_shift < 0.75 * without


def test_without_augmentation_nothing_is_drawn_or_called() -> None:
    calls: list[Callable[..., object]] = list(Augmentation().changes(schema("image", 1, 8, 8)))
    assert calls == []
