"""The study spec: what a user submits, with every check that needs nothing but the spec itself.

Pure. What needs the server (is the trainer known, is the data there) is checked when the study is submitted.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from trialbook.grid import MAX_CELLS, Grid
from trialbook.space import Categorical, Float, Int, Point, Space, identity
from trialbook.values import Clean, Finite, Listed, LongText, Scalar, Text, Value, located

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
MAX_LISTED = 10_000  # values of one parameter that a grid names or counts: each is made when the spec is read
RESERVED = ("new", "validate")


def _slug(name: str) -> str:
    if not SLUG.fullmatch(name):
        raise PydanticCustomError(
            "slug", "must be 1 to 100 of a-z, 0-9, '.', '_', '-', starting with a letter or digit"
        )
    if name in RESERVED:
        raise PydanticCustomError("slug", "is a reserved word")
    return name


Slug = Annotated[Clean, AfterValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}$"})]
Direction = Literal["minimize", "maximize"]
EXTERNAL = "external"


class Objective(Value):
    """What is trained on what, and which metric is to become small or large."""

    trainer: Text
    data: Text | None = None
    metric: Text | None = None
    direction: Direction | None = None
    fixed: Annotated[dict[Text, JsonValue], Field(max_length=200)] = {}

    @model_validator(mode="after")
    def _complete(self) -> "Objective":
        if self.trainer != EXTERNAL and self.metric is None:
            raise located("metric", "is required: the name of a metric that the trainer reports")
        return self


class GridSampler(Value):
    """Every combination once. A float needs a step, a count here, or its values here."""

    name: Literal["grid"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    counts: dict[Text, Annotated[int, Field(ge=1, le=MAX_LISTED)]] = {}
    values: dict[Text, Annotated[Listed[Scalar], Field(min_length=1, max_length=MAX_LISTED)]] = {}


class RandomSampler(Value):
    """Independent uniform points (log-uniform on log scales)."""

    name: Literal["random"] = "random"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


class SobolSampler(Value):
    """A scrambled Sobol sequence: random search with even coverage."""

    name: Literal["sobol"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


class GPSampler(Value):
    """Bayesian search with a Gaussian process of our own."""

    name: Literal["gp"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    n_startup_trials: Annotated[int, Field(ge=1, le=10_000)] = 5


class SkoptSampler(Value):
    """Bayesian search with a Gaussian process (scikit-optimize's)."""

    name: Literal["gp_skopt"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    n_startup_trials: Annotated[int, Field(ge=1, le=10_000)] = 10


class TPESampler(Value):
    """Bayesian search with tree-structured Parzen estimators (Optuna's)."""

    name: Literal["tpe"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    n_startup_trials: Annotated[int, Field(ge=1, le=10_000)] = 10


class CMAESSampler(Value):
    """Covariance matrix adaptation; categorical and conditional parameters are drawn at random."""

    name: Literal["cmaes"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    n_startup_trials: Annotated[int, Field(ge=1, le=10_000)] = 10


Sampler = Annotated[
    GridSampler | RandomSampler | SobolSampler | GPSampler | SkoptSampler | TPESampler | CMAESSampler,
    Field(discriminator="name"),
]


# The share of those trials that would be stopped which run on all the same, so that one sees what stopping costs.
Audit = Annotated[Finite, Field(ge=0, le=0.5)]


class NoPruner(Value):
    """No trial is stopped early."""

    name: Literal["none"] = "none"


class MedianPruner(Value):
    """Stops a trial whose best value so far is worse than the median of completed trials at the same step."""

    name: Literal["median"]
    n_startup_trials: Annotated[int, Field(ge=0, le=1_000_000)] = 5
    n_warmup_steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    interval_steps: Annotated[int, Field(ge=1, le=10**9)] = 1
    audit: Audit = 0.0


class PercentilePruner(Value):
    """As median, with any percentile: 25 keeps only trials that are among the best quarter."""

    name: Literal["percentile"]
    percentile: Annotated[Finite, Field(ge=0, le=100)] = 50.0
    n_startup_trials: Annotated[int, Field(ge=0, le=1_000_000)] = 5
    n_warmup_steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    interval_steps: Annotated[int, Field(ge=1, le=10**9)] = 1
    audit: Audit = 0.0


class ThresholdPruner(Value):
    """Stops a trial whose value is outside [lower, upper] or not a number."""

    name: Literal["threshold"]
    lower: Finite | None = None
    upper: Finite | None = None
    n_warmup_steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    audit: Audit = 0.0

    @model_validator(mode="after")
    def _bounded(self) -> "ThresholdPruner":
        if self.lower is None and self.upper is None:
            raise located("upper", "give lower, upper or both")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise located("upper", "must not be below lower")
        return self


class ASHAPruner(Value):
    """Asynchronous successive halving: at each rung only the best 1/reduction_factor go on (Li et al., 2020).

    With `promote` the others are paused, and go on when they come to be among the best.
    """

    name: Literal["asha"]
    min_resource: Annotated[int, Field(ge=1, le=10**9)] = 1
    max_resource: Annotated[int, Field(ge=1, le=10**9)] | None = None
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 4
    min_early_stopping_rate: Annotated[int, Field(ge=0, le=20)] = 0
    promote: bool = False
    audit: Audit = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> "ASHAPruner":
        if self.max_resource is not None and self.max_resource < self.min_resource:
            raise located("max_resource", "must not be below min_resource")
        if self.promote and self.audit > 0:
            raise located("audit", "goes without promote: what is paused may go on anyway")
        return self


class HyperbandPruner(Value):
    """Several successive halvings at once, each with another first rung (Li et al., 2018)."""

    name: Literal["hyperband"]
    max_resource: Annotated[int, Field(ge=1, le=10**9)]
    min_resource: Annotated[int, Field(ge=1, le=10**9)] = 1
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 3
    audit: Audit = 0.0

    @model_validator(mode="after")
    def _ordered(self) -> "HyperbandPruner":
        if self.max_resource < self.min_resource:
            raise located("max_resource", "must not be below min_resource")
        return self


Pruner = Annotated[
    NoPruner | MedianPruner | PercentilePruner | ThresholdPruner | ASHAPruner | HyperbandPruner,
    Field(discriminator="name"),
]


class EarlyStopping(Value):
    """Stop one trial when its metric has not improved by min_delta for `patience` steps (book, chapter 7)."""

    patience: Annotated[int, Field(ge=1, le=10**9)]
    min_delta: Annotated[Finite, Field(ge=0)] = 0.0


class Budget(Value):
    """When the study ends: whichever comes first. Without any, it runs until cancelled."""

    n_trials: Annotated[int, Field(ge=1, le=10**7)] | None = None
    timeout: Annotated[Finite, Field(gt=0, le=10**9)] | None = None  # seconds since the study's first trial
    max_epochs: Annotated[int, Field(ge=1, le=10**12)] | None = None  # steps reported, over all trials
    target_value: Finite | None = None
    patience: Annotated[int, Field(ge=1, le=10**7)] | None = None  # finished trials in a row without improvement


class TrialPolicy(Value):
    """How each trial is run."""

    timeout: Annotated[Finite, Field(gt=0, le=10**9)] | None = None  # seconds per attempt
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    folds: Annotated[int, Field(ge=1, le=100)] = 1


class Keeping(Value):
    """Which files of finished trials are kept. What a trial printed always is, a checkpoint never."""

    keep_best: Annotated[int, Field(ge=1, le=10**7)] | None = None  # those of so many trials; None: of all


class StudySpec(Value):
    """A whole study: the objective, the space, how to search it, and when to end."""

    name: Slug
    title: Annotated[Clean, Field(max_length=300)] = ""
    objective: Objective
    space: Space
    sampler: Sampler = RandomSampler()
    pruner: Pruner = NoPruner()
    early_stopping: EarlyStopping | None = None
    budget: Budget = Budget()
    trial: TrialPolicy = TrialPolicy()
    artifacts: Keeping = Keeping()
    priority: Annotated[Finite, Field(gt=0, le=1000)] = 1
    tags: Annotated[dict[Text, Annotated[Clean, Field(max_length=1000)]], Field(max_length=50)] = {}
    notes: LongText = ""

    @model_validator(mode="after")
    def _consistent(self) -> "StudySpec":
        if len(self.space) == 0:
            raise located("space", "has no parameter to search over")
        for name in self.objective.fixed:
            if name in self.space.root:
                raise located(("objective", "fixed", name), "is also a parameter of the space")
        if isinstance(self.sampler, GridSampler) and self.grid.size > MAX_CELLS:
            raise located("sampler", f"a grid may have at most {MAX_CELLS} cells")
        return self

    @cached_property
    def grid(self) -> Grid:
        """The cells of a grid study. Raises ValidationError where a parameter has no values."""
        assert isinstance(self.sampler, GridSampler)  # noqa: S101  # callers have asked
        return Grid(self.space, grid_values(self.space, self.sampler))

    @property
    def n_cells(self) -> int | None:
        """How many cells a grid study has, None for other samplers."""
        return self.grid.size if isinstance(self.sampler, GridSampler) else None

    @property
    def direction(self) -> Direction:
        """The objective's direction, minimize where none is given."""
        return self.objective.direction or "minimize"

    @property
    def sign(self) -> int:
        """1 to minimize, -1 to maximize: value * sign is the score, smaller is better everywhere inside."""
        return 1 if self.direction == "minimize" else -1

    def full_params(self, point: Point) -> dict[str, Any]:  # Any: fixed values may be lists
        """What the trainer is called with: the fixed values and this point's."""
        return {**self.objective.fixed, **point}


def grid_values(space: Space, sampler: GridSampler) -> dict[str, Sequence[Scalar]]:
    """The values that each parameter takes on the grid. Raises ValidationError where it has none."""
    for option, named in (("counts", sampler.counts), ("values", sampler.values)):
        for name in named:
            if name not in space.root:
                raise located(("sampler", option, name), "is not a parameter of the space")
    return {name: _listed(name, parameter, sampler) for name, parameter in space.root.items()}


def _listed(name: str, parameter: Float | Int | Categorical, sampler: GridSampler) -> Sequence[Scalar]:
    if name in sampler.values:
        chosen = tuple(sampler.values[name])
        if not all(parameter.contains(value) for value in chosen):
            raise located(("sampler", "values", name), "holds a value outside the parameter's range")
        return _distinct(chosen)
    if name in sampler.counts:
        count = sampler.counts[name]
        units = [0.5] if count == 1 else [i / (count - 1) for i in range(count)]
        return _distinct(parameter.from_unit(u) for u in units)
    if parameter.size is None:
        raise located(("space", name), "a grid needs a step, or a count or values under sampler")
    if parameter.size > MAX_CELLS:
        raise located(("space", name), f"a grid may have at most {MAX_CELLS} cells")
    return parameter.listed() or ()


def _distinct(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    return tuple({identity(value): value for value in values}.values())
