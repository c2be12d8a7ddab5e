"""Handlers for the API's own documentation."""

from aiohttp import web

from ringback_schemas.problems import Problems
from ringback_service.api.calls import OpenCall
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.html import problem_page
from ringback_service.api.refusals import Refused

OPENAPI_DOCUMENT = web.AppKey("openapi_document", bytes)
DOCS_PAGE = web.AppKey("docs_page", bytes)

_HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def openapi(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Give this API as an OpenAPI 3.1 document."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
    return web.Response(body=call.request.app[OPENAPI_DOCUMENT], headers=headers)


async def docs(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Give this API as a page to read."""
    return web.Response(body=call.request.app[DOCS_PAGE], headers=_HTML)


async def problem(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Explain a problem type: where the ``type`` of a problem document leads."""
    code = call.request.match_info["code"]
    for kind in Problems:
        if kind.code == code:
            return web.Response(body=problem_page(kind.value), headers=_HTML)
    raise Refused(Problems.NOT_FOUND, f"there is no problem type {code[:64]!r}")
