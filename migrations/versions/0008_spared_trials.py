"""Trials that would have been pruned, and run on so that one sees what pruning costs."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """A trial's row tells where it would have been pruned, and why."""
    op.execute("alter table trials add column spared_step integer, add column spared_reason text")
