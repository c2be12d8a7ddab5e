"""Secrets that sign webhooks, as Standard Webhooks writes them: ``whsec_`` and base64 of the key."""

import base64
import binascii
import os

from ringback_schemas.errors import RingbackError

PREFIX = "whsec_"
NEW_KEY_BYTES = 32
"""Between the 24 and 64 that Standard Webhooks asks for; as long as the digest, so HMAC neither pads nor hashes it."""


class InvalidSecret(RingbackError):
    """A text that is no signing secret; the message never holds it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not a signing secret: {why} (it looks like {PREFIX} and base64)")


def new_secret() -> str:
    """A fresh ``whsec_…`` from the system's randomness."""
    return PREFIX + base64.b64encode(os.urandom(NEW_KEY_BYTES)).decode()


def decode_secret(secret: str) -> bytes:
    """The key in a secret; prefix and padding may be missing, as in other senders' secrets.

    Raises:
        InvalidSecret: not base64, or empty: an empty key would let anybody sign.
    """
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("not base64") from error
    if not key:
        raise InvalidSecret("empty")
    return key
