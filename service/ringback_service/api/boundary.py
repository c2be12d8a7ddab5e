"""What surrounds every handler: request id, key and scope, and errors turned into problem documents.

A plain function around each handler and no middleware: a submission at full speed has no microseconds for layers.
"""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web

from ringback_backends.contracts.errors import RowRefused, SchemaMismatch, SecretUnreadable, StoreUnavailable
from ringback_schemas.ids import new_id
from ringback_schemas.problems import Problems
from ringback_service.api.calls import Call, OpenCall
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.refusals import Refused
from ringback_service.api.routing import Guarded, Open

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = "X-Request-Id"
RETRY_AFTER_S = 2
"""What a client is told to wait while the store is away; a restarted PostgreSQL is back in about that time."""

_LONGEST_REQUEST_ID = 128

log = structlog.get_logger(__name__)


def guarded(deps: ApiDependencies, route: str, endpoint: Guarded) -> Handler:
    """The handler behind key, scope, problem documents and metrics; ``route`` is the template of its path."""
    authorise, observe = deps.authenticator.authorise, deps.observer.on_request
    scope, handler = endpoint.scope, endpoint.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = request_id_of(request)
        response: web.StreamResponse
        try:
            _check_accept(request)
            key = await authorise(request.headers.get(hdrs.AUTHORIZATION), scope)
            response = await handler(deps, Call(request, request_id, key))
        except Refused as refusal:
            response = refusal.response(request_id)
        except Exception as error:  # noqa: BLE001 - the edge: what is not foreseen is logged and told as a bug
            response = _failure(error, request_id, route)
        response.headers[REQUEST_ID] = request_id
        observe(route, request.method, response.status, time.perf_counter() - started)
        return response

    return handle


def opened(deps: ApiDependencies, route: str, endpoint: Open) -> Handler:
    """The handler behind problem documents only; probes come often and would drown everything else in the metrics."""
    handler = endpoint.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        request_id = request_id_of(request)
        response: web.StreamResponse
        try:
            response = await handler(deps, OpenCall(request, request_id))
        except Refused as refusal:
            response = refusal.response(request_id)
        except Exception as error:  # noqa: BLE001 - as above
            response = _failure(error, request_id, route)
        response.headers[REQUEST_ID] = request_id
        return response

    return handle


def request_id_of(request: web.Request) -> str:
    """The id that the client gave its request, when it is short and visible ASCII; else a fresh one."""
    given = request.headers.get(REQUEST_ID)
    if given and len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return new_id("req")


def _check_accept(request: web.Request) -> None:
    """Refuse before anything is done: 406 after a commit would hide a job from its client."""
    accept = request.headers.get(hdrs.ACCEPT)
    if accept is None or "*/*" in accept or "json" in accept or "application/*" in accept:
        return
    raise Refused(Problems.NOT_ACCEPTABLE, f"this gives application/json, the request accepts {accept[:100]}")


def _failure(error: Exception, request_id: str, route: str) -> web.Response:
    """The answer to what no handler foresaw."""
    if isinstance(error, ConnectionError):
        raise error  # the client has gone: there is nobody to answer
    return _refusal(error, request_id, route).response(request_id)


def _refusal(error: Exception, request_id: str, route: str) -> Refused:
    match error:
        case StoreUnavailable() | SchemaMismatch():
            log.warning("store_unavailable", route=route, request_id=request_id, reason=str(error))
            detail = "the store does not answer as it should; trying again may help"
            return Refused(Problems.STORAGE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
        case SecretUnreadable():
            log.error("secret_unreadable", route=route, request_id=request_id, reason=str(error))
            detail = "something encrypted opens with none of the operator's encryption keys; see the log"
            return Refused(Problems.INTERNAL_ERROR, detail)
        case RowRefused():
            log.warning("row_refused", route=route, request_id=request_id, reason=str(error))
            return Refused(Problems.INVALID_INPUT, "the database cannot hold a value of this request")
        case web.RequestPayloadError():
            return Refused(Problems.MALFORMED_REQUEST, "the body breaks off or is wrongly encoded")
        case _:
            log.error("request_failed", route=route, request_id=request_id, exc_info=error)
            return Refused(Problems.INTERNAL_ERROR, "this is a bug in Ringback; the log knows the request_id")
