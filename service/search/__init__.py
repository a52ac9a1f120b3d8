"""The samplers by name. Importing this loads none of them: each one's libraries are loaded when it is first built."""

from importlib import import_module

from service.search.protocol import History, Observation, Pending, Sampler, Suggestion
from service.search.random import point
from trialbook.space import Space
from trialbook.spec import Sampler as Options
from trialbook.values import Scalar

__all__ = [
    "MODEL_BASED",
    "SAMPLERS",
    "History",
    "Observation",
    "Pending",
    "Sampler",
    "Suggestion",
    "build",
    "fallback",
    "first_point",
]

# Each module has `build(space, options) -> Sampler`.
SAMPLERS: dict[str, str] = {
    "grid": "service.search.grid",
    "random": "service.search.random",
    "sobol": "service.search.sobol",
    "gp": "service.search.gp",
    "gp_skopt": "service.search.gp_skopt",
    "tpe": "service.search.tpe",
    "cmaes": "service.search.cmaes",
}

# These read the history and take their time, so they work ahead of demand.
MODEL_BASED = frozenset({"gp", "gp_skopt", "tpe", "cmaes"})


def build(space: Space, options: Options) -> Sampler:
    """The sampler that these options name, over this space."""
    sampler: Sampler = import_module(SAMPLERS[options.name]).build(space, options)
    return sampler


def first_point(space: Space, options: Options, number: int) -> Suggestion:
    """One of the points that a model-based search begins with, whatever is known."""
    made: dict[str, Scalar] = import_module("service.search.startup").point(space, options.seed, number)
    return Suggestion(made, {"sampler": options.name, "mode": "startup"})


def fallback(space: Space, options: Options, number: int, reason: str) -> Suggestion:
    """A random point in place of one that a sampler failed to make, saying so and why."""
    explanation = {"sampler": options.name, "mode": "fallback", "reason": reason}
    return Suggestion(point(space, options.seed, number), explanation)
