"""Newton's method and L-BFGS: on quadratics, on the valley, and beside gradient descent on logistic regression."""

import itertools

import pytest
import torch
from torch import Tensor

from models.catalog import Value
from models.families import build
from models.optimizers import Rule
from models.second_order import LBFGS, Newton
from tests.models.tiny import tiny

CURVED = torch.tensor([[4.0, 1.0], [1.0, 0.5]], dtype=torch.float64)


def quadratic(x: Tensor) -> Tensor:
    return (x[0] - 1.0) @ CURVED @ (x[0] - 1.0) / 2


def valley(x: Tensor) -> Tensor:
    return (1 - x[0, 0]) ** 2 + 100 * (x[0, 1] - x[0, 0] ** 2) ** 2


def start(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64, requires_grad=True)


def test_one_undamped_newton_step_solves_a_quadratic() -> None:
    x = start(5.0, -3.0)
    Newton([x], Rule(0.1, "newton", damping=0.0)).descend(lambda: quadratic(x))
    torch.testing.assert_close(x.detach(), torch.ones(1, 2, dtype=torch.float64))


def test_a_damped_newton_step_is_its_formula_with_the_penalty_in_it() -> None:
    x, damping, l2 = start(5.0, -3.0), 0.7, 0.3
    eye = torch.eye(2, dtype=torch.float64)
    before = x.detach()[0].clone()
    gradient = CURVED @ (before - 1.0) + l2 * before
    Newton([x], Rule(0.1, "newton", damping=damping, l2=l2)).descend(lambda: quadratic(x))
    expected = before - torch.linalg.solve(CURVED + (l2 + damping) * eye, gradient)
    torch.testing.assert_close(x.detach()[0], expected)


def test_newton_leaves_a_saddle_downhill() -> None:
    x = start(1.0, 0.1)
    newton = Newton([x], Rule(0.1, "newton"))
    for _ in range(15):
        newton.descend(lambda: x[0, 0] ** 2 - x[0, 1] ** 2 + x[0, 1] ** 4)
    assert abs(x[0, 0].item()) < 1e-3 and abs(x[0, 1].item()) == pytest.approx(0.5**0.5, rel=0.1)


@pytest.mark.parametrize("kind", [Newton, LBFGS])
def test_both_reach_the_end_of_the_valley(kind: type[Newton] | type[LBFGS]) -> None:
    x = start(-1.2, 1.0)
    optimizer = kind([x], Rule(0.1, "newton", damping=1e-6))
    for _ in range(60):
        optimizer.descend(lambda: valley(x))
    torch.testing.assert_close(x.detach(), torch.ones(1, 2, dtype=torch.float64), atol=1e-5, rtol=0)


def test_lbfgs_with_enough_history_solves_a_quadratic_in_few_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix, x = root @ root.T + torch.eye(6, dtype=torch.float64), torch.zeros(1, 6, dtype=torch.float64)
    x.requires_grad_()
    optimizer = LBFGS([x], Rule(0.1, "lbfgs"))
    for _ in range(40):
        optimizer.descend(lambda: x[0] @ matrix @ x[0] / 2 - x.sum())
    expected = torch.linalg.solve(matrix, torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(x.detach()[0], expected, atol=1e-6, rtol=0)


def objectives(epochs: int, **params: Value) -> list[float]:
    """Logistic regression's loss with its penalty, after each epoch on the whole training part."""
    learner = build("logistic", {"epochs": epochs, "l2": 0.01, "batch_size": 10_000, **params})
    found = []
    for epoch in learner.fit(tiny("breast_cancer")):
        weights = [t for name, t in learner.parameters().items() if name.endswith("weight")]
        found.append(epoch.metrics["train_loss"] + 0.005 * sum(w.square().sum().item() for w in weights))
    return found


@pytest.mark.slow
def test_newton_needs_far_fewer_steps_than_gradient_descent() -> None:
    newton = objectives(12, optimizer="newton", damping=1e-6)
    near = newton[-1] * 1.001
    assert sum(value > near for value in newton) < 8
    assert sum(value > near for value in objectives(50, optimizer="lbfgs")) < 50
    assert min(objectives(150, momentum=0.0, learning_rate=0.3)) > near


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_a_resumed_run_goes_on_exactly_also_with_dropout(optimizer: str) -> None:
    params: dict[str, Value] = {"optimizer": optimizer, "epochs": 5, "width": 3, "hidden_layers": 1, "dropout": 0.2}
    data, whole, broken = tiny("iris"), build("mlp", params), build("mlp", params)
    epochs = list(whole.fit(data))
    list(itertools.islice(broken.fit(data), 2))
    resumed = build("mlp", params, seed=9)
    assert list(resumed.fit(data, resume=broken.state())) == epochs[2:]
    assert epochs[-1].metrics["train_loss"] < epochs[0].metrics["train_loss"]


def test_what_they_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match="at most 2,000, and here are 26,122; lbfgs has no limit"):
        list(build("mlp", {"optimizer": "newton"}).fit(tiny("digits")))
    with pytest.raises(ValueError, match="l1 needs the steps of sgd, adam or adamw, not of lbfgs"):
        list(build("logistic", {"optimizer": "lbfgs", "l1": 0.1}).fit(tiny("iris")))
    for optimizer in (LBFGS([start(0.0)], Rule(0.1, "lbfgs")), Newton([start(0.0)], Rule(0.1, "newton"))):
        with pytest.raises(ValueError, match="checkpoint does not fit"):
            optimizer.load({"momentum": torch.zeros(1)})
