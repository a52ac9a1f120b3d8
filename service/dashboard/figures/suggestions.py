"""How a study's sampler came to its suggestions, and how well what it expected came true."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from service.dashboard.figures.protocol import Tried, complete_value, heading
from trialbook.spec import StudySpec
from trialbook.values import spell

DEVIATIONS = (1, 2)


class Explained(Tried, Protocol):
    """A trial with its sampler's own words; its predictions are values, in the metric's own direction."""

    @property
    def explanation(self) -> Mapping[str, Any]: ...  # Any: JSON


def suggestions(spec: StudySpec, trials: Sequence[Explained]) -> dict[str, Any]:  # Any: JSON
    """Each trial's mode (`startup`, `model`, `fallback`, `cell`, … or `given` for points added by hand) with what was
    expected of it; how many there are of each mode; and `calibration`, of the complete trials with a prediction: how
    many lie within one and two deviations of it."""
    items = [_item(one) for one in trials]
    modes = Counter(item["mode"] for item in items)
    return {
        **heading("suggestions", spec),
        "sampler": spec.sampler.name,
        "modes": dict(modes.most_common()),
        "calibration": calibration(trials),
        "items": items,
    }


def calibration(trials: Sequence[Explained]) -> dict[str, Any]:  # Any: JSON
    """`predictions` that came true or not, and of these `within` one and two deviations; in a model's own eyes 68 %
    and 95 % of them are, and less where trials are noisy, since the deviation is the function's alone."""
    misses = []
    for one in trials:
        value, expected = complete_value(one), _prediction(one)
        if value is not None and expected is not None:
            misses.append(abs(value - expected[0]) / max(expected[1], 1e-300))
    within = {str(most): sum(miss <= most for miss in misses) for most in DEVIATIONS}
    return {"predictions": len(misses), "within": within}


def _item(one: Explained) -> dict[str, Any]:  # Any: JSON
    known = one.explanation
    expected = _prediction(one)
    return {
        "number": one.number,
        "state": one.state,
        "value": None if one.value is None else spell(one.value),
        "mode": known.get("mode", "drawn") if known else "given",
        "seen": known.get("seen"),
        "reason": known.get("reason"),
        "predicted": expected[0] if expected else None,
        "deviation": expected[1] if expected else None,
    }


def _prediction(one: Explained) -> tuple[float, float] | None:
    found = one.explanation.get("predicted"), one.explanation.get("deviation")
    is_number = all(isinstance(each, int | float) and math.isfinite(each) for each in found)
    return (float(found[0]), float(found[1])) if is_number else None  # type: ignore[arg-type]  # numbers, as asked
