"""The small HTTP port of processes that have no other: ``/healthz``, ``/readyz``, ``/metrics``. No authentication."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ringback_backends.readiness import Readiness
from ringback_schemas.errors import RingbackError
from ringback_schemas.http import HealthBody


class HealthPortTaken(RingbackError):
    """The health port cannot be opened."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot serve health and metrics on {host}:{port}: {reason}")


class _Probes:
    def __init__(self, readiness: Readiness, metrics: CollectorRegistry, version: str) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._health = HealthBody(status="ok", version=version).model_dump_json()

    async def healthz(self, _: web.Request) -> web.Response:
        """This process and its loop live; asks nobody else, or an outage of the store would restart every process."""
        return web.Response(text=self._health, content_type="application/json")

    async def readyz(self, _: web.Request) -> web.Response:
        """Whether it can do its work: 200 or 503."""
        body = await self._readiness.check()
        return web.Response(
            text=body.model_dump_json(), content_type="application/json", status=200 if body.ready else 503
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus metrics, rendered in a thread: many series take tens of milliseconds."""
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        body = await asyncio.to_thread(encode, self._metrics)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})


@asynccontextmanager
async def serving_health(
    host: str, port: int, readiness: Readiness, metrics: CollectorRegistry, version: str
) -> AsyncIterator[int]:
    """Serve while inside; gives the port, which the system chooses when ``port`` is 0.

    Raises:
        HealthPortTaken: nothing can listen there.
    """
    probes = _Probes(readiness, metrics, version)
    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", probes.healthz),
            web.get("/readyz", probes.readyz),
            web.get("/metrics", probes.metrics),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise HealthPortTaken(host, port, error.strerror or str(error)) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
