"""Verifies webhooks at the receiver: ours, and those of any other sender of Standard Webhooks."""

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ringback.webhooks.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer
from ringback_schemas.errors import RingbackError

TOLERANCE_S = 300.0
"""How far sender's and receiver's clocks may differ, both ways: the value of all Standard Webhooks libraries."""

_LONGEST_TIMESTAMP = 12


class Reason(StrEnum):
    """Stable names of why a webhook is not to be trusted."""

    MISSING_HEADER = "missing_header"
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
        secret: one ``whsec_…``, or several while they are being rotated.
        headers: the request's, names in any case.
        body: the request's, exactly as received; parsing and writing it again breaks the signature.
        tolerance_s: seconds that the clocks may differ, both ways.
        now: Unix seconds, for tests.

    Raises:
        WebhookVerificationError: it is not to be trusted; ``reason`` says why.
        InvalidSecret: a secret cannot be read.
    """
    signer_secrets = [secret] if isinstance(secret, str) else list(secret)
    raw = body.encode() if isinstance(body, str) else body
    known = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp_text, signatures = (
        _header(known, name) for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    timestamp = _checked_timestamp(timestamp_text, time.time() if now is None else now, tolerance_s)
    wanted = Signer(signer_secrets).sign(webhook_id, timestamp, raw).split(" ")
    _check_match(signatures.split(" "), wanted)
    return VerifiedWebhook(webhook_id, datetime.fromtimestamp(timestamp, UTC), raw)


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookVerificationError(Reason.MISSING_HEADER, f"the header {name} is missing")
    return value


def _checked_timestamp(text: str, now: float, tolerance_s: float) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIMESTAMP):
        raise WebhookVerificationError(Reason.BAD_TIMESTAMP, f"{TIMESTAMP_HEADER} is not a number of seconds")
    age_s = now - int(text)
    if age_s > tolerance_s:
        raise WebhookVerificationError(Reason.TOO_OLD, f"it was sent {age_s:.0f} s ago; are both clocks right?")
    if age_s < -tolerance_s:
        raise WebhookVerificationError(Reason.TOO_NEW, f"it was sent {-age_s:.0f} s ahead; are both clocks right?")
    return int(text)


def _check_match(offered: Sequence[str], wanted: Sequence[str]) -> None:
    """Compare each with each in constant time; versions that are not ours are skipped, as the specification says."""
    ours = [signature.encode() for signature in offered if signature.startswith("v1,")]
    if not ours:
        raise WebhookVerificationError(Reason.NO_SIGNATURE, f"{SIGNATURE_HEADER} holds no signature of version v1")
    matches = [hmac.compare_digest(signature, good.encode()) for signature in ours for good in wanted]
    if not any(matches):
        raise WebhookVerificationError(
            Reason.NO_MATCH, "no signature matches: another secret, or the body is not the one that was sent"
        )
