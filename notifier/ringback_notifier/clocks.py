"""What a receiver's clock explains: it refuses signatures that seem too old, or to come from the future. Pure."""

from datetime import UTC
from email.utils import parsedate_to_datetime

TOLERANCE_S = 300.0
"""How far a timestamp may be off before receivers refuse it (Standard Webhooks)."""

_LONGEST_DATE = 64


def clock_hint(date: str | None, now: float) -> str:
    """The hint for a receiver that said no, by the ``Date`` of its answer; empty when its clock is not the reason.

    ``now`` is Unix time. It begins with a comma, for it follows what the receiver said.
    """
    at = http_date(date) if date is not None else None
    if at is None or abs(at - now) <= TOLERANCE_S:
        return ""
    off_s, way = abs(at - now), "behind" if at < now else "ahead of"
    return f", and its clock is {_in_words(off_s)} {way} ours: receivers refuse what is signed more than 5 min off"


def http_date(text: str) -> float | None:
    """Unix time of an HTTP date (RFC 9110, 5.6.7); absent when it is none."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        at = parsedate_to_datetime(text)
        # "-0000" gives a time without a zone, which means UTC here
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_words(seconds: float) -> str:
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"
