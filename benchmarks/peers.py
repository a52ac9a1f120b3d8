"""The peers, driven as their users drive them: each asked and told one trial at a time, as they come.

A peer gets the space in its own words: log scales, steps and integers as it has them, conditions where it knows any.
Scores that are not finite are told to Optuna as they are; to the others, which refuse them, as the worst finite score
so far.
"""

import logging
import math
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trialbook.space import Categorical, Float, Int, Point, Space
from trialbook.values import Scalar

STARTUP = 10  # random points before the model takes over: what Optuna and scikit-optimize do unless told otherwise


class Contestant(Protocol):
    """Asked for a point by trial number, told its score later; several may be asked before one is told."""

    def ask(self, number: int) -> Point: ...

    def tell(self, number: int, score: float) -> None: ...


class Optuna:
    """A study that is asked and told; parameters are suggested one by one, inactive ones are not."""

    def __init__(self, sampler: str, space: Space, seed: int, trials: int, **options: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed, **options))
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Point:
        trial, point = self._study.ask(), {}
        for name in self._space.ordered:
            if self._space.is_active(name, point):
                point[name] = suggested(trial, name, self._space[name])
        self._trials[number] = trial
        return point

    def tell(self, number: int, score: float) -> None:
        self._study.tell(self._trials.pop(number), score)


def suggested(trial: Any, name: str, parameter: Float | Int | Categorical) -> Scalar:
    """What an Optuna trial suggests for this parameter."""
    if isinstance(parameter, Categorical):
        return trial.suggest_categorical(name, list(parameter.choices))
    suggest = trial.suggest_int if isinstance(parameter, Int) else trial.suggest_float
    return suggest(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)


class Finite:
    """Scores for those that refuse infinite ones."""

    def __init__(self) -> None:
        self._worst = 0.0

    def __call__(self, score: float) -> float:
        if not math.isfinite(score):
            return self._worst
        self._worst = max(self._worst, score)
        return score


class ScikitOptimize:
    """skopt's Optimizer as it comes: a Gaussian process and a hedge of three acquisitions. Knows no conditions."""

    def __init__(self, space: Space, seed: int, trials: int) -> None:
        import skopt

        self._space, self._finite = space, Finite()
        dimensions = [_skopt(space[name]) for name in space.names]
        self._optimizer = skopt.Optimizer(dimensions, random_state=seed, n_initial_points=STARTUP)
        self._rows: dict[int, list[Any]] = {}

    def ask(self, number: int) -> Point:
        row = self._rows[number] = self._optimizer.ask()
        return active(self._space, dict(zip(self._space.names, row, strict=True)))

    def tell(self, number: int, score: float) -> None:
        self._optimizer.tell(self._rows.pop(number), self._finite(score))


def _skopt(parameter: Float | Int | Categorical) -> Any:
    from skopt import space

    if isinstance(parameter, Categorical):
        return space.Categorical(list(parameter.choices))
    if parameter.step is not None and parameter.step != 1:
        return space.Categorical(list(parameter.listed() or ()))
    kind = space.Integer if isinstance(parameter, Int) else space.Real
    return kind(parameter.low, parameter.high, prior="log-uniform" if parameter.log else "uniform")


def active(space: Space, values: Mapping[str, Any]) -> dict[str, Scalar]:
    """The point of these values, without the inactive ones, as plain numbers."""
    point: dict[str, Scalar] = {}
    for name in space.ordered:
        if space.is_active(name, point):
            value = values[name]
            value = value.item() if isinstance(value, np.generic) else value
            point[name] = round(value) if isinstance(space[name], Int) else value
    return point


class Hyperopt:
    """hyperopt's TPE over nested choices, so that a conditional parameter is drawn only where it counts."""

    def __init__(self, space: Space, seed: int, trials: int) -> None:
        import hyperopt

        self._space, self._finite, self._seed = space, Finite(), seed
        self._trials, self._new = hyperopt.Trials(), {}
        self._suggest = partial(hyperopt.tpe.suggest, n_startup_jobs=STARTUP, verbose=False)
        self._tree = _tree(space)
        self._domain = hyperopt.Domain(lambda point: 0.0, self._tree)
        self._chosen = hyperopt.space_eval

    def ask(self, number: int) -> Point:
        ids = self._trials.new_trial_ids(1)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0] % 2**31)
        docs = self._suggest(ids, self._domain, self._trials, seed)
        self._trials.insert_trial_docs(docs)
        self._trials.refresh()
        self._new[number] = next(t for t in self._trials._dynamic_trials if t["tid"] == ids[0])
        values = {k: v[0] for k, v in self._new[number]["misc"]["vals"].items() if v}
        return active(self._space, _flat(self._chosen(self._tree, values)))

    def tell(self, number: int, score: float) -> None:
        import hyperopt

        doc = self._new.pop(number)
        doc["state"], doc["result"] = hyperopt.JOB_STATE_DONE, {"loss": self._finite(score), "status": "ok"}
        self._trials.refresh()


def _tree(space: Space) -> dict[str, Any]:
    """The space as hyperopt's, a child within the choices of its (only) parent that make it count."""
    from hyperopt import hp

    nodes: dict[str, Any] = {}
    for name in reversed(space.ordered):
        parameter, children = space[name], [n for n in space.names if name in (space[n].when or {})]
        if isinstance(parameter, Categorical):
            branches = [
                {"value": choice, **{n: nodes[n] for n in children if choice in (space[n].when or {})[name]}}
                for choice in parameter.choices
            ]
            nodes[name] = hp.choice(name, branches)
            continue
        low, high = parameter.low, parameter.high
        if isinstance(parameter, Int) and not parameter.log:
            nodes[name] = hp.quniform(name, low, high, 1)
        elif isinstance(parameter, Int):
            nodes[name] = hp.qloguniform(name, math.log(low - 0.49), math.log(high + 0.49), 1)
        elif parameter.step is not None:
            nodes[name] = hp.quniform(name, low, high, parameter.step)
        elif parameter.log:
            nodes[name] = hp.loguniform(name, math.log(low), math.log(high))
        else:
            nodes[name] = hp.uniform(name, low, high)
    return {name: nodes[name] for name in space.names if not space[name].when}


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat[name] = value["value"]
            flat |= _flat({child: v for child, v in value.items() if child != "value"})
        else:
            flat[name] = value
    return flat


class Smac:
    """SMAC's facade for hyperparameters: a random forest, with conditions, told the budget of trials as it wants."""

    def __init__(self, space: Space, seed: int, trials: int) -> None:
        from ConfigSpace import ConfigurationSpace, InCondition
        from smac import HyperparameterOptimizationFacade, Scenario

        self._space, self._finite, self._infos = space, Finite(), {}
        configs = ConfigurationSpace(seed=seed)
        nodes = {name: _configured(name, space[name]) for name in space.names}
        configs.add(list(nodes.values()))
        for name in space.names:
            for parent, values in (space[name].when or {}).items():
                configs.add(InCondition(nodes[name], nodes[parent], list(values)))
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            configs, deterministic=True, n_trials=trials, seed=seed, output_directory=Path(self._folder.name)
        )
        self._smac = HyperparameterOptimizationFacade(scenario, _unused, logging_level=False, overwrite=True)

    def ask(self, number: int) -> Point:
        info = self._infos[number] = self._smac.ask()
        return active(self._space, dict(info.config))

    def tell(self, number: int, score: float) -> None:
        from smac.runhistory import TrialValue

        self._smac.tell(self._infos.pop(number), TrialValue(cost=self._finite(score)), save=False)


def _unused(config: Any, seed: int = 0) -> float:
    raise AssertionError("asked and told, never called")


def _configured(name: str, parameter: Float | Int | Categorical) -> Any:
    from ConfigSpace import CategoricalHyperparameter, OrdinalHyperparameter
    from ConfigSpace import UniformFloatHyperparameter as Real
    from ConfigSpace import UniformIntegerHyperparameter as Integer

    if isinstance(parameter, Categorical):
        return CategoricalHyperparameter(name, list(parameter.choices))
    if parameter.step is not None and parameter.step != 1:
        return OrdinalHyperparameter(name, list(parameter.listed() or ()))
    return (Integer if isinstance(parameter, Int) else Real)(name, parameter.low, parameter.high, log=parameter.log)


class Ax:
    """Ax's client with its own choice of strategy (Sobol, then BoTorch's Gaussian process). No conditions told."""

    def __init__(self, space: Space, seed: int, trials: int) -> None:
        from ax.api.client import Client
        from ax.utils.common.logger import set_ax_logger_levels

        set_ax_logger_levels(logging.ERROR)
        logging.getLogger("ax").setLevel(logging.ERROR)
        self._space, self._finite, self._indices = space, Finite(), {}
        self._client = Client(random_seed=seed)
        self._client.configure_experiment(parameters=[_ax(name, space[name]) for name in space.names])
        self._client.configure_optimization(objective="-score")
        self._client.configure_generation_strategy(initialization_random_seed=seed)

    def ask(self, number: int) -> Point:
        [(self._indices[number], values)] = self._client.get_next_trials(max_trials=1).items()
        return active(self._space, values)

    def tell(self, number: int, score: float) -> None:
        self._client.complete_trial(self._indices.pop(number), raw_data={"score": self._finite(score)})


def _ax(name: str, parameter: Float | Int | Categorical) -> Any:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    if isinstance(parameter, Categorical):
        kinds = {bool: "bool", int: "int", float: "float", str: "str"}
        return ChoiceParameterConfig(
            name, list(parameter.choices), parameter_type=kinds[type(parameter.choices[0])], is_ordered=False
        )
    kind, scaling = ("int" if isinstance(parameter, Int) else "float"), ("log" if parameter.log else "linear")
    step = None if parameter.step == 1 or parameter.log else parameter.step
    return RangeParameterConfig(
        name, (parameter.low, parameter.high), parameter_type=kind, step_size=step, scaling=scaling
    )


PEERS: dict[str, Callable[[Space, int, int], Contestant]] = {
    "Optuna TPE": partial(Optuna, "TPESampler"),
    "Optuna GP": partial(Optuna, "GPSampler"),
    "hyperopt": Hyperopt,
    "scikit-optimize": ScikitOptimize,
    "SMAC": Smac,
    "Ax": Ax,
}
PACKAGES = {"hyperopt": "hyperopt", "scikit-optimize": "scikit-optimize", "SMAC": "smac", "Ax": "ax-platform"}
