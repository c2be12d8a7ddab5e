"""The fleet under fault: some front ends, workers and notifiers as real processes over given servers."""

import asyncio
import base64
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from ringback_backends.sql import migrate
from tests.faults.process import FleetProcess
from tests.servers.processes import free_port
from tests.waiting import eventually

API_KEY = "rbk_faults_0123456789abcdefghijklmnop"
START_WITHIN_S = 120.0
"""Before the fault nothing is measured: a busy machine may take its time to import."""

SHORT_SCHEDULE = (0.3, 0.5, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5)

_MIGRATING = asyncio.Lock()
"""Alembic can be at one database at a time in a process."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How large the fleet is, and what its processes are told."""

    database_url: str
    broker_url: str
    apis: int = 2
    workers: int = 2
    notifiers: int = 2
    is_embedded: bool = False
    """One ``ringback serve`` with SQLite in the folder, whatever else is said."""
    concurrency: int = 32
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further ``RINGBACK_*`` settings, without the prefix."""
    role_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The same for one kind of process: ``api``, ``worker`` or ``notifier``."""


class Fleet:
    """Front ends, workers and notifiers; ``async with`` migrates, starts them, and ends them."""

    def __init__(self, plan: FleetPlan, folder: Path) -> None:
        """``folder`` takes logs, keys and the trace of what was performed."""
        self._plan = plan
        self._folder = folder
        self._stack = AsyncExitStack()
        self.effects_path = folder / "effects"
        self.database_path = folder / "ringback.db"
        """Where an embedded process keeps everything, unless it is told otherwise."""
        self._environment = self._make_environment()
        self.urls: list[str] = []
        self._others: list[FleetProcess] = []
        if plan.is_embedded:
            self.apis, self.workers, self.notifiers = [self._front("serve", "serve")], [], []
            return
        self.apis = [self._front(f"api-{number}", "api") for number in range(plan.apis)]
        slots = plan.settings.get("CONCURRENCY", str(plan.concurrency))
        self.workers = [self._process(f"worker-{n}", "worker", "--concurrency", slots) for n in range(plan.workers)]
        self.notifiers = [self._process(f"notifier-{n}", "notifier") for n in range(plan.notifiers)]

    @property
    def processes(self) -> list[FleetProcess]:
        """All of them."""
        return [*self.apis, *self.workers, *self.notifiers]

    async def __aenter__(self) -> Self:
        """Migrate, start everything, and wait until each front end is ready."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill whatever still runs."""
        for process in [*self.processes, *self._others]:
            await process.kill()

    async def _begin(self) -> None:
        if not self._plan.is_embedded:
            async with _MIGRATING:
                await migrate(self._plan.database_url)
        for process in self.processes:
            await process.start()
        for url in self.urls:
            await self.ready(url, within_s=START_WITHIN_S)

    async def ready(self, url: str, within_s: float = 30.0) -> None:
        """Wait until a front end says it is ready."""
        await eventually(lambda: _is_ready(url), within_s=within_s, what=f"{url} is ready")

    async def any_ready(self) -> str:
        """The address of a front end that is ready, as soon as there is one."""

        async def first() -> str:
            return next(iter([url for url in self.urls if await _is_ready(url)]), "")

        return await eventually(first, within_s=START_WITHIN_S, what="a front end to be ready")

    async def revive(self, process: FleetProcess) -> None:
        """Start a process again that ended, as its supervisor would."""
        await process.wait()
        await process.start()

    def _front(self, name: str, command: str) -> FleetProcess:
        port = free_port()
        self.urls.append(f"http://127.0.0.1:{port}")
        return self._process(name, command, RINGBACK_PORT=str(port))

    def another(self, name: str, *arguments: str, **settings: str) -> FleetProcess:
        """A further process, not started yet; with settings of its own. Killed with the others."""
        process = self._process(name, *arguments, **_prefixed(settings))
        self._others.append(process)
        return process

    def _process(self, name: str, *arguments: str, **environment: str) -> FleetProcess:
        own = _prefixed(self._plan.role_settings.get(arguments[0], {}))
        return FleetProcess(name, arguments, {**self._environment, **own, **environment}, self._folder)

    def _make_environment(self) -> dict[str, str]:
        own = {
            "DATABASE_URL": self._plan.database_url,
            "BROKER_URL": self._plan.broker_url,
            "BOOTSTRAP_API_KEY": API_KEY,
            "ENCRYPTION_KEYS": json.dumps([base64.urlsafe_b64encode(bytes(range(32))).decode()]),
            "CALLBACK_ALLOW": '["127.0.0.0/8"]',
            "RETRY_SCHEDULE": json.dumps(SHORT_SCHEDULE),
            "TASKS": str(Path(__file__).with_name("tasks.py")),
            "PUBLIC_URL": "http://ringback.test",
        }
        if self._plan.is_embedded:
            del own["BROKER_URL"]
            own["DATABASE_URL"] = f"sqlite:///{self.database_path}"
        own |= self._plan.settings
        return {**_prefixed(own), "FAULTS_EFFECTS": str(self.effects_path)}


async def _is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _prefixed(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"RINGBACK_{name}": value for name, value in settings.items()}


async def settle(seconds: float) -> None:
    """Let a fault last: the one place where the suite waits for time itself, which is what a fault's length is."""
    await asyncio.sleep(seconds)
