"""Replays: many deliveries sent again in the background.

Revision ID: 0005
"""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
