"""What is measured of predictions, by task; each metric's direction stands in the catalogue."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Costs = Sequence[Sequence[float]]  # by true class, then decided class; empty: each mistake costs 1
SORTED_AT_ONCE = 2**14  # probabilities: what is allocated then stays in the processor's cache
JUDGED = ("error", "accuracy", "precision", "recall", "f1", "auc", "cost")


def measure_classes(predicted: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Class indices (N,) predicted and true → error and accuracy, float64 scalars. -1 predicts nothing: it is wrong."""
    right = predicted == y
    return {"error": right.logical_not().double().mean(), "accuracy": right.double().mean()}


def measure_numbers(predicted: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Numbers (N,) predicted and true, in one unit → mse, mae and r2, float64 scalars.

    r2 is the share of the variance explained; where the target does not vary it is 1 for a perfect fit, else 0.
    """
    y = y.double()
    residual = predicted.double() - y
    mse = residual.square().mean()
    variance = (y - y.mean()).square().mean()
    r2 = torch.where(variance > 0, 1.0 - mse / variance, (mse == 0).double())
    return {"mse": mse, "mae": residual.abs().mean(), "r2": r2}


def measure_probabilities(probabilities: Tensor, y: Tensor, costs: Costs = ()) -> dict[str, Tensor]:
    """Probabilities (N, C) and true classes (N,) → JUDGED of what is decided by them, float64 scalars (section 11.1).

    Of two classes, precision, recall, f1 and auc are the second's; of more, the mean over the classes that occur, each
    against the rest; where there is nothing to divide by they are 0, and auc 0.5. cost is the mean of each example's
    entry in `costs`, without them the error. What is not decided is wrong, and costs as much as the worst decision.
    """
    counts = confusion_matrix(decide(probabilities, costs), y, probabilities.shape[1])
    right, decided, true = counts.diagonal().tolist(), counts.sum(axis=0).tolist()[:-1], counts.sum(axis=1).tolist()
    accuracy = sum(right) / len(y)
    cost = _total(counts, costs) / len(y) if costs else 1.0 - accuracy
    triples = [_retrieved(*of_class) for of_class in zip(right, decided, true, strict=True) if any(of_class[1:])]
    averages = _retrieved(right[1], decided[1], true[1]) if len(true) == 2 else _means(triples)
    values = [1.0 - accuracy, accuracy, *averages, measure_auc(probabilities, y), cost]
    return dict(zip(JUDGED, torch.tensor(values, dtype=torch.float64).unbind(), strict=True))


def _retrieved(right: int, decided: int, true: int) -> tuple[float, float, float]:
    """Precision, recall and F1 of a class."""
    return right / (decided or 1), right / (true or 1), 2.0 * right / (decided + true or 1)


def _means(rows: Sequence[tuple[float, ...]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def decide(probabilities: Tensor, costs: Costs = ()) -> Tensor:
    """Probabilities (N, C) → the class of the least expected cost, which without costs is the likeliest; -1 for nan."""
    if costs:
        return _without_nan((probabilities.double() @ probabilities.new_tensor(costs).double()).min(dim=1))
    return _without_nan(probabilities.max(dim=1))


def _without_nan(extremes: torch.return_types.max | torch.return_types.min) -> Tensor:
    return extremes.indices.masked_fill(extremes.values.isnan(), -1)


def confusion_matrix(decided: Tensor, y: Tensor, classes: int) -> NDArray[np.int64]:
    """How many examples of each true class (rows) were taken for each class (columns); the last column is of -1."""
    cells = y.numpy() * (classes + 1) + decided.numpy() % (classes + 1)  # -1 becomes `classes`
    return np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def _total(counts: NDArray[np.int64], costs: Costs) -> float:
    given = np.asarray(costs, dtype=np.float64)
    return float((counts * np.column_stack([given, given.max(axis=1)])).sum())


def measure_auc(probabilities: Tensor, y: Tensor) -> float:
    """Area under the ROC curve: how often one of the class has a higher probability than one of the rest.

    Equals count half. Of two classes the second's area; of more, the mean over all that have members and others, or 0.5
    without any. Probabilities are compared as float32; nan is below all.
    """
    classes = probabilities.shape[1]
    scores, true = probabilities.float().numpy(), y.numpy()
    at_once = max(1, SORTED_AT_ONCE // max(len(y), 1))
    blocks = (np.arange(c, min(c + at_once, classes)) for c in range(1 if classes == 2 else 0, classes, at_once))
    areas = [area for block in blocks for area in _areas(scores[:, block], true == block[:, None])]
    return sum(areas) / len(areas) if areas else 0.5


def _areas(scores: NDArray[np.float32], member: NDArray[np.bool]) -> list[float]:
    """The area of each class by scores (N, C) and membership (C, N); none for a class of no or of all examples.

    The bits of numbers from 0 to 1 are integers in the same order, which leave the lowest bit free for the membership:
    a sort of plain integers is several times as fast as one that also tells where each came from.
    """
    inside = member.sum(axis=1)
    outside = member.shape[1] - inside
    keys = np.ascontiguousarray(scores.T).view(np.int32) << 1
    ordered = np.sort(keys | member, axis=1)  # among equals the members come last
    below = _places(ordered) - inside * (inside - 1) / 2  # pairs of a member and one of the rest before it
    if ((ordered[:, 1:] ^ ordered[:, :-1]) == 1).any():  # equals on both sides: as many of these pairs as the others
        members_first = _places(np.sort(keys | ~member, axis=1)) - outside * (outside - 1) / 2
        below = (below + inside * outside - members_first) / 2
    return [b / (i * o) for b, i, o in zip(below.tolist(), inside.tolist(), outside.tolist(), strict=True) if i and o]


def _places(ordered: NDArray[np.int32]) -> NDArray[np.float64]:
    """(C, N) → the sums of the places, from 0, of the numbers whose lowest bit is set."""
    return np.asarray(((ordered & 1) * np.arange(ordered.shape[1], dtype=np.float64)).sum(axis=1))
