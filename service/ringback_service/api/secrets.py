"""Handlers for the secrets that sign webhooks, and for the public keys that verify them."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from ringback.webhooks import InvalidSecret, canonical_secret, new_secret, new_signing_key, public_key_of
from ringback_schemas.audit import AuditAction
from ringback_schemas.endpoints import NewSecret, PublicKey, SigningScheme
from ringback_schemas.http import (
    PublicKeyBody,
    PublicKeysBody,
    RotateRequest,
    SigningSecretBody,
    SigningSecretsBody,
)
from ringback_schemas.ids import EndpointId, InvalidId, TenantId, check_id, new_secret_id
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import SigningSecret
from ringback_service.api.auditing import audit
from ringback_service.api.bodies import invalid, read_model
from ringback_service.api.calls import Call, OpenCall, model_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.refusals import FieldError, Refused

_PRIVATE = "whsk_"
_PUBLIC = "whpk_"
_CACHED_S = 60


async def get_signing_secret(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show the live secrets of the key's own tenant, newest first; they sign callbacks. Each look is on record."""
    await audit(deps, call, AuditAction.SECRET_READ, call.tenant_id)
    return _show(await deps.store.signing_secrets(call.tenant_id))


async def rotate_signing_secret(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Make a new secret for the tenant's callbacks; the old ones sign beside it for a while."""
    wanted = await read_model(call.request, RotateRequest, deps.max_body_bytes)
    live = await deps.store.signing_secrets(call.tenant_id)
    secret, old_expire_at = _rotation(wanted, live)
    await _audit_rotation(deps, call, call.tenant_id, wanted, secret)
    return _show(await deps.store.rotate_signing_secret(call.tenant_id, secret, old_expire_at))


async def get_endpoint_secret(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show an endpoint's live secrets, newest first. Each look is on record."""
    endpoint_id, _ = await _find(deps, call)
    await audit(deps, call, AuditAction.SECRET_READ, endpoint_id)
    return _show(await deps.store.endpoint_secrets(call.tenant_id, endpoint_id))


async def rotate_endpoint_secret(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Make a new secret for an endpoint; the old ones sign beside it for a while."""
    wanted = await read_model(call.request, RotateRequest, deps.max_body_bytes)
    endpoint_id, live = await _find(deps, call)
    secret, old_expire_at = _rotation(wanted, live)
    await _audit_rotation(deps, call, endpoint_id, wanted, secret)
    return _show(await deps.store.rotate_endpoint_secret(call.tenant_id, endpoint_id, secret, old_expire_at))


async def get_public_keys(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:
    """Show the public keys that verify a tenant's `v1a` signatures, to everybody."""
    try:
        tenant_id = TenantId(check_id("ten", call.request.match_info["tenant_id"]))
    except InvalidId as error:
        raise Refused(Problems.TENANT_NOT_FOUND, str(error)) from error
    keys = [_show_key(key) for key in await deps.store.public_keys(tenant_id)]
    return model_answer(PublicKeysBody(keys=keys), headers={"Cache-Control": f"public, max-age={_CACHED_S}"})


def fresh_secret(scheme: SigningScheme, given: str | None) -> NewSecret:
    """A secret of that scheme to be stored: the one that was brought along, or a new one.

    Raises:
        Refused: what was brought along is no such secret; the refusal does not repeat it.
    """
    if given is None:
        return NewSecret(new_secret_id(), new_signing_key() if scheme is SigningScheme.V1A else new_secret(), scheme)
    try:
        secret = canonical_secret(given)
    except InvalidSecret as error:
        raise _refused_secret(str(error)) from error
    if secret.startswith(_PRIVATE) != (scheme is SigningScheme.V1A):
        raise _refused_secret(f"is no secret for {scheme.value}")
    return NewSecret(new_secret_id(), secret, scheme)


def _rotation(wanted: RotateRequest, live: Sequence[SigningSecret]) -> tuple[NewSecret, datetime]:
    """The new secret, and when the old ones end. Without a word about it the scheme stays."""
    scheme = wanted.signing
    if scheme is None:
        like = wanted.secret or live[0].secret
        scheme = SigningScheme.V1A if like.startswith(_PRIVATE) else SigningScheme.V1
    return fresh_secret(scheme, wanted.secret), datetime.now(UTC) + timedelta(seconds=wanted.overlap_s)


async def _find(deps: ApiDependencies, call: Call) -> tuple[EndpointId, Sequence[SigningSecret]]:
    endpoint_id = EndpointId(call.id_in_path("end", Problems.ENDPOINT_NOT_FOUND))
    live = await deps.store.endpoint_secrets(call.tenant_id, endpoint_id)
    if not live:
        raise Refused(Problems.ENDPOINT_NOT_FOUND, f"there is no endpoint {endpoint_id}")
    return endpoint_id, live


async def _audit_rotation(
    deps: ApiDependencies, call: Call, target: str, wanted: RotateRequest, secret: NewSecret
) -> None:
    overlap_s, signing = f"{wanted.overlap_s:g}", secret.scheme.value
    await audit(
        deps, call, AuditAction.SECRET_ROTATED, target, secret_id=secret.id, signing=signing, overlap_s=overlap_s
    )


def _refused_secret(detail: str) -> Refused:
    return invalid([FieldError(code="secret", detail=detail, pointer="/secret")])


def _show(live: Sequence[SigningSecret]) -> web.Response:
    return model_answer(SigningSecretsBody(secrets=[_show_secret(one) for one in live]))


def _show_secret(secret: SigningSecret) -> SigningSecretBody:
    """A private key never leaves the store: receivers need only the public one."""
    is_private = secret.secret.startswith(_PRIVATE)
    return SigningSecretBody(
        id=secret.id,
        secret=None if is_private else secret.secret,
        public_key=public_key_of(secret.secret) if is_private else None,
        created_at=secret.created_at,
        expires_at=secret.expires_at,
    )


def _show_key(key: PublicKey) -> PublicKeyBody:
    raw = base64.b64decode(key.key.removeprefix(_PUBLIC))
    return PublicKeyBody(
        kid=key.id,
        kty="OKP",
        crv="Ed25519",
        x=base64.urlsafe_b64encode(raw).decode().rstrip("="),
        use="sig",
        whpk=key.key,
        endpoint_id=key.endpoint_id,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
