"""Events, and what becomes of them: deliveries with their attempts, and replays."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Identity, Index, Integer, LargeBinary, Table, Text, text

from ringback_backends.sql.columns import Moment, Name
from ringback_backends.sql.tables.base import metadata

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
