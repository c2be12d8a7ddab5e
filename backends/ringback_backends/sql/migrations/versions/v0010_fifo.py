"""Which endpoints of a tenant take one at a time: asked whenever jobs end.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_FIFO = sa.text("is_fifo")


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.create_index("endpoints_fifo", "endpoints", ["tenant_id", "id"], postgresql_where=_FIFO, sqlite_where=_FIFO)
