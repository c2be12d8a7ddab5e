"""Registered endpoints are changed over the API."""

from typing import Any

import pytest

from ringback_schemas.ids import DEFAULT_TENANT, EndpointId
from tests.service.api.conftest import Api
from tests.service.api.endpoints import ALL_SET, made_endpoint


async def test_patch_changes_what_it_names(api: Api) -> None:
    """And nothing else; a hidden header stays what it was."""
    endpoint = await made_endpoint(api, **ALL_SET)
    change: dict[str, Any] = {
        "events": [],
        "timeout_s": None,
        "headers": {"authorization": "***", "x-new": "1"},
        "is_fifo": False,
    }

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json=change)

    assert reply.status == 200
    kept = {name: endpoint[name] for name in ("url", "description", "rate_limit_per_s", "body_format", "created_at")}
    assert {name: reply.body[name] for name in kept} == kept
    assert (reply.body["events"], reply.body["timeout_s"], reply.body["is_fifo"]) == ([], None, False)
    stored = await api.store.get_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]))
    assert stored is not None
    assert stored.settings.headers == (("authorization", "Bearer t0p"), ("x-new", "1"))


@pytest.mark.parametrize("more", [{}, {"headers": {"authorization": "***"}}])
async def test_credentials_do_not_go_along_to_another_place(api: Api, more: dict[str, Any]) -> None:
    """Whoever may change the URL would read there what the API hides; nothing is changed."""
    endpoint = await made_endpoint(api, **ALL_SET)
    path = f"/v1/endpoints/{endpoint['id']}"

    reply = await api.call("PATCH", path, json={"url": "https://192.0.2.9/hook", **more})

    assert reply.problem == (422, "invalid-input")
    assert reply.places[0].startswith("/headers")
    assert (await api.call("GET", path)).body == endpoint
    assert (await api.call("PATCH", path, json={"url": "https://192.0.2.9/hook", "headers": {}})).status == 200


async def test_credentials_stay_with_another_path_of_the_same_place(api: Api) -> None:
    """That is the same server."""
    endpoint = await made_endpoint(api, **ALL_SET)

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"url": endpoint["url"] + "/v2"})

    assert (reply.status, reply.body["headers"]["authorization"]) == (200, "***")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"url": None}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"events": None}, "/events"),
        ({"events": ["*x"]}, "/events/0"),
        ({"is_fifo": None}, "/is_fifo"),
        ({"headers": {"host": "x"}}, "/headers/host"),
        ({"signing": "v1a"}, "/signing"),
        ({"enabled": False}, "/enabled"),
    ],
)
async def test_patch_is_checked_as_a_new_one_is(api: Api, change: dict[str, Any], place: str) -> None:
    """Nothing of it is stored."""
    endpoint = await made_endpoint(api)

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json=change)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [place])
    assert (await api.call("GET", f"/v1/endpoints/{endpoint['id']}")).body == endpoint


async def test_patch_survives_a_change_in_between(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two who change different things at the same time both get what they wanted."""
    endpoint = await made_endpoint(api)
    update = api.store.update_endpoint

    async def beaten(*args: Any) -> Any:
        monkeypatch.undo()
        await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"description": "theirs"})
        return await update(*args)

    monkeypatch.setattr(api.store, "update_endpoint", beaten)
    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"timeout_s": 3.0})

    assert (reply.status, reply.body["description"], reply.body["timeout_s"]) == (200, "theirs", 3.0)


async def test_patch_that_never_gets_through_is_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few tries somebody is told."""
    endpoint = await made_endpoint(api)

    async def lost(*_: Any) -> None:
        return None

    monkeypatch.setattr(api.store, "update_endpoint", lost)
    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"timeout_s": 3.0})

    assert reply.problem == (409, "edit-conflict")
