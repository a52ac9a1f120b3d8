"""Tuning tasks on which no search was looked at while `gp` was made: other learners, in part on other data.

They tell whether what was chosen holds elsewhere. The scores, splits and spaces are of the same kind.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import BaggingRegressor, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import HuberRegressor, LogisticRegression, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import NuSVR
from sklearn.tree import DecisionTreeRegressor
from tuning_tasks import Split, Task, data, halved, log, one_of, perceptron, quiet, real, rmse, surprise, whole

from trialbook.space import Point, Space


@cache
def friedman3() -> Split:
    """Friedman's third function, with noise."""
    return halved(*datasets.make_friedman3(500, noise=0.1, random_state=0), 250)


@cache
def blobs() -> Split:
    """Eight overlapping clusters in six dimensions."""
    return halved(*datasets.make_blobs(500, 6, centers=8, cluster_std=4.0, random_state=0), 250)


def _gaussian_process(p: Point) -> GaussianProcessRegressor:
    kernel = ConstantKernel(p["variance"]) * RBF(p["length"]) + WhiteKernel(p["noise"])
    return GaussianProcessRegressor(kernel, optimizer=None)


def _discriminant(p: Point) -> Any:
    return make_pipeline(PCA(p["components"], random_state=0), QuadraticDiscriminantAnalysis(reg_param=p["shrinkage"]))


def _network(kind: Any, p: Point, **more: Any) -> Any:
    return kind(
        hidden_layer_sizes=(p["width"],) * p.get("layers", 1),
        activation=p["activation"],
        alpha=p["alpha"],
        random_state=0,
        **more,
    )


def _tasks() -> dict[str, tuple[dict[str, Any], Callable[[Point], float]]]:
    return {
        "nu-svr on friedman1": (
            {"C": log(1e-3, 1e3), "gamma": log(1e-4, 10.0), "nu": real(0.05, 1.0)},
            lambda p: rmse(NuSVR(C=p["C"], gamma=p["gamma"], nu=p["nu"], max_iter=20_000), data("friedman1", rows=200)),
        ),
        "forest on noisy classes": (
            {
                "trees": whole(2, 30, log=True),
                "depth": whole(1, 15),
                "leaf": whole(1, 30, log=True),
                "features": real(0.1, 1.0),
                "criterion": one_of("gini", "entropy"),
            },
            lambda p: surprise(
                RandomForestClassifier(
                    p["trees"],
                    max_depth=p["depth"],
                    min_samples_leaf=p["leaf"],
                    max_features=p["features"],
                    criterion=p["criterion"],
                    random_state=0,
                ),
                data("noisy"),
            ),
        ),
        "bagged trees on friedman3": (
            {
                "trees": whole(2, 30, log=True),
                "depth": whole(1, 15),
                "samples": real(0.1, 1.0),
                "features": real(0.3, 1.0),
            },
            lambda p: rmse(
                BaggingRegressor(
                    DecisionTreeRegressor(max_depth=p["depth"], random_state=0),
                    p["trees"],
                    max_samples=p["samples"],
                    max_features=p["features"],
                    random_state=0,
                ),
                friedman3(),
            ),
        ),
        "histogram boosting on friedman3": (
            {
                "rate": log(1e-3, 2.0),
                "leaves": whole(2, 32, log=True),
                "rounds": whole(5, 40, log=True),
                "l2": log(1e-4, 1e3),
                "leaf": whole(1, 60, log=True),
            },
            lambda p: rmse(
                HistGradientBoostingRegressor(
                    learning_rate=p["rate"],
                    max_leaf_nodes=p["leaves"],
                    max_iter=p["rounds"],
                    l2_regularization=p["l2"],
                    min_samples_leaf=p["leaf"],
                    early_stopping=False,
                ),
                friedman3(),
            ),
        ),
        "logistic with random features on blobs": (
            {"gamma": log(1e-4, 10.0), "components": whole(5, 200, log=True), "C": log(1e-4, 1e4)},
            lambda p: surprise(
                make_pipeline(
                    RBFSampler(gamma=p["gamma"], n_components=p["components"], random_state=0),
                    LogisticRegression(C=p["C"], max_iter=100),
                ),
                blobs(),
            ),
        ),
        "sparse logistic on hard classes": (
            {"C": log(1e-4, 1e3), "mixture": real(0.0, 1.0), "degree": whole(1, 2)},
            lambda p: surprise(
                make_pipeline(
                    PolynomialFeatures(p["degree"]),
                    StandardScaler(),
                    LogisticRegression(C=p["C"], l1_ratio=p["mixture"], solver="saga", max_iter=20, random_state=0),
                ),
                data("hard", rows=200),
            ),
        ),
        "quadratic discriminant on digits": (
            {"shrinkage": log(1e-4, 1.0), "components": whole(2, 60)},
            lambda p: surprise(_discriminant(p), data("digits")),
        ),
        "label spreading on moons": (
            {
                "kernel": one_of("rbf", "knn"),
                "gamma": log(1e-2, 1e3, when={"kernel": ["rbf"]}),
                "neighbours": whole(1, 40, log=True, when={"kernel": ["knn"]}),
                "alpha": real(0.01, 0.99),
            },
            lambda p: surprise(
                LabelSpreading(
                    kernel=p["kernel"],
                    gamma=p.get("gamma", 1.0),
                    n_neighbors=p.get("neighbours", 7),
                    alpha=p["alpha"],
                    max_iter=50,
                ),
                data("moons", rows=200),
            ),
        ),
        "Gaussian process on friedman1": (
            {"variance": log(1e-2, 1e3), "length": log(1e-2, 1e2), "noise": log(1e-4, 10.0)},
            lambda p: rmse(_gaussian_process(p), data("friedman1", rows=150)),
        ),
        "polynomial kernel ridge on diabetes": (
            {"alpha": log(1e-4, 1e3), "gamma": log(1e-4, 1.0), "degree": whole(1, 5), "coef0": real(0.0, 5.0)},
            lambda p: rmse(
                KernelRidge(alpha=p["alpha"], kernel="poly", gamma=p["gamma"], degree=p["degree"], coef0=p["coef0"]),
                data("diabetes"),
            ),
        ),
        "robust line on Nystroem of friedman2": (
            {
                "gamma": log(1e-4, 10.0),
                "components": whole(5, 80, log=True),
                "alpha": log(1e-6, 10.0),
                "epsilon": real(1.05, 3.0),
            },
            lambda p: rmse(
                make_pipeline(
                    Nystroem(gamma=p["gamma"], n_components=p["components"], random_state=0),
                    HuberRegressor(epsilon=p["epsilon"], alpha=p["alpha"], max_iter=50),
                ),
                data("friedman2", rows=200),
            ),
        ),
        "line by SGD on friedman2": (
            {
                "loss": one_of("squared_error", "huber", "epsilon_insensitive"),
                "penalty": one_of("l2", "l1", "elasticnet"),
                "alpha": log(1e-7, 1.0),
                "eta0": log(1e-5, 1.0),
                "power": real(0.0, 0.9),
                "degree": whole(1, 3),
            },
            lambda p: rmse(
                make_pipeline(
                    PolynomialFeatures(p["degree"], include_bias=False),
                    StandardScaler(),
                    SGDRegressor(
                        loss=p["loss"],
                        penalty=p["penalty"],
                        alpha=p["alpha"],
                        eta0=p["eta0"],
                        power_t=p["power"],
                        max_iter=15,
                        tol=None,
                        random_state=0,
                    ),
                ),
                data("friedman2"),
            ),
        ),
        "Adam net on circles": (
            {
                "rate": log(1e-5, 1.0),
                "width": whole(2, 64, log=True),
                "layers": whole(1, 3),
                "alpha": log(1e-6, 1.0),
                "activation": one_of("relu", "tanh", "logistic"),
                "batch": whole(8, 128, log=True),
            },
            lambda p: surprise(
                _network(MLPClassifier, p, learning_rate_init=p["rate"], batch_size=p["batch"], max_iter=15),
                data("circles", rows=150),
            ),
        ),
        "L-BFGS net on diabetes": (
            {
                "width": whole(1, 32, log=True),
                "alpha": log(1e-4, 1e3),
                "steps": whole(5, 60, log=True),
                "activation": one_of("relu", "tanh", "logistic"),
            },
            lambda p: rmse(_network(MLPRegressor, p, solver="lbfgs", max_iter=p["steps"]), data("diabetes")),
        ),
        "net on cancer": (
            {
                "rate": log(1e-4, 10.0),
                "width": whole(2, 32, log=True),
                "momentum": real(0.0, 0.99),
                "decay": log(1e-6, 1.0),
                "batch": whole(8, 128, log=True),
                "activation": one_of("relu", "tanh", "sigmoid"),
            },
            lambda p: perceptron(data("cancer", rows=200), p, epochs=8),
        ),
    }


def tasks() -> dict[str, Task]:
    """All tasks by name."""
    return {name: Task(Space.model_validate(space), quiet(score)) for name, (space, score) in _tasks().items()}
