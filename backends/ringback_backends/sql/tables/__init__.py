"""The tables, for the queries written in SQLAlchemy Core; the migrations create them, a test compares the two.

What changes is apart from what does not. ``jobs`` and ``deliveries`` are narrow and rewritten at every step, so they
have a primary key and partial indexes only on what waits or runs: a finished row costs nothing but its key. Everything
else is inserted once. No foreign keys between these: a check per row costs as much as the insert, rows of one job are
written by one statement, and deleting is the sweeper's task.
"""

from ringback_backends.sql.tables.base import metadata
from ringback_backends.sql.tables.processes import instances
from ringback_backends.sql.tables.receivers import endpoints, signing_secrets
from ringback_backends.sql.tables.sending import (
    NO_JOB,
    deliveries,
    delivery_attempts,
    delivery_targets,
    events,
    replays,
)
from ringback_backends.sql.tables.tenancy import api_keys, audit_log, tenants
from ringback_backends.sql.tables.work import (
    idempotency_keys,
    job_attempts,
    job_progress,
    job_requests,
    job_results,
    job_tags,
    jobs,
    purged_jobs,
)

__all__ = [
    "NO_JOB",
    "api_keys",
    "audit_log",
    "deliveries",
    "delivery_attempts",
    "delivery_targets",
    "endpoints",
    "events",
    "idempotency_keys",
    "instances",
    "job_attempts",
    "job_progress",
    "job_requests",
    "job_results",
    "job_tags",
    "jobs",
    "metadata",
    "purged_jobs",
    "replays",
    "signing_secrets",
    "tenants",
]
