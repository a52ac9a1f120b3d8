"""How Trialbook says things to people, in pages and on the command line: numbers, durations, states, what is left.

Pure: the time of now is handed in.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trialbook.wire import Study, Token, Trial

SHAPES = {
    "running": "●",
    "paused": "‖",
    "complete": "✓",
    "pruned": "◐",
    "failed": "✕",
    "waiting": "○",
    "cancelled": "–",
}
OVER = ("complete", "pruned", "failed", "cancelled")


def shown(value: float | None) -> str:
    """Four significant digits, without idle zeros."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    size = abs(value)
    if value == int(value) and size < 1e6:
        return str(int(value))
    if size < 1e-4 or size >= 1e6:
        return re.sub(r"\.?0*e([+-])0?", r"e\1", f"{value:.3e}")
    return f"{float(f'{value:.4g}'):.10f}".rstrip("0").rstrip(".")


def shown_param(value: Any) -> str:  # Any: a JSON scalar
    """A parameter's value, as JSON spells what is no number or text."""
    if isinstance(value, float):
        return shown(value)
    return value if isinstance(value, str) else json.dumps(value)


def tested(attributes: Mapping[str, Any], metric: str | None) -> str:  # Any: JSON
    """`test_error 0.012 (on 360 examples never used before)`; nothing where no test part was asked."""
    if error := attributes.get("evaluation_error"):
        return f"no test value: {str(error).splitlines()[0]}"
    examples = attributes.get("tested_examples")
    if not isinstance(examples, int):
        return ""
    found = {name: value for name, value in attributes.items() if name.startswith("test_") and _is_number(value)}
    wanted = re.sub("^(val|train)_", "test_", metric or "")
    names = [wanted] if wanted in found else list(found)
    values = ", ".join(f"{name} {shown(float(found[name]))}" for name in names)
    return f"{values} (on {count(examples, 'example')} never used before)"


def spared(trial: Trial) -> str:
    """Where the trial would have been stopped, had it not been chosen to run on; nothing where it would not."""
    if trial.spared is None:
        return ""
    why = f"{trial.spared.reason}; it ran on for the audit of early stopping"
    return f"It would have been stopped at step {trial.spared.step}: {why}."


def _is_number(value: Any) -> bool:  # Any: JSON
    return isinstance(value, int | float) or value in ("nan", "inf", "-inf")


def duration(seconds: float) -> str:
    """In the largest unit that says enough."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 86400 else f"{seconds / 86400:.0f} d"


def count(number: int, thing: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def finished(study: Study) -> int:
    """How many trials are over, whatever their end."""
    return sum(number for state, number in study.counts.items() if state in OVER)


def limits(study: Study) -> list[tuple[int, int, str]]:
    """Of each limit beside n_trials what is used, how much there is, and both in words: `40 of 100 epochs`."""
    budget, found = study.spec["budget"], []
    if study.epochs is not None:
        most = budget["max_epochs"]
        found.append((study.epochs, most, f"{study.epochs:,} of {most:,} {'epoch' if most == 1 else 'epochs'}"))
    if study.idle is not None:
        most = budget["patience"]
        found.append((study.idle, most, f"{study.idle} of {count(most, 'trial')} without improvement"))
    return found


def time_left(study: Study, now: datetime) -> str:
    """`about 4 min left` at the pace so far; nothing where no pace is known."""
    over = finished(study) + study.counts["paused"]  # which gave their workers back, most of them for good
    working = study.state == "running" and study.workers > 0
    if not working or study.started_at is None or not study.n_trials or not 0 < over < study.n_trials:
        return ""
    elapsed = (now - study.started_at).total_seconds()
    return f"about {duration((study.n_trials - over) * elapsed / over)} left"


def lost_by_cancel(study: Study) -> str:
    """What cancelling takes away."""
    lost = [count(n, f"{state} trial") for state in ("running", "waiting", "paused") if (n := study.counts[state])]
    what = f"{' and '.join(lost)} will be cancelled" if lost else "No trial is running or waiting"
    return f"{what}, and the study cannot go on afterwards. The {count(finished(study), 'trial')} already over stay."


def token_state(token: Token, now: datetime) -> str:
    """Whether a token opens anything, and for how long still: `valid for 3 d`, `revoked`."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "valid"
    left = (token.expires_at - now).total_seconds()
    return f"valid for {duration(left)}" if left > 0 else "expired"
