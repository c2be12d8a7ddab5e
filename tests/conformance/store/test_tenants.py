"""``TenantStore``."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ringback.secretbox import SecretBox
from ringback.webhooks import new_secret
from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import open_store
from ringback_schemas.endpoints import MAX_LIVE_SECRETS, NewSecret, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, KeyId, TenantId, new_id, new_secret_id
from ringback_schemas.tenants import ALL_SCOPES, Scope
from tests.conformance.store.making import OTHER_TENANT, PAST

SOON = timedelta(hours=1)


def fresh(secret: str) -> NewSecret:
    """A secret to be stored."""
    return NewSecret(new_secret_id(), secret, SigningScheme.V1)


def key_id() -> KeyId:
    """A fresh one."""
    return KeyId(new_id("key"))


async def test_create_tenant_gives_a_first_secret(store: Store) -> None:
    """A tenant can sign at once; a second call with its id finds it as it is."""
    tenant_id = TenantId(new_id("ten"))

    first = await store.create_tenant(tenant_id, "one")
    again = await store.create_tenant(tenant_id, "two")

    assert first == again
    (secret,) = await store.signing_secrets(tenant_id)
    assert secret.secret.startswith("whsec_")
    assert secret.expires_at is None


async def test_create_tenant_once_when_many_start(store: Store, second_store: Store) -> None:
    """Processes that start together agree on one tenant with one secret."""
    tenant_id = TenantId(new_id("ten"))

    await asyncio.gather(*(one.create_tenant(tenant_id, "t") for one in (store, second_store) * 5))

    assert len(await store.signing_secrets(tenant_id)) == 1


async def test_tenants_come_oldest_first(store: Store) -> None:
    """All tenants, and one by its id; an unknown one is absent."""
    listed = await store.list_tenants()

    assert [tenant.id for tenant in listed] == [DEFAULT_TENANT, OTHER_TENANT]
    assert await store.get_tenant(OTHER_TENANT) == listed[1]
    assert await store.get_tenant(TenantId(new_id("ten"))) is None


async def test_key_is_found_by_its_hash(store: Store) -> None:
    """A key is read back as it was given."""
    scopes = frozenset({Scope.JOBS_READ, Scope.SECRETS})

    made = await store.create_key(key_id(), DEFAULT_TENANT, "ci", scopes, b"h" * 32, "rbk_ab")

    found = await store.find_key(b"h" * 32)
    assert found == made
    assert (made.scopes, made.name, made.hint, made.revoked_at) == (scopes, "ci", "rbk_ab", None)
    assert await store.find_key(b"x" * 32) is None


async def test_key_with_a_known_hash_is_the_one_already_there(store: Store) -> None:
    """A bootstrap key is made at every start, and stays one key."""
    first = await store.create_key(key_id(), DEFAULT_TENANT, "boot", ALL_SCOPES, b"h" * 32, "rbk_ab")

    again = await store.create_key(key_id(), DEFAULT_TENANT, "boot", ALL_SCOPES, b"h" * 32, "rbk_ab")

    assert again == first
    assert await store.list_keys(DEFAULT_TENANT) == [first]


async def test_keys_are_listed_by_tenant(store: Store) -> None:
    """A tenant's keys, oldest first, revoked ones too, and no other tenant's."""
    keys = [
        await store.create_key(key_id(), tenant_id, "k", ALL_SCOPES, bytes([number]) * 32, "rbk_")
        for number, tenant_id in enumerate((DEFAULT_TENANT, OTHER_TENANT, DEFAULT_TENANT))
    ]
    await store.revoke_key(DEFAULT_TENANT, keys[0].id)

    assert [one.id for one in await store.list_keys(DEFAULT_TENANT)] == [keys[0].id, keys[2].id]


async def test_revoke_ends_a_key_once(store: Store) -> None:
    """A revoked key is still found, with the time of its end, which a second call leaves as it is."""
    made = await store.create_key(key_id(), DEFAULT_TENANT, "k", ALL_SCOPES, b"h" * 32, "rbk_")

    first = await store.revoke_key(DEFAULT_TENANT, made.id)

    assert first is not None
    assert first.revoked_at is not None
    assert await store.revoke_key(DEFAULT_TENANT, made.id) == first
    assert await store.find_key(b"h" * 32) == first


async def test_revoke_knows_no_other_tenants_key(store: Store) -> None:
    """Another tenant's key stays as it is."""
    made = await store.create_key(key_id(), DEFAULT_TENANT, "k", ALL_SCOPES, b"h" * 32, "rbk_")

    assert await store.revoke_key(OTHER_TENANT, made.id) is None
    assert await store.find_key(b"h" * 32) == made


async def test_rotation_lets_the_old_secret_sign_on_for_a_while(store: Store) -> None:
    """Newest first; the old one lives until the given time at the latest."""
    (old,) = await store.signing_secrets(DEFAULT_TENANT)
    until = datetime.now(UTC) + SOON

    live = await store.rotate_signing_secret(DEFAULT_TENANT, fresh(new := new_secret()), until)

    assert [(one.secret, one.expires_at) for one in live] == [(new, None), (old.secret, until)]
    assert list(await store.signing_secrets(DEFAULT_TENANT)) == list(live)


async def test_rotation_never_prolongs(store: Store) -> None:
    """A secret that ends sooner keeps its end; one whose end is past is not live."""
    now = datetime.now(UTC)
    await store.rotate_signing_secret(DEFAULT_TENANT, fresh(second := new_secret()), now + SOON)
    live = await store.rotate_signing_secret(DEFAULT_TENANT, fresh(third := new_secret()), now + 2 * SOON)
    ends = {one.secret: one.expires_at for one in live}
    assert sorted(end for end in ends.values() if end is not None) == [now + SOON, now + 2 * SOON]
    assert ends[second] == now + 2 * SOON

    live = await store.rotate_signing_secret(DEFAULT_TENANT, fresh(fourth := new_secret()), PAST)

    assert [one.secret for one in live] == [fourth]
    assert third not in {one.secret for one in live}


async def test_rotation_bounds_how_many_sign(store: Store) -> None:
    """However often somebody rotates, the newest ones sign and the oldest end."""
    until = datetime.now(UTC) + SOON

    made = [new_secret() for _ in range(MAX_LIVE_SECRETS + 2)]
    for secret in made:
        live = await store.rotate_signing_secret(DEFAULT_TENANT, fresh(secret), until)

    assert [one.secret for one in live] == made[: -MAX_LIVE_SECRETS - 1 : -1]


async def test_secrets_of_an_unknown_tenant_are_none(store: Store) -> None:
    """A tenant that is not there has no secrets."""
    assert list(await store.signing_secrets(TenantId(new_id("ten")))) == []


async def test_secrets_need_the_key_they_were_sealed_with(store: Store, database_url: str) -> None:
    """Secrets are encrypted in the database: another key does not open them."""
    async with open_store(database_url, secret_box=SecretBox(["A" * 43 + "="])) as stranger:
        with pytest.raises(SecretUnreadable):
            await stranger.signing_secrets(DEFAULT_TENANT)
