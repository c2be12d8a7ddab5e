"""How far what waits for a changed endpoint was brought along.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from ringback_backends.sql.columns import Moment, Name

revision = "0008"
down_revision = "0007"

_ARRANGING = sa.text("arranged_to IS NOT NULL")


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
    op.add_column("endpoints", sa.Column("arranged_to", Name))
    op.add_column("endpoints", sa.Column("arranged_at", Moment))
    op.add_column("endpoints", sa.Column("arranged_seq", sa.BigInteger()))
    op.create_index("endpoints_arranging", "endpoints", ["id"], postgresql_where=_ARRANGING, sqlite_where=_ARRANGING)
