"""Data sets that are no tables: images, sequences and text, with the shape of one example."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What was uploaded before is a table."""
    op.execute("alter table datasets add column form text not null default 'table'")
    op.execute("alter table datasets add column shape integer[]")
