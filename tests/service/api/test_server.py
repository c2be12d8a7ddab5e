"""Listening, and stopping in order."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from ringback_service.api.server import ApiServer
from tests.service.api.conftest import Api


class Slow:
    """A handler that is held until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def answer(self, _: web.Request) -> web.Response:
        """Answer when let go."""
        self.reached.set()
        await self.go.wait()
        return web.Response(text="done")

    def server(self, api: Api) -> ApiServer:
        """A server whose only handler this is."""
        app = web.Application()
        app.router.add_get("/", self.answer)
        return ApiServer(app, api.deps.readiness, "127.0.0.1", 0, drain_s=30)


async def _get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def test_server_finishes_the_requests_in_hand(api: Api) -> None:
    """Softly stopped, it takes no new connections, and is not ready."""
    slow = Slow()
    async with slow.server(api) as server:
        url = f"http://127.0.0.1:{server.port}/"
        running = asyncio.create_task(server.run())
        request = asyncio.create_task(_get(url))
        await slow.reached.wait()

        server.stop()
        readiness = await api.deps.readiness.check()
        with pytest.raises(aiohttp.ClientConnectionError):
            await _get(url)
        slow.go.set()

        assert await request == "done"
        await running
    assert not readiness.ready


async def test_server_leaves_requests_in_hand_when_told_so(api: Api) -> None:
    """A second signal does not wait for anybody."""
    slow = Slow()
    async with asyncio.timeout(5), slow.server(api) as server:
        running = asyncio.create_task(server.run())
        request = asyncio.create_task(_get(f"http://127.0.0.1:{server.port}/"))
        await slow.reached.wait()

        server.stop()
        server.stop_now()
        await running

    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    slow.go.set()


async def test_server_that_never_ran_is_closed(api: Api) -> None:
    """Stopping is safe in any order, and twice."""
    async with Slow().server(api) as server:
        server.stop()
        server.stop()
        await server.run()


async def test_server_logs_no_traceback_of_junk(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP gets a 400, and leaves no errors in the log for whoever reads it."""
    async with Slow().server(api) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
