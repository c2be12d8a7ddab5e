"""Handlers for those who watch: liveness, readiness, metrics."""

import asyncio

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder

from ringback_schemas.http import HealthBody
from ringback_schemas.tenants import Scope
from ringback_service.api.calls import OpenCall, model_answer
from ringback_service.api.dependencies import ApiDependencies


async def healthz(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Say that this process and its loop live.

    Asks nothing of anybody else: or an outage of the store would have every process restarted on top of it.
    """
    return model_answer(HealthBody(status="ok", version=deps.version))


async def readyz(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Say whether requests can be taken, and on what that rests."""
    readiness = await deps.readiness.check()
    return model_answer(readiness, status=200 if readiness.ready else 503)


async def metrics(deps: ApiDependencies, call: OpenCall) -> web.StreamResponse:
    """Show Prometheus metrics: to everybody where only this machine can ask, else with a key of scope ``metrics``."""
    headers = call.request.headers
    if not deps.is_local:
        await deps.authenticator.authorise(headers.get(hdrs.AUTHORIZATION), Scope.METRICS)
    encode, content_type = choose_encoder(headers.get(hdrs.ACCEPT, ""))
    # in a thread: many series take tens of milliseconds, in which the loop would answer nobody
    body = await asyncio.to_thread(encode, deps.metrics)
    return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
