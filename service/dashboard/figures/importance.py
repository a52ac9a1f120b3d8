"""How much of the differences between trials each parameter explains, and how sure that is."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from service.dashboard.figures.protocol import Tried, complete_value, heading
from trialbook.spec import StudySpec

LEAST = 16  # complete trials, below which nothing is said
HALVES = 12  # random halves of the trials that tell how sure it is
N_TREES, N_TREES_OF_HALF = 64, 16
CERTAINTY = 0.9  # of the intervals

Method = Literal["fanova", "ped-anova"]
Rows = Sequence[tuple[dict[str, Any], float]]  # params and score of each trial
Shares = Callable[[Rows, int], list[float]]  # of these trials, by a seed


def importance(spec: StudySpec, trials: Sequence[Tried], *, method: Method = "fanova") -> dict[str, Any]:
    """Each parameter with its `share` from 0 to 1 and where it most likely is (`low` to `high`), the largest first.

    By `fanova` the share of the variance of the values over the whole space that it explains by itself, on its own
    scale, hopeless values drawn in; `rest` is what only several together explain. By `ped-anova` its share in what sets
    the best tenth apart (Watanabe et al., 2023). One that is not always active is judged among the trials in which it
    is, which `trials` counts. The interval is that of random halves (Shao and Wu, 1989): the values differ between two
    halves as they would between two such studies. `items` is empty below `needed` complete trials.
    """
    rows = [(dict(one.params), value * spec.sign) for one in trials if (value := complete_value(one)) is not None]
    told = {**heading("importance", spec), "method": method, "needed": LEAST, "complete": len(rows)}
    if len(rows) < LEAST or len({score for _, score in rows}) < 2:
        return {**told, "constant": len(rows) >= LEAST, "rest": None, "items": []}
    items: list[dict[str, Any]] = []
    rest = None
    for names, inactive in _groups(spec, rows):
        found = [(params, score) for params, score in rows if all(name in params for name in inactive)]
        if len(found) < LEAST:
            continue
        shares = _shares(spec, method, [*names, *(name for name in inactive if name not in names)])
        explained = _explained(shares, found)
        items += [
            {"name": name, "share": share, "low": low, "high": high, "trials": len(found)}
            for name, (share, low, high) in zip(names, explained, strict=False)
        ]
        if len(found) == len(rows) and method == "fanova":
            rest = max(0.0, 1 - sum(share for share, _, _ in explained))
    items.sort(key=lambda one: one["share"], reverse=True)
    return {**told, "constant": False, "rest": rest, "items": items}


def _groups(spec: StudySpec, rows: Rows) -> list[tuple[list[str], list[str]]]:
    """Parameters that are active in the same trials, each group with all that are active in every one of those."""
    groups: dict[tuple[bool, ...], list[str]] = {}
    active = {name: tuple(name in params for params, _ in rows) for name in spec.space.names}
    for name, mask in active.items():
        if any(mask):
            groups.setdefault(mask, []).append(name)
    return [
        (
            names,
            [
                name
                for name, other in active.items()
                if all(there for there, here in zip(other, mask, strict=True) if here)
            ],
        )
        for mask, names in groups.items()
    ]


def _explained(shares: Shares, rows: Rows) -> list[tuple[float, float, float]]:
    """Each share of the whole, with its interval."""
    import numpy as np  # slow to load, and not needed before somebody looks

    whole = np.array(shares(rows, 0))
    chance = np.random.default_rng(0)
    halves = np.array(
        [shares([rows[i] for i in chance.permutation(len(rows))[: len(rows) // 2]], 1 + k) for k in range(HALVES)]
    )
    away = halves - halves.mean(axis=0)
    low, high = (whole + np.quantile(away, q, axis=0) for q in ((1 - CERTAINTY) / 2, (1 + CERTAINTY) / 2))
    low, high = np.clip(low, 0.0, whole), np.clip(high, whole, 1.0)
    return [(float(a), float(b), float(c)) for a, b, c in zip(whole, low, high, strict=True)]


def _shares(spec: StudySpec, method: Method, names: list[str]) -> Shares:
    return _fanova(spec, names) if method == "fanova" else _ped_anova(spec, names)


def _fanova(spec: StudySpec, names: list[str]) -> Shares:
    import numpy as np

    from service.dashboard.figures.fanova import main_effects
    from service.search.scores import scale

    def shares(rows: Rows, seed: int) -> list[float]:
        X = np.array([[spec.space[name].to_unit(params[name]) for name in names] for params, _ in rows])
        scores = np.array([score for _, score in rows])
        n_trees = N_TREES if seed == 0 else N_TREES_OF_HALF
        return [float(one) for one in main_effects(X, scale(scores).target(scores), n_trees=n_trees, seed=seed)]

    return shares


def _ped_anova(spec: StudySpec, names: list[str]) -> Shares:
    from optuna.importance import PedAnovaImportanceEvaluator

    from service.search import History, Observation, replay

    evaluator = PedAnovaImportanceEvaluator()

    def shares(rows: Rows, seed: int) -> list[float]:
        del seed  # nothing is drawn
        history = History(tuple(Observation(i, params, score) for i, (params, score) in enumerate(rows)))
        found = evaluator.evaluate(replay.study(spec.space, history), params=names)
        total = sum(found.values())
        return [float(found[name] / total) if total else 0.0 for name in names]

    return shares
