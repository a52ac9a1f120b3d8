"""Where a classifier is wrong (section 11.5): its confusion matrix, and the mistakes it was surest of."""

import torch
from torch import Tensor

from models.learner import JSON
from models.metrics import Costs, confusion_matrix, decide

SHOWN = 50


def judge(probabilities: Tensor, y: Tensor, classes: tuple[str, ...], costs: Costs = ()) -> dict[str, JSON]:
    """Probabilities (N, C) and true classes (N,) of a part, as JSON.

    `confusion`: `classes`; `counts`, a row for each true class, a column for each decided one; `undecided` by true
    class, where probabilities were nan. `mistakes`: `rows`, at most SHOWN, those first whose true class was given the
    least probability: `row` (its place in the part, from 0), `true`, `decided` (null: none), `probability` of the
    decided class and `probability_of_true`.
    """
    decided = decide(probabilities, costs)
    counts = confusion_matrix(decided, y, len(classes)).tolist()
    confusion = {
        "classes": list(classes),
        "counts": [row[:-1] for row in counts],
        "undecided": [row[-1] for row in counts],
    }
    return {"confusion": confusion, "mistakes": {"rows": _mistakes(probabilities, decided, y, classes)}}


def _mistakes(probabilities: Tensor, decided: Tensor, y: Tensor, classes: tuple[str, ...]) -> list[JSON]:
    given = probabilities.gather(1, y[:, None])[:, 0]
    wrong = torch.nonzero(decided != y)[:, 0]
    worst = wrong[given[wrong].nan_to_num(-1.0).argsort(stable=True)][:SHOWN].tolist()
    return [
        {
            "row": row,
            "true": classes[y[row]],
            "decided": classes[decided[row]] if decided[row] >= 0 else None,
            "probability": _number(probabilities[row, decided[row]]) if decided[row] >= 0 else None,
            "probability_of_true": _number(given[row]),
        }
        for row in worst
    ]


def _number(probability: Tensor) -> float | None:
    """nan is no JSON."""
    return None if probability.isnan() else probability.item()
