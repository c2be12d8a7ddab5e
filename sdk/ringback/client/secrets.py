"""What the client can do with the secrets that sign webhooks."""

from collections.abc import Sequence

from pydantic_core import to_json

from ringback.client.transport import Answer, Transport
from ringback_schemas.endpoints import SigningScheme
from ringback_schemas.http import SigningSecretBody, SigningSecretsBody
from ringback_schemas.ids import check_id


class SecretCalls:
    """Shows and rotates secrets; ``client.secrets``. Needs the scope ``secrets``, and raises as the client does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, endpoint_id: str | None = None) -> Sequence[SigningSecretBody]:
        """The live secrets of an endpoint, or those of callbacks; newest first. Each look is in the audit log."""
        path = "/v1/signing-secret" if endpoint_id is None else f"{_path(endpoint_id)}/secret"
        return _read(await self._transport.request("GET", path))

    async def rotate(
        self,
        endpoint_id: str | None = None,
        *,
        overlap_s: float | None = None,
        signing: SigningScheme | None = None,
        secret: str | None = None,
    ) -> Sequence[SigningSecretBody]:
        """Make a new secret, for an endpoint or for callbacks; the live ones, the new one first.

        Not repeated by itself once it may have been seen: two calls are two rotations.

        Args:
            endpoint_id: Whose; absent: the tenant's, which sign callbacks.
            overlap_s: Seconds that the old ones sign beside it, up to 7 days; absent: a day.
            signing: Absent: as the newest.
            secret: One that you bring along; absent: a fresh one.
        """
        path = "/v1/signing-secret/rotate" if endpoint_id is None else f"{_path(endpoint_id)}/rotate-secret"
        given = {"overlap_s": overlap_s, "signing": signing, "secret": secret}
        body = to_json({name: value for name, value in given.items() if value is not None})
        return _read(await self._transport.request("POST", path, body=body, is_repeatable=False))


def _path(endpoint_id: str) -> str:
    return f"/v1/endpoints/{check_id('end', endpoint_id)}"


def _read(answer: Answer) -> Sequence[SigningSecretBody]:
    return SigningSecretsBody.model_validate_json(answer.body).secrets
