"""Support vector machines, nearest neighbours and trees: our predictions from plain tensors equal scikit-learn's."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor

from models.catalog import Value
from models.datasets import Split, load, split
from models.families import build
from models.svm import find_sharpness
from models.training import Learner

KERNELS = (
    {"kernel": "linear"},
    {"kernel": "rbf", "gamma": 0.5},
    {"kernel": "rbf", "gamma": 0.05, "gamma_unit": "absolute"},
    {"kernel": "poly", "degree": 2, "coef0": 0.5, "C": 3.0},
)


@cache
def data(name: str) -> Split:
    return split(load(name))


def fit(trainer: str, parts: Split, params: dict[str, Value]) -> Learner:
    learner = build(trainer, params)
    list(learner.fit(parts))
    return learner


def rows(parts: Split) -> tuple[Tensor, Tensor, Tensor]:
    """Features and target of the training part, and the features to predict from."""
    return parts.train.x.double(), parts.train.y, parts.validation.x.double()


def theirs(params: dict[str, Value], x: Tensor) -> dict[str, Value]:
    """The same hyperparameters in scikit-learn's words."""
    own = {name: value for name, value in params.items() if name != "gamma_unit"}
    if "gamma" in own and params.get("gamma_unit") != "absolute":
        own["gamma"] = float(own["gamma"]) / (x.shape[1] * x.var(correction=0).item())
    return own


def softmax(scores: np.ndarray) -> np.ndarray:
    return torch.from_numpy(scores).softmax(dim=1).numpy()


@pytest.mark.parametrize("params", KERNELS, ids=str)
@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_machines_decide_as_scikit_learns(name: str, params: dict[str, Value]) -> None:
    x, y, new = rows(data(name))
    expected = SVC(**theirs(params, x), break_ties=True).fit(x, y)
    learner = fit("svm", data(name), params)
    probabilities = learner.predict(data(name).validation.x)
    np.testing.assert_array_equal(probabilities.argmax(dim=1), expected.predict(new))
    scores = expected.decision_function(new)
    scores = np.stack([-scores, scores], axis=1) / 2 if scores.ndim == 1 else scores
    sharpness = learner.parameters()["0.sharpness"].item()
    np.testing.assert_allclose(probabilities, softmax(sharpness * scores), atol=1e-5)


@pytest.mark.parametrize("params", KERNELS, ids=str)
def test_machines_estimate_as_scikit_learns(params: dict[str, Value]) -> None:
    (x, y, new), schema = rows(data("diabetes")), data("diabetes").schema
    standardized = (y.double() - schema.target_mean) / schema.target_deviation
    expected = SVR(**theirs(params, x), epsilon=0.2).fit(x, standardized).predict(new)
    predicted = fit("svm", data("diabetes"), {**params, "epsilon": 0.2}).predict(data("diabetes").validation.x)
    np.testing.assert_allclose(predicted, expected * schema.target_deviation + schema.target_mean, rtol=1e-5)


def test_only_support_vectors_are_kept() -> None:
    kept = fit("svm", data("breast_cancer"), {"kernel": "linear"}).parameters()
    assert len(kept["0.vectors"]) < len(data("breast_cancer").train) / 5
    assert kept["0.coefficients"].abs().max() <= 1.0 + 1e-9  # C bounds the dual variables
    assert kept["0.coefficients"].sum().abs() < 1e-6


def test_a_class_that_no_training_row_is_of_is_never_predicted() -> None:
    wine = data("wine")
    two = replace(wine, train=wine.train.take(torch.nonzero(wine.train.y != 1)[:, 0]))
    for trainer in ("svm", "tree", "knn"):
        predicted = fit(trainer, two, {}).predict(wine.validation.x)
        assert predicted.shape[1] == 3
        assert (predicted.argmax(dim=1) != 1).all()
        assert (predicted > 0).all()  # none is impossible: the loss is finite


def test_the_sharpness_has_the_best_likelihood() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(90) % 3
    scores = torch.randn(90, 3, generator=generator, dtype=torch.float64)
    scores[torch.arange(90), y] += 1.0
    smoothed = torch.full((90, 3), 1.0 / 93, dtype=torch.float64)
    smoothed[torch.arange(90), y] = 91.0 / 93

    def loss(log: float) -> float:
        return -(smoothed * (np.exp(log) * scores).log_softmax(dim=1)).sum().item()

    best = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-9}).x
    assert find_sharpness(scores, y) == pytest.approx(np.exp(best), rel=1e-4)
    assert find_sharpness(torch.eye(3, dtype=torch.float64)[y], y) < 10.0  # finite where no row is wrong


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_neighbours_vote_as_scikit_learns(weights: str, p: float) -> None:
    x, y, new = rows(data("wine"))
    params: dict[str, Value] = {"k": 7, "weights": weights, "p": p}
    shares = KNeighborsClassifier(7, weights=weights, p=p, algorithm="brute").fit(x, y).predict_proba(new)
    predicted = fit("knn", data("wine"), params).predict(data("wine").validation.x)
    np.testing.assert_allclose(predicted, (7 * shares + 1 / 3) / 8, atol=1e-6)
    x, y, new = rows(data("diabetes"))
    expected = KNeighborsRegressor(7, weights=weights, p=p, algorithm="brute").fit(x, y.double()).predict(new)
    np.testing.assert_allclose(fit("knn", data("diabetes"), params).predict(new.float()), expected, rtol=1e-5)


def test_a_training_row_weighed_by_distance_is_its_own_neighbour_alone() -> None:
    learner = fit("knn", data("diabetes"), {"k": 9, "weights": "distance"})
    train = data("diabetes").train
    torch.testing.assert_close(learner.predict(train.x), train.y.double(), rtol=1e-6, atol=0)


def test_more_neighbours_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="k is 5000, but there are only 106 training rows"):
        fit("knn", data("wine"), {"k": 5000})


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_trees_decide_as_scikit_learns(criterion: str) -> None:
    x, y, new = rows(data("wine"))
    grown = DecisionTreeClassifier(criterion=criterion, max_depth=3, min_samples_leaf=4, random_state=0).fit(x, y)
    size = grown.tree_.n_node_samples[grown.apply(new)][:, None]
    params: dict[str, Value] = {"criterion": criterion, "max_depth": 3, "min_samples_leaf": 4}
    predicted = fit("tree", data("wine"), params).predict(new.float())
    np.testing.assert_allclose(predicted, (size * grown.predict_proba(new) + 1 / 3) / (size + 1), atol=1e-6)
    x, y, new = rows(data("diabetes"))
    expected = DecisionTreeRegressor(max_depth=3, min_samples_leaf=4, random_state=0).fit(x, y).predict(new)
    np.testing.assert_allclose(fit("tree", data("diabetes"), params).predict(new.float()), expected, rtol=1e-5)


def test_a_file_whose_sizes_disagree_is_refused() -> None:
    learner = fit("knn", data("wine"), {})
    kept = learner.best_parameters()
    kept["0.targets"] = kept["0.targets"][:-1]
    with pytest.raises(ValueError, match=r"the checkpoint does not fit: targets is \(105,\)"):
        build("knn", {}).prepare([data("wine").schema], kept)


@pytest.mark.parametrize("trainer", ["svm", "knn", "tree"])
def test_folds_and_images_are_learned_too(trainer: str) -> None:
    digits = load("digits")
    parts = split(replace(digits, x=digits.x[:400], y=digits.y[:400]), folds=2)
    [epoch] = build(trainer, {}).fit(parts)
    assert epoch.metrics["val_error"] < 0.5  # nine in ten by chance
    assert "val_error_std" in epoch.metrics
