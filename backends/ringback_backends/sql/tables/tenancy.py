"""Tenants, their keys to the API, and the log of who changed what."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text

from ringback_backends.sql.columns import Moment, Name
from ringback_backends.sql.tables.base import metadata

tenants = Table(
    "tenants",
    metadata,
    Column("id", Name, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant_id", Name, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("hint", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Index("api_keys_hash", "key_hash", unique=True),
    Index("api_keys_tenant", "tenant_id", "id"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("id", Name, primary_key=True),
    Column("actor", Name, nullable=False),
    Column("action", Name, nullable=False),
    Column("target", Name, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Index("audit_log_age", "at"),
)
