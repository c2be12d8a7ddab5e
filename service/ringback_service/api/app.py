"""Puts the front end together from what it is given."""

from typing import assert_never

import orjson
from aiohttp import web

from ringback_service.api.boundary import Handler, guarded, opened
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.html import docs_page
from ringback_service.api.openapi import openapi_document
from ringback_service.api.pages import DOCS_PAGE, OPENAPI_DOCUMENT
from ringback_service.api.routes import ROUTES
from ringback_service.api.routing import Guarded, Open, Route
from ringback_service.api.strays import expectation_handler, stray_handler


def build_app(deps: ApiDependencies) -> web.Application:
    """The front end as an aiohttp application; it opens and closes nothing."""
    app = web.Application(client_max_size=deps.max_body_bytes)
    document = openapi_document(ROUTES, deps.public_url, deps.version)
    app[OPENAPI_DOCUMENT] = orjson.dumps(document)
    app[DOCS_PAGE] = docs_page(document)
    expect = expectation_handler(deps.max_body_bytes)
    for route in ROUTES:
        handler = _bound(deps, route)
        app.router.add_route(route.method, route.path, handler, expect_handler=expect)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handler, expect_handler=expect)
    stray = opened(deps, "", Open(stray_handler(ROUTES)))
    app.router.add_route("*", "/{anything:.*}", stray, expect_handler=expect)
    return app


def _bound(deps: ApiDependencies, route: Route) -> Handler:
    match route.endpoint:
        case Guarded() as endpoint:
            return guarded(deps, route.path, endpoint)
        case Open() as endpoint:
            return opened(deps, route.path, endpoint)
        case endpoint:
            assert_never(endpoint)
