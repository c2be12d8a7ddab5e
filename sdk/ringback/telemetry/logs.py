"""Logs: structlog to standard error, JSON for machines and columns for people; the standard library's come along.

One line per attempt of a job or a delivery is a line per millisecond under load, so ours go straight to the stream,
past the standard library's machinery.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]
Count = Callable[[str], None]
"""Told the level of each line."""

QUIET = ("aiohttp.access", "alembic", "asyncio", "sqlalchemy")
"""Loggers of libraries that are heard from warnings up only: they tell what we tell better, or nothing."""

SILENT = ("aio_pika", "aiormq")
"""Never heard: to them a broker that restarts is an error with a traceback. To us it is a reconnect, and we log it."""


def configure(
    level: str = "info", log_format: LogFormat = "auto", *, stream: TextIO | None = None, count: Count | None = None
) -> None:
    """Set up logging for this process; the newest call counts. For composition roots only.

    ``stream`` is standard error unless given.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    is_console = log_format == "console" or (log_format == "auto" and (stream or sys.stderr).isatty())
    before = _before(count)
    renderers = _renderers(is_console=is_console)
    structlog.configure(
        processors=[*before, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Lines.factory(stream),
        cache_logger_on_first_use=False,
    )
    _configure_standard_library(number, before, renderers, stream)


class _Lines:
    """Writes each line whole, at once. The stream is looked up each time: standard error may be exchanged."""

    def __init__(self, name: str, stream: TextIO | None) -> None:
        self.name = name
        self._stream = stream

    @classmethod
    def factory(cls, stream: TextIO | None) -> Callable[..., "_Lines"]:
        """What makes one for each name."""
        return lambda *names: cls(names[0] if names else "ringback", stream)

    def write(self, line: str) -> None:
        """Write a line; one that cannot be written is lost, for nothing must fail because of its log."""
        stream = self._stream or sys.stderr
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = msg = log = write


def _configure_standard_library(
    number: int, before: Sequence[Processor], renderers: Sequence[Processor], stream: TextIO | None
) -> None:
    handler = logging.StreamHandler(stream or sys.stderr)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=[strip, *renderers]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _before(count: Count | None) -> list[Processor]:
    def counted(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if count is not None:
            count(str(event.get("level", method)))
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        counted,
    ]


def _renderers(*, is_console: bool) -> list[Processor]:
    if is_console:
        return [structlog.dev.ConsoleRenderer(timestamp_key="at", sort_keys=False)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]


def _to_json(event: EventDict, **_: Any) -> str:
    event = {"at": event.pop("at", None), "level": event.pop("level", None), "event": event.pop("event", None), **event}
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
