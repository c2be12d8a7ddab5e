"""What must be in a fresh store before anybody can use the API: a tenant, and a key if one was given."""

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_schemas.audit import BOOTSTRAP_ACTOR, AuditAction, NewAuditEntry
from ringback_schemas.ids import DEFAULT_TENANT, KeyId, new_audit_id, new_id
from ringback_schemas.tenants import ALL_SCOPES
from ringback_service.api_keys import hash_key, keep_key

LONGEST_PAUSE_S = 2.0


async def bootstrap(store: Store, api_key: str | None) -> None:
    """Make the default tenant, and the key with all scopes, where they are absent. Safe to call at every start.

    Waits for a store that is away, for as long as it takes: cancel it to give up.

    Raises:
        SchemaMismatch: the schema is not ours.
    """
    key_id = KeyId(new_id("key"))
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_S),
        reraise=True,
    ):
        with attempt:
            await _make(store, api_key, key_id)


async def _make(store: Store, api_key: str | None, key_id: KeyId) -> None:
    await store.create_tenant(DEFAULT_TENANT, "default")
    if api_key is None or await store.find_key(hash_key(api_key)) is not None:
        return
    # front ends that start together on a fresh store may each leave an entry, and one of them makes the key
    detail = {"scopes": " ".join(sorted(ALL_SCOPES))}
    created = NewAuditEntry(new_audit_id(), DEFAULT_TENANT, BOOTSTRAP_ACTOR, AuditAction.KEY_CREATED, key_id, detail)
    await store.audit(created)
    await keep_key(store, key_id, DEFAULT_TENANT, "bootstrap", ALL_SCOPES, api_key)
