"""Functional analysis of variance over a forest (Hutter et al., 2014, "An Efficient Approach for Assessing
Hyperparameter Importance"): which share of the differences each variable explains by itself.

A tree is constant on boxes, so its effect along one variable is a step function: exact, and found by one sort. Pure.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

Array = NDArray[np.float64]
LEAVE = -1  # of scikit-learn: no child


def main_effects(X: Array, y: Array, *, n_trees: int, seed: int) -> Array:
    """The share (d,) of a forest's variance over the unit cube that each variable's main effect has.

    X is (n, d) in the unit cube, y (n,). What is missing to 1 is the variables' interplay. Zeros where y is constant.
    """
    forest = RandomForestRegressor(n_estimators=n_trees, random_state=seed).fit(X, y)
    shares = [found for tree in forest.estimators_ if (found := _of_tree(tree.tree_, X.shape[1])) is not None]
    result: Array = np.mean(shares, axis=0) if shares else np.zeros(X.shape[1])
    return result


def _of_tree(tree: object, d: int) -> Array | None:
    """The shares (d,) of one tree's variance, None where it has none."""
    low, high, value = _boxes(tree, d)  # (leaves, d), (leaves, d), (leaves,)
    size = high - low
    volume = size.prod(axis=1)
    value = value - volume @ value  # from here on the mean is 0
    variance = volume @ value**2
    if variance <= 0:
        return None
    weight = value * volume
    along = np.array([_variance_along(low[:, i], high[:, i], weight / size[:, i]) for i in range(d)])
    shares: Array = along / variance
    return shares


def _boxes(tree: object, d: int) -> tuple[Array, Array, Array]:
    """The leaves of a tree of scikit-learn's as boxes in the unit cube, level by level from the root."""
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]  # compiled, without types
    feature, threshold = tree.feature, tree.threshold  # type: ignore[attr-defined]
    low, high = np.zeros((len(left), d)), np.ones((len(left), d))
    level = np.array([0])
    while len(level := level[left[level] != LEAVE]):
        for child, bound in ((left, high), (right, low)):
            low[child[level]], high[child[level]] = low[level], high[level]
            bound[child[level], feature[level]] = threshold[level]
        level = np.concatenate([left[level], right[level]])
    leaves = left == LEAVE
    return low[leaves], high[leaves], tree.value[leaves, 0, 0]  # type: ignore[attr-defined]


def _variance_along(start: Array, end: Array, density: Array) -> float:
    """The variance over [0, 1] of the sum of steps, each of height `density` from `start` to `end`; the mean is 0."""
    places = np.unique(np.concatenate([start, end]))
    begun = np.bincount(np.searchsorted(places, start), density, len(places))
    ended = np.bincount(np.searchsorted(places, end), density, len(places))
    return float(np.diff(places) @ np.cumsum(begun - ended)[:-1] ** 2)
