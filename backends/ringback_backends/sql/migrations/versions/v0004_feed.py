"""The pull feed: a tenant's events in their order.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working.

    It reads all events there are, and writes of events wait for it meanwhile.
    """
    op.create_index("events_tenant", "events", ["tenant_id", "seq"])
