"""Signing secrets, public keys and the audit log over the API."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ringback.webhooks import decode_secret, new_secret, new_signing_key, public_key_of, sign, verify_webhook
from ringback_schemas.http import AuditPage, PublicKeysBody, SigningSecretsBody
from ringback_schemas.ids import DEFAULT_TENANT, EndpointId
from ringback_schemas.tenants import Scope
from tests.service.api.conftest import Api, Reply
from tests.service.api.endpoints import URL, made_endpoint

KEYS = f"/.well-known/ringback-keys/{DEFAULT_TENANT}"


async def made(api: Api, **request: Any) -> str:
    """The path of an endpoint that was just made."""
    return f"/v1/endpoints/{(await made_endpoint(api, **request))['id']}"


def secrets(reply: Reply) -> list[str | None]:
    """Those of an answer, newest first."""
    assert reply.status == 200, reply.body
    return [one.secret for one in SigningSecretsBody.model_validate(reply.body).secrets]


@pytest.fixture(params=["tenant", "endpoint"])
async def paths(request: pytest.FixtureRequest, api: Api) -> tuple[str, str]:
    """Where to read and where to rotate a secret."""
    if request.param == "tenant":
        return "/v1/signing-secret", "/v1/signing-secret/rotate"
    path = await made(api)
    return f"{path}/secret", f"{path}/rotate-secret"


async def test_rotation_lets_the_old_one_sign_for_a_day(api: Api, paths: tuple[str, str]) -> None:
    """Unless told otherwise; the new one comes first."""
    read, rotate = paths
    (old,) = secrets(await api.call("GET", read))

    reply = await api.call("POST", rotate, json={})

    new, before = reply.body["secrets"]
    assert (before["secret"], new["expires_at"]) == (old, None)
    ends_in = datetime.fromisoformat(before["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < ends_in <= timedelta(days=1)
    assert len(decode_secret(new["secret"])) == 32
    assert secrets(await api.call("GET", read)) == [new["secret"], old]


async def test_rotation_without_overlap_ends_the_old_one(api: Api, paths: tuple[str, str]) -> None:
    """For a secret that leaked."""
    read, rotate = paths
    (old,) = secrets(await api.call("GET", read))

    (new,) = secrets(await api.call("POST", rotate, json={"overlap_s": 0}))

    assert old != new
    assert secrets(await api.call("GET", read)) == [new]


@pytest.mark.parametrize(
    ("order", "place"),
    [
        ({"overlap_s": -1}, "/overlap_s"),
        ({"overlap_s": 604_801}, "/overlap_s"),
        ({"overlap_s": "1"}, "/overlap_s"),
        ({"signing": "v3"}, "/signing"),
        ({"secret": ""}, "/secret"),
        ({"secret": "whsec_"}, "/secret"),
        ({"secret": "whsec_c2hvcnQ="}, "/secret"),
        ({"secret": "whsec_*not*base64*"}, "/secret"),
        ({"secret": new_signing_key(), "signing": "v1"}, "/secret"),
        ({"secret": new_secret(), "signing": "v1a"}, "/secret"),
    ],
)
async def test_rotation_that_makes_no_sense_is_refused(
    api: Api, paths: tuple[str, str], order: dict[str, Any], place: str
) -> None:
    """Nothing changes, and a secret is never repeated (BB-28)."""
    read, rotate = paths
    before = secrets(await api.call("GET", read))

    reply = await api.call("POST", rotate, json=order)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [place])
    assert len(order.get("secret", "")) < 8 or order["secret"] not in str(reply.body)
    assert secrets(await api.call("GET", read)) == before


async def test_secret_may_be_brought_along(api: Api) -> None:
    """From another sender, when an endpoint is made and when it is rotated."""
    first, second = new_secret(), new_secret()
    path = await made(api, secret=first)

    reply = await api.call("POST", f"{path}/rotate-secret", json={"secret": second})

    assert secrets(reply) == [second, first]


async def test_wrong_secret_of_a_new_endpoint_is_refused(api: Api) -> None:
    """It would sign with what anybody could guess (BB-28)."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": URL, "secret": "whsec_AAAA"})

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/secret"])
    assert "AAAA" not in str(reply.body)


async def test_private_key_is_never_shown(api: Api) -> None:
    """Only its public half, to whoever asks (BB-27)."""
    key = new_signing_key()
    path = await made(api, signing="v1a", secret=key)

    shown = await api.call("GET", f"{path}/secret")
    public = await api.call("GET", KEYS, key=None)

    assert [(one["secret"], one["public_key"]) for one in shown.body["secrets"]] == [(None, public_key_of(key))]
    (listed,) = PublicKeysBody.model_validate(public.body).keys
    assert (listed.whpk, listed.endpoint_id) == (public_key_of(key), path.rpartition("/")[2])
    assert (listed.kty, listed.crv, listed.use) == ("OKP", "Ed25519", "sig")
    assert base64.urlsafe_b64decode(listed.x + "=") == base64.b64decode(listed.whpk.removeprefix("whpk_"))
    assert public.headers["Cache-Control"] == "public, max-age=60"
    assert "whsk_" not in str(shown.body) + str(public.body)


async def test_public_key_verifies_what_the_store_signs_with(api: Api) -> None:
    """From the well-known URL straight into the SDK."""
    path = await made(api, signing="v1a")
    live = await api.store.endpoint_secrets(DEFAULT_TENANT, EndpointId(path.rpartition("/")[2]))
    (listed,) = (await api.call("GET", KEYS, key=None)).body["keys"]

    signature = sign([one.secret for one in live], "evt_1", 1_700_000_000, b"{}")

    headers = {"webhook-id": "evt_1", "webhook-timestamp": "1700000000", "webhook-signature": signature}
    assert verify_webhook(listed["whpk"], headers, b"{}", now=1_700_000_000)


async def test_rotation_may_change_the_scheme(api: Api) -> None:
    """From HMAC to a key pair; a rotation without a word about it keeps the scheme."""
    path = await made(api)

    changed = await api.call("POST", f"{path}/rotate-secret", json={"signing": "v1a"})
    again = await api.call("POST", f"{path}/rotate-secret", json={})

    assert [one["public_key"] is not None for one in changed.body["secrets"]] == [True, False]
    assert [one["public_key"] is not None for one in again.body["secrets"]] == [True, True, False]
    assert (await api.call("GET", path)).body["signing"] == "v1a"


async def test_public_keys_of_nobody_are_none(api: Api) -> None:
    """A tenant that signs by HMAC only, and one that is not there, look the same; what is no id is a 404."""
    unknown = await api.call("GET", "/.well-known/ringback-keys/ten_01kb3v4r6de0qv8t3kq1x1m9za", key=None)

    assert (await api.call("GET", KEYS, key=None)).body == unknown.body == {"keys": []}
    assert (await api.call("GET", "/.well-known/ringback-keys/x", key=None)).problem == (404, "tenant-not-found")


async def test_each_look_at_a_secret_is_on_record(api: Api, paths: tuple[str, str]) -> None:
    """Who, when, and whose; so is each rotation, without the secret."""
    read, rotate = paths
    (old,) = secrets(await api.call("GET", read))
    new, _ = secrets(await api.call("POST", rotate, json={"overlap_s": 60}))

    log = await api.call("GET", "/v1/audit")

    rotated, looked = AuditPage.model_validate(log.body).items[:2]
    assert (looked.action, rotated.action) == ("secret.read", "secret.rotated")
    assert looked.target == rotated.target
    assert looked.actor.startswith("key_")
    assert (rotated.detail["signing"], rotated.detail["overlap_s"]) == ("v1", "60")
    assert str(old) not in str(log.body)
    assert str(new) not in str(log.body)


async def test_changes_of_endpoints_and_keys_are_on_record(api: Api) -> None:
    """In the order in which they were asked for, newest first."""
    path = await made(api, headers={"authorization": "Bearer t0p"})
    await api.call("PATCH", path, json={"timeout_s": 3.0, "events": ["job.*"]})
    await api.call("POST", f"{path}/disable")
    await api.call("POST", f"{path}/enable")
    await api.call("DELETE", path)
    key = await api.call("POST", "/v1/keys", json={"name": "x", "scopes": ["jobs:read"]})
    await api.call("DELETE", f"/v1/keys/{key.body['id']}")

    items = (await api.call("GET", "/v1/audit")).body["items"]

    assert [item["action"] for item in items[::-1]] == [
        "endpoint.created",
        "endpoint.updated",
        "endpoint.disabled",
        "endpoint.enabled",
        "endpoint.deleted",
        "key.created",
        "key.revoked",
    ]
    assert items[-2]["detail"] == {"fields": "events timeout_s"}
    assert "t0p" not in str(items)


async def test_audit_log_is_listed_in_pages_for_its_tenant(api: Api) -> None:
    """And to administrators only."""
    for _ in range(3):
        await api.call("GET", "/v1/signing-secret")

    first = (await api.call("GET", "/v1/audit?limit=2")).body
    theirs = await api.call("GET", "/v1/audit", key=await api.stranger())
    reading = await api.key_with(Scope.SECRETS)

    assert (len(first["items"]), first["next"] is None) == (2, False)
    assert theirs.body["items"] == []
    assert (await api.call("GET", "/v1/audit", key=reading)).problem == (403, "forbidden")


async def test_secret_is_not_shown_when_the_look_cannot_be_recorded(
    api: Api, paths: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees one unseen."""
    read, _ = paths

    async def full(_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(api.store, "audit", full)

    assert (await api.call("GET", read)).status == 500
