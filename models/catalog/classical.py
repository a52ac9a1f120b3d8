"""The classical learners beside nets (section 5.7): support vector machines, nearest neighbours, decision trees."""

from models.catalog.descent import FLAT
from models.catalog.entries import Parameter, Trainer
from models.catalog.metrics import CLASSIFICATION, LOSS, REGRESSION

SVM = Trainer(
    name="svm",
    title="Support vector machine",
    chapter="5.7.2",
    forms=FLAT,
    tasks=("classification", "regression"),
    parameters={
        "kernel": Parameter("categorical", "rbf", "How like two examples are", choices=("linear", "rbf", "poly")),
        "C": Parameter("float", 1.0, "What an example within the margin costs; less regularizes more", low=1e-6),
        "gamma": Parameter("float", 1.0, "How fast likeness falls with distance; for rbf and poly", low=1e-9),
        "gamma_unit": Parameter(
            "categorical",
            "scale",
            "Whether gamma counts in units of 1 / (features * variance), as scikit-learn's 'scale', or as it stands",
            choices=("scale", "absolute"),
        ),
        "degree": Parameter("int", 3, "Degree of the kernel poly", low=1, high=20),
        "coef0": Parameter("float", 1.0, "Constant in the kernel poly, which brings lower degrees in", low=0.0),
        "epsilon": Parameter(
            "float", 0.1, "Errors below it, in deviations of the target, cost nothing; only for regression", low=0.0
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "svm",
            "data": "breast_cancer",
            "metric": "val_loss",
            "direction": "minimize",
            "fixed": {},
        },
        "space": {
            "kernel": {"type": "categorical", "choices": ["linear", "rbf", "poly"]},
            "C": {"type": "float", "low": 1e-2, "high": 1e3, "log": True},
            "gamma": {"type": "float", "low": 1e-2, "high": 10.0, "log": True, "when": {"kernel": ["rbf", "poly"]}},
            "degree": {"type": "int", "low": 2, "high": 4, "when": {"kernel": ["poly"]}},
        },
    },
)

KNN = Trainer(
    name="knn",
    title="k nearest neighbours",
    chapter="5.7.3",
    forms=FLAT,
    tasks=("classification", "regression"),
    parameters={
        "k": Parameter("int", 5, "How many neighbours are asked", low=1, high=100_000),
        "weights": Parameter(
            "categorical",
            "uniform",
            "Each neighbour counts the same, or as one over its distance",
            choices=("uniform", "distance"),
        ),
        "p": Parameter(
            "float", 2.0, "Order of Minkowski's distance: 1 sums the differences, 2 is Euclid's", low=1.0, high=100.0
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "knn",
            "data": "digits",
            "metric": "val_error",
            "direction": "minimize",
            "fixed": {},
        },
        "space": {
            "k": {"type": "int", "low": 1, "high": 50, "log": True},
            "weights": {"type": "categorical", "choices": ["uniform", "distance"]},
            "p": {"type": "int", "low": 1, "high": 2},  # the two orders that need no powers are fast
        },
    },
)

TREE = Trainer(
    name="tree",
    title="Decision tree",
    chapter="5.7.3",
    forms=FLAT,
    tasks=("classification", "regression"),
    parameters={
        "max_depth": Parameter("int", 5, "Questions from the root to a leaf, at most", low=1, high=1000),
        "min_samples_leaf": Parameter("int", 1, "Training rows in a leaf, at least", low=1, high=1_000_000),
        "criterion": Parameter(
            "categorical",
            "gini",
            "What a split of classes makes small; a split of numbers: the squared error",
            choices=("gini", "entropy"),
        ),
    },
    metrics=(*LOSS, *CLASSIFICATION, *REGRESSION),
    default_spec={
        "objective": {
            "trainer": "tree",
            "data": "wine",
            "metric": "val_loss",
            "direction": "minimize",
            "fixed": {},
        },
        "space": {
            "max_depth": {"type": "int", "low": 1, "high": 20, "log": True},
            "min_samples_leaf": {"type": "int", "low": 1, "high": 50, "log": True},
            "criterion": {"type": "categorical", "choices": ["gini", "entropy"]},
        },
    },
)
