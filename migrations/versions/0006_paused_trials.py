"""Trials that are paused at a rung and may be promoted, and what a replay needs to know of it."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A trial's row tells what was decided and where it was paused, an attempt's the pause itself."""
    op.execute("""
        alter table trials
            add column pauses boolean not null default false,
            add column rung integer,
            drop constraint ck_trials_state,
            add constraint ck_trials_state check (
                state in ('waiting', 'running', 'paused', 'complete', 'pruned', 'failed', 'cancelled')
            )
    """)
    op.execute("create index ix_trials_paused on trials (study_id, rung, score, number) where state = 'paused'")
    op.execute("""
        alter table attempts
            add column can_pause boolean not null default false,
            add column paused_step integer,
            add column paused_rung integer,
            add column paused_score double precision,
            add column paused_seq bigint,
            add column promoted_at timestamp with time zone,
            add column promoted_against double precision
    """)
