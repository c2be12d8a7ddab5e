"""Envelopes: what the broker carries. Always a version, a kind and a list of ids; never a payload.

The store holds the truth, so an envelope may be lost, doubled or late without harm.
"""

from dataclasses import dataclass
from enum import StrEnum

import orjson

from ringback_schemas.errors import RingbackError
from ringback_schemas.ids import InvalidId, check_id

VERSION = 1
MAX_IDS = 500
"""Ids in one envelope: about 18 kB, far below the smallest message limit of any RabbitMQ."""


class EnvelopeKind(StrEnum):
    """What the ids name."""

    JOBS = "jobs"
    DELIVERIES = "deliveries"


_ID_KIND = {EnvelopeKind.JOBS: "job", EnvelopeKind.DELIVERIES: "dlv"}


class InvalidEnvelope(RingbackError):
    """A broker message that nobody can read; it goes to the parking queue with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"unreadable envelope: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """One or more ids of one kind."""

    kind: EnvelopeKind
    ids: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """The wire form: compact JSON ``{"v": 1, "kind": …, "ids": […]}``."""
        return orjson.dumps({"v": VERSION, "kind": self.kind.value, "ids": self.ids})


def parse_envelope(raw: bytes) -> Envelope:
    """The envelope in a message's body.

    Raises:
        InvalidEnvelope: not JSON, another version or kind, no ids, too many, or something that is no id.
    """
    try:
        data = orjson.loads(raw)
    except ValueError as error:
        raise InvalidEnvelope("not JSON") from error
    if not isinstance(data, dict) or data.get("v") != VERSION:
        raise InvalidEnvelope(f"not an envelope of version {VERSION}")
    try:
        kind = EnvelopeKind(data["kind"])
    except (ValueError, KeyError) as error:
        raise InvalidEnvelope("kind is neither jobs nor deliveries") from error
    ids = data.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise InvalidEnvelope(f"ids is not a list of 1 to {MAX_IDS}")
    try:
        checked = tuple(check_id(_ID_KIND[kind], text if isinstance(text, str) else repr(text)) for text in ids)
    except InvalidId as error:
        raise InvalidEnvelope(str(error)) from error
    return Envelope(kind, checked)
