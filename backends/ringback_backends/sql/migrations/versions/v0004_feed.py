"""The pull feed: in which order events became visible.

Revision ID: 0004
"""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
