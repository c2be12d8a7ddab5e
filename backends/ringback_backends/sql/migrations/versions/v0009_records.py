"""The age of entries of the audit log, and of replays that are over, so that purging them looks at no other.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_OVER = sa.text("finished_at IS NOT NULL")


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.create_index("audit_log_age", "audit_log", ["at"])
    op.create_index("replays_age", "replays", ["finished_at"], postgresql_where=_OVER, sqlite_where=_OVER)
