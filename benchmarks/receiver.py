"""The receiver of every stack's webhooks: verifies each signature, and notes when the first for each job came.

``POST /hook`` takes webhooks, ``POST /hook/once`` also closes each connection after one; the driver uses
``POST /reset`` (body: the secret to verify with), ``GET /count`` and ``GET /arrivals``. Times are nanoseconds of the
machine's monotonic clock, the same in every process.
"""

import argparse
import asyncio
import socket
import time

import orjson
import uvloop
from aiohttp import web

import signing
from inbox import Inbox


class Receiver:
    """What arrived since the last reset."""

    def __init__(self) -> None:
        self._key = signing.key_of(signing.SECRET)
        self._inbox = Inbox()
        self._bad = 0

    async def hook(self, request: web.Request) -> web.Response:
        """204 for a verified webhook, 400 for any other."""
        body = await request.read()
        try:
            signing.verify(self._key, request.headers, body)
        except signing.BadSignature:
            self._bad += 1
            return web.Response(status=400)
        told = orjson.loads(body)
        self._inbox.take(told["data"]["id"], told.get("type"), request.headers["webhook-id"], body, time.monotonic_ns())
        return web.Response(status=204)

    async def once(self, request: web.Request) -> web.Response:
        """As ``hook``; the sender has to connect anew for the next."""
        answer = await self.hook(request)
        answer.force_close()
        return answer

    async def reset(self, request: web.Request) -> web.Response:
        """Forget everything; verify with the secret in the body from now on."""
        self._key = signing.key_of(await request.text())
        self._inbox, self._bad = Inbox(), 0
        return web.Response(status=204)

    async def count(self, _: web.Request) -> web.Response:
        """How many jobs were heard of, webhooks came again or were others than the first, and signatures were wrong."""
        inbox = self._inbox
        counts = {
            "jobs": len(inbox.arrivals),
            "duplicates": inbox.duplicates,
            "recorded_twice": inbox.recorded_twice,
            "other_types": inbox.other_types,
            "bad": self._bad,
        }
        return web.Response(body=orjson.dumps(counts), content_type="application/json")

    async def arrivals(self, _: web.Request) -> web.Response:
        """When the first webhook of each job came, by job id."""
        return web.Response(body=orjson.dumps(self._inbox.arrivals), content_type="application/json")


def loopback(port: int) -> socket.socket:
    """A socket for every address of the loopback interface: each is a destination of its own to a sender."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", port))
    return listener


async def serve(port: int) -> None:
    """Serve on all of 127.0.0.0/8, and nowhere else, until the process is told to end."""
    receiver = Receiver()
    app = web.Application()
    app.add_routes(
        [
            web.post("/hook", receiver.hook),
            web.post("/hook/once", receiver.once),
            web.post("/reset", receiver.reset),
            web.get("/count", receiver.count),
            web.get("/arrivals", receiver.arrivals),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=True)
    await runner.setup()
    await web.SockSite(runner, loopback(port), backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """Read the port and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
