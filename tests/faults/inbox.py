"""The receiving side of a fault case: a real HTTP server that verifies every webhook with the official library."""

import asyncio
import hashlib
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(slots=True)
class Arrival:
    """What came under one ``webhook-id``."""

    job_id: str
    type: str
    bodies: set[str] = field(default_factory=set)
    """SHA-256 of each body: one, if all tries were byte-identical."""
    tries: int = 0
    taken: int = 0
    """How often we answered 200: more than once is a duplicate."""
    taken_at: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)


class Inbox:
    """Takes webhooks, refuses some on purpose, and remembers all."""

    def __init__(self, secrets: list[str] | None = None, *, refuse_share: float = 0.0, seed: int = 0) -> None:
        """``refuse_share`` of the tries are refused."""
        self.arrivals: dict[str, Arrival] = {}
        self.by_job: dict[str, list[Arrival]] = defaultdict(list)
        self.wrong_signatures: list[str] = []
        self.taken_order: list[str] = []
        """The ids of all that we answered 200, a duplicate again, in the order in which they came."""
        self.refused: Counter[str] = Counter()
        """How often we answered each id with the refusal."""
        self.is_down = False
        self.refusal = 503
        self.delay_s = 0.0
        """How long each answer takes."""
        self._verifiers = [Webhook(secret) for secret in secrets or []]
        self._refuse_share = refuse_share
        self._random = random.Random(seed)  # noqa: S311 - replayable refusals, no secret
        self._runner: web.AppRunner | None = None
        self.url = ""

    def trust(self, secrets: list[str]) -> None:
        """Take what one of these secrets signed, too, from now on."""
        self._verifiers += [Webhook(secret) for secret in secrets]

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.wrong_signatures.append(str(error))
            return web.Response(status=400)
        arrival = self._remember(request.headers["webhook-id"], body)
        await asyncio.sleep(self.delay_s)
        if self.is_down or self._random.random() < self._refuse_share:
            self.refused[request.headers["webhook-id"]] += 1
            return web.Response(status=self.refusal)
        arrival.taken += 1
        self.taken_order.append(request.headers["webhook-id"])
        arrival.taken_at = arrival.taken_at or time.monotonic()
        return web.Response()

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        lowered = {name.lower(): value for name, value in headers.items()}
        error = WebhookVerificationError("no secret to verify with")
        for verifier in self._verifiers:
            try:
                verifier.verify(body, lowered)
            except WebhookVerificationError as refused:
                error = refused
            else:
                return
        raise error

    def _remember(self, webhook_id: str, body: bytes) -> Arrival:
        arrival = self.arrivals.get(webhook_id)
        if arrival is None:
            document = orjson.loads(body)
            arrival = Arrival(document["data"]["id"], document["type"], data=document["data"])
            self.arrivals[webhook_id] = arrival
            self.by_job[arrival.job_id].append(arrival)
        arrival.tries += 1
        arrival.bodies.add(hashlib.sha256(body).hexdigest())
        return arrival

    @property
    def taken(self) -> set[str]:
        """The ids of the webhooks that were taken."""
        return set(self.taken_order)

    def has_taken(self, job_id: str) -> bool:
        """Whether a webhook of that job was taken."""
        return any(arrival.taken for arrival in self.by_job.get(job_id, ()))
