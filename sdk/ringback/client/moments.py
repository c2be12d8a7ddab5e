"""Times on their way to the API."""

from datetime import UTC, datetime


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: it does not say which offset it has, so nobody could know when it is.
    """
    if moment.tzinfo is None:
        raise ValueError("times must be aware: datetime.now(UTC), not datetime.now()")
    return moment.astimezone(UTC)
