"""A request on its way through a handler, and the answers that handlers give."""

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel

from ringback_schemas.ids import InvalidId, TenantId, check_id
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import ApiKeyRecord
from ringback_service.api.refusals import Refused

NO_STORE = {"Content-Type": "application/json", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A request to a route that needs no key."""

    request: web.Request
    request_id: str


@dataclass(frozen=True, slots=True)
class Call(OpenCall):
    """A request of somebody who may make it."""

    key: ApiKeyRecord

    @property
    def tenant_id(self) -> TenantId:
        """Whose data it may see."""
        return self.key.tenant_id

    def id_in_path(self, kind: str, unknown: Problems) -> str:
        """The id in the request's path.

        Raises:
            Refused: it is no id of that kind: then nothing has it, and the answer is the same as for one unknown.
        """
        text = self.request.match_info["id"]
        try:
            return check_id(kind, text)
        except InvalidId as error:
            raise Refused(unknown, str(error)) from error


def json_answer(document: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A document as an answer that nobody keeps."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return web.Response(body=body, status=status, headers=NO_STORE if headers is None else {**NO_STORE, **headers})


def model_answer(model: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A model as an answer that nobody keeps."""
    return json_answer(model.model_dump_json().encode(), status=status, headers=headers)
