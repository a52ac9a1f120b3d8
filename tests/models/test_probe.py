"""The linear probe against scikit-learn's closed forms, and what it reads from features that a net has learned."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression
from torch import Generator, Tensor, nn

from models.probe import fit_probe, last_features
from models.units import Dense, Flat


def clusters(rows: int = 600) -> tuple[Tensor, Tensor]:
    """Three overlapping classes, of different sizes, in five dimensions far from zero."""
    random = Generator().manual_seed(0)
    y = torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), rows, replacement=True, generator=random)
    centres = torch.randn(3, 5, generator=random)
    return 3.0 + centres[y] + torch.randn(rows, 5, generator=random), y


def test_classes_are_scikit_learns_linear_discriminant_analysis() -> None:
    h, y = clusters()
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(h.double(), y)
    np.testing.assert_allclose(fit_probe(h, y, 3)(h).softmax(dim=1), theirs.predict_proba(h.double()), atol=3e-3)


def test_numbers_are_read_as_by_least_squares() -> None:
    h, y = clusters()
    target = h @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + y
    theirs = LinearRegression().fit(h, target)
    probe = fit_probe(h, target)
    np.testing.assert_allclose(probe.weight[0], theirs.coef_, atol=2e-3)
    np.testing.assert_allclose(probe(h)[:, 0], theirs.predict(h), atol=0.01)


def test_dead_and_doubled_features_and_missing_classes_do_no_harm() -> None:
    h, y = clusters()
    more = torch.cat([h, h, torch.zeros(len(h), 2)], dim=1)
    probe = fit_probe(more, y, 5)
    assert torch.stack([t.isfinite().all() for t in probe]).all()
    assert torch.equal(probe(more).argmax(dim=1), fit_probe(h, y, 3)(h).argmax(dim=1))


def test_features_that_do_not_vary_give_the_shares_or_the_mean() -> None:
    y = torch.tensor([0, 0, 0, 1])
    shares = fit_probe(torch.ones(4, 3), y, 2)(torch.ones(1, 3)).softmax(dim=1)
    assert shares[0].tolist() == pytest.approx([4 / 6, 2 / 6])
    assert fit_probe(torch.ones(4, 3), y.float())(torch.ones(1, 3)).item() == pytest.approx(0.25)


def test_features_that_are_not_finite_give_nan_instead_of_an_error() -> None:
    h, y = clusters(20)
    h[3, 2] = torch.nan
    assert fit_probe(h, y, 3).weight.isnan().all()


def test_last_features_are_what_the_last_dense_layer_sees() -> None:
    first, last = Dense(torch.ones(3, 4)), Dense(torch.ones(2, 3))
    net = nn.Sequential(Flat(), first, nn.Tanh(), last)
    x = torch.linspace(-1.0, 1.0, 8).reshape(2, 2, 2)
    np.testing.assert_allclose(last_features(net, x), torch.tanh(x.flatten(1) @ torch.ones(4, 3)), rtol=1e-5)
    with pytest.raises(ValueError, match="no dense layer"):
        last_features(nn.Tanh(), x)
