"""All of Ringback in one process and one loop: front end, worker and notifier over one store and one broker.

A composition root, for ``ringback serve`` and ``ringback demo``, and for programs that want it inside:

    async with Embedded(load_settings()) as service:
        ...  # service.url, service.api_key
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from ringback.egress import EgressPolicy
from ringback.registry import Registry
from ringback.secretbox import load_or_create_key_file
from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.composing import HEART_CONNECTIONS, connecting, rescue_plan, retention
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.store import Store
from ringback_backends.lease.drain import Shutdown, leave_at_once
from ringback_backends.lease.frame import Component, Frame, FramePlan, framed
from ringback_backends.observed import observed
from ringback_backends.replayer import Replayer
from ringback_backends.sampling import Sampler
from ringback_backends.sql import migrate, open_store, served_alone
from ringback_notifier.main import notifier_plan
from ringback_notifier.notifier import Notifier
from ringback_schemas.instances import Role
from ringback_service.api.app import build_app
from ringback_service.api.assembly import ApiTelemetry, open_dependencies
from ringback_service.api.server import ApiServer
from ringback_service.api_keys import new_api_key
from ringback_service.bootstrap import bootstrap
from ringback_service.main_api import api_plan
from ringback_service.main_worker import worker_plan
from ringback_service.worker.worker import Worker

ADMIN_KEY_FILE = "admin.key"

FINISH_S = 5.0
"""How long what the last jobs told may still be taken in hand: more of it waits in the store for the next start."""

CLEAN = 0
UNCLEAN = 8
"""Something was given back or cut off: it is done at the next start."""


class Embedded:
    """The whole service, from entering to leaving; brings the database to its schema by itself."""

    def __init__(self, settings: Settings, *, metrics: Metrics | None = None, shutdown: Shutdown | None = None) -> None:
        """``shutdown`` may be requested by whoever gave it; leaving requests it too."""
        self._settings = settings = _with_port(settings)
        self._metrics = metrics or metrics_of(settings, Role.SERVE)
        self._shutdown = shutdown or Shutdown()
        self._stack = AsyncExitStack()
        self._running: asyncio.Task[None] | None = None
        self._key_path = None if settings.bootstrap_api_key else settings.data_folder / ADMIN_KEY_FILE

    @property
    def url(self) -> str:
        """Where it listens, as this machine may reach it."""
        host = self._settings.host
        name = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host
        return f"http://{f'[{name}]' if ':' in name else name}:{self._server.port}"

    @property
    def api_key(self) -> str:
        """A key with all scopes: ``RINGBACK_BOOTSTRAP_API_KEY``, or the one in the data folder."""
        return self._api_key

    @property
    def key_path(self) -> Path | None:
        """The file that holds the key; absent when a setting gave it."""
        return self._key_path

    @property
    def registry(self) -> Registry:
        """The tasks that it runs."""
        return self._registry

    @property
    def exit_code(self) -> int:
        """Once it has ended: 0, or 8 when not everything in hand could be finished."""
        return CLEAN if self._worker.is_clean and self._notifier.is_clean else UNCLEAN

    async def __aenter__(self) -> Self:
        """Open everything and start to run; the API takes requests when this returns.

        Raises:
            RingbackError: something will not do: tasks, keys, schema, address; another one serves from the same file.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop softly, and close everything in reverse order. An error of the service comes out here or in ``wait``."""
        try:
            self._shutdown.soft.set()
            if self._running is not None:
                await asyncio.wait({self._running})
                if kind is None and not self._running.cancelled():
                    self._running.result()
        finally:
            await self._stack.aclose()

    async def wait(self) -> None:
        """Return when it has stopped, after ``shutdown`` was requested; raise what ended it otherwise."""
        if self._running is not None:
            await asyncio.shield(self._running)

    def leave_if_stuck(self) -> None:
        """End the whole process now when a task ignores being stopped: its loop would wait for it for ever."""
        if self._worker.running:
            leave_at_once(UNCLEAN)

    async def _start(self) -> None:
        settings, enter = self._settings, self._stack.enter_async_context
        plan = worker_plan(settings)
        self._registry = plan.registry
        database_url = settings.database_url.get_secret_value()
        # first of all that is opened, and so the last that is given up
        self._stack.enter_context(served_alone(database_url))
        box = settings.secret_box(may_create=True)
        self._api_key = self._load_api_key()
        await migrate(database_url)
        opening = partial(open_store, database_url, secret_box=box)
        store = observed(await enter(opening(pool_size=settings.pool_size)), self._metrics.store)
        await bootstrap(store, self._api_key)
        broker = await enter(connecting(settings, self._metrics))
        frame = await enter(
            framed(
                _frame_plan(settings, plan.registry),
                self._shutdown,
                store=store,
                broker=broker,
                open_store=partial(opening, pool_size=HEART_CONNECTIONS),
                rescues=self._metrics.rescues,
                announcements=self._metrics.broker,
            )
        )
        self._worker = Worker(
            store, broker, frame.announcer, frame.owner, plan, self._metrics.worker, is_alive=frame.is_alive
        )
        self._notifier = Notifier(
            store,
            broker,
            frame.announcer,
            frame.owner,
            EgressPolicy(settings.callback_allow),
            notifier_plan(settings),
            observer=self._metrics.notifier,
            is_alive=frame.is_alive,
        )
        self._replayer = Replayer(store, frame.announcer)
        self._server = await self._open_server(store, broker, frame)
        self._running = asyncio.create_task(self._run(frame, store), name="embedded")

    def _load_api_key(self) -> str:
        given = self._settings.bootstrap_api_key
        if given is not None:
            return given.get_secret_value()
        return load_or_create_key_file(self._settings.data_folder / ADMIN_KEY_FILE, new_api_key)[0]

    async def _open_server(self, store: Store, broker: Broker, frame: Frame) -> ApiServer:
        settings, metrics = self._settings, self._metrics
        telemetry = ApiTelemetry(metrics.api, metrics.registry, metrics.batches.observer("accept"))
        deps = await self._stack.enter_async_context(
            open_dependencies(
                api_plan(settings),
                telemetry,
                store=store,
                broker=broker,
                announcer=frame.announcer,
                tasks=self._registry,
                on_replay=self._replayer.wake,
            )
        )
        server = ApiServer(build_app(deps), deps.readiness, settings.host, settings.port, drain_s=settings.drain_s)
        return await self._stack.enter_async_context(server)

    async def _run(self, frame: Frame, store: Store) -> None:
        components = _Staged([_FrontEnd(self._server), self._worker], self._notifier)
        await frame.run(self._shutdown, [components], [Sampler(store, self._metrics.samples), self._replayer])


class _Staged:
    """All components; the notifier stops last, so that the webhooks of the last jobs go out too."""

    def __init__(self, first: Sequence[Component], notifier: Notifier) -> None:
        self._first = first
        self._notifier = notifier

    async def run(self) -> None:
        """Run until stopped, the notifier until those before it have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._notifier.run(), name="notifier")
            async with asyncio.TaskGroup() as first:
                for component in self._first:
                    first.create_task(component.run(), name=type(component).__name__)
            self._notifier.finish()
            asyncio.get_running_loop().call_later(FINISH_S, self._notifier.stop)

    def stop(self) -> None:
        """Take nothing new, and finish what is in hand."""
        for component in self._first:
            component.stop()

    def stop_now(self) -> None:
        """Give back what is in hand."""
        for component in self._first:
            component.stop_now()
        self._notifier.stop_now()


class _FrontEnd:
    """The front end as a component that can also be stopped at once."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._hard = asyncio.Event()

    async def run(self) -> None:
        """Serve until stopped."""
        tasks = {asyncio.create_task(self._server.run(), name="api server"), asyncio.create_task(self._hard.wait())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Take no new connections, and finish the requests in hand."""
        self._server.stop()

    def stop_now(self) -> None:
        """Do not wait for the requests in hand."""
        self._hard.set()


def metrics_of(settings: Settings, role: Role) -> Metrics:
    """The metrics of a process of that role."""
    return Metrics(
        role=role.value,
        version=version("ringback"),
        store="sqlite" if settings.is_sqlite else "postgresql",
        broker="embedded" if settings.is_broker_embedded else "rabbitmq",
    )


def _with_port(settings: Settings) -> Settings:
    """The settings with a free port for 0: links must say which before anybody listens on it."""
    if settings.port:
        return settings
    with socket.create_server((settings.host, 0)) as probe:
        port = probe.getsockname()[1]
    public_url = settings.public_url.removesuffix(":0") + f":{port}"
    return settings.model_copy(
        update={"port": port, "public_url": public_url if settings.public_url.endswith(":0") else settings.public_url}
    )


def _frame_plan(settings: Settings, registry: Registry) -> FramePlan:
    return FramePlan(
        Role.SERVE,
        version("ringback"),
        settings.public_url,
        settings.queue_names,
        tuple(registry),
        settings.heartbeat_s,
        rescue_plan(settings),
        retention(settings),
    )
