"""Cases that are not played yet, and why: told under the table, so that nobody takes silence for success."""

ONE_VERSION = "needs packages of several RabbitMQ versions; one is installed"
NO_RELICS = f"{ONE_VERSION}. No transient shared queue, global prefetch or TTL ladder is used"
ONE_POSTGRES = "needs a second PostgreSQL; docs/operations.md says what must be set, and what is lost otherwise"
NO_FORGETFUL_DISK = "needs a block device that forgets; the process is killed instead (F40), with `synchronous=FULL`"

OPEN: tuple[tuple[str, str, str], ...] = (
    ("F22", "RabbitMQ upgraded from 3.10 over 3.13 to 4.x", ONE_VERSION),
    ("F23", "RabbitMQ 4.3 with deprecated features denied", NO_RELICS),
    ("F36", "failover to a stale PostgreSQL replica", ONE_POSTGRES),
    ("F40p", "power cut under SQLite: unsynced pages lost", NO_FORGETFUL_DISK),
    ("F51l", "receiver down for 24 hours", "needs a simulated clock; played with a short schedule (F51)"),
    ("F58", "rolling upgrade with a schema change, and back", "needs a second released version"),
    ("F59", "long-poll and SSE across a restart of the front end", "not built yet"),
    ("F62", "blob store down", "not built yet"),
)
"""Id, fault, reason."""
