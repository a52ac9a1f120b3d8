"""Which trials of a long history a model is told, so that what it costs does not grow with the study. Pure."""

from collections.abc import Sequence

from service.search.protocol import Observation


def worth_seeing(finished: Sequence[Observation], most: int) -> Sequence[Observation]:
    """All, or where they are more than so many, the best half of that and the latest, in the order they finished."""
    if len(finished) <= most:
        return finished
    by_score = sorted(range(len(finished)), key=lambda i: finished[i].score)
    best = set(by_score[: most // 2])
    latest = [i for i in range(len(finished)) if i not in best][-(most - len(best)) :]
    return [finished[i] for i in sorted([*best, *latest])]
