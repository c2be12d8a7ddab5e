"""Replays: many deliveries sent again in the background.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Moment, Name

revision = "0005"
down_revision = "0004"

_OPEN = sa.text("state IN ('pending', 'running')")


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.create_table(
        "replays",
        sa.Column("tenant_id", Name, nullable=False),
        sa.Column("id", Name, nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("place", Name, nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("redelivered", sa.Integer(), nullable=False),
        sa.Column("skipped_changed", sa.Integer(), nullable=False),
        sa.Column("skipped_disabled", sa.Integer(), nullable=False),
        sa.Column("skipped_gone", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("turn_at", Moment, nullable=False),
        sa.Column("started_at", Moment),
        sa.Column("finished_at", Moment),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("replays_open", "replays", ["turn_at", "id"], postgresql_where=_OPEN, sqlite_where=_OPEN)
