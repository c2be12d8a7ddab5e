"""What must be in a fresh store before anybody can use the API: a tenant, and a key if one was given."""

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.tenants import TenantStore
from ringback_schemas.ids import DEFAULT_TENANT, KeyId, new_id
from ringback_schemas.tenants import ALL_SCOPES
from ringback_service.api_keys import keep_key

LONGEST_PAUSE_S = 2.0


async def bootstrap(tenants: TenantStore, api_key: str | None) -> None:
    """Make the default tenant, and the key with all scopes, where they are absent. Safe to call at every start.

    Waits for a store that is away, for as long as it takes: cancel it to give up.

    Raises:
        SchemaMismatch: the schema is not ours.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_S),
        reraise=True,
    ):
        with attempt:
            await _make(tenants, api_key)


async def _make(tenants: TenantStore, api_key: str | None) -> None:
    await tenants.create_tenant(DEFAULT_TENANT, "default")
    if api_key is None:
        return
    await keep_key(tenants, KeyId(new_id("key")), DEFAULT_TENANT, "bootstrap", ALL_SCOPES, api_key)
