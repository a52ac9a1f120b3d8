"""Decision trees (section 5.7.3), grown by scikit-learn; kept and walked as plain tensors."""

from typing import Any

import torch
from torch import Tensor

from models.datasets import Schema
from models.fitted import Fitted, Learned, Shape, smooth, to_outputs


def build(*, seed: int, max_depth: int, min_samples_leaf: int, criterion: str) -> Fitted:
    """CART; the seed only decides between splits of equal gain."""
    return Fitted(lambda schema: Tree(schema, max_depth, min_samples_leaf, criterion, seed % 2**32))


class Tree:
    """Classes: the shares in the leaf, smoothed by one training row more. Numbers: the leaf's mean."""

    def __init__(self, schema: Schema, max_depth: int, min_samples_leaf: int, criterion: str, seed: int) -> None:
        self._classes, self._criterion = len(schema.classes), criterion
        self._growth = {"max_depth": max_depth, "min_samples_leaf": min_samples_leaf, "random_state": seed}

    def shapes(self) -> dict[str, Shape]:
        node: Shape = ("nodes",)
        names = ("feature", "threshold", "left", "right", "count")
        return {**dict.fromkeys(names, node), "value": ("nodes", self._classes or 1)}

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        # only here: scikit-learn costs each training process two seconds, and most train no tree
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if self._classes:
            grown = DecisionTreeClassifier(criterion=self._criterion, **self._growth).fit(x.numpy(), y.numpy())
            value = torch.zeros(grown.tree_.node_count, self._classes)  # also of classes that no row here is of
            value[:, grown.classes_] = torch.from_numpy(grown.tree_.value[:, 0]).float()
        else:
            grown = DecisionTreeRegressor(**self._growth).fit(x.numpy(), y.numpy())
            value = torch.from_numpy(grown.tree_.value[:, 0])
        return {**read_nodes(grown.tree_), "value": value}

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        leaf = find_leaves(learned, x)
        value = learned["value"][leaf]  # (B, C) shares, or (B, 1)
        return to_outputs(smooth(value.double(), learned["count"][leaf])) if self._classes else value


def read_nodes(tree: Any) -> dict[str, Tensor]:  # Any: scikit-learn has no types
    """scikit-learn's arrays of nodes; a leaf is its own child, so that who has arrived stays."""
    own = torch.arange(tree.node_count)
    left, right = torch.from_numpy(tree.children_left), torch.from_numpy(tree.children_right)
    leaf = left < 0
    return {
        "feature": torch.from_numpy(tree.feature).masked_fill(leaf, 0),
        "threshold": torch.from_numpy(tree.threshold).clone(),
        "left": torch.where(leaf, own, left),
        "right": torch.where(leaf, own, right),
        "count": torch.from_numpy(tree.n_node_samples).clone(),
    }


def find_leaves(learned: Learned, x: Tensor) -> Tensor:
    """The node (B,) at which each of x (B, F) ends: left where the feature is at most the threshold."""
    node = torch.zeros(len(x), dtype=torch.int64)
    for _ in learned["left"]:  # a tree is not deeper than it has nodes
        value = x.gather(1, learned["feature"][node][:, None])[:, 0]
        left = value.double() <= learned["threshold"][node]
        following = torch.where(left, learned["left"][node], learned["right"][node])
        if torch.equal(following, node):
            break
        node = following
    return node
