"""What a fault case plays on: private servers, a fleet, a driver and an inbox."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.driver import Driver
from tests.faults.fleet import API_KEY, Fleet
from tests.faults.inbox import Inbox
from tests.faults.links import Links
from tests.servers import PostgresServer, RabbitCluster, RabbitServer

Act = Callable[["Stage"], Awaitable[None]]
Prepare = Callable[["Servers", str], Awaitable[None]]
"""Done to the servers before the fleet starts; gets the broker's address too."""


class NotPlayed(Exception):
    """The case cannot be played here; says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, and the limits of what may follow from it."""

    id: str
    """As in docs/faults.md: ``F24`` or ``BB-55``; several are joined by ``+``."""
    title: str
    act: Act
    settle_s: float = 40.0
    """Within this time after the fault everything has arrived."""
    settings: Mapping[str, str] = field(default_factory=dict)
    apis: int = 2
    workers: int = 2
    notifiers: int = 2
    is_embedded: bool = False
    """One ``ringback serve`` with SQLite instead of the fleet."""
    refuse_share: float = 0.02
    """Share of webhooks that the receiver refuses."""
    may_perform_twice: bool = True
    may_receive_twice: bool = True
    may_cancel: bool = False
    """Whether jobs are cancelled; else each whose task never fails succeeds."""
    is_forgetful: bool = False
    """Whether jobs are purged while it is played: what their webhooks said stands for them."""
    is_quick: bool = False
    """Whether it is part of ``make test``; all are part of ``make faults``."""
    prepare: Prepare | None = None
    is_clustered: bool = False
    """Whether RabbitMQ is three nodes; proxies then play the balancer in front of them."""
    is_proxied: bool = False
    """Whether the fleet reaches its servers through proxies; the stage then has ``links``."""
    role_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Settings of one kind of process: ``api``, ``worker``, ``notifier``."""


@dataclass(slots=True)
class Servers:
    """The private servers that all cases share; each case has its own database and virtual host there."""

    rabbit: RabbitServer
    postgres: PostgresServer
    cluster: RabbitCluster | None = None


@dataclass(slots=True)
class Stage:
    """What a case has in hand while it acts."""

    servers: Servers
    fleet: Fleet
    driver: Driver
    inbox: Inbox
    database_url: str
    broker_url: str
    links_or_none: Links | None = None
    shortfalls: list[str] = field(default_factory=list)
    """Goals that were not reached, with their figures: told in the table as open."""
    faults: int = 0
    notes: dict[str, float] = field(default_factory=dict)
    """Figures of the case's own, such as seconds to the first accept."""
    _load: asyncio.Task[None] | None = None
    _is_endless: bool = False

    async def load(
        self, rate: float, count: int | None = None, payload: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        """Begin to submit in the background; without a count until the fault is over."""
        self._is_endless = count is None
        self._load = asyncio.create_task(self.driver.run(rate, count, payload, **fields), name="load")

    async def loaded(self, *, stop: bool = False) -> None:
        """Wait until every request has its answer; ``stop`` ends a load without a count."""
        if stop and self._is_endless:
            self.driver.stop()
        if self._load is not None:
            await self._load

    async def submitted(self, count: int) -> None:
        """Wait until so many were accepted."""
        while len(self.driver.ledger.accepted) < count:
            if self._load is not None and self._load.done():
                self._load.result()
                raise AssertionError(f"the load ended with {len(self.driver.ledger.accepted)} of {count} accepted")
            await asyncio.sleep(0.01)

    @property
    def links(self) -> Links:
        """The network between the fleet and its servers."""
        if self.links_or_none is None:
            raise TypeError("this case is not proxied")
        return self.links_or_none

    async def api(self, method: str, path: str, key: str = API_KEY, **options: Any) -> tuple[int, Any]:
        """Ask the first front end; status and JSON."""
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{await self.fleet.any_ready()}{path}", **options) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def tenant(self, name: str) -> str:
        """Make a further tenant, whom the inbox trusts; its API key."""
        _, tenant = await self.api("POST", "/v1/tenants", json={"name": name})
        order = {"name": name, "scopes": ["jobs:read", "jobs:write", "secrets"], "tenant_id": tenant["id"]}
        _, made = await self.api("POST", "/v1/keys", json=order)
        await self.trust(made["key"])
        return str(made["key"])

    async def trust(self, key: str = API_KEY) -> None:
        """Let the inbox verify with that tenant's live secrets, too."""
        status, document = await self.api("GET", "/v1/signing-secret", key)
        if status != 200:
            raise AssertionError(f"no signing secret: {status} {document}")
        self.inbox.trust([item["secret"] for item in document["secrets"]])
