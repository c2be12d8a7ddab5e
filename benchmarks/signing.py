"""Standard Webhooks with one symmetric key, as every stack but Ringback signs and as the receiver verifies all of them.

Source: Standard Webhooks 1.0, "Signature scheme": HMAC-SHA256 over ``id.timestamp.body``, base64, behind ``v1,``.
"""

import base64
import hmac
import time
from collections.abc import Mapping

SECRET = "whsec_" + base64.b64encode(b"benchmark-key-of-thirty-two-byte").decode()
TOLERANCE_S = 300


class BadSignature(Exception):
    """A webhook that is not what it says it is."""


def key_of(secret: str) -> bytes:
    """The key's bytes in a ``whsec_…`` secret."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def signed_headers(key: bytes, webhook_id: str, body: bytes) -> dict[str, str]:
    """The headers of a webhook that is sent now."""
    timestamp = str(int(time.time()))
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + _digest(key, webhook_id, timestamp, body),
    }


def verify(key: bytes, headers: Mapping[str, str], body: bytes) -> None:
    """Nothing, for a webhook signed with that key within the last five minutes.

    Raises:
        BadSignature: otherwise.
    """
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        raise BadSignature(f"timestamp {timestamp!r}")
    expected = "v1," + _digest(key, headers.get("webhook-id", ""), timestamp, body)
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(expected, each) for each in given):
        raise BadSignature("no signature matches")


def _digest(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
