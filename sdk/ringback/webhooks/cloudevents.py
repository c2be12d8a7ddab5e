"""CloudEvents 1.0: events in its structured JSON form, and its handshake of consent. Pure: nothing is sent here.

Sources: the CloudEvents specification with its JSON event format, and "HTTP 1.1 Web Hooks for Event Delivery", whose
section 4 is the handshake: before anything is delivered, OPTIONS asks the receiver, and only headers of its answer
grant. It is consent, not proof of who anybody is: signatures are made in this form too.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

CONTENT_TYPE = "application/cloudevents+json"

REQUEST_ORIGIN_HEADER = "webhook-request-origin"
"""In the handshake, and with the same value in every delivery after it."""
REQUEST_RATE_HEADER = "webhook-request-rate"
REQUEST_CALLBACK_HEADER = "webhook-request-callback"
ALLOWED_ORIGIN_HEADER = "webhook-allowed-origin"
ALLOWED_RATE_HEADER = "webhook-allowed-rate"

ANY = "*"
_RATE = re.compile(r"[1-9][0-9]{0,8}")
_ORIGIN = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.IGNORECASE)


def structured_event(*, event_id: str, event_type: str, at: datetime, source: str, subject: str, data: bytes) -> bytes:
    """The event as the JSON object of a CloudEvent; its media type is ``CONTENT_TYPE``.

    Args:
        event_id: with ``source`` it identifies the event, on every try.
        event_type: such as ``job.succeeded``.
        at: when it happened, aware.
        source: a URI reference that says whose event it is.
        subject: the id of the job.
        data: JSON, which stands in the result byte for byte.

    Raises:
        ValueError: an attribute is empty, or ``at`` is not aware: receivers would refuse the event.
    """
    if not (event_id and event_type and source and subject):
        raise ValueError("a CloudEvent needs id, type, source and subject")
    if at.tzinfo is None:
        raise ValueError("a CloudEvent needs an aware time")
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": event_type,
        "subject": subject,
        "time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }
    # Parsing and writing the data again would change numbers, duplicate keys and the order.
    return json.dumps(attributes, separators=(",", ":")).encode()[:-1] + b',"data":' + data + b"}"


def origin_of(url: str) -> str:
    """The DNS name in a URL, for ``consent_request``; ``localhost`` when it has none, as with an IPv6 address."""
    host = urlsplit(url).hostname or ""
    return host if _ORIGIN.fullmatch(host) else "localhost"


def consent_request(origin: str, *, rate_per_minute: int | None = None, callback: str | None = None) -> dict[str, str]:
    """The headers of the OPTIONS request, which goes to the very URL that deliveries will go to.

    Args:
        origin: a DNS name for the whole sending system, not for one host of it.
        rate_per_minute: how many deliveries are asked for; without it the receiver may name a number by itself.
        callback: an https URL, hard to guess, that the receiver's owner may call later to consent.

    Raises:
        ValueError: one of these cannot stand in such a request.
    """
    if _ORIGIN.fullmatch(origin) is None:
        raise ValueError("the origin of webhooks is a DNS name")
    headers = {REQUEST_ORIGIN_HEADER: origin}
    if rate_per_minute is not None:
        if _RATE.fullmatch(str(rate_per_minute)) is None:
            raise ValueError("a rate is a whole number of deliveries a minute, at least 1")
        headers[REQUEST_RATE_HEADER] = str(rate_per_minute)
    if callback is not None:
        if not callback.startswith("https://") or not callback.isascii() or not callback.isprintable():
            raise ValueError("the callback for consent is an https URL")
        headers[REQUEST_CALLBACK_HEADER] = callback
    return headers


class NoConsent(StrEnum):
    """Stable names of why an answer grants nothing."""

    NO_HEADER = "no_allowed_origin"
    OTHER_ORIGIN = "other_origin"
    BAD_RATE = "bad_allowed_rate"


@dataclass(frozen=True, slots=True)
class Granted:
    """The receiver wants our deliveries."""

    rate_per_minute: int | None
    """How many at most; absent when it sets no limit."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The receiver has not said that it wants them; it may still say so through the callback."""

    reason: NoConsent
    sentence: str


def judge_consent(headers: Mapping[str, str], *, origin: str, rate_per_minute: int | None = None) -> Granted | Withheld:
    """What the answer to the OPTIONS request says; its status says nothing, for many servers answer 200 to any OPTIONS.

    Args:
        headers: the answer's, names in any case.
        origin: what was asked with.
        rate_per_minute: what was asked for. It holds when the receiver names no rate: it was asked, and consents.
    """
    known = {name.lower(): value.strip() for name, value in headers.items()}
    allowed = known.get(ALLOWED_ORIGIN_HEADER)
    if not allowed:
        return Withheld(NoConsent.NO_HEADER, f"the answer to OPTIONS has no header {ALLOWED_ORIGIN_HEADER}")
    if allowed != ANY and allowed.lower() != origin.lower():
        return Withheld(NoConsent.OTHER_ORIGIN, f"{ALLOWED_ORIGIN_HEADER} names neither {origin} nor *")
    return _granted(known.get(ALLOWED_RATE_HEADER), rate_per_minute)


def judge_callback(headers: Mapping[str, str], *, rate_per_minute: int | None = None) -> Granted | Withheld:
    """What a call of the consent callback says: who knows its URL consents; a rate may be named in its headers."""
    known = {name.lower(): value.strip() for name, value in headers.items()}
    return _granted(known.get(ALLOWED_RATE_HEADER), rate_per_minute)


def _granted(rate: str | None, asked: int | None) -> Granted | Withheld:
    if not rate:
        return Granted(asked)
    if rate == ANY:
        return Granted(None)
    # A limit that cannot be read is still a limit: to go on without one would be more than was granted.
    if _RATE.fullmatch(rate) is None:
        return Withheld(NoConsent.BAD_RATE, f"{ALLOWED_RATE_HEADER} is neither a whole number above 0 nor *")
    return Granted(int(rate))
