"""The last checkpoint but one is kept too, and a file that was removed to save room is known to have been there."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Indexes find the rows of a file, so that files without any can be swept."""
    op.execute("alter table artifacts add column previous jsonb")
    op.execute("alter table artifacts add column previous_file text")
    op.execute("alter table artifacts add column removed_at timestamp with time zone")
    op.execute("create index ix_artifacts_file on artifacts (file)")
    op.execute("create index ix_artifacts_previous_file on artifacts (previous_file) where previous_file is not null")
    op.execute("create index ix_artifacts_checkpoints on artifacts (trial_id) where name = 'checkpoint'")
