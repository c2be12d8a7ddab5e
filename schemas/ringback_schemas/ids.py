"""TypeIDs: a kind, an underscore and a UUIDv7 in Crockford base32, as in the TypeID specification 0.3.

They sort by time of creation, hold no ``.``, and tell what they name.
"""

import hashlib
import re
import secrets
import time
from typing import NewType

from ringback_schemas.errors import RingbackError

JobId = NewType("JobId", str)
EventId = NewType("EventId", str)
DeliveryId = NewType("DeliveryId", str)
EndpointId = NewType("EndpointId", str)
KeyId = NewType("KeyId", str)
TenantId = NewType("TenantId", str)
InstanceId = NewType("InstanceId", str)
SecretId = NewType("SecretId", str)
AuditId = NewType("AuditId", str)
ReplayId = NewType("ReplayId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SUFFIX = re.compile(f"[0-7][{_ALPHABET}]{{25}}")

DEFAULT_TENANT = TenantId("ten_" + "0" * 26)
"""The tenant of a fresh installation: the nil id, so that processes that start together agree on it."""


_WORDS = {
    "dlv": "a delivery",
    "end": "an endpoint",
    "evt": "an event",
    "ins": "an instance",
    "rpl": "a replay",
    "sec": "a secret",
    "ten": "a tenant",
}
"""What a kind names, where the kind is not a word itself."""


class InvalidId(RingbackError):
    """A string that is not an id of the wanted kind."""

    def __init__(self, kind: str, text: str) -> None:
        what = _WORDS.get(kind, f"a {kind}")
        super().__init__(f"not {what} id: {text[:64]!r} (an id looks like {kind}_ and 26 characters)")
        self.kind = kind


def _encode(number: int) -> str:
    """A 128-bit number as 26 base32 characters, most significant first."""
    pairs = _PAIRS
    return "".join([pairs[number >> shift & 1023] for shift in range(120, -1, -10)])


def uuid7(unix_ms: int, rest: int) -> int:
    """A UUIDv7 (RFC 9562, 5.7) as a number: 48 bits of milliseconds, then 74 bits that make it unique."""
    high, low = rest >> 62 & 0xFFF, rest & 0x3FFF_FFFF_FFFF_FFFF
    return (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low


def new_id(kind: str) -> str:
    """A fresh id such as ``job_01kb3v4r6de0qv8t3kq1x1m9za``.

    The first 12 bits after the milliseconds are the fraction of the millisecond (RFC 9562, 6.2, method 3): what one
    process makes one after another sorts in that order, to a quarter of a microsecond.
    """
    unix_ms, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    return f"{kind}_{_encode(uuid7(unix_ms, fraction << 62 | secrets.randbits(62)))}"


def earliest_id(kind: str, unix_ms: int) -> str:
    """The least id that could be made at that millisecond: a bound for what came later, by its age alone."""
    return f"{kind}_{_encode(uuid7(unix_ms, 0))}"


def check_id(kind: str, text: str) -> str:
    """The text itself when it is an id of that kind.

    Raises:
        InvalidId: it is anything else.
    """
    prefix, _, suffix = text.partition("_")
    if prefix != kind or _SUFFIX.fullmatch(suffix) is None:
        raise InvalidId(kind, text)
    return text


def new_job_id() -> JobId:
    """A fresh ``job_…``."""
    return JobId(new_id("job"))


def new_event_id() -> EventId:
    """A fresh ``evt_…``: also the ``webhook-id`` of each delivery of that event."""
    return EventId(new_id("evt"))


def new_delivery_id() -> DeliveryId:
    """A fresh ``dlv_…``."""
    return DeliveryId(new_id("dlv"))


def new_endpoint_id() -> EndpointId:
    """A fresh ``end_…``."""
    return EndpointId(new_id("end"))


def new_secret_id() -> SecretId:
    """A fresh ``sec_…``."""
    return SecretId(new_id("sec"))


def new_audit_id() -> AuditId:
    """A fresh ``aud_…``."""
    return AuditId(new_id("aud"))


def new_replay_id() -> ReplayId:
    """A fresh ``rpl_…``."""
    return ReplayId(new_id("rpl"))


def fanned_delivery_id(event_id: EventId, endpoint_id: EndpointId) -> DeliveryId:
    """The id of an event's delivery to an endpoint: always the same, so that no event is fanned out to one twice.

    A UUIDv7 with the time of the event and, for randomness, 56 bits of a hash. In base32 the first ten characters are
    the milliseconds, ``e`` holds the version and ``8`` the variant; hexadecimal digits are base32 digits too. The store
    over PostgreSQL makes the same text in SQL.
    """
    digest = hashlib.sha256((event_id + endpoint_id).encode()).hexdigest()
    return DeliveryId(f"dlv_{event_id[4:14]}e{digest[:2]}8{digest[2:14]}")


def new_instance_id() -> InstanceId:
    """A fresh ``ins_…``: one for each run of a process."""
    return InstanceId(new_id("ins"))
