"""Keys of webhooks as Standard Webhooks writes them, a prefix and base64; those of HMAC in full, see ``ed25519`` too.

``whsec_`` 24 to 64 bytes that sender and receiver share · ``whsk_`` an Ed25519 key that only the sender has ·
``whpk_`` the public half of that, for receivers.
"""

import base64
import binascii
import os

from ringback_schemas.errors import RingbackError

SHARED_PREFIX = "whsec_"
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"

FEWEST_BYTES = 24
MOST_BYTES = 64
NEW_KEY_BYTES = 32
"""As long as the digest, so that HMAC neither pads nor hashes it."""


class InvalidSecret(RingbackError):
    """A text that is no key of webhooks; the message never holds it."""

    def __init__(self, why: str, *, looks_like: str = SHARED_PREFIX) -> None:
        super().__init__(f"not a signing secret: {why} (it looks like {looks_like} and base64)")


def new_secret() -> str:
    """A fresh ``whsec_…`` from the system's randomness."""
    return write_key(SHARED_PREFIX, os.urandom(NEW_KEY_BYTES))


def write_key(prefix: str, key: bytes) -> str:
    """The text of a key: standard base64 with padding after the prefix."""
    return prefix + base64.b64encode(key).decode()


def read_key(text: str, prefix: str) -> bytes:
    """The bytes after the prefix; prefix and padding may be missing, as in other senders' secrets.

    Raises:
        InvalidSecret: not base64, or empty: an empty key would let anybody sign.
    """
    encoded = text.removeprefix(prefix)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("not base64", looks_like=prefix) from error
    if not key:
        raise InvalidSecret("empty", looks_like=prefix)
    return key


def decode_secret(secret: str) -> bytes:
    """The HMAC key in a secret.

    Behind ``whsec_`` it has 24 to 64 bytes, as the specification wants. Some senders hand out base64 without a prefix
    and of other lengths: that is read as it is, for a receiver cannot choose it.

    Raises:
        InvalidSecret: not base64, empty, or of another length.
    """
    key = read_key(secret, SHARED_PREFIX)
    if secret.startswith(SHARED_PREFIX) and not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise InvalidSecret(f"{len(key)} bytes, where {FEWEST_BYTES} to {MOST_BYTES} are allowed")
    return key
