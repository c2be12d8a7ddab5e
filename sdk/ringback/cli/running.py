"""Running processes: settings, logs and metrics first, then the process's own composition root, under uvloop."""

import asyncio
import gc
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import typer
import uvloop

from ringback.cli.exits import Exit, exit_of
from ringback.cli.problems import sentences
from ringback.embedded import Embedded, metrics_of
from ringback.settings import Settings, load_settings
from ringback.telemetry import logs
from ringback.telemetry.metrics import Metrics
from ringback_backends.lease.drain import Shutdown, StoppedEarly, leave_at_once
from ringback_schemas.errors import RingbackError
from ringback_schemas.instances import Role

STUCK_AFTER_S = 2.0

Main = Callable[[Settings, Metrics, Shutdown], Coroutine[Any, Any, int]]
"""A composition root."""


def run_embedded(**overrides: Any) -> int:
    """``ringback serve``."""
    from ringback.cli.welcome import welcome

    async def serve(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> int:
        service = Embedded(settings, metrics=metrics, shutdown=shutdown)
        try:
            async with service:
                typer.echo(welcome(service, settings))
                await service.wait()
        except StoppedEarly:
            return Exit.DONE
        service.leave_if_stuck()
        return service.exit_code

    return _run(Role.SERVE, overrides, serve)


def run_front_end(**overrides: Any) -> int:
    """``ringback api``."""
    from ringback_service.main_api import run_api

    async def serve(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> int:
        await run_api(settings, metrics, shutdown)
        return Exit.DONE

    return _run(Role.API, overrides, serve)


def run_worker_process(**overrides: Any) -> int:
    """``ringback worker``."""
    from ringback_service.main_worker import run_worker

    return _run(Role.WORKER, overrides, run_worker)


def run_notifier_process(**overrides: Any) -> int:
    """``ringback notifier``."""
    from ringback_notifier.main import run_notifier

    return _run(Role.NOTIFIER, overrides, run_notifier)


def run_migration() -> str:
    """``ringback migrate``; the schema's revision."""
    from ringback_backends.sql import migrate

    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    return uvloop.run(migrate(settings.database_url.get_secret_value()))


def _run(role: Role, overrides: dict[str, Any], main: Main) -> int:
    """Run a process until SIGTERM or SIGINT; its exit code."""
    settings = load_settings(**overrides)
    metrics = metrics_of(settings, role)
    logs.configure(settings.log_level, settings.log_format, count=metrics.on_log)

    async def until_stopped() -> int:
        shutdown = Shutdown()
        with shutdown.on_signals():
            try:
                return await main(settings, metrics, shutdown)
            except Exception as error:
                if await _is_stuck():
                    leave_at_once(_tell(error))
                raise

    _spare_the_collector()
    return uvloop.run(until_stopped())


async def _is_stuck() -> bool:
    """Whether something that is left on the loop goes on in spite of being cancelled: the loop would wait for it."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    return bool(left) and bool((await asyncio.wait(left, timeout=STUCK_AFTER_S))[1])


def _tell(error: Exception) -> int:
    """Say what ended the process; its exit code. For when the error cannot go up to whoever tells it otherwise."""
    if not isinstance(error, RingbackError):
        traceback.print_exception(error)
        return Exit.BAD
    for line in sentences(error):
        typer.echo(line, err=True)
    return exit_of(error)


def _spare_the_collector() -> None:
    """Collect garbage seldom: a request makes hundreds of objects and next to no cycles.

    With CPython's own thresholds a notifier spends a fifth of its time looking through modules and classes that never
    die (docs/benchmarks.md). These are set aside, and the young are looked through every 20,000 instead of every 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
