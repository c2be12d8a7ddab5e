"""What signs: vectors (BB-20), several secrets, secrets that are none (BB-28)."""

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from ringback.webhooks import InvalidSecret, Signer, canonical_secret, decode_secret, new_secret, sign
from tests.webhooks.vectors import BODY, ID, SECRET, SIGNATURE, TIMESTAMP, VECTORS, Vector


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_signature_is_that_of_the_vector(vector: Vector) -> None:
    """Every published and computed vector comes out as given."""
    assert sign([vector.secret], vector.webhook_id, vector.timestamp, vector.body) == vector.signature


def test_signature_lists_every_secret_in_order_when_there_are_several() -> None:
    """While secrets are rotated each signs, newest first, a single space between."""
    newest = new_secret()

    signature = sign([newest, SECRET], ID, TIMESTAMP, BODY)

    assert signature == f"{sign([newest], ID, TIMESTAMP, BODY)} {SIGNATURE}"


@given(st.text(alphabet="abcdefghij0123456789_", min_size=1), st.integers(1, 10**10), st.text())
def test_signature_equals_that_of_the_official_library(webhook_id: str, timestamp: int, body: str) -> None:
    """For any message the ``standardwebhooks`` library computes the same signature."""
    official = standardwebhooks.Webhook(SECRET).sign(webhook_id, datetime.fromtimestamp(timestamp, UTC), body)

    assert sign([SECRET], webhook_id, timestamp, body.encode()) == official


def test_new_secret_is_32_bytes_in_base64_after_the_prefix() -> None:
    """A fresh secret is within the 24 to 64 bytes of Standard Webhooks."""
    secret = new_secret()

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32


def test_new_secrets_differ() -> None:
    """No two secrets are alike."""
    assert new_secret() != new_secret()


@pytest.mark.parametrize("size", [24, 25, 32, 63, 64])
def test_secret_of_24_to_64_bytes_is_read(size: int) -> None:
    """The lengths of the specification."""
    assert decode_secret("whsec_" + base64.b64encode(bytes(size)).decode()) == bytes(size)


@pytest.mark.parametrize("size", [1, 16, 23, 65, 128])
def test_secret_of_another_length_is_refused_by_its_length(size: int) -> None:
    """A short key can be guessed; the refusal says what is allowed."""
    with pytest.raises(InvalidSecret, match=f"{size} bytes, where 24 to 64 are allowed"):
        decode_secret("whsec_" + base64.b64encode(bytes(size)).decode())


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_***", "whsec_żółć", "whsec_a", "whsec_MfKQ 9r8G"])
def test_secret_is_refused_when_it_is_empty_or_not_base64(text: str) -> None:
    """A key that is empty or unreadable never signs."""
    with pytest.raises(InvalidSecret):
        decode_secret(text)


def test_refusal_does_not_show_the_secret() -> None:
    """The error about a bad secret may be logged."""
    with pytest.raises(InvalidSecret) as caught:
        decode_secret("whsec_top secret")

    assert "top" not in str(caught.value)


def test_signer_is_refused_when_there_is_no_secret() -> None:
    """Without a secret there is no signature, not an empty one."""
    with pytest.raises(InvalidSecret):
        Signer([])


@pytest.mark.parametrize("secrets", [[""], ["whsec_"], [SECRET, ""], ["whsk_"]])
def test_signer_is_refused_when_a_secret_is_empty(secrets: list[str]) -> None:
    """No signature is ever made with an empty key, not even beside a good one."""
    with pytest.raises(InvalidSecret):
        Signer(secrets)


def test_secret_that_somebody_brings_is_kept_with_its_padding() -> None:
    """However it was written, every library can read what we give back."""
    unpadded = "whsec_" + base64.b64encode(bytes(25)).decode().rstrip("=")

    assert canonical_secret(unpadded) == "whsec_" + base64.b64encode(bytes(25)).decode()


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_AAAA", SECRET.removeprefix("whsec_"), "whsk_AAAA", "whpk_" + "A" * 43, "WHSEC_" + SECRET[6:]],
)
def test_secret_that_somebody_brings_is_refused_when_it_is_none(text: str) -> None:
    """Empty, short, without prefix, or a key that cannot sign (BB-28)."""
    with pytest.raises(InvalidSecret):
        canonical_secret(text)
