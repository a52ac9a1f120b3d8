"""The bodies and answers of the HTTP contract, apart from the study spec. Values only; no transport, no clock."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field, JsonValue

from trialbook.evaluation import Evaluation
from trialbook.spec import Budget, Direction, EarlyStopping, Objective
from trialbook.values import MAX_STEP, Answer, Clean, Listed, LongText, Number, Scalar, Text, Value

TrialState = Literal["waiting", "running", "paused", "complete", "pruned", "failed", "cancelled"]
StudyState = Literal["running", "paused", "completed", "cancelled"]
Role = Literal["viewer", "submitter", "worker", "admin"]
TRIAL_STATES: tuple[TrialState, ...] = ("waiting", "running", "paused", "complete", "pruned", "failed", "cancelled")
Step = Annotated[int, Field(ge=0, le=MAX_STEP)]
MetricName = Annotated[Clean, Field(min_length=1, max_length=100)]
Metrics = Annotated[dict[MetricName, Number], Field(min_length=1, max_length=100)]
Attributes = Annotated[dict[Text, JsonValue], Field(max_length=200)]


# Bodies: what clients and workers send.


class LeaseRequest(Value):
    """A worker asks for trials; with `study` and trainers ["external"] it is the ask of ask-and-tell."""

    request_id: Text
    worker: Text
    trainers: Annotated[Listed[Text], Field(min_length=1, max_length=200)]
    count: Annotated[int, Field(ge=1, le=100)] = 1
    wait_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    study: Text | None = None
    version: Text | None = None
    host: Text | None = None
    evaluations: bool = False  # whether it takes evaluations too, where there is no trial to be had
    can_pause: bool = False  # whether it understands the decision `pause`; else trials are pruned instead


class Report(Value):
    """The metrics of one step."""

    step: Step
    metrics: Metrics


class ReportBatch(Value):
    """One or more steps' metrics, in the order they were measured."""

    reports: Annotated[Listed[Report], Field(min_length=1, max_length=1000)]


class Finish(Value):
    """The result of an attempt. `retry: false` marks an error that would come again; `paused` answers `pause`."""

    state: Literal["complete", "pruned", "paused", "failed"]
    value: Number | None = None
    error: LongText | None = None
    attributes: Attributes = {}
    retry: bool = True


class Nothing(Value):
    """An empty body."""


class NewTrial(Value):
    """A point to be tried, or with a state the result of a trial run elsewhere."""

    params: Annotated[dict[Text, Scalar], Field(max_length=200)]
    state: Literal["waiting", "complete", "pruned", "failed"] = "waiting"
    value: Number | None = None
    reports: Annotated[Listed[Report], Field(max_length=10_000)] = ()
    attributes: Attributes = {}


class NewTrials(Value):
    """Points to enqueue, or finished trials to import."""

    trials: Annotated[Listed[NewTrial], Field(min_length=1, max_length=1000)]


class StudyChange(Value):
    """What can be changed of a study: what is left out stays."""

    budget: Budget | None = None
    notes: LongText | None = None
    tags: Annotated[dict[Text, Annotated[Clean, Field(max_length=1000)]], Field(max_length=50)] | None = None


class NewToken(Value):
    """A token to be made."""

    role: Role
    owner: Text | None = None
    name: Annotated[Clean, Field(max_length=200)] = ""
    expires_in: Annotated[float, Field(gt=0, le=10 * 366 * 86400)] | None = None


# Answers: what the server says. Times are ISO 8601 in UTC.


Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    """A part of a list, and where the next part begins."""

    items: list[Item]
    next_cursor: str | None = None


class Best(Answer):
    """The best complete trial so far."""

    number: int
    value: Number
    params: dict[str, Scalar]
    finished_at: datetime | None = None
    test: dict[str, Any] = {}  # Any: JSON, what the untouched test part said of it, once the study was complete
    evaluating: bool = False  # whether that is still to be found out


class Study(Answer):
    """A study as it is now."""

    name: str
    state: StudyState
    reason: str | None
    spec: dict[str, Any]  # Any: the spec's JSON, defaults filled in
    counts: dict[TrialState, int]
    best: Best | None
    owner: str
    tags: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    title: str = ""
    notes: str = ""
    n_trials: int | None = None  # how many trials it ends with: the budget's, or the grid's cells
    workers: int = 0
    epochs: int | None = None  # reported by all trials, where the budget has max_epochs
    idle: int | None = None  # finished trials since the best one, where the budget has patience


class Spared(Answer):
    """Where a trial would have been pruned, and why, had it not been chosen to run on: the pruner's `audit`."""

    step: int
    reason: str


class Trial(Answer):
    """A trial as it is now."""

    study: str
    number: int
    state: TrialState
    params: dict[str, Scalar]
    value: Number | None
    attempt: int
    worker: str | None
    reason: str | None
    explanation: dict[str, Any]  # Any: each sampler explains itself in its own words
    attributes: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None = None
    last_step: int | None = None
    spared: Spared | None = None


class TrialPage(Page[Trial]):
    """A part of a list of trials, and if asked how many the whole list has."""

    total: int | None = None


class PastEvent(Answer):
    """Something that happened in a study: a row of its log."""

    id: str
    at: datetime
    kind: Literal["study", "trial", "report", "artifact"]
    number: int | None  # the trial's
    state: str | None  # of the study or the trial, just after
    first_step: int | None  # what was reported
    last_step: int | None
    note: str | None
    text: str  # all of it in words


class Validation(Answer):
    """A spec that could be submitted: how many grid cells it has, and with its defaults filled in."""

    valid: bool
    n_cells: int | None
    name_taken: bool
    spec: dict[str, Any]  # Any: the spec's JSON


class AddedTrials(Answer):
    """The numbers of the trials that were added, in the order given."""

    numbers: list[int]


class Attempt(Answer):
    """One worker's try at a trial."""

    attempt: int
    worker: str
    outcome: str | None
    error: str | None
    started_at: datetime
    ended_at: datetime | None


class Measured(Answer):
    """One stored report."""

    step: int
    metrics: dict[str, Number]


class TrialDetail(Trial):
    """A trial with its curve and its attempts."""

    reports: list[Measured]
    attempts: list[Attempt]


class Lease(Answer):
    """The right to run one attempt of a trial until it expires; each call under it renews it."""

    lease: str
    study: str
    number: int
    attempt: int
    params: dict[str, Scalar]
    objective: Objective
    early_stopping: EarlyStopping | None
    seed: int
    ttl_seconds: float
    resume_step: int | None = None
    direction: Direction = "minimize"
    data: dict[str, Any] | None = None  # Any: {name, sha256, task, target} of an uploaded set
    timeout: float | None = None
    seeds: int = 1
    folds: int = 1
    rungs: tuple[int, ...] | None = None  # steps after which the trial may have to pause, in order


class Leases(Answer):
    """What a request for leases brought: possibly nothing, then with a reason, or an evaluation if it takes one."""

    leases: list[Lease]
    reason: str | None = None
    retry_after_seconds: float | None = None
    evaluation: Evaluation | None = None


class Decision(Answer):
    """What to do after a report."""

    decision: Literal["continue", "prune", "pause", "stop"]
    reason: str | None
    ttl_seconds: float


class Artifact(Answer):
    """A stored file of a trial."""

    name: str
    size: int
    sha256: str
    step: int | None
    attempt: int
    created_at: datetime
    removed_at: datetime | None = None  # by the study's rule of what is kept


class Dataset(Answer):
    """A data set that studies can name."""

    name: str
    task: str
    target: str | None
    rows: int | None
    columns: int | None
    classes: int | None
    size: int | None
    sha256: str | None
    media_type: str | None
    builtin: bool
    owner: str | None
    created_at: datetime | None
    title: str = ""
    form: str = "table"
    shape: tuple[int, ...] | None = None  # of one example


class Example(Answer):
    """One example of a data set, to look at; long ones are cut, large pictures made smaller.

    `x` by form: a table's cells by column; of an image `{width, height, channels, pixels}`, where `pixels` are bytes in
    base64, row by row, the channels of each together; a sequence's steps, each a list of features; else a text.
    `y` by task: a class, a number, a text, a class for each of several heads, or one for each step; null where none is.
    """

    x: Any  # JSON, as said above
    y: Any


class Examples(Answer):
    """The first examples of a data set. `note` says what of them is not shown, or why none are."""

    name: str
    form: str
    task: str
    target: str | None
    columns: list[str] | None  # of a table, without the target
    rows: int | None
    shape: tuple[int, ...] | None  # of one example, before anything was cut
    items: list[Example]
    note: str = ""


class Worker(Answer):
    """A worker as last heard of."""

    name: str
    state: Literal["working", "idle", "silent"]
    trainers: list[str]
    version: str | None
    host: str | None
    running: list[dict[str, Any]]  # Any: {study, number, attempt, since} each
    first_seen: datetime
    last_seen: datetime
    per_hour: float | None = None  # attempts that it ended, as of the last hour


class Token(Answer):
    """A token without its secret."""

    id: str
    name: str
    role: Role
    owner: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class CreatedToken(Token):
    """A token with its secret, shown this once."""

    token: str
