"""How a pruner's reasons are worded: short, exact, in the user's metric and direction."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Speaks of scores as the user's values: value = sign * score."""

    sign: int
    metric: str

    def value(self, score: float) -> float:
        """The user's value of this score (never -0.0)."""
        return self.sign * score + 0.0

    def apart(self, score: float, other: float) -> tuple[str, str]:
        """Both as values with four significant digits, or as many as it takes to tell them apart."""
        own, compared = self.value(score), self.value(other)
        for digits in range(4, 17):
            texts = f"{own:.{digits}g}", f"{compared:.{digits}g}"
            if own == compared or texts[0] != texts[1]:
                break
        return texts

    def diverged(self, step: int) -> str:
        """Why a trial ends whose value is not finite."""
        return f"{self.metric} is not a finite number at step {step}"


def finite(score: float) -> float:
    """The score, or +inf where it is not finite: a value that overflowed is no good value in either direction."""
    return score if math.isfinite(score) else math.inf


def trials(count: int) -> str:
    """'1 trial', '14 trials'."""
    return f"{count} trial" if count == 1 else f"{count} trials"


def ordinal(number: float) -> str:
    """'1st', '25th', '12.5th'."""
    text = f"{number:g}"
    tail = "" if "." in text or text[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "")
    return text + (tail or "th")
