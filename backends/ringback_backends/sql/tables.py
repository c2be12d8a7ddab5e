"""The tables, for the queries written in SQLAlchemy Core; the migrations create them, a test compares the two.

What changes is apart from what does not. ``jobs`` and ``deliveries`` are narrow and rewritten at every step, so they
have a primary key and partial indexes only on what waits or runs: a finished row costs nothing but its key. Everything
else is inserted once. No foreign keys between these: a check per row costs as much as the insert, rows of one job are
written by one statement, and deleting is the sweeper's task.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

from ringback_backends.sql.columns import Moment, Name

metadata = MetaData()

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

ARRANGING = text("arranged_to IS NOT NULL")

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

WAITS = text("state IN ('queued', 'scheduled', 'retrying')")
RUNS = text("state = 'running'")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant_id", Name, nullable=False),
    Column("type", Name, nullable=False),
    Column("queue", Name, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Name, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("uncharged", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("timeout_s", Double, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("run_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("owner", Name),
    Column("is_cancel_requested", Boolean, nullable=False),
    # one range per queue, type and priority: neither far-future rows nor foreign types are ever scanned
    Index(
        "jobs_waiting",
        "queue",
        "type",
        text("priority DESC"),
        "run_at",
        "id",
        postgresql_where=WAITS,
        sqlite_where=WAITS,
    ),
    Index("jobs_running", "owner", "id", postgresql_where=RUNS, sqlite_where=RUNS),
    Index(
        "jobs_cancelling",
        "owner",
        postgresql_where=text("is_cancel_requested AND state = 'running'"),
        sqlite_where=text("is_cancel_requested AND state = 'running'"),
    ),
    Index(
        "jobs_expiring",
        "expires_at",
        postgresql_where=text("expires_at IS NOT NULL AND state IN ('queued', 'scheduled', 'retrying')"),
        sqlite_where=text("expires_at IS NOT NULL AND state IN ('queued', 'scheduled', 'retrying')"),
    ),
    # lists of what went wrong; what went well is found by going through all, newest first
    Index(
        "jobs_ended_badly",
        "tenant_id",
        "state",
        "id",
        postgresql_where=text("state IN ('failed', 'cancelled', 'expired')"),
        sqlite_where=text("state IN ('failed', 'cancelled', 'expired')"),
    ),
    sqlite_with_rowid=False,
)

job_requests = Table(
    "job_requests",
    metadata,
    Column("tenant_id", Name, primary_key=True),  # in this order the key also lists a tenant's jobs by age
    Column("job_id", Name, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("callback_url", Text),
    Column("callback_events", Text, nullable=False),
    Column("tags", Text, nullable=False),
)

job_tags = Table(
    "job_tags",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("tag", Name, primary_key=True),
    Column("job_id", Name, primary_key=True),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("job_id", Name, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("idempotency_keys_age", "created_at"),
    sqlite_with_rowid=False,
)

job_results = Table(
    "job_results",
    metadata,
    Column("job_id", Name, primary_key=True),
    Column("result", LargeBinary),
    Column("error", LargeBinary),
    # of its end: an index of events by job would cost every job more
    Column("event_id", Name),
)

job_progress = Table(
    "job_progress",
    metadata,
    Column("job_id", Name, primary_key=True),
    Column("fraction", Double),
    Column("message", Text),
    Column("updated_at", Moment, nullable=False),
)

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("job_id", Name, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("outcome", Name, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("error", LargeBinary),
    Column("instance_id", Name, nullable=False),
)

NO_JOB = ""
"""In place of a job's id with an event of no job: to let the column be absent, SQLite would copy the whole table."""

events = Table(
    "events",
    metadata,
    # the order of the pull feed
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), Identity(always=True), primary_key=True),
    Column("id", Name, nullable=False),
    Column("tenant_id", Name, nullable=False),
    Column("job_id", Name, nullable=False),
    Column("type", Name, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("job_created_at", Moment, nullable=False),
    Index("events_id", "id", unique=True),
    Index("events_tenant", "tenant_id", "seq"),
    sqlite_autoincrement=True,
)

DUE = text("state IN ('pending', 'retrying') AND waits_for IS NULL")
WAITING = text("waits_for IS NOT NULL")
SENDING = text("state = 'sending'")
OF_ENDPOINT = text("endpoint_id IS NOT NULL AND state IN ('pending', 'retrying')")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Name, primary_key=True),
    Column("tenant_id", Name, nullable=False),
    # the name of its lane: see ringback_schemas.lane_names
    Column("destination", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_attempt_at", Moment),
    Column("claimed_at", Moment),
    Column("finished_at", Moment),
    Column("owner", Name),
    # why it was set aside, only while it is ready; "fifo" until it is done (see ``lines``)
    Column("waits_for", Name),
    # here as well as in delivery_targets, for the index of what waits for one endpoint
    Column("endpoint_id", Name),
    Index("deliveries_due", "next_attempt_at", "id", postgresql_where=DUE, sqlite_where=DUE),
    Index(
        "deliveries_waiting",
        "destination",
        "state",
        "next_attempt_at",
        "id",
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    ),
    Index("deliveries_sending", "owner", "id", postgresql_where=SENDING, sqlite_where=SENDING),
    Index("deliveries_of_endpoint", "endpoint_id", "id", postgresql_where=OF_ENDPOINT, sqlite_where=OF_ENDPOINT),
    Index(
        "deliveries_ended_badly",
        "tenant_id",
        "state",
        "id",
        postgresql_where=text("state IN ('exhausted', 'cancelled')"),
        sqlite_where=text("state IN ('exhausted', 'cancelled')"),
    ),
    sqlite_with_rowid=False,
)

OF_NO_JOB = text("job_id = ''")

delivery_targets = Table(
    "delivery_targets",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("delivery_id", Name, primary_key=True),
    Column("event_id", Name, nullable=False),
    Column("event_type", Name, nullable=False),
    Column("job_id", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("endpoint_id", Name),
    Column("url", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("delivery_targets_job", "job_id"),
    Index("delivery_targets_event", "event_id", postgresql_where=OF_NO_JOB, sqlite_where=OF_NO_JOB),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", Name, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("total_s", Double, nullable=False),
    Column("dns_s", Double),
    Column("connect_s", Double),
    Column("first_byte_s", Double),
    Column("verdict", Name, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Integer),
    Column("remote_address", Text),
    Column("response_prefix", LargeBinary, nullable=False),
    Column("next_attempt_at", Moment),
    Column("tls_s", Double),
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

OPEN = text("state IN ('pending', 'running')")
OVER = text("finished_at IS NOT NULL")

replays = Table(
    "replays",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("id", Name, primary_key=True),
    Column("filter", Text, nullable=False),
    Column("is_dry_run", Boolean, nullable=False),
    Column("state", Name, nullable=False),
    Column("is_counted", Boolean, nullable=False),
    # the delivery at which its walk has arrived
    Column("place", Name, nullable=False),
    Column("matched", Integer, nullable=False),
    Column("redelivered", Integer, nullable=False),
    Column("skipped_changed", Integer, nullable=False),
    Column("skipped_disabled", Integer, nullable=False),
    Column("skipped_gone", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    # when it last had its turn, so that a long one does not keep the others waiting
    Column("turn_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Index("replays_open", "turn_at", "id", postgresql_where=OPEN, sqlite_where=OPEN),
    Index("replays_age", "finished_at", postgresql_where=OVER, sqlite_where=OVER),
)

# all that is left of a job
purged_jobs = Table(
    "purged_jobs",
    metadata,
    Column("tenant_id", Name, primary_key=True),
    Column("job_id", Name, primary_key=True),
    Column("type", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("purged_at", Moment, nullable=False),
    Index("purged_jobs_age", "purged_at"),
)
