"""The best trial of a completed study is measured once on the data that no trial has seen."""

from alembic import op

revision = "0003"
down_revision = "0002"

EVALUATIONS = """
create table evaluations (
    trial_id bigint not null,
    study_id bigint not null,
    trainer text not null,
    tries integer default '0' not null,
    token_id text,
    request_id text,
    until timestamp with time zone,
    error text,
    finished_at timestamp with time zone,
    constraint pk_evaluations primary key (trial_id),
    constraint fk_evaluations_trial_id foreign key(trial_id) references trials (id) on delete cascade,
    constraint fk_evaluations_study_id foreign key(study_id) references studies (id) on delete cascade
)
"""


def upgrade() -> None:
    """Studies that are completed already are not evaluated: their trials keep no model."""
    op.execute("alter table trials add column test jsonb")
    op.execute(EVALUATIONS)
    op.execute("create index ix_evaluations_trainer_open on evaluations (trainer) where finished_at is null")
    op.execute("create index ix_evaluations_study_id on evaluations (study_id)")
