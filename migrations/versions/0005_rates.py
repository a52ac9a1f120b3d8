"""How often of late: wrong secrets by address, studies by owner. All servers count together."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """One row for a key, as long as its window lasts."""
    op.execute("""
        create table rates (
            key text not null,
            since timestamp with time zone not null,
            n integer not null,
            constraint pk_rates primary key (key)
        )
    """)
