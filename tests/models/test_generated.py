"""Generated sets are what they say."""

import torch

from models.datasets import load
from models.datasets.generated import read_blobs, read_moons


def test_without_noise_the_moons_are_half_circles() -> None:
    moons = read_moons("moons", noise=0.0)
    for label, (centre, side) in enumerate((((0.0, 0.0), 1.0), ((1.0, 0.5), -1.0))):
        from_centre = moons.x[moons.y == label] - torch.tensor(centre)
        torch.testing.assert_close(from_centre.norm(dim=1), torch.ones(len(from_centre)))
        assert (side * from_centre[:, 1] >= -1e-6).all()


def test_the_blobs_are_equally_many_and_lie_on_a_circle() -> None:
    blobs = read_blobs("blobs", rows=4000)
    for label in range(4):
        inside = blobs.x[blobs.y == label]
        assert len(inside) == 1000
        assert abs(inside.mean(dim=0).norm().item() - 3.0) < 0.15
        assert abs(inside.std(dim=0).mean().item() - 1.0) < 0.1


def test_each_is_the_same_every_time() -> None:
    for name in ("polynomial", "moons", "blobs", "digits_parity"):
        first, second = load(name), load(name)
        assert torch.equal(first.x, second.x)
        assert torch.equal(first.y, second.y)
