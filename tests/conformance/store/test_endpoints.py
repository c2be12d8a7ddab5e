"""``EndpointStore``: endpoints and their secrets."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ringback.webhooks import new_secret, new_signing_key, public_key_of
from ringback_backends.contracts.store import Store
from ringback_schemas import endpoints as limits
from ringback_schemas.endpoints import (
    ArmedEndpoint,
    BodyFormat,
    Consent,
    DisabledReason,
    EndpointHealth,
    EndpointRecord,
    NewSecret,
    SigningScheme,
)
from ringback_schemas.ids import DEFAULT_TENANT, new_endpoint_id, new_secret_id
from tests.conformance.store.making import OTHER_TENANT, PAST, SETTINGS, registered, secret

ALL_SET = replace(
    SETTINGS,
    event_filter=("job.*", "endpoint.failing"),
    description="the shop, é",
    headers=(("authorization", "Bearer t0p"), ("x-team", "a")),
    rate_limit_per_s=2.5,
    max_in_flight=3,
    timeout_s=7.0,
    body_format=BodyFormat.CLOUDEVENTS,
    is_fifo=True,
    needs_consent=True,
)


async def found(store: Store, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as it is now."""
    record = await store.get_endpoint(endpoint.tenant_id, endpoint.id)
    assert record is not None
    return record


async def test_endpoint_is_read_back_as_it_was_made(store: Store) -> None:
    """Every setting survives, and the rest has its first value."""
    made = await registered(store, ALL_SET)

    assert await found(store, made) == made
    assert made.settings == ALL_SET
    assert (made.is_enabled, made.disabled_reason, made.disabled_at) == (True, None, None)
    assert (made.signing, made.version, made.health) == (SigningScheme.V1, 1, EndpointHealth())
    assert (made.consent, made.consent_rate_per_minute) == (Consent.PENDING, None)
    assert abs(made.created_at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_endpoint_shows_no_credentials_when_printed(store: Store) -> None:
    """Neither headers nor secrets get into a log by accident."""
    made = await registered(store, ALL_SET)
    (armed,) = await store.arm_endpoints([made.id])

    assert isinstance(armed, ArmedEndpoint)
    assert "t0p" not in repr(armed)
    assert armed.secrets[0].secret not in repr(armed)
    assert armed.secrets[0].secret not in repr(secret(armed.secrets[0].secret))


async def test_endpoints_come_newest_first_in_pages(store: Store) -> None:
    """A tenant's own, page by page."""
    made = [await registered(store) for _ in range(3)]
    await registered(store, tenant_id=OTHER_TENANT)

    first = await store.list_endpoints(DEFAULT_TENANT, None, 2)

    assert first == [made[2], made[1]]
    assert await store.list_endpoints(DEFAULT_TENANT, first[-1].id, 2) == [made[0]]


async def test_endpoint_of_another_tenant_is_unknown(store: Store) -> None:
    """Whatever is asked of it."""
    made = await registered(store)

    assert await store.get_endpoint(OTHER_TENANT, made.id) is None
    assert await store.update_endpoint(OTHER_TENANT, made.id, 1, ALL_SET) is None
    assert await store.disable_endpoint(OTHER_TENANT, made.id, DisabledReason.REQUESTED) is None
    assert await store.enable_endpoint(OTHER_TENANT, made.id) is None
    assert list(await store.endpoint_secrets(OTHER_TENANT, made.id)) == []
    assert list(await store.rotate_endpoint_secret(OTHER_TENANT, made.id, secret(), PAST)) == []
    assert not await store.delete_endpoint(OTHER_TENANT, made.id)
    assert await found(store, made) == made


async def test_tenant_has_only_so_many_endpoints(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is not stored, even when several come at once."""
    monkeypatch.setattr("ringback_backends.sql.endpoints.MAX_ENDPOINTS", 3)

    made = await asyncio.gather(
        *(store.create_endpoint(DEFAULT_TENANT, new_endpoint_id(), SETTINGS, secret()) for _ in range(8))
    )

    assert limits.MAX_ENDPOINTS == 500
    assert len([one for one in made if one is not None]) == 3
    assert len(await store.list_endpoints(DEFAULT_TENANT, None, 10)) == 3


async def test_update_replaces_all_settings(store: Store) -> None:
    """And counts as a version."""
    made = await registered(store, ALL_SET)

    changed = await store.update_endpoint(DEFAULT_TENANT, made.id, 1, SETTINGS)

    assert changed is not None
    assert (changed.settings, changed.version, changed.consent) == (SETTINGS, 2, Consent.NOT_REQUIRED)
    assert await found(store, made) == changed
    assert changed.updated_at > made.updated_at


async def test_update_of_an_older_version_changes_nothing(store: Store) -> None:
    """Of two who read the same version only one writes."""
    made = await registered(store)
    settings = [replace(SETTINGS, description=text) for text in "ab"]

    answers = await asyncio.gather(*(store.update_endpoint(DEFAULT_TENANT, made.id, 1, one) for one in settings))

    (winner,) = [answer for answer in answers if answer is not None]
    assert await found(store, made) == winner


async def test_consent_holds_for_the_url_that_gave_it(store: Store) -> None:
    """Another URL has to give it anew, and a late answer from the old one counts for nothing."""
    made = await registered(store, ALL_SET)
    assert await store.record_consent(made.id, SETTINGS.url, Consent.GRANTED, 120)
    granted = await found(store, made)
    assert (granted.consent, granted.consent_rate_per_minute) == (Consent.GRANTED, 120)

    kept = await store.update_endpoint(DEFAULT_TENANT, made.id, 1, replace(ALL_SET, description="x"))
    moved = await store.update_endpoint(DEFAULT_TENANT, made.id, 2, replace(ALL_SET, url="http://other.example/"))

    assert kept is not None
    assert kept.consent is Consent.GRANTED
    assert moved is not None
    assert (moved.consent, moved.consent_rate_per_minute) == (Consent.PENDING, None)
    assert not await store.record_consent(made.id, SETTINGS.url, Consent.GRANTED, None)


async def test_consent_is_noted_only_where_it_is_wanted(store: Store) -> None:
    """An endpoint that asks for no handshake stays as it is."""
    made = await registered(store)

    assert not await store.record_consent(made.id, SETTINGS.url, Consent.WITHHELD, None)
    assert await found(store, made) == made


async def test_disable_and_enable_say_why_and_when(store: Store) -> None:
    """The first reason stays until it is enabled again; both are safe to repeat."""
    made = await registered(store)

    stopped = await store.disable_endpoint(DEFAULT_TENANT, made.id, DisabledReason.GONE)
    again = await store.disable_endpoint(DEFAULT_TENANT, made.id, DisabledReason.REQUESTED)
    assert stopped is not None
    assert (stopped.is_enabled, stopped.disabled_reason) == (False, DisabledReason.GONE)
    assert stopped.disabled_at is not None
    assert again == stopped

    assert await store.enable_endpoint(DEFAULT_TENANT, made.id) == made
    assert await store.enable_endpoint(DEFAULT_TENANT, made.id) == made


async def test_disable_is_for_the_url_that_gave_the_reason(store: Store) -> None:
    """What a former receiver said does not stop the one that there is now."""
    made = await registered(store)

    kept = await store.disable_endpoint(DEFAULT_TENANT, made.id, DisabledReason.GONE, only_at="http://old.example/")
    stopped = await store.disable_endpoint(DEFAULT_TENANT, made.id, DisabledReason.GONE, only_at=SETTINGS.url)

    assert kept == made
    assert stopped is not None
    assert not stopped.is_enabled


async def test_deleted_endpoint_is_gone_with_its_secrets(store: Store) -> None:
    """Nothing of it is left to be asked for; a second time it is unknown."""
    made = await registered(store)

    assert await store.delete_endpoint(DEFAULT_TENANT, made.id)

    assert await store.get_endpoint(DEFAULT_TENANT, made.id) is None
    assert list(await store.endpoint_secrets(DEFAULT_TENANT, made.id)) == []
    assert await store.arm_endpoints([made.id]) == [None]
    assert not await store.delete_endpoint(DEFAULT_TENANT, made.id)


async def test_endpoint_signs_with_its_own_secrets(store: Store) -> None:
    """The tenant's own are others, and a rotation of one leaves the other alone."""
    (own,) = await store.signing_secrets(DEFAULT_TENANT)
    made = await registered(store, first=secret(first := new_secret()))
    until = datetime.now(UTC) + timedelta(hours=1)

    live = await store.rotate_endpoint_secret(DEFAULT_TENANT, made.id, secret(second := new_secret()), until)

    assert [(one.secret, one.expires_at) for one in live] == [(second, None), (first, until)]
    assert list(await store.endpoint_secrets(DEFAULT_TENANT, made.id)) == list(live)
    assert list(await store.signing_secrets(DEFAULT_TENANT)) == [own]


async def test_rotation_may_change_how_it_is_signed(store: Store) -> None:
    """From a shared secret to a key pair: for a while both sign."""
    made = await registered(store)
    key = NewSecret(new_secret_id(), new_signing_key(), SigningScheme.V1A)

    live = await store.rotate_endpoint_secret(DEFAULT_TENANT, made.id, key, datetime.now(UTC) + timedelta(hours=1))

    assert [one.secret.partition("_")[0] for one in live] == ["whsk", "whsec"]
    assert (await found(store, made)).signing is SigningScheme.V1A


async def test_public_keys_are_those_of_live_key_pairs(store: Store) -> None:
    """Of the tenant and of its endpoints, newest first, and of nobody else."""
    old, new = new_signing_key(), new_signing_key()
    made = await registered(store, first=NewSecret(new_secret_id(), old, SigningScheme.V1A))
    await registered(store)
    await registered(
        store, first=NewSecret(new_secret_id(), new_signing_key(), SigningScheme.V1A), tenant_id=OTHER_TENANT
    )
    until = datetime.now(UTC) + timedelta(hours=1)
    await store.rotate_endpoint_secret(
        DEFAULT_TENANT, made.id, NewSecret(new_secret_id(), new, SigningScheme.V1A), until
    )

    keys = await store.public_keys(DEFAULT_TENANT)

    assert [(key.endpoint_id, key.key, key.expires_at) for key in keys] == [
        (made.id, public_key_of(new), None),
        (made.id, public_key_of(old), until),
    ]


async def test_arming_answers_in_order(store: Store) -> None:
    """What notifiers ask for by id, of whichever tenant; None for what is unknown."""
    mine = await registered(store, ALL_SET)
    theirs = await registered(store, tenant_id=OTHER_TENANT)

    armed = await store.arm_endpoints([theirs.id, new_endpoint_id(), mine.id])

    assert [one and one.endpoint for one in armed] == [theirs, None, mine]
    assert isinstance(armed[2], ArmedEndpoint)
    assert list(armed[2].secrets) == list(await store.endpoint_secrets(DEFAULT_TENANT, mine.id))
    assert await store.arm_endpoints([]) == []
