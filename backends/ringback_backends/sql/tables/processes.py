"""The processes that hold jobs and deliveries."""

from sqlalchemy import Boolean, Column, Integer, Table, Text

from ringback_backends.sql.columns import Moment, Name
from ringback_backends.sql.tables.base import metadata

instances = Table(
    "instances",
    metadata,
    Column("id", Name, primary_key=True),
    Column("role", Name, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("queues", Text, nullable=False),
    Column("task_types", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("heartbeat_at", Moment, nullable=False),
    Column("is_draining", Boolean, nullable=False),
)
