"""The receivers of ``docs/receiving-webhooks.md`` against what our signer sends, good and bad."""

import json

import pytest

from tests.receivers.posting import Posted
from tests.receivers.programs import ReceiverProcess
from tests.receivers.secrets import NEWER, OLDER, SIGNING_KEY, UNKNOWN
from tests.waiting import eventually


async def handled_until(receiver: ReceiverProcess, last: Posted) -> list[str]:
    """The ids of the jobs whose events it worked on, once it came to that one; events are handled in order."""

    def ids() -> list[str]:
        found = [line.split(" ")[1] for line in receiver.handled()]
        return found if last.job_id in found else []

    return await eventually(ids, what=f"{last.job_id} to be handled")


async def handled_after(receiver: ReceiverProcess, *refused: Posted) -> list[str]:
    """Which of those it worked on, known when a good webhook sent after them was handled."""
    marker = Posted.signed([NEWER])
    assert marker.send_to(receiver.url) == 204
    handled = await handled_until(receiver, marker)
    return [posted.job_id for posted in refused if posted.job_id in handled]


@pytest.mark.parametrize("result", [None, "żółć 🙂", 1e300, "</script>\u2028", {"": [{}]}, "x" * 60_000])
async def test_good_webhook_is_taken_and_handled(receiver: ReceiverProcess, result: object) -> None:
    """Whatever JSON a job gives, its bytes verify and the work is done."""
    webhook = Posted.signed([NEWER], result=result)

    assert webhook.send_to(receiver.url) == 204
    assert webhook.job_id in await handled_until(receiver, webhook)


async def test_webhook_that_comes_again_is_answered_and_not_handled_again(receiver: ReceiverProcess) -> None:
    """Every try of an event has the same id: each gets its 2xx, one is worked on."""
    webhook, later = Posted.signed([NEWER]), Posted.signed([NEWER])

    statuses = [posted.send_to(receiver.url) for posted in (webhook, webhook, webhook, later)]

    assert statuses == [204] * 4
    assert (await handled_until(receiver, later)).count(webhook.job_id) == 1


@pytest.mark.parametrize(
    "secrets",
    [[OLDER], [NEWER], [NEWER, OLDER], [UNKNOWN, OLDER], [SIGNING_KEY, NEWER], [UNKNOWN, SIGNING_KEY, OLDER]],
)
def test_webhook_is_taken_when_one_of_its_signatures_fits(receiver: ReceiverProcess, secrets: list[str]) -> None:
    """During a rotation all live secrets sign; one that the receiver holds is enough, of either kind beside it."""
    assert Posted.signed(secrets).send_to(receiver.url) == 204


@pytest.mark.parametrize("secrets", [[UNKNOWN], [SIGNING_KEY], [UNKNOWN, SIGNING_KEY]])
async def test_webhook_is_refused_when_no_signature_fits(receiver: ReceiverProcess, secrets: list[str]) -> None:
    """Whoever does not hold a secret is not believed."""
    webhook = Posted.signed(secrets)

    assert webhook.send_to(receiver.url) == 400
    assert await handled_after(receiver, webhook) == []


@pytest.mark.parametrize("sent_s_ago", [310, 86_400, -310])
async def test_webhook_is_refused_when_it_is_old_or_of_the_future(receiver: ReceiverProcess, sent_s_ago: float) -> None:
    """A webhook that somebody recorded cannot be played again after five minutes."""
    webhook = Posted.signed([NEWER], sent_s_ago=sent_s_ago)

    assert webhook.send_to(receiver.url) == 400
    assert await handled_after(receiver, webhook) == []


async def test_webhook_is_refused_when_its_body_was_tampered_with(receiver: ReceiverProcess) -> None:
    """One byte changed is another message."""
    webhook = Posted.signed([NEWER])
    tampered = webhook.with_body(webhook.body.replace(b"succeeded", b"succeedeD"))

    assert tampered.send_to(receiver.url) == 400
    assert await handled_after(receiver, tampered) == []


def test_webhook_is_refused_when_its_body_was_written_again(receiver: ReceiverProcess) -> None:
    """The same JSON with other spaces has another signature: the receiver looks at the bytes that came."""
    webhook = Posted.signed([NEWER])

    assert webhook.with_body(json.dumps(json.loads(webhook.body)).encode()).send_to(receiver.url) == 400


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "rubbish", "v1,", "1", "\xff"])
def test_webhook_is_refused_when_a_header_is_missing_or_changed(
    receiver: ReceiverProcess, name: str, value: str | None
) -> None:
    """Id, time and signature belong together; rubbish is a 400 too, not an error of the receiver's."""
    assert Posted.signed([NEWER]).with_header(name, value).send_to(receiver.url) == 400


@pytest.mark.parametrize("body", [b"", b"null", b"\xff\xfe", b"{"])
def test_webhook_is_refused_when_its_body_is_rubbish(receiver: ReceiverProcess, body: bytes) -> None:
    """What was not signed is not even parsed."""
    assert Posted.signed([NEWER]).with_body(body).send_to(receiver.url) == 400


def test_body_is_not_read_beyond_a_bound(receiver: ReceiverProcess) -> None:
    """Anybody may POST to a public address; what is too big is refused before it is verified."""
    assert Posted.signed([NEWER]).with_body(bytes(2_000_000)).send_to(receiver.url) == 413


@pytest.mark.parametrize("media_type", ["application/cloudevents+json", "text/plain", None])
def test_media_type_does_not_matter(receiver: ReceiverProcess, media_type: str | None) -> None:
    """The bytes are signed, whatever they are called."""
    assert Posted.signed([NEWER]).with_header("content-type", media_type).send_to(receiver.url) == 204


async def test_event_is_not_handled_again_when_the_receiver_was_killed(own_receiver: ReceiverProcess) -> None:
    """What was answered and done is on disk: a restart neither forgets it nor does it twice."""
    webhook, between, later = (Posted.signed([NEWER]) for _ in range(3))
    assert [webhook.send_to(own_receiver.url), between.send_to(own_receiver.url)] == [204, 204]
    # work on the second begins after the first was recorded as done
    await handled_until(own_receiver, between)
    own_receiver.kill()
    own_receiver.start()

    assert [webhook.send_to(own_receiver.url), later.send_to(own_receiver.url)] == [204, 204]
    assert (await handled_until(own_receiver, later)).count(webhook.job_id) == 1
