"""A study's history as an in-memory Optuna study, so that Optuna's samplers serve behind our protocol.

Steps and choices become indices: Optuna takes 1 for True, and refuses values beside a step.
"""

import math

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from service.search.protocol import History, Observation, Pending
from trialbook.space import Categorical, Float, Int, Space, identity
from trialbook.values import Scalar

optuna.logging.set_verbosity(optuna.logging.ERROR)

Parameter = Float | Int | Categorical


def study(space: Space, history: History) -> optuna.Study:
    """An Optuna study (minimising) that holds this history: complete, pruned, and pending as running."""
    worst = max((o.score for o in history.finished if math.isfinite(o.score)), default=0.0)
    fresh = optuna.create_study(direction="minimize")
    trials: tuple[Observation | Pending, ...] = (*history.finished, *history.pending)
    fresh.add_trials([frozen(space, trial, worst) for trial in trials])
    return fresh


def frozen(space: Space, trial: Observation | Pending, worst: float) -> FrozenTrial:
    """One trial as Optuna's; a score that is not finite becomes the worst finite one."""
    names = [name for name in space.ordered if name in trial.params]
    params = {name: _inward(space[name], trial.params[name]) for name in names}
    distributions = {name: distribution(space[name]) for name in names}
    if isinstance(trial, Pending):
        return optuna.trial.create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
    score = trial.score if math.isfinite(trial.score) else worst
    pruned = trial.state == "pruned"
    return optuna.trial.create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=None if pruned else score,
        intermediate_values={0: score} if pruned else {},  # one step for all: their own are not known here
        params=params,
        distributions=distributions,
    )


def ask(study: optuna.Study, space: Space, sampler: BaseSampler) -> dict[str, Scalar]:
    """The point that this sampler suggests next; the asked trial stays in the study as running."""
    study.sampler = sampler
    trial = study.ask()
    point: dict[str, Scalar] = {}
    for name in space.ordered:
        if space.is_active(name, point):
            point[name] = _outward(space[name], _suggested(trial, name, distribution(space[name])))
    return {name: point[name] for name in space.names if name in point}


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's distribution for this parameter."""
    if isinstance(parameter, Categorical):
        return CategoricalDistribution(range(len(parameter.choices)))
    if parameter.size is None:
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Int) and parameter.log:
        return IntDistribution(parameter.low, parameter.high, log=True)
    return IntDistribution(0, parameter.size - 1)


def _suggested(trial: Trial, name: str, wanted: BaseDistribution) -> float:
    if isinstance(wanted, CategoricalDistribution):
        return trial.suggest_categorical(name, range(len(wanted.choices)))
    if isinstance(wanted, IntDistribution):
        return trial.suggest_int(name, wanted.low, wanted.high, log=wanted.log)
    assert isinstance(wanted, FloatDistribution)  # noqa: S101  # the third of three
    return trial.suggest_float(name, wanted.low, wanted.high, log=wanted.log)


def _inward(parameter: Parameter, value: Scalar) -> float:
    """The index of a choice or step, any other value as it is."""
    if isinstance(parameter, Categorical):
        return [identity(choice) for choice in parameter.choices].index(identity(value))
    assert isinstance(value, int | float)  # noqa: S101  # the store holds points of the space only
    if parameter.size is None or (isinstance(parameter, Int) and parameter.log):
        return value
    return min(int(parameter.to_unit(value) * parameter.size), parameter.size - 1)


def _outward(parameter: Parameter, index: float) -> Scalar:
    if isinstance(parameter, Categorical):
        return parameter.choices[int(index)]
    if parameter.size is None:
        return parameter.from_unit(parameter.to_unit(index))
    if isinstance(parameter, Int):
        return int(index) if parameter.log else parameter.low + parameter.step * int(index)
    return parameter.from_unit((index + 0.5) / parameter.size)
