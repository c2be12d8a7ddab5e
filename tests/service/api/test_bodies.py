"""What is refused before anybody looks at its meaning: size, media type, and JSON that is none."""

import json
from collections.abc import AsyncIterator

import pytest

from ringback_schemas.problems import Problems
from ringback_service.api import strict_json
from ringback_service.api.refusals import Refused
from tests.service.api.conftest import Api, Reply

JSON = {"Content-Type": "application/json"}
LIMIT = 65_536


async def _post(api: Api, raw: bytes | str, **headers: str) -> Reply:
    return await api.call("POST", "/v1/jobs", data=raw, headers={**JSON, **headers})


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "Expecting value at line 1 column 1"),
        (b'{"type": "test.echo"', "Expecting ',' delimiter"),
        (b'{"type": "test.echo"} {}', "Extra data at line 1 column 23"),
        (b'{"payload": NaN}', "NaN is not JSON"),
        (b'{"payload": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "the name 'b' is given twice"),
        (b'{"type": "\xff"}', "not UTF-8 at byte 10"),
        (b"\xef\xbb\xbf{}", "Expecting value at line 1 column 1"),
        (b'{"payload": ' + b"1" * 5_000 + b"}", "a number of more than 4,300 digits"),
        (b'{"type": "test.echo", "payload": ' + b"[" * 250 + b"]" * 250 + b"}", "nested too deeply"),
        (b"[" * 30_000 + b"]" * 30_000, "nested too deeply"),
    ],
)
async def test_body_that_is_not_json_is_a_400_that_says_where(api: Api, raw: bytes, why: str) -> None:
    """Nothing is repaired, rounded or dropped in silence."""
    reply = await _post(api, raw)

    assert reply.problem == (400, "malformed-request")
    assert why in reply.body["detail"]


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"text"', b"7"])
async def test_body_that_is_no_object_is_a_422(api: Api, raw: bytes) -> None:
    """JSON, but not a request."""
    reply = await _post(api, raw)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [""])
    assert reply.body["detail"] == "the body: must be a JSON object"


@pytest.mark.parametrize("payload", ["1e400", '"\\ud800"', '{"a": [-1e999]}', '{"\\udfff": 1}'])
async def test_payload_that_cannot_be_kept_as_it_is_is_a_422(api: Api, payload: str) -> None:
    """A number that would become infinite, and half a character, are refused where they stand."""
    reply = await _post(api, f'{{"type": "test.echo", "payload": {payload}}}')

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/payload"])


async def test_half_a_character_in_a_name_is_a_422(api: Api) -> None:
    """The answer itself must be UTF-8."""
    reply = await _post(api, '{"type": "test.echo", "\\ud800": 1}')

    assert reply.problem == (422, "invalid-input")


async def test_body_at_the_limit_is_accepted(api: Api) -> None:
    """The limit is what it says."""
    raw = json.dumps({"type": "test.echo", "payload": ""})

    reply = await _post(api, raw[:-2] + "x" * (LIMIT - len(raw)) + raw[-2:])

    assert reply.status == 202


async def test_body_over_the_limit_is_refused_by_its_length(api: Api) -> None:
    """A declared length is enough to refuse it."""
    reply = await _post(api, b" " * (LIMIT + 1))

    assert reply.problem == (413, "too-large")


async def test_body_over_the_limit_is_refused_when_it_comes_in_chunks(api: Api) -> None:
    """Without a declared length, reading stops at the limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1024 + 1):
            yield b" " * 1024

    reply = await api.call("POST", "/v1/jobs", data=chunks(), headers=JSON)

    assert reply.problem == (413, "too-large")


async def test_body_over_the_limit_is_refused_before_it_is_sent(api: Api) -> None:
    """Who asks first (``Expect: 100-continue``) is spared the upload."""
    reply = await api.call("POST", "/v1/jobs", data=b" " * (LIMIT + 1), headers=JSON, expect100=True)

    assert reply.problem == (413, "too-large")


async def test_body_may_be_asked_for_first(api: Api) -> None:
    """``Expect: 100-continue`` works for a body that fits."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo"}, expect100=True)

    assert reply.status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "rubbish"},
    ],
)
async def test_body_of_another_media_type_is_a_415(api: Api, headers: dict[str, str]) -> None:
    """The answer says what would be taken."""
    reply = await api.call("POST", "/v1/jobs", data=b"\x1f\x8b", headers=headers)

    assert reply.problem == (415, "unsupported-media-type")
    assert reply.headers["Accept-Post"] == "application/json"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/a+json"])
async def test_body_of_any_json_media_type_is_taken(api: Api, content_type: str) -> None:
    """Parameters and case do not matter."""
    reply = await api.call("POST", "/v1/jobs", data=b'{"type": "test.echo"}', headers={"Content-Type": content_type})

    assert reply.status == 202


def test_canonical_bytes_do_not_depend_on_order_or_space() -> None:
    """What means the same compares as the same."""
    one, other = strict_json.parse(b'{"a": 1, "b": [2]}'), strict_json.parse(b'{"b":[2],\n"a":1}')

    assert strict_json.canonical(one) == strict_json.canonical(other)


def test_the_second_of_many_names_is_found_fast() -> None:
    """A duplicate behind 200,000 names is found in one pass."""
    names = ",".join(f'"{number}":0' for number in range(200_000))

    with pytest.raises(Refused) as refusal:
        strict_json.parse(f'{{{names},"199999":1}}'.encode())

    assert refusal.value.problem is Problems.MALFORMED_REQUEST
