"""A linear probe: how much of a target a linear model reads from learned features (chapter 15), in closed form."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.units import Dense

RIDGE = 1e-4  # of the features' mean variance is added to each, so that dead or dependent features do no harm


class Probe(NamedTuple):
    """An affine map of features: to a logit for each class, or to one number."""

    weight: Tensor  # (C, H), or (1, H)
    bias: Tensor  # (C,), or (1,)

    def __call__(self, features: Tensor) -> Tensor:
        """(N, H) → (N, C)."""
        return torch.nn.functional.linear(features, self.weight, self.bias)


def fit_probe(features: Tensor, y: Tensor, classes: int = 0) -> Probe:
    """Features (N, H) and class indices (N,), or numbers where `classes` is 0 → a probe: the same rows, the same probe.

    Classes: softmax regression whose weights are those of Gaussian classes with one covariance (linear discriminant
    analysis): as linear as a fit by maximum likelihood, but without iterations. Numbers: ridge regression. Features
    that are not finite give a probe that is nan.
    """
    h = features.double()
    return _fit_numbers(h, y.double()) if classes == 0 else _fit_classes(h, y, classes)


def last_features(net: nn.Module, x: Tensor) -> Tensor:
    """What a net's last dense layer sees of x, (N, H): the features that its other layers have learned.

    Raises ValueError where the net has no dense layer.
    """
    dense = [module for module in net.modules() if isinstance(module, Dense | nn.Linear)]
    if not dense:
        raise ValueError("the net has no dense layer to take the features of")
    seen: list[Tensor] = []
    handle = dense[-1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        with torch.inference_mode():
            net.eval()(x)
    finally:
        handle.remove()
    return seen[-1]


def _fit_classes(h: Tensor, y: Tensor, classes: int) -> Probe:
    """Logits μᵀΣ⁻¹h - μᵀΣ⁻¹μ / 2 + ln π for each class's mean μ and share π, and the covariance Σ within classes.

    A class without rows has the mean of all, and each class one row more than it has, so that no share is zero.
    """
    members = torch.nn.functional.one_hot(y, classes).to(h)  # (N, C)
    counts = members.sum(dim=0)
    centre = h.mean(dim=0)
    means = torch.where(counts[:, None] > 0, members.T @ h / counts.clamp(min=1.0)[:, None], centre) - centre  # (C, H)
    within = h - centre - means[y]
    weight = _solve(within.T @ within / len(h), means.T).T
    shares = (counts + 1.0) / (len(h) + classes)
    bias = shares.log() - 0.5 * (weight * means).sum(dim=1) - weight @ centre
    return Probe(weight.float(), bias.float())


def _fit_numbers(h: Tensor, y: Tensor) -> Probe:
    centre, mean = h.mean(dim=0), y.mean()
    h = h - centre
    weight = _solve(h.T @ h / len(h), (h.T @ (y - mean) / len(h))[:, None]).T  # (1, H)
    return Probe(weight.float(), (mean - weight @ centre).float())


def _solve(covariance: Tensor, right: Tensor) -> Tensor:
    """(Σ + ridge)⁻¹ right; nan where the covariance is."""
    variances = covariance.diagonal()
    ridge = RIDGE * variances.mean() + torch.finfo(torch.float64).tiny
    solved: Tensor = torch.linalg.solve_ex(covariance + torch.diag(ridge.expand_as(variances)), right)[0]
    return solved
