"""What verifies: good ones of ours and of the official library, bad ones with their reason."""

import json
from datetime import UTC, datetime

import pytest
import standardwebhooks

from ringback.webhooks import InvalidSecret, Reason, WebhookVerificationError, new_secret, sign, verify_webhook
from tests.webhooks.vectors import ALTERED, BODY, ID, OTHER, SECRET, SIGNATURE, TIMESTAMP, VECTORS, Vector, headers


def reason_of(signature: str = SIGNATURE, *, now: float = TIMESTAMP, body: bytes = BODY, **changes: str) -> Reason:
    """Why the changed vector is not verified."""
    return refusal(headers(signature, **changes), now=now, body=body)


def refusal(sent: dict[str, str], *, now: float = TIMESTAMP, body: bytes = BODY) -> Reason:
    """Why a webhook with these headers is not verified."""
    with pytest.raises(WebhookVerificationError) as caught:
        verify_webhook(SECRET, sent, body, now=now)
    return caught.value.reason


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vector_is_verified(vector: Vector) -> None:
    """Every vector passes with its secret, or the public half of that."""
    secret = vector.public or vector.secret

    assert verify_webhook(secret, vector.headers, vector.body, now=vector.timestamp).id == vector.webhook_id


def test_webhook_of_the_official_library_is_verified() -> None:
    """What the ``standardwebhooks`` library signs, we accept."""
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(ID, now, BODY.decode())

    verified = verify_webhook(SECRET, headers(signature, webhook_timestamp=str(int(now.timestamp()))), BODY)

    assert verified.json() == {"test": 2432232314}


def test_webhook_of_ours_is_accepted_by_the_official_library() -> None:
    """What we sign, the ``standardwebhooks`` library accepts (BB-21)."""
    now = int(datetime.now(UTC).timestamp())
    sent = headers(sign([new_secret(), SECRET], ID, now, BODY), webhook_timestamp=str(now))

    assert standardwebhooks.Webhook(SECRET).verify(BODY.decode(), sent) == json.loads(BODY)


@pytest.mark.parametrize(
    "signature",
    [f"{OTHER} v2,{SIGNATURE[3:]} {SIGNATURE}", f"rubbish {SIGNATURE}", f"v1a,abc {SIGNATURE}", f"{SIGNATURE} v1,"],
)
def test_one_good_signature_is_enough_among_others(signature: str) -> None:
    """Signatures of other keys and versions, and items that are none, are skipped."""
    assert verify_webhook(SECRET, headers(signature), BODY, now=TIMESTAMP).id == ID


def test_any_of_several_secrets_is_enough() -> None:
    """A receiver that rotates may hold the old and the new secret."""
    assert verify_webhook([new_secret(), SECRET], headers(), BODY, now=TIMESTAMP).id == ID


def test_names_of_headers_may_be_in_any_case() -> None:
    """Frameworks differ in how they write header names."""
    shouted = {name.upper(): value for name, value in headers().items()}

    assert verify_webhook(SECRET, shouted, BODY, now=TIMESTAMP).id == ID


@pytest.mark.parametrize("skew_s", [-300, 0, 300])
def test_clocks_may_differ_by_five_minutes_both_ways(skew_s: int) -> None:
    """At exactly five minutes a webhook still passes."""
    assert verify_webhook(SECRET, headers(), BODY, now=TIMESTAMP + skew_s).id == ID


@pytest.mark.parametrize(("skew_s", "reason"), [(301, Reason.TOO_OLD), (-301, Reason.TOO_NEW)])
def test_webhook_is_refused_when_clocks_differ_by_more(skew_s: int, reason: Reason) -> None:
    """Beyond five minutes it may be a replay."""
    assert reason_of(now=TIMESTAMP + skew_s) == reason


@pytest.mark.parametrize("signature", [OTHER, ALTERED, "v1,", f"{OTHER} {ALTERED}", f"v1, {SIGNATURE[3:]}"])
def test_webhook_is_refused_when_no_signature_matches(signature: str) -> None:
    """Another message's signature, an altered one and an empty one do not pass."""
    assert reason_of(signature) == Reason.NO_MATCH


@pytest.mark.parametrize("signature", ["v2," + SIGNATURE[3:], "rubbish", SIGNATURE[3:], "v1a," + SIGNATURE[3:]])
def test_webhook_is_refused_when_no_signature_is_of_version_1(signature: str) -> None:
    """A list of other versions alone is no signature."""
    assert reason_of(signature) == Reason.NO_SIGNATURE


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_webhook_is_refused_when_a_header_is_missing(name: str) -> None:
    """All three headers are needed."""
    assert refusal({other: value for other, value in headers().items() if other != name}) == Reason.MISSING_HEADER


@pytest.mark.parametrize("timestamp", ["soon", "1614265330.0", "-1614265330", " 1614265330", "١٦١٤٢٦٥٣٣٠", "9" * 30])
def test_webhook_is_refused_when_its_timestamp_is_not_whole_seconds(timestamp: str) -> None:
    """Only plain digits are a timestamp."""
    assert reason_of(webhook_timestamp=timestamp) == Reason.BAD_TIMESTAMP


def test_webhook_is_refused_when_the_body_changed() -> None:
    """The same JSON in other bytes is another message."""
    assert reason_of(body=b'{"test":2432232314}') == Reason.NO_MATCH


def test_webhook_is_refused_when_the_id_changed() -> None:
    """The id is signed too."""
    assert reason_of(webhook_id="msg_other") == Reason.NO_MATCH


@pytest.mark.parametrize("webhook_id", ["msg.1", f"{ID}.{TIMESTAMP}", "żółć", "\udcff"])
def test_webhook_is_refused_when_its_id_has_characters_that_ids_never_have(webhook_id: str) -> None:
    """With a dot, signed bytes could be read in two ways; beyond ASCII, servers differ in what they make of them."""
    assert reason_of(webhook_id=webhook_id) == Reason.BAD_ID


@pytest.mark.parametrize("item", ["v1,żółć", "v1,\udcff"])
def test_signature_beyond_ascii_is_skipped(item: str) -> None:
    """Rubbish in a header is no reason to fail otherwise than by refusing."""
    assert reason_of(item) == Reason.NO_SIGNATURE


def test_signatures_are_looked_at_up_to_a_bound() -> None:
    """Who sends thousands of signatures does not choose how much the receiver computes."""
    assert reason_of(f"{f'{OTHER} ' * 32}{SIGNATURE}") == Reason.NO_MATCH


@pytest.mark.parametrize("secret", ["", "whsec_", []])
def test_nothing_is_verified_with_an_empty_secret(secret: str | list[str]) -> None:
    """An empty secret is an error of the receiver's, not a key."""
    with pytest.raises(InvalidSecret):
        verify_webhook(secret, headers(), BODY, now=TIMESTAMP)
