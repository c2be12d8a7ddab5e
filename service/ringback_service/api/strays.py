"""Requests that no route wants: unknown paths, wrong methods, odd expectations."""

import re
from collections.abc import Iterable

from aiohttp import HttpVersion11, hdrs, web

from ringback_schemas.problems import Problems
from ringback_service.api.bodies import check_size
from ringback_service.api.boundary import REQUEST_ID, Handler, request_id_of
from ringback_service.api.calls import OpenCall
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.refusals import Refused
from ringback_service.api.routing import OpenHandler, Route


def stray_handler(routes: Iterable[Route]) -> OpenHandler:
    """A handler for everything that no route matched: 405 where another method would, else 404."""
    patterns: dict[str, tuple[re.Pattern[str], list[str]]] = {}
    for route in routes:
        pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path)))
        patterns.setdefault(route.path, (pattern, []))[1].append(route.method)

    async def stray(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
        path = call.request.path
        for pattern, methods in patterns.values():
            if pattern.fullmatch(path):
                allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
                raise Refused(
                    Problems.METHOD_NOT_ALLOWED,
                    f"{path[:100]} takes {allowed}, not {call.request.method[:32]}",
                    headers={"Allow": allowed},
                )
        raise Refused(Problems.NOT_FOUND, f"there is nothing at {path[:200]}")

    return stray


def expectation_handler(max_bytes: int) -> Handler:
    """What answers ``Expect: 100-continue``: a body that is too large is refused before it is sent (RFC 9110, 10.1.1).

    Gives nothing when the body may come.
    """

    async def expect(request: web.Request) -> web.StreamResponse | None:
        try:
            if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
                raise Refused(Problems.EXPECTATION_FAILED, "the only known expectation is 100-continue")
            check_size(request, max_bytes)
        except Refused as refusal:
            request_id = request_id_of(request)
            response = refusal.response(request_id)
            response.headers[REQUEST_ID] = request_id
            response.force_close()
            await response.prepare(request)
            return response
        if request.version == HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return None

    return expect  # type: ignore[return-value]  # aiohttp's own type leaves out the answer that it provides for
