"""The other side: a small web server that gives data away and takes webhooks, verifying each."""

import asyncio
import importlib.util
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from ringback.webhooks import WebhookVerificationError, verify_webhook

DATA = "elements.csv"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook, as it came."""

    webhook_id: str
    timestamp: str
    body: bytes
    answered: int
    """The status that it was answered with."""
    problem: str | None
    """Why it is not to be trusted; absent when it was verified."""
    at: float
    """By ``time.perf_counter``."""

    @property
    def event(self) -> Mapping[str, Any]:
        """The body parsed: type, timestamp, data."""
        document: dict[str, Any] = orjson.loads(self.body)
        return document


class Receiver:
    """Listens on loopback, from entering to leaving."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """``secrets`` are the tenant's ``whsec_…``."""
        self.verifier, self._verify = verifier(secrets)
        self._arrivals: dict[str, list[Arrival]] = defaultdict(list)
        self._answers: dict[str, deque[int]] = defaultdict(deque)
        self._changed = asyncio.Condition()
        app = web.Application()
        app.add_routes(
            [
                web.get(f"/{DATA}", self._give_data),
                web.get("/elements/{symbol}", self._give_element),
                web.post("/hooks/{name}", self._take),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        self._data = (files("ringback.demo") / "data" / DATA).read_bytes()

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def answer(self, name: str, *statuses: int) -> None:
        """Answer the next webhooks of that name so, then 200."""
        self._answers[name].extend(statuses)

    async def wait_for(self, name: str, is_enough: Callable[[list[Arrival]], bool], within_s: float) -> list[Arrival]:
        """All webhooks of that name, once there are enough, or when the time is over."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: is_enough(self._arrivals[name]))
        except TimeoutError:
            pass
        return list(self._arrivals[name])

    async def _give_data(self, _: web.Request) -> web.Response:
        return web.Response(body=self._data, content_type="text/csv")

    async def _give_element(self, request: web.Request) -> web.Response:
        head, *rows = self._data.decode().splitlines()
        for row in rows:
            element = dict(zip(head.split(","), row.split(","), strict=True))
            if element["symbol"] == request.match_info["symbol"]:
                return web.json_response(element)
        raise web.HTTPNotFound

    async def _take(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.read()
        problem = self._verify(body, dict(request.headers))
        answers = self._answers[name]
        status = 401 if problem else answers.popleft() if answers else 200
        headers = request.headers
        arrival = Arrival(
            headers.get("webhook-id", ""),
            headers.get("webhook-timestamp", ""),
            body,
            status,
            problem,
            time.perf_counter(),
        )
        async with self._changed:
            self._arrivals[name].append(arrival)
            self._changed.notify_all()
        return web.Response(status=status)


Verify = Callable[[bytes, dict[str, str]], str | None]
"""Gives the reason why a webhook is not to be trusted; nothing when it is."""


def verifier(secrets: Sequence[str]) -> tuple[str, Verify]:
    """Who verifies, and how: the public ``standardwebhooks`` package where it is installed, else our own function."""
    if importlib.util.find_spec("standardwebhooks") is None:
        return "ringback.verify_webhook", lambda body, headers: _ours(secrets, body, headers)
    return "the standardwebhooks library", lambda body, headers: _theirs(secrets[0], body, headers)


def _ours(secrets: Sequence[str], body: bytes, headers: dict[str, str]) -> str | None:
    try:
        verify_webhook(list(secrets), headers, body)
    except WebhookVerificationError as error:
        return str(error)
    return None


def _theirs(secret: str, body: bytes, headers: dict[str, str]) -> str | None:
    from standardwebhooks.webhooks import Webhook
    from standardwebhooks.webhooks import WebhookVerificationError as Refused

    try:
        Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    except Refused as error:
        return str(error) or "refused"
    return None
