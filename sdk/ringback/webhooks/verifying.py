"""Verifies webhooks at the receiver: ours, and those of any other sender of Standard Webhooks."""

import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from ringback.webhooks.ed25519 import is_signed, public_key
from ringback.webhooks.secrets import PRIVATE_PREFIX, PUBLIC_PREFIX, SHARED_PREFIX, InvalidSecret, decode_secret
from ringback.webhooks.signing import (
    ID_HEADER,
    PUBLIC_VERSION,
    SHARED_VERSION,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    hmac_signature,
    signed_content,
)
from ringback_schemas.errors import RingbackError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_S = 300.0
"""How far sender's and receiver's clocks may differ, both ways: the value of all Standard Webhooks libraries."""

_LONGEST_TIMESTAMP = 12
_MOST_SIGNATURES = 32
"""Far more than a rotation needs. Checking ``v1a`` costs 100 µs, and whoever sends rubbish chooses how much of it."""


class Reason(StrEnum):
    """Stable names of why a webhook is not to be trusted."""

    MISSING_HEADER = "missing_header"
    BAD_ID = "bad_id"
    BAD_TIMESTAMP = "bad_timestamp"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    NO_SIGNATURE = "no_signature"
    NO_MATCH = "no_match"


class WebhookVerificationError(RingbackError):
    """A webhook that is not to be trusted."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"webhook not verified: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class VerifiedWebhook:
    """A webhook that came from who holds the secret, unchanged, just now."""

    id: str
    """The same on every try: handle each id once."""
    sent_at: datetime
    """When this try was made."""
    body: bytes

    def json(self) -> Any:
        """The body parsed: ``{"type", "timestamp", "data"}`` from Ringback."""
        return json.loads(self.body)


def verify_webhook(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> VerifiedWebhook:
    """The webhook, when one of its signatures was made with one of the secrets, less than five minutes ago.

    Args:
        secret: one ``whsec_…`` or public ``whpk_…``, or several while they are being rotated.
        headers: the request's, names in any case.
        body: the request's, exactly as received; parsing and writing it again breaks the signature.
        tolerance_s: seconds that the clocks may differ, both ways.
        now: Unix seconds, for tests.

    Raises:
        WebhookVerificationError: it is not to be trusted; ``reason`` says why.
        InvalidSecret: a secret cannot be read.
    """
    keys = _keys([secret] if isinstance(secret, str) else secret)
    raw = body.encode() if isinstance(body, str) else body
    known = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp_text, signatures = (
        _header(known, name) for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    _check_id(webhook_id)
    timestamp = _checked_timestamp(timestamp_text, time.time() if now is None else now, tolerance_s)
    _check_match(keys, signed_content(webhook_id, timestamp, raw), signatures)
    return VerifiedWebhook(webhook_id, datetime.fromtimestamp(timestamp, UTC), raw)


def check_secret(secret: str) -> None:
    """Make sure of what a receiver was given, before the first webhook comes: a key as Ringback hands them out.

    ``verify_webhook`` takes other senders' secrets, too, which are any base64.

    Raises:
        InvalidSecret: it is neither a ``whsec_…`` nor a public ``whpk_…``; the message does not hold it.
    """
    if not secret.startswith((SHARED_PREFIX, PUBLIC_PREFIX, PRIVATE_PREFIX)):
        raise InvalidSecret(f"it begins neither with {SHARED_PREFIX} nor with {PUBLIC_PREFIX}")
    _key(secret)


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookVerificationError(Reason.MISSING_HEADER, f"the header {name} is missing")
    return value


def _check_id(webhook_id: str) -> None:
    # With a dot in it, the same signed bytes could be read as another id, time and body.
    if "." in webhook_id or not webhook_id.isascii():
        raise WebhookVerificationError(Reason.BAD_ID, f"{ID_HEADER} holds a dot or a character beyond ASCII")


def _checked_timestamp(text: str, now: float, tolerance_s: float) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIMESTAMP):
        raise WebhookVerificationError(Reason.BAD_TIMESTAMP, f"{TIMESTAMP_HEADER} is not a number of seconds")
    age_s = now - int(text)
    if age_s > tolerance_s:
        raise WebhookVerificationError(Reason.TOO_OLD, f"it was sent {age_s:.0f} s ago; are both clocks right?")
    if age_s < -tolerance_s:
        raise WebhookVerificationError(Reason.TOO_NEW, f"it was sent {-age_s:.0f} s ahead; are both clocks right?")
    return int(text)


@dataclass(frozen=True, slots=True)
class _Key:
    """What checks signatures of one version."""

    version: str
    matches: Callable[[bytes, Sequence[str]], bool]
    """Whether one of some signatures, without their version, is the key's for that content."""


def _keys(secrets: Sequence[str]) -> Sequence[_Key]:
    if not secrets:
        raise InvalidSecret("there is none")
    return [_key(secret) for secret in secrets]


def _key(secret: str) -> _Key:
    if secret.startswith(PRIVATE_PREFIX):
        raise InvalidSecret("a private key signs; what verifies is its public key", looks_like=PUBLIC_PREFIX)
    if secret.startswith(PUBLIC_PREFIX):
        return _Key(PUBLIC_VERSION, partial(_matches_public, public_key(secret)))
    return _Key(SHARED_VERSION, partial(_matches_shared, decode_secret(secret)))


def _matches_shared(key: bytes, content: bytes, offered: Sequence[str]) -> bool:
    """Compares with each in constant time."""
    wanted = hmac_signature(key, content).partition(",")[2].encode()
    return any(hmac.compare_digest(signature.encode(), wanted) for signature in offered)


def _matches_public(key: "Ed25519PublicKey", content: bytes, offered: Sequence[str]) -> bool:
    return any(is_signed(key, content, signature) for signature in offered)


def _check_match(keys: Sequence[_Key], content: bytes, signatures: str) -> None:
    """One good signature is enough; other versions and items that are none are skipped, as the specification says."""
    offered: dict[str, list[str]] = {key.version: [] for key in keys}
    for item in signatures.split(" ")[:_MOST_SIGNATURES]:
        version, comma, signature = item.partition(",")
        if comma and version in offered and signature.isascii():
            offered[version].append(signature)
    if not any(offered.values()):
        versions = " or ".join(offered)
        raise WebhookVerificationError(Reason.NO_SIGNATURE, f"{SIGNATURE_HEADER} holds no signature of {versions}")
    if not any(key.matches(content, offered[key.version]) for key in keys):
        raise WebhookVerificationError(
            Reason.NO_MATCH, "no signature matches: another secret, or the body is not the one that was sent"
        )
