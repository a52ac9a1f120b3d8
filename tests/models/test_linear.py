"""Linear and logistic regression against closed forms and scikit-learn, and what L1 and L2 do to weights."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, LogisticRegression
from torch import Tensor

from models.catalog import Value
from models.datasets import Column, Dataset, Split, load, split
from models.families import build
from models.training import Learner

pytestmark = pytest.mark.slow

FULL_BATCH: dict[str, Value] = {"optimizer": "lbfgs", "epochs": 60}


@pytest.fixture(scope="module")
def diabetes() -> Split:
    return split(load("diabetes"))


def fit(trainer: str, data: Split, **params: Value) -> Learner:
    learner = build(trainer, {**FULL_BATCH, **params})
    for _ in learner.fit(data):
        pass
    return learner


def descend(data: Split, **params: Value) -> Learner:
    """Linear regression by gradient descent on all rows."""
    return fit("linear", data, optimizer="sgd", batch_size=10_000, learning_rate=0.05, **{"epochs": 1500, **params})


def weights(learner: Learner) -> Tensor:
    return next(tensor for name, tensor in learner.parameters().items() if name.endswith("weight")).double()


def standardized(data: Split) -> Tensor:
    y = data.train.y.double()
    return (y - y.mean()) / y.std(correction=0)


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_linear_regression_reaches_the_closed_form(l2: float, diabetes: Split) -> None:
    X, y = diabetes.train.x.double(), standardized(diabetes)  # centred: the intercept is 0
    covariance = 2.0 / len(y) * X.T @ X + l2 * torch.eye(X.shape[1], dtype=torch.float64)
    expected = torch.linalg.solve(covariance, 2.0 / len(y) * X.T @ y)
    torch.testing.assert_close(weights(fit("linear", diabetes, l2=l2))[0], expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_linear_regression_with_l1_is_the_lasso_with_exact_zeros(momentum: float, diabetes: Split) -> None:
    found = weights(descend(diabetes, l1=0.2, momentum=momentum))[0]
    lasso = Lasso(alpha=0.1).fit(diabetes.train.x.double(), standardized(diabetes))  # its loss is half of ours
    np.testing.assert_allclose(found, lasso.coef_, atol=1e-4)
    assert torch.equal(found == 0.0, torch.from_numpy(lasso.coef_ == 0.0))
    assert (found == 0.0).sum() >= 3


def test_l2_gives_no_exact_zeros(diabetes: Split) -> None:
    assert (weights(descend(diabetes, l2=2.0)) != 0.0).all()


@pytest.mark.parametrize("name", ["breast_cancer", "iris"])
def test_logistic_regression_reaches_scikit_learns(name: str) -> None:
    data, l2 = split(load(name)), 0.1
    x, y = data.train.x.double(), data.train.y
    theirs = LogisticRegression(C=1.0 / (l2 * len(y)), tol=1e-10, max_iter=10_000).fit(x, y)
    probabilities = fit("logistic", data, l2=l2).predict(data.validation.x)
    np.testing.assert_allclose(probabilities, theirs.predict_proba(data.validation.x.double()), atol=3e-4)


def test_an_mlp_without_hidden_layers_is_the_linear_model(diabetes: Split) -> None:
    deep, flat = fit("mlp", diabetes, l2=0.5, hidden_layers=0), fit("linear", diabetes, l2=0.5)
    torch.testing.assert_close(deep.predict(diabetes.test.x), flat.predict(diabetes.test.x), atol=0.2, rtol=0)


def test_l1_zeroes_weights_of_a_net_and_l2_does_not() -> None:
    data, params = split(load("digits")), {"width": 32, "epochs": 15}
    for penalty, zeros in (({"l1": 3e-3}, True), ({"l2": 1e-3}, False)):
        learner = build("mlp", {**params, **penalty})
        last = list(learner.fit(data))[-1]
        share = (weights(learner) == 0.0).double().mean().item()
        assert share > 0.3 if zeros else share == 0.0
        assert last.metrics["val_error"] < 0.1


def test_an_mlp_reads_digits() -> None:
    curve = list(build("mlp", {"epochs": 20, "dropout": 0.3}).fit(split(load("digits"))))
    assert min(epoch.metrics["val_error"] for epoch in curve) < 0.035


def test_a_wide_hidden_layer_fits_a_known_function() -> None:
    x = torch.linspace(-3.0, 3.0, 400)[:, None]
    data = split(Dataset("sine", "regression", x, torch.sin(x[:, 0]), (Column("x"),)))
    params: dict[str, Value] = {"hidden_layers": 1, "optimizer": "adam", "learning_rate": 0.01, "batch_size": 32}
    curve = list(build("mlp", {**params, "epochs": 60}).fit(data))
    assert curve[-1].metrics["val_r2"] > 0.99
