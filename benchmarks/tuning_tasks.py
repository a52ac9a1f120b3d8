"""Real tuning tasks that take milliseconds: small data sets and fast learners, each with the space a user would give.

A task's score is a validation loss or error, smaller is better; what diverges scores inf, as in practice. Everything is
a function of the point alone: splits and initial weights are fixed, so that samplers differ by their choices only.
"""

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from trialbook.space import Point, Space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A space, what is to be made small over it, and the lowest value where it is known."""

    space: Space
    score: Callable[[Point], float]
    lowest: float | None = None


@dataclass(frozen=True)
class Split:
    """Standardized features and targets of two parts: training and validation."""

    x: Array
    y: Array
    xv: Array
    yv: Array


def real(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, **more}


def log(low: float, high: float, **more: Any) -> dict[str, Any]:
    return real(low, high, log=True, **more)


def whole(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"type": "int", "low": low, "high": high, **more}


def one_of(*choices: Any, **more: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices), **more}


@cache
def data(name: str, rows: int = 500) -> Split:
    """A data set, shuffled, at most so many rows for each part, features standardized by the training part."""
    loaders: dict[str, Callable[[], tuple[Array, Array]]] = {
        "digits": lambda: datasets.load_digits(return_X_y=True),
        "wine": lambda: datasets.load_wine(return_X_y=True),
        "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
        "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
        "moons": lambda: datasets.make_moons(800, noise=0.3, random_state=0),
        "circles": lambda: datasets.make_circles(600, noise=0.15, factor=0.6, random_state=0),
        "friedman1": lambda: datasets.make_friedman1(600, noise=1.0, random_state=0),
        "friedman2": lambda: datasets.make_friedman2(600, noise=30.0, random_state=0),
        "hard": lambda: datasets.make_classification(800, 20, n_informative=8, n_classes=4, random_state=0),
        "noisy": lambda: datasets.make_classification(600, 10, n_informative=4, flip_y=0.2, random_state=1),
    }
    x, y = loaders[name]()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    return halved(x, y, min(rows, len(x) // 2))


def halved(x: Array, y: Array, half: int) -> Split:
    """The first so many rows and as many after them, standardized by the former."""
    scaler = StandardScaler().fit(x[:half])
    if not np.issubdtype(y.dtype, np.integer):
        y = (y - y[:half].mean()) / y[:half].std()
    return Split(scaler.transform(x[:half]), y[:half], scaler.transform(x[half : 2 * half]), y[half : 2 * half])


def error(model: Any, part: Split) -> float:
    """The share of wrong answers on the validation part."""
    return float((model.fit(part.x, part.y).predict(part.xv) != part.yv).mean())


def surprise(model: Any, part: Split) -> float:
    """The cross-entropy on the validation part."""
    fitted = model.fit(part.x, part.y)
    return float(log_loss(part.yv, fitted.predict_proba(part.xv), labels=np.unique(part.y)))


def rmse(model: Any, part: Split) -> float:
    """The root mean squared error on the validation part, in deviations of the target."""
    found = float(np.sqrt(np.mean((model.fit(part.x, part.y).predict(part.xv) - part.yv) ** 2)))
    return found if math.isfinite(found) else math.inf


def perceptron(part: Split, p: Point, *, epochs: int, regression: bool = False) -> float:
    """A perceptron of one or two hidden layers trained by mini-batches: its validation loss, inf where it diverges."""
    chance = np.random.default_rng(0)
    classes = 1 if regression else int(part.y.max()) + 1
    target = part.y[:, None] if regression else np.eye(classes)[part.y.astype(int)]
    sizes = [part.x.shape[1], *[p["width"]] * p.get("layers", 1), classes]
    weights = [chance.normal(size=(a, b)) * np.sqrt(2 / a) for a, b in itertools.pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]
    state = [[np.zeros_like(w), np.zeros_like(w)] for w in (*weights, *biases)]
    act, slope = ACTIVATIONS[p.get("activation", "relu")]
    adam, rate, decay, steps = p.get("optimizer") == "adam", p["rate"], p.get("decay", 0.0), 0
    for _ in range(epochs):
        order = chance.permutation(len(part.x))
        for begin in range(0, len(order), p.get("batch", 32)):
            rows = order[begin : begin + p.get("batch", 32)]
            hidden = [part.x[rows]]
            for w, b in zip(weights[:-1], biases[:-1], strict=True):
                hidden.append(act(hidden[-1] @ w + b))
            out = hidden[-1] @ weights[-1] + biases[-1]
            if not np.isfinite(out).all() or np.abs(out).max() > 1e8:
                return math.inf
            grad = (out if regression else softmax(out)) - target[rows]
            grad /= len(rows)
            steps += 1
            for layer in range(len(weights) - 1, -1, -1):
                own = hidden[layer].T @ grad + decay * weights[layer], grad.sum(0)
                if layer:
                    grad = (grad @ weights[layer].T) * slope(hidden[layer])
                for value, g, moments in (
                    (weights[layer], own[0], state[layer]),
                    (biases[layer], own[1], state[len(weights) + layer]),
                ):
                    if adam:
                        moments[0] += 0.1 * (g - moments[0])
                        moments[1] += 0.001 * (g * g - moments[1])
                        value -= (
                            rate * (moments[0] / (1 - 0.9**steps)) / (np.sqrt(moments[1] / (1 - 0.999**steps)) + 1e-8)
                        )
                    else:
                        moments[0] *= p.get("momentum", 0.0)
                        moments[0] -= rate * g
                        value += moments[0]
    hidden_v = part.xv
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        hidden_v = act(hidden_v @ w + b)
    out = hidden_v @ weights[-1] + biases[-1]
    if not np.isfinite(out).all():
        return math.inf
    if regression:
        return float(np.sqrt(np.mean((out[:, 0] - part.yv) ** 2)))
    shifted = out - out.max(axis=1, keepdims=True)
    told = shifted[np.arange(len(out)), part.yv.astype(int)] - np.log(np.exp(shifted).sum(axis=1))
    return float(-told.mean())


def softmax(out: Array) -> Array:
    grown = np.exp(out - out.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda a: (a > 0).astype(float)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-np.clip(z, -60, 60))), lambda a: a * (1 - a)),
}
NET = {
    "rate": log(1e-5, 10.0),
    "width": whole(4, 64, log=True),
    "layers": whole(1, 2),
    "activation": one_of("relu", "tanh", "sigmoid"),
    "optimizer": one_of("sgd", "adam"),
    "momentum": real(0.0, 0.99, when={"optimizer": ["sgd"]}),
    "decay": log(1e-6, 0.1),
    "batch": whole(8, 128, log=True),
}


def net(names: str, **more: Any) -> dict[str, Any]:
    return {name: NET[name] for name in names.split()} | more


def _svm(part: Split, p: Point) -> float:
    more = {name: p[name] for name in ("gamma", "degree", "coef0") if name in p}
    return error(SVC(C=p["C"], kernel=p.get("kernel", "rbf"), max_iter=20_000, **more), part)


def _sgd(part: Split, p: Point) -> float:
    schedule = {} if p["schedule"] == "optimal" else {"eta0": p["eta0"]}
    model = SGDClassifier(
        loss=p["loss"],
        penalty=p["penalty"],
        alpha=p["alpha"],
        learning_rate=p["schedule"],
        max_iter=15,
        tol=None,
        random_state=0,
        **schedule,
    )
    return error(model, part)


def _boost(kind: Any, p: Point) -> Any:
    return kind(
        n_estimators=p["trees"],
        learning_rate=p["rate"],
        max_depth=p["depth"],
        subsample=p["subsample"],
        min_samples_leaf=p["leaf"],
        random_state=0,
    )


BOOST = {
    "trees": whole(5, 60, log=True),
    "rate": log(1e-3, 2.0),
    "depth": whole(1, 8),
    "subsample": real(0.3, 1.0),
    "leaf": whole(1, 40, log=True),
}
TREE = {"depth": whole(1, 20), "leaf": whole(1, 60, log=True), "alpha": log(1e-6, 0.1)}


def _tasks() -> dict[str, tuple[dict[str, Any], Callable[[Point], float]]]:
    small = {"rows": 250}
    return {
        "svm on digits": (
            {"C": log(1e-3, 1e3), "gamma": log(1e-5, 10.0)},
            lambda p: _svm(data("digits", **small), p),
        ),
        "svm on cancer": (
            {
                "C": log(1e-4, 1e4),
                "kernel": one_of("rbf", "poly", "sigmoid", "linear"),
                "gamma": log(1e-5, 10.0, when={"kernel": ["rbf", "poly", "sigmoid"]}),
                "degree": whole(2, 5, when={"kernel": ["poly"]}),
                "coef0": real(-1.0, 1.0, when={"kernel": ["poly", "sigmoid"]}),
            },
            lambda p: _svm(data("cancer", **small), p),
        ),
        "svm on moons": (
            {"C": log(1e-3, 1e3), "gamma": log(1e-3, 1e3)},
            lambda p: surprise(
                SVC(C=p["C"], gamma=p["gamma"], probability=True, random_state=0), data("moons", rows=150)
            ),
        ),
        "svr on diabetes": (
            {"C": log(1e-3, 1e3), "gamma": log(1e-5, 10.0), "epsilon": log(1e-3, 2.0)},
            lambda p: rmse(SVR(C=p["C"], gamma=p["gamma"], epsilon=p["epsilon"], max_iter=20_000), data("diabetes")),
        ),
        "svr on friedman1": (
            {"C": log(1e-3, 1e3), "gamma": log(1e-4, 10.0), "epsilon": log(1e-3, 2.0)},
            lambda p: rmse(SVR(C=p["C"], gamma=p["gamma"], epsilon=p["epsilon"], max_iter=20_000), data("friedman1")),
        ),
        "neighbours on digits": (
            {
                "components": whole(2, 60),
                "k": whole(1, 60, log=True),
                "weights": one_of("uniform", "distance"),
                "p": real(1.0, 4.0, step=0.5),
            },
            lambda p: error(
                make_pipeline(
                    PCA(p["components"], random_state=0), KNeighborsClassifier(p["k"], weights=p["weights"], p=p["p"])
                ),
                data("digits", **small),
            ),
        ),
        "neighbours on friedman1": (
            {"k": whole(1, 60, log=True), "weights": one_of("uniform", "distance"), "p": whole(1, 3)},
            lambda p: rmse(KNeighborsRegressor(p["k"], weights=p["weights"], p=p["p"]), data("friedman1")),
        ),
        "tree on hard classes": (
            {**TREE, "criterion": one_of("gini", "entropy"), "features": real(0.1, 1.0)},
            lambda p: surprise(
                DecisionTreeClassifier(
                    max_depth=p["depth"],
                    min_samples_leaf=p["leaf"],
                    ccp_alpha=p["alpha"],
                    criterion=p["criterion"],
                    max_features=p["features"],
                    random_state=0,
                ),
                data("hard"),
            ),
        ),
        "tree on friedman2": (
            TREE,
            lambda p: rmse(
                DecisionTreeRegressor(
                    max_depth=p["depth"], min_samples_leaf=p["leaf"], ccp_alpha=p["alpha"], random_state=0
                ),
                data("friedman2"),
            ),
        ),
        "boosting on diabetes": (BOOST, lambda p: rmse(_boost(GradientBoostingRegressor, p), data("diabetes"))),
        "boosting on noisy classes": (
            BOOST,
            lambda p: surprise(_boost(GradientBoostingClassifier, p), data("noisy", **small)),
        ),
        "forest on wine": (
            {"trees": whole(2, 30), "depth": whole(1, 12), "leaf": whole(1, 20), "features": real(0.1, 1.0)},
            lambda p: surprise(
                RandomForestClassifier(
                    p["trees"],
                    max_depth=p["depth"],
                    min_samples_leaf=p["leaf"],
                    max_features=p["features"],
                    random_state=0,
                ),
                data("wine"),
            ),
        ),
        "extra trees on friedman1": (
            {"trees": whole(2, 25), "depth": whole(1, 16), "leaf": whole(1, 20), "features": real(0.1, 1.0)},
            lambda p: rmse(
                ExtraTreesRegressor(
                    p["trees"],
                    max_depth=p["depth"],
                    min_samples_leaf=p["leaf"],
                    max_features=p["features"],
                    random_state=0,
                ),
                data("friedman1"),
            ),
        ),
        "adaboost on cancer": (
            {"trees": whole(1, 30, log=True), "rate": log(1e-3, 10.0), "depth": whole(1, 5)},
            lambda p: error(
                AdaBoostClassifier(
                    DecisionTreeClassifier(max_depth=p["depth"], random_state=0),
                    n_estimators=p["trees"],
                    learning_rate=p["rate"],
                    random_state=0,
                ),
                data("cancer"),
            ),
        ),
        "polynomial on friedman1": (
            {"degree": whole(1, 4), "alpha": log(1e-6, 1e4), "rows": one_of("all", "interactions")},
            lambda p: rmse(
                make_pipeline(
                    PolynomialFeatures(min(p["degree"], 3), interaction_only=p["rows"] == "interactions"),
                    StandardScaler(),
                    Ridge(alpha=p["alpha"]),
                ),
                Split(*(part[:, :5] if part.ndim == 2 else part for part in vars(data("friedman1")).values())),
            ),
        ),
        "elastic net on diabetes": (
            {"alpha": log(1e-5, 10.0), "mixture": real(0.0, 1.0), "degree": whole(1, 2)},
            lambda p: rmse(
                make_pipeline(
                    PolynomialFeatures(p["degree"]),
                    ElasticNet(alpha=p["alpha"], l1_ratio=p["mixture"], max_iter=300, tol=1e-3),
                ),
                data("diabetes"),
            ),
        ),
        "kernel ridge on friedman2": (
            {"alpha": log(1e-6, 1e3), "gamma": log(1e-5, 10.0), "kernel": one_of("rbf", "laplacian")},
            lambda p: rmse(KernelRidge(alpha=p["alpha"], gamma=p["gamma"], kernel=p["kernel"]), data("friedman2")),
        ),
        "random features on circles": (
            {"gamma": log(1e-3, 1e3), "components": whole(2, 80, log=True), "C": log(1e-4, 1e4)},
            lambda p: surprise(
                make_pipeline(
                    Nystroem(gamma=p["gamma"], n_components=p["components"], random_state=0),
                    LogisticRegression(C=p["C"], max_iter=200),
                ),
                data("circles", rows=200),
            ),
        ),
        "naive Bayes on digits": (
            {"components": whole(1, 64), "smoothing": log(1e-9, 10.0)},
            lambda p: error(
                make_pipeline(PCA(p["components"], random_state=0), GaussianNB(var_smoothing=p["smoothing"])),
                data("digits", **small),
            ),
        ),
        "discriminant on digits": (
            {"shrinkage": real(0.0, 1.0), "components": whole(5, 60)},
            lambda p: surprise(
                make_pipeline(
                    PCA(p["components"], random_state=0),
                    LinearDiscriminantAnalysis(solver="lsqr", shrinkage=p["shrinkage"]),
                ),
                data("digits", **small),
            ),
        ),
        "linear by SGD on hard classes": (
            {
                "loss": one_of("hinge", "log_loss", "modified_huber", "perceptron"),
                "penalty": one_of("l2", "l1", "elasticnet"),
                "alpha": log(1e-7, 1.0),
                "schedule": one_of("optimal", "constant", "invscaling", "adaptive"),
                "eta0": log(1e-5, 10.0, when={"schedule": ["constant", "invscaling", "adaptive"]}),
            },
            lambda p: _sgd(data("hard"), p),
        ),
        "net on digits": (
            net("rate width activation optimizer momentum batch"),
            lambda p: perceptron(data("digits", **small), p, epochs=8),
        ),
        "net on moons": (
            net("rate width layers activation momentum decay", optimizer=one_of("sgd", "adam")),
            lambda p: perceptron(data("moons", rows=200), p, epochs=15),
        ),
        "net on friedman1": (
            net("rate width layers activation optimizer momentum decay batch"),
            lambda p: perceptron(data("friedman1", rows=200), p, epochs=12, regression=True),
        ),
        "plain SGD net on wine": (
            {"rate": log(1e-4, 100.0), "momentum": real(0.0, 0.999), "width": whole(2, 32)},
            lambda p: perceptron(data("wine"), p, epochs=15),
        ),
        "net on diabetes": (
            net("rate width activation optimizer momentum decay"),
            lambda p: perceptron(data("diabetes", rows=200), p, epochs=12, regression=True),
        ),
    }


def tasks() -> dict[str, Task]:
    """All tasks by name."""
    return {name: Task(Space.model_validate(space), quiet(score)) for name, (space, score) in _tasks().items()}


def quiet(score: Callable[[Point], float]) -> Callable[[Point], float]:
    """Warnings and failures of a fit are part of tuning: what fails scores inf."""

    def run(point: Point) -> float:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                found = score(point)
            except (ValueError, FloatingPointError, np.linalg.LinAlgError):
                return math.inf
        return found if math.isfinite(found) else math.inf

    return run
