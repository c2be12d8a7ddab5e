"""Ed25519 keys of webhooks, for signatures ``v1a`` (RFC 8032): the receiver cannot sign with what it verifies with.

A private key is written ``whsk_`` and base64 of 64 bytes, the seed and the public key after it; the 32 bytes of a seed
alone are read too. A public key is written ``whpk_`` and base64 of 32 bytes.

``cryptography`` is imported where it is first needed: receivers and senders that use HMAC alone never load it.
"""

import base64
import binascii
import os
from typing import TYPE_CHECKING

from ringback.webhooks.secrets import PRIVATE_PREFIX, PUBLIC_PREFIX, InvalidSecret, read_key, write_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES = 32
PUBLIC_BYTES = 32


def new_signing_key() -> str:
    """A fresh ``whsk_…`` from the system's randomness."""
    seed = os.urandom(SEED_BYTES)
    return write_key(PRIVATE_PREFIX, seed + _public_bytes(_from_seed(seed)))


def public_key_of(secret: str) -> str:
    """The ``whpk_…`` that verifies what a ``whsk_…`` signs.

    Raises:
        InvalidSecret: it is no private key.
    """
    return write_key(PUBLIC_PREFIX, _public_bytes(private_key(secret)))


def canonical_signing_key(secret: str) -> str:
    """The same private key in its 64 bytes.

    Raises:
        InvalidSecret: it is no private key.
    """
    key = private_key(secret)
    return write_key(PRIVATE_PREFIX, key.private_bytes_raw() + _public_bytes(key))


def private_key(secret: str) -> "Ed25519PrivateKey":
    """The key in a ``whsk_…``.

    Raises:
        InvalidSecret: neither 32 nor 64 bytes, or the public half belongs to another seed. Whoever signs with halves
            that do not fit gives the private key away, and no receiver accepts it.
    """
    raw = read_key(secret, PRIVATE_PREFIX)
    if len(raw) not in {SEED_BYTES, SEED_BYTES + PUBLIC_BYTES}:
        raise InvalidSecret(f"{len(raw)} bytes, where 32 or 64 are allowed", looks_like=PRIVATE_PREFIX)
    key = _from_seed(raw[:SEED_BYTES])
    if raw[SEED_BYTES:] not in {b"", _public_bytes(key)}:
        raise InvalidSecret("its public half belongs to another key", looks_like=PRIVATE_PREFIX)
    return key


def public_key(text: str) -> "Ed25519PublicKey":
    """The key in a ``whpk_…``.

    Raises:
        InvalidSecret: not 32 bytes.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - see the top

    raw = read_key(text, PUBLIC_PREFIX)
    if len(raw) != PUBLIC_BYTES:
        raise InvalidSecret(f"{len(raw)} bytes, where {PUBLIC_BYTES} are allowed", looks_like=PUBLIC_PREFIX)
    return Ed25519PublicKey.from_public_bytes(raw)


def is_signed(key: "Ed25519PublicKey", content: bytes, signature: str) -> bool:
    """Whether that base64 is the key's signature of the content; rubbish is not."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see the top

    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _from_seed(seed: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see the top

    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_bytes(key: "Ed25519PrivateKey") -> bytes:
    return key.public_key().public_bytes_raw()
