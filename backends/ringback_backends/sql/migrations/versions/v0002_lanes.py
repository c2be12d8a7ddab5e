"""Deliveries that wait at a destination without room leave the index of what is due, for one by destination.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Name

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and its index, and make the index of what is due anew."""
    op.add_column("deliveries", sa.Column("waits_for", Name, nullable=True))
    op.drop_index("deliveries_due", "deliveries")
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["next_attempt_at", "id"],
        **_where("state IN ('pending', 'retrying') AND waits_for IS NULL"),
    )
    op.create_index(
        "deliveries_waiting",
        "deliveries",
        ["destination", "state", "next_attempt_at", "id"],
        **_where("waits_for IS NOT NULL"),
    )


def _where(condition: str) -> dict[str, Any]:
    """A partial index, in both dialects."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
