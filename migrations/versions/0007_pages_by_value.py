"""Pages of trials by value, of each state by an index."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """What has no value comes last, as the worst."""
    op.execute("""
        create index ix_trials_worst
        on trials (study_id, state, coalesce(score, 'infinity'::double precision), number)
    """)
