"""Jobs, from the request to what is left of them."""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, Table, Text, text

from ringback_backends.sql.columns import Moment, Name
from ringback_backends.sql.tables.base import metadata

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
