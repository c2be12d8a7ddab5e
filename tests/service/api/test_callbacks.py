"""callback_url: the egress guard stands at the door too."""

import re
from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from ringback.egress import EgressPolicy, GuardedResolver
from ringback_service.api.callbacks import CallbackGuard
from ringback_service.api.refusals import Refused
from tests.service.api.conftest import Api


class Names:
    """A name server of our own."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        """The addresses of a name; ``OSError`` when it has none."""
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]


def guard_with(names: Names) -> CallbackGuard:
    """A guard that asks that name server, every time."""
    policy = EgressPolicy([ip_network("192.0.2.0/24")])
    return CallbackGuard(policy, GuardedResolver(policy, lookup=names, cache_s=0))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://app.example/",
        "not a url",
        "http://",
        "http://user:secret@192.0.2.1/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://93.184.215.14:22/",
        "http://\u202eevil.example/",
    ],
)
async def test_bad_callback_is_refused_at_the_door(api: Api, url: str) -> None:
    """Nothing is stored, and the pointer says which value."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo", "callback_url": url})

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/callback_url"])
    assert reply.body["errors"][0]["code"].startswith("url_")
    assert (await api.call("GET", "/v1/jobs")).body["items"] == []


async def test_callback_to_an_opened_network_is_taken(api: Api) -> None:
    """What the operator opened is open, on any port."""
    job = await api.submit(callback_url="http://192.0.2.9:22/hook")

    assert job["callback_url"] == "http://192.0.2.9:22/hook"


async def test_name_with_a_private_address_is_refused() -> None:
    """One bad address among good ones refuses the name."""
    guard = guard_with(Names(app_example=["93.184.215.14", "10.0.0.1"]))

    with pytest.raises(Refused, match=re.escape("app.example resolves to 10.0.0.1")):
        await guard.vet("https://app.example/hook")


async def test_name_with_public_addresses_is_taken() -> None:
    """The URL comes back in canonical form."""
    guard = guard_with(Names(app_example=["93.184.215.14"]))

    assert await guard.vet("HTTPS://App.Example:443/hook?a=b") == "https://app.example/hook?a=b"


async def test_name_without_address_is_taken_and_not_asked_for_again() -> None:
    """It may exist when the webhook goes out; and requests must not queue up behind a name server."""
    names = Names()
    guard = guard_with(names)

    await guard.vet("https://later.example/")
    await guard.vet("https://later.example/")

    assert names.asked == ["later.example"]
