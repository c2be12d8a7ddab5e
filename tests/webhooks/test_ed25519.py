"""Ed25519 keys and signatures ``v1a`` (BB-27), and both kinds of secrets side by side."""

import base64
import json
import subprocess
import sys
import time

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from ringback.webhooks import (
    InvalidSecret,
    Reason,
    WebhookVerificationError,
    canonical_secret,
    new_secret,
    new_signing_key,
    public_key_of,
    sign,
    verify_webhook,
)
from tests.webhooks.vectors import (
    BODY,
    ID,
    OTHER,
    PRIVATE,
    PUBLIC,
    PUBLIC_SIGNATURE,
    SECRET,
    SIGNATURE,
    TIMESTAMP,
    headers,
)

SEED = "whsk_" + base64.b64encode(base64.b64decode(PRIVATE[5:])[:32]).decode()
OTHER_PUBLIC = public_key_of(new_signing_key())
BOTH = f"{SIGNATURE} {PUBLIC_SIGNATURE}"


def reason_of(secret: str | list[str], signature: str, body: bytes = BODY) -> Reason:
    """Why the vector with these signatures is not verified."""
    with pytest.raises(WebhookVerificationError) as caught:
        verify_webhook(secret, headers(signature), body, now=TIMESTAMP)
    return caught.value.reason


def test_new_signing_key_is_seed_and_public_key() -> None:
    """64 bytes, the second half of which is what receivers get."""
    secret = new_signing_key()

    raw = base64.b64decode(secret.removeprefix("whsk_"), validate=True)

    assert (len(raw), public_key_of(secret)) == (64, "whpk_" + base64.b64encode(raw[32:]).decode())


def test_new_signing_keys_differ() -> None:
    """No two keys are alike."""
    assert new_signing_key() != new_signing_key()


@pytest.mark.parametrize("secret", [PRIVATE, SEED, SEED.rstrip("="), PRIVATE.rstrip("=")])
def test_public_key_is_that_of_the_vector(secret: str) -> None:
    """With or without the public half, with or without padding: the same key."""
    assert public_key_of(secret) == PUBLIC


@pytest.mark.parametrize("secret", [PRIVATE, SEED])
def test_private_key_that_somebody_brings_is_kept_in_64_bytes(secret: str) -> None:
    """A seed alone is accepted and written out in full."""
    assert canonical_secret(secret) == PRIVATE


def test_seed_alone_signs_as_the_whole_key() -> None:
    """Ed25519 is deterministic: the vector's signature comes out again."""
    assert sign([SEED], ID, TIMESTAMP, BODY) == PUBLIC_SIGNATURE


@pytest.mark.parametrize("size", [0, 1, 31, 33, 63, 65, 96])
def test_private_key_of_another_length_is_refused(size: int) -> None:
    """A key is 32 or 64 bytes."""
    with pytest.raises(InvalidSecret):
        sign(["whsk_" + base64.b64encode(bytes(size)).decode()], ID, TIMESTAMP, BODY)


def test_private_key_is_refused_when_its_public_half_belongs_to_another() -> None:
    """Two halves that do not fit are a mistake in copying, and signing with them would be worse than useless."""
    mixed = base64.b64decode(PRIVATE[5:])[:32] + base64.b64decode(OTHER_PUBLIC[5:])

    with pytest.raises(InvalidSecret, match="public half"):
        sign(["whsk_" + base64.b64encode(mixed).decode()], ID, TIMESTAMP, BODY)


@pytest.mark.parametrize("text", ["whpk_", "whpk_***", "whpk_AAAA", "whpk_" + base64.b64encode(bytes(33)).decode()])
def test_public_key_is_refused_when_it_is_none(text: str) -> None:
    """A receiver with a bad key learns that, instead of refusing everything."""
    with pytest.raises(InvalidSecret):
        verify_webhook(text, headers(PUBLIC_SIGNATURE), BODY, now=TIMESTAMP)


def test_receiver_with_a_private_key_is_told_to_use_the_public_one() -> None:
    """A private key has no business at a receiver."""
    with pytest.raises(InvalidSecret, match="whpk_"):
        verify_webhook(PRIVATE, headers(PUBLIC_SIGNATURE), BODY, now=TIMESTAMP)


@pytest.mark.parametrize("bad", ["whsk_AAAA", PRIVATE[:-8], "whsk_top secret"])
def test_refusal_does_not_show_the_key(bad: str) -> None:
    """The error about a bad key may be logged."""
    with pytest.raises(InvalidSecret) as caught:
        public_key_of(bad)

    assert bad[5:] not in str(caught.value)


def test_mixed_secrets_each_sign_in_their_order() -> None:
    """Live secrets of both kinds: newest first, each in its version, a single space between."""
    assert sign([PRIVATE, SECRET], ID, TIMESTAMP, BODY) == f"{PUBLIC_SIGNATURE} {SIGNATURE}"


@pytest.mark.parametrize("secret", [SECRET, PUBLIC, [PUBLIC, SECRET], [OTHER_PUBLIC, SECRET], [new_secret(), PUBLIC]])
def test_one_fitting_key_is_enough(secret: str | list[str]) -> None:
    """Receivers that hold the old key, the new one, or both, verify while both sign."""
    assert verify_webhook(secret, headers(BOTH), BODY, now=TIMESTAMP).id == ID


@pytest.mark.parametrize(
    "signature",
    [
        f"{OTHER} {PUBLIC_SIGNATURE}",
        f"v1a,rubbish {PUBLIC_SIGNATURE}",
        f"v1a,AAAA {PUBLIC_SIGNATURE}",
        f"v1a, {PUBLIC_SIGNATURE}",
        f"v1a {PUBLIC_SIGNATURE}",
        f"v3,{SIGNATURE[3:]} {PUBLIC_SIGNATURE} {SIGNATURE}",
    ],
)
def test_bad_items_before_a_good_signature_are_skipped(signature: str) -> None:
    """Other versions, rubbish and items without a comma do not stand in the way of a good one."""
    assert verify_webhook(PUBLIC, headers(signature), BODY, now=TIMESTAMP).id == ID


@pytest.mark.parametrize(
    "signature",
    [
        "v1a,",
        "v1a,rubbish",
        "v1a,AAAA",
        "v1a,żółć " + "v1a,AAAA",
        PUBLIC_SIGNATURE.replace("hnO3", "hnO4"),
        f"v1a,{SIGNATURE[3:]}",
        PUBLIC_SIGNATURE.rstrip("="),
    ],
)
def test_webhook_is_refused_when_no_public_signature_matches(signature: str) -> None:
    """Empty, short, altered and unpadded signatures do not pass."""
    assert reason_of(PUBLIC, signature) == Reason.NO_MATCH


def test_webhook_is_refused_when_it_was_signed_with_another_private_key() -> None:
    """Only the fitting private key signs."""
    assert reason_of(PUBLIC, sign([new_signing_key()], ID, TIMESTAMP, BODY)) == Reason.NO_MATCH


def test_webhook_is_refused_when_the_body_changed() -> None:
    """The same JSON in other bytes is another message."""
    assert reason_of(PUBLIC, PUBLIC_SIGNATURE, b'{"test":2432232314}') == Reason.NO_MATCH


@pytest.mark.parametrize(
    ("secret", "signature"),
    [(PUBLIC, SIGNATURE), (SECRET, PUBLIC_SIGNATURE), (PUBLIC, f"v1,{PUBLIC_SIGNATURE[4:]}")],
)
def test_webhook_is_refused_when_its_signatures_are_of_the_other_version(secret: str, signature: str) -> None:
    """A signature is looked at only by keys of its version: a public key is never used as an HMAC key."""
    assert reason_of(secret, signature) == Reason.NO_SIGNATURE


def test_public_key_does_not_work_as_a_shared_secret() -> None:
    """Whoever knows the public key cannot sign with it by HMAC (a confusion of algorithms)."""
    forged = sign(["whsec_" + PUBLIC.removeprefix("whpk_")], ID, TIMESTAMP, BODY)

    assert reason_of([PUBLIC, SECRET], forged) == Reason.NO_MATCH


@pytest.mark.parametrize(("skew_s", "reason"), [(301, Reason.TOO_OLD), (-301, Reason.TOO_NEW)])
def test_window_holds_for_public_signatures_too(skew_s: int, reason: Reason) -> None:
    """A good signature does not make an old webhook young."""
    with pytest.raises(WebhookVerificationError) as caught:
        verify_webhook(PUBLIC, headers(PUBLIC_SIGNATURE), BODY, now=TIMESTAMP + skew_s)

    assert caught.value.reason == reason


@given(st.binary(max_size=200), st.integers(1, 10**10))
def test_whatever_is_signed_is_verified(body: bytes, timestamp: int) -> None:
    """Any bytes at any time, with both kinds of secrets."""
    sent = headers(sign([PRIVATE, SECRET], ID, timestamp, body), webhook_timestamp=str(timestamp))

    assert [verify_webhook(key, sent, body, now=timestamp).body for key in (PUBLIC, SECRET)] == [body, body]


def test_official_library_accepts_a_mixed_list() -> None:
    """It knows only ``v1`` and skips ``v1a``, so receivers may move to public keys one by one."""
    now = int(time.time())
    sent = headers(sign([PRIVATE, SECRET], ID, now, BODY), webhook_timestamp=str(now))

    assert standardwebhooks.Webhook(SECRET).verify(BODY, sent) == json.loads(BODY)


def test_hmac_alone_loads_no_cryptography() -> None:
    """A receiver that verifies ``v1`` starts no OpenSSL bindings."""
    program = (
        "import sys\n"
        "from ringback.webhooks import sign, verify_webhook\n"
        f"sent = {headers()!r} | {{'webhook-signature': sign([{SECRET!r}], {ID!r}, {TIMESTAMP}, {BODY!r})}}\n"
        f"verify_webhook({SECRET!r}, sent, {BODY!r}, now={TIMESTAMP})\n"
        "sys.exit('cryptography' in sys.modules)\n"
    )

    outcome = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr
