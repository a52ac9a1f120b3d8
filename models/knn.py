"""k nearest neighbours (section 5.7.3): nothing is learned but the training rows themselves."""

import torch
from torch import Tensor
from torch.nn import functional

from models.datasets import Schema
from models.fitted import Fitted, Learned, Shape, smooth, to_outputs

ROWS_AT_ONCE = 256


def build(*, seed: int, k: int, weights: str, p: float) -> Fitted:
    """What the k nearest rows say by Minkowski's distance of order p; no randomness."""
    return Fitted(lambda schema: NearestNeighbours(schema, k, weights, p))


class NearestNeighbours:
    """Classes: the neighbours' weighted shares, smoothed by one neighbour more. Numbers: their weighted mean.

    The weights are equal, or one over the distance; neighbours at distance 0 then count alone.
    """

    def __init__(self, schema: Schema, k: int, weights: str, p: float) -> None:
        self._features, self._classes = schema.size, len(schema.classes)
        self._k, self._weights, self._p = k, weights, p

    def shapes(self) -> dict[str, Shape]:
        return {"rows": ("rows", self._features), "targets": ("rows",)}

    def fit(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        if self._k > len(x):
            raise ValueError(f"k is {self._k}, but there are only {len(x)} training rows")
        return {"rows": x, "targets": y}

    def outputs(self, learned: Learned, x: Tensor) -> Tensor:
        return torch.cat([self._vote(learned, rows) for rows in torch.split(x, ROWS_AT_ONCE)])

    def _vote(self, learned: Learned, x: Tensor) -> Tensor:
        distances, nearest = find_nearest(learned["rows"].double(), x.double(), self._k, self._p)  # (B, k)
        targets, weights = learned["targets"][nearest], self._weigh(distances)
        if not self._classes:
            return (weights * targets).sum(dim=1, keepdim=True)
        shares = (weights[:, :, None] * functional.one_hot(targets, self._classes)).sum(dim=1)
        return to_outputs(smooth(shares, torch.full((len(x),), float(self._k))))

    def _weigh(self, distances: Tensor) -> Tensor:
        """(B, k) distances → weights that sum to 1 in each row."""
        if self._weights == "uniform":
            return torch.full_like(distances, 1.0 / self._k)
        same = distances == 0.0
        weights = torch.where(same.any(dim=1, keepdim=True), same.double(), 1.0 / distances)
        return weights / weights.sum(dim=1, keepdim=True)


def find_nearest(rows: Tensor, x: Tensor, k: int, p: float) -> tuple[Tensor, Tensor]:
    """The k of `rows` (N, F) nearest to each of x (B, F): distances and positions (B, k)."""
    nearest = torch.cdist(x, rows, p=p).topk(k, largest=False).indices
    # anew: by way of a matrix product, which is fast, a row's distance to itself is not quite 0
    return torch.linalg.vector_norm(x[:, None] - rows[nearest], p, dim=2), nearest
