"""Registered endpoints, and the secrets that sign what is sent."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
)

from ringback_backends.sql.columns import Moment, Name
from ringback_backends.sql.tables.base import metadata

ARRANGING = text("arranged_to IS NOT NULL")
FIFO = text("is_fifo")

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant_id", Name, ForeignKey("tenants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("event_filter", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("destination", Name, nullable=False, server_default=""),
    Column("sealed_headers", LargeBinary),
    Column("rate_limit_per_s", Double),
    Column("max_in_flight", Integer),
    Column("timeout_s", Double),
    Column("signing", Name, nullable=False, server_default="v1"),
    Column("body_format", Name, nullable=False, server_default="standard"),
    Column("is_fifo", Boolean, nullable=False, server_default=false()),
    Column("consent", Name, nullable=False, server_default="not_required"),
    Column("consent_rate_per_minute", Integer),
    Column("disabled_reason", Name),
    Column("disabled_at", Moment),
    Column("failures_in_row", Integer, nullable=False, server_default="0"),
    Column("first_failure_at", Moment),
    Column("last_success_at", Moment),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("updated_at", Moment),
    # when somebody last let it have another chance
    Column("enabled_at", Moment),
    # the last of its deliveries that was brought along after a change, while more wait for that; when the change was,
    # and the newest event then, for those that are put in line (see ``arranging``)
    Column("arranged_to", Name),
    Column("arranged_at", Moment),
    Column("arranged_seq", BigInteger),
    Index("endpoints_fifo", "tenant_id", "id", postgresql_where=FIFO, sqlite_where=FIFO),
    Index("endpoints_arranging", "id", postgresql_where=ARRANGING, sqlite_where=ARRANGING),
    Index("endpoints_tenant", "tenant_id", "id"),
)

ENDING = text("expires_at IS NOT NULL")

signing_secrets = Table(
    "signing_secrets",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant_id", Name, ForeignKey("tenants.id"), nullable=False),
    Column("endpoint_id", Name, ForeignKey("endpoints.id")),  # absent: the tenant's own, for callbacks
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    # whpk_… of a secret that has a public half, so that showing it needs no secret
    Column("public_key", Text),
    Index("signing_secrets_owner", "tenant_id", "endpoint_id"),
    Index("signing_secrets_ending", "expires_at", postgresql_where=ENDING, sqlite_where=ENDING),
)
