"""What is no longer kept, and what is told of endpoints.

Revision ID: 0006
"""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Only adds: a program that knows the schema before goes on working."""
