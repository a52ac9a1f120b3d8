"""The rows: what PostgreSQL holds. Nothing outside the store sees them.

A study's counters are touched only when trials are made or the study ends; everything a worker writes touches its own
trial's row and appends elsewhere. Nothing that a report changes on a trial is indexed, so it stays a heap-only update.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TIME = DateTime(timezone=True)
NOW = func.now()


def _study(primary_key: bool = False) -> Column[int]:
    reference = ForeignKey("studies.id", ondelete="CASCADE")
    return Column("study_id", BigInteger, reference, nullable=False, primary_key=primary_key)


def _trial() -> Column[int]:
    return Column("trial_id", BigInteger, ForeignKey("trials.id", ondelete="CASCADE"), primary_key=True)


studies = Table(
    "studies",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("spec", JSON, nullable=False),  # not JSONB, which forgets the order that the user wrote
    Column("data", JSONB),  # the uploaded set as it was when the study was submitted: sha256, target, task
    Column("state", Text, nullable=False, server_default="running"),
    Column("reason", Text),
    Column("trainer", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("n_trials", Integer),  # the budget, for a grid at most its cells
    Column("timeout", Float),  # seconds since started_at
    Column("made", Integer, nullable=False, server_default="0"),  # trials made: the next number
    Column("counted", Integer, nullable=False, server_default="0"),  # of those, how many count against the budget
    Column("next_cell", Integer, nullable=False, server_default="0"),
    Column("inline_until", Integer),  # a lease makes trials below this number itself; NULL: all of them
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("started_at", TIME),
    Column("finished_at", TIME),
    CheckConstraint("state in ('running', 'paused', 'completed', 'cancelled')", name="state"),
    CheckConstraint("n_trials is null or counted <= n_trials", name="budget"),
)
Index("ix_studies_trainer_running", studies.c.trainer, postgresql_where=text("state = 'running'"))
Index("ix_studies_owner", studies.c.owner, studies.c.id)

finish_order = Sequence("finish_order", metadata=metadata)

trials = Table(
    "trials",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _study(),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("source", Text, nullable=False),  # sampler, enqueued, import
    Column("cell", Integer),
    Column("params", JSON, nullable=False),  # in the order of the spec's space
    Column("explanation", JSONB, nullable=False, server_default="{}"),
    Column("seen", BigInteger, nullable=False, server_default="0"),  # the last finish_seq that the sampler knew
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    Column("lease_until", TIME),
    Column("last_step", Integer),
    Column("best_score", Float),
    Column("prune_step", Integer),
    Column("prune_reason", Text),
    Column("pauses", Boolean, nullable=False, server_default="false"),  # what was decided there: it may go on later
    Column("rung", Integer),  # the milestone at which it was last paused
    Column("spared_step", Integer),  # where it would have been pruned, had it not been chosen for the audit
    Column("spared_reason", Text),
    Column("value", Float),
    Column("score", Float),  # value * sign, +inf where it is not finite: smaller is better
    Column("reason", Text),
    Column("error", Text),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    Column("test", JSONB),  # what the untouched test part said, shown among the attributes
    Column("finish_seq", BigInteger),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("started_at", TIME),
    Column("finished_at", TIME),
    CheckConstraint(
        "state in ('waiting', 'running', 'paused', 'complete', 'pruned', 'failed', 'cancelled')",
        name="state",
    ),
    Index("uq_trials_study_id_number", "study_id", "number", unique=True),
    Index("ix_trials_study_id_state_number", "study_id", "state", "number"),
    postgresql_with={"fillfactor": "80"},
)
Index(
    "uq_trials_study_id_cell",
    trials.c.study_id,
    trials.c.cell,
    unique=True,
    postgresql_where=text("cell is not null"),
)
Index(
    "ix_trials_study_id_score",
    trials.c.study_id,
    trials.c.score,
    trials.c.number,
    postgresql_where=text("state = 'complete'"),
)
Index(
    "ix_trials_study_id_finish_seq",
    trials.c.study_id,
    trials.c.finish_seq,
    postgresql_where=text("finish_seq is not null"),
)
Index(  # the best of each rung
    "ix_trials_paused",
    trials.c.study_id,
    trials.c.rung,
    trials.c.score,
    trials.c.number,
    postgresql_where=text("state = 'paused'"),
)
Index(  # pages by value; what has none comes last
    "ix_trials_worst",
    trials.c.study_id,
    trials.c.state,
    text("coalesce(score, 'infinity'::double precision)"),
    trials.c.number,
)
Index("ix_trials_running", trials.c.id, postgresql_where=text("state = 'running'"))

attempts = Table(
    "attempts",
    metadata,
    _trial(),
    Column("attempt", Integer, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("resume_step", Integer),
    Column("started_at", TIME, nullable=False, server_default=NOW),
    Column("ended_at", TIME),
    Column("outcome", Text),  # complete, pruned, paused, failed, expired, released, cancelled
    Column("error", Text),
    Column("digest", LargeBinary),  # of the finish's body: equal means a repeat
    Column("answer", Text),  # of a finish after which the trial went on
    Column("can_pause", Boolean, nullable=False, server_default="false"),
    Column("paused_step", Integer),  # the trial's result as it was paused, which samplers saw until it went on
    Column("paused_rung", Integer),
    Column("paused_score", Float),
    Column("paused_seq", BigInteger),
    Column("promoted_at", TIME),  # when the trial was to go on, and the score that it was compared with, as a value
    Column("promoted_against", Float),
    Index("uq_attempts_request", "token_id", "request_id", "ordinal", unique=True),
)

metric_sets = Table(
    "metric_sets",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("names", ARRAY(Text), nullable=False, unique=True),
)

study_metrics = Table(
    "study_metrics",
    metadata,
    _study(primary_key=True),
    Column("metric_set", Integer, ForeignKey("metric_sets.id"), primary_key=True),
)

reports = Table(
    "reports",
    metadata,
    _trial(),
    Column("step", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("metric_set", Integer, nullable=False),
    Column("vals", ARRAY(Float), nullable=False),  # in the order of the set's names
    Column("score", Float),  # the objective's metric, oriented
    Column("study_id", BigInteger, nullable=False),
    Column("milestone", Integer),  # where a pruner compares trials: those that share it
    Column("compared", Float),  # what it compared with
    Column("at", TIME, nullable=False, server_default=NOW),
)
Index(
    "ix_reports_study_id_milestone",
    reports.c.study_id,
    reports.c.milestone,
    reports.c.trial_id,
    postgresql_where=text("milestone is not null"),
)

artifacts = Table(
    "artifacts",
    metadata,
    _trial(),
    Column("name", Text, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("step", Integer),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("file", Text, nullable=False),  # empty once removed
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("previous", JSONB),  # a checkpoint's predecessor: attempt, step, size, sha256
    Column("previous_file", Text),
    Column("removed_at", TIME),  # by the study's rule of what is kept
    Index("ix_artifacts_file", "file"),
)
Index(
    "ix_artifacts_previous_file",
    artifacts.c.previous_file,
    postgresql_where=text("previous_file is not null"),
)
Index("ix_artifacts_checkpoints", artifacts.c.trial_id, postgresql_where=text("name = 'checkpoint'"))

datasets = Table(
    "datasets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("target", Text),
    Column("rows", BigInteger),
    Column("columns", Integer),
    Column("classes", Integer),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("form", Text, nullable=False, server_default="table"),
    Column("shape", ARRAY(Integer)),  # of one example
)

events = Table(
    "events",
    metadata,
    Column("xid", Xid8, primary_key=True, server_default=text("pg_current_xact_id()")),
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # study, trial, report, artifact
    Column("number", Integer),  # the trial's
    Column("state", Text),  # of the study or trial, just after
    Column("note", Text),
    Column("first_step", Integer),  # a report's steps
    Column("last_step", Integer),
    Column("at", TIME, nullable=False, server_default=NOW),
    Index("ix_events_study_id_xid_id", "study_id", "xid", "id"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("trainers", ARRAY(Text), nullable=False),
    Column("version", Text),
    Column("host", Text),
    Column("first_seen", TIME, nullable=False, server_default=NOW),
    Column("last_seen", TIME, nullable=False, server_default=NOW),
    Column("polling_until", TIME),
    Column("polling_study", Text),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("expires_at", TIME),
    Column("last_used_at", TIME),
    Column("revoked_at", TIME),
    CheckConstraint("role in ('viewer', 'submitter', 'worker', 'admin')", name="role"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("token_id", Text, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("expires_at", TIME, nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("token_id", Text, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", TIME, nullable=False),
)

answers = Table(  # by Idempotency-Key: what a repeated request is told
    "answers",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
)

rates = Table(  # how often of late: wrong secrets by address, studies by owner
    "rates",
    metadata,
    Column("key", Text, primary_key=True),
    Column("since", TIME, nullable=False),
    Column("n", Integer, nullable=False),
)

claims = Table(  # which suggester works on a study, and until when
    "claims",
    metadata,
    _study(primary_key=True),
    Column("suggester", Text, nullable=False),
    Column("until", TIME, nullable=False),
)

evaluations = Table(  # best trials of completed studies, to be measured once on their test part
    "evaluations",
    metadata,
    _trial(),
    _study(),
    Column("trainer", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("token_id", Text),  # whose claim it is, by which request, and until when
    Column("request_id", Text),
    Column("until", TIME),
    Column("error", Text),  # of the last try
    Column("finished_at", TIME),
    Index("ix_evaluations_study_id", "study_id"),
)
Index("ix_evaluations_trainer_open", evaluations.c.trainer, postgresql_where=text("finished_at is null"))

server = Table(  # one row
    "server",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("secret", LargeBinary, nullable=False),  # leases' ids are derived from it
    Column("beat_at", TIME, nullable=False, server_default=NOW),  # the last tick: a gap in it was an outage
    CheckConstraint('"only"', name="one_row"),
)
