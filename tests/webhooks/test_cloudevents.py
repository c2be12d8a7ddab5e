"""CloudEvents: the structured form, read by the official SDK, and who has consented (BB-84)."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from ringback.webhooks.cloudevents import (
    CONTENT_TYPE,
    Granted,
    NoConsent,
    Withheld,
    consent_request,
    judge_callback,
    judge_consent,
    origin_of,
    structured_event,
)

AT = datetime(2025, 11, 21, 7, 0, 0, 123456, tzinfo=UTC)
ORIGIN = "ringback.example.com"


def event(data: bytes = b'{"state":"succeeded"}', at: datetime = AT, subject: str = "job_1") -> bytes:
    """A structured event, some of it changed."""
    return structured_event(
        event_id="evt_1", event_type="job.succeeded", at=at, source="https://ringback.example.com", subject=subject,
        data=data,
    )  # fmt: skip


def parsed(body: bytes) -> BaseCloudEvent:
    """The event as the official SDK reads it."""
    return JSONFormat().read(CloudEvent, body)


def test_official_sdk_reads_every_attribute() -> None:
    """The SDK validates the event and gives back what was put in."""
    assert parsed(event()).get_attributes() == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "https://ringback.example.com",
        "type": "job.succeeded",
        "subject": "job_1",
        "time": AT,
        "datacontenttype": "application/json",
    }


def test_media_type_is_that_of_the_sdk() -> None:
    """Receivers tell the form by it."""
    assert JSONFormat.CONTENT_TYPE == CONTENT_TYPE


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_official_sdk_reads_any_data(value: object) -> None:
    """Whatever JSON a job's event carries, but null, which means that there is none."""
    assert parsed(event(json.dumps({"result": value}).encode())).get_data() == {"result": value}


@pytest.mark.parametrize("data", [b'{"b":1,"a":2,"a":3}', b'{"n":1e400}', b'{ "x" : 1.0 }', '{"ż":"🙂"}'.encode()])
def test_data_stands_in_the_event_byte_for_byte(data: bytes) -> None:
    """Order, duplicate keys, odd numbers and spaces stay (BB-14)."""
    assert event(data).endswith(b',"data":' + data + b"}")


@given(st.text(min_size=1))
def test_attributes_are_escaped(subject: str) -> None:
    """No attribute can break out of its place."""
    assert parsed(event(subject=subject)).get_subject() == subject


def test_time_is_written_in_utc() -> None:
    """A time of another zone is converted, not relabelled."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=-7)))

    assert json.loads(event(at=elsewhere))["time"] == "2025-11-21T07:00:00.123456Z"


def test_time_without_a_zone_is_an_error() -> None:
    """Nobody could say when that was."""
    with pytest.raises(ValueError, match="aware"):
        event(at=AT.replace(tzinfo=None))


def test_empty_attribute_is_an_error() -> None:
    """Empty attributes are not allowed in a CloudEvent."""
    with pytest.raises(ValueError, match="subject"):
        event(subject="")


def test_same_event_is_the_same_bytes() -> None:
    """Every try carries the very same body."""
    assert event() == event()


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({}, {"webhook-request-origin": ORIGIN}),
        ({"rate_per_minute": 120}, {"webhook-request-origin": ORIGIN, "webhook-request-rate": "120"}),
        (
            {"callback": "https://x.example/c?id=1&key=a"},
            {"webhook-request-origin": ORIGIN, "webhook-request-callback": "https://x.example/c?id=1&key=a"},
        ),
    ],
)
def test_request_asks_with_the_headers_of_the_specification(
    arguments: dict[str, object], headers: dict[str, str]
) -> None:
    """The origin always, rate and callback where they are wanted."""
    assert consent_request(ORIGIN, **arguments) == headers  # type: ignore[arg-type]  # a table of keyword arguments


@pytest.mark.parametrize("origin", ["", "https://example.com", "example.com:80", "a b", "a\r\nx: y", "*", "ż.example"])
def test_request_is_refused_when_its_origin_is_no_dns_name(origin: str) -> None:
    """What goes into a header is checked where it is made."""
    with pytest.raises(ValueError, match="DNS name"):
        consent_request(origin)


@pytest.mark.parametrize("rate", [0, -1, 10**9])
def test_request_is_refused_when_its_rate_is_none(rate: int) -> None:
    """A rate is a positive number."""
    with pytest.raises(ValueError, match="rate"):
        consent_request(ORIGIN, rate_per_minute=rate)


@pytest.mark.parametrize("callback", ["http://x.example/", "https://x.example/\r\nx: y", "https://ż.example/"])
def test_request_is_refused_when_its_callback_is_no_https_url(callback: str) -> None:
    """The key in it must not travel in clear."""
    with pytest.raises(ValueError, match="https"):
        consent_request(ORIGIN, callback=callback)


@pytest.mark.parametrize(
    ("headers", "rate_per_minute"),
    [
        ({"WebHook-Allowed-Origin": ORIGIN, "WebHook-Allowed-Rate": "100"}, 100),
        ({"webhook-allowed-origin": ORIGIN.upper(), "webhook-allowed-rate": " 1 "}, 1),
        ({"WEBHOOK-ALLOWED-ORIGIN": "*", "WEBHOOK-ALLOWED-RATE": "*"}, None),
        ({"webhook-allowed-origin": "*"}, 120),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": ""}, 120),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "500"}, 500),
    ],
)
def test_answer_grants_when_it_names_our_origin_or_all(headers: dict[str, str], rate_per_minute: int | None) -> None:
    """With a rate, without a limit, or with the rate that was asked for when it names none."""
    assert judge_consent(headers, origin=ORIGIN, rate_per_minute=120) == Granted(rate_per_minute)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, NoConsent.NO_HEADER),
        ({"allow": "POST, OPTIONS"}, NoConsent.NO_HEADER),
        ({"webhook-allowed-rate": "*"}, NoConsent.NO_HEADER),
        ({"webhook-allowed-origin": ""}, NoConsent.NO_HEADER),
        ({"access-control-allow-origin": "*"}, NoConsent.NO_HEADER),
        ({"webhook-allowed-origin": "other.example.com"}, NoConsent.OTHER_ORIGIN),
        ({"webhook-allowed-origin": f"evil.{ORIGIN}"}, NoConsent.OTHER_ORIGIN),
        ({"webhook-allowed-origin": f"{ORIGIN}, other.example"}, NoConsent.OTHER_ORIGIN),
        ({"webhook-allowed-origin": "*.example.com"}, NoConsent.OTHER_ORIGIN),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "0"}, NoConsent.BAD_RATE),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "-5"}, NoConsent.BAD_RATE),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "1.5"}, NoConsent.BAD_RATE),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "many"}, NoConsent.BAD_RATE),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "٣"}, NoConsent.BAD_RATE),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "9" * 5_000}, NoConsent.BAD_RATE),
    ],
)
def test_answer_withholds_when_its_headers_do_not_grant(headers: dict[str, str], reason: NoConsent) -> None:
    """Only the two headers are consent, and only when they can be read."""
    judgement = judge_consent(headers, origin=ORIGIN)

    assert isinstance(judgement, Withheld)
    assert judgement.reason == reason


@pytest.mark.parametrize(
    ("headers", "judgement"),
    [({}, Granted(120)), ({"WebHook-Allowed-Rate": "10"}, Granted(10)), ({"WebHook-Allowed-Rate": "*"}, Granted(None))],
)
def test_call_of_the_callback_consents_by_itself(headers: dict[str, str], judgement: Granted) -> None:
    """Without a rate in it, the rate that was asked for holds."""
    assert judge_callback(headers, rate_per_minute=120) == judgement


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ringback.example/base", "ringback.example"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://[::1]:8080", "localhost"),
        ("nonsense", "localhost"),
    ],
)
def test_origin_is_the_name_in_a_url(url: str, origin: str) -> None:
    """What can stand in a handshake; the fallback for what cannot."""
    assert origin_of(url) == origin
    consent_request(origin)
