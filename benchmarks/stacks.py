"""The stacks that are compared: which processes each is made of, started how."""

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
PEER_BIN = HERE / ".venv" / "bin"
API_KEY = "rbk_bench_0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stack is put up: its own database, virtual host, port and folder."""

    database_url: str
    broker_url: str
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Of the stack's API."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Role:
    """One process of a stack; its children count with it."""

    name: str
    command: tuple[str, ...]
    cwd: Path = HERE


@dataclass(frozen=True, slots=True)
class Stack:
    """A way to do the same work."""

    name: str
    title: str
    roles: Callable[[Site], list[Role]]
    environment: Callable[[Site], Mapping[str, str]]
    before: Callable[[Site], Role] | None = None
    """Run to its end before the rest; without it the tables of ``schema.sql`` are made."""
    has_tables: bool = True
    key: str = "none"
    is_ringback: bool = False
    is_peer: bool = False
    packages: tuple[str, ...] = field(default=())
    """Whose versions tell what was measured."""


def _bench_environment(site: Site) -> Mapping[str, str]:
    return {
        "BENCH_DATABASE_URL": site.database_url,
        "BENCH_BROKER_URL": site.broker_url,
        "BENCH_PORT": str(site.port),
        # for signing.py, which the receiver shares
        "PYTHONPATH": str(HERE),
    }


def _bare(script: str) -> Callable[[Site], list[Role]]:
    folder = HERE / "bare"
    return lambda _: [Role(role, (PYTHON, script, role), folder) for role in ("api", "worker", "notifier")]


def _uvicorn(app: str, site: Site) -> Role:
    command = (str(PEER_BIN / "uvicorn"), f"{app}:api", "--port", str(site.port), "--no-access-log")
    return Role("api", (*command, "--log-level", "warning"), HERE / "peers")


def _celery(site: Site) -> list[Role]:
    # one worker for both queues, with as many processes as gave the best whole road here
    worker = (str(PEER_BIN / "celery"), "-A", "celery_app:celery", "worker", "-Q", "jobs,webhooks")
    options = ("--concurrency", "4", "--loglevel", "WARNING")
    return [_uvicorn("celery_app", site), Role("worker", (*worker, *options), HERE / "peers")]


def _taskiq(site: Site) -> list[Role]:
    worker = (str(PEER_BIN / "taskiq"), "worker", "taskiq_app:broker", "--workers", "1", "--log-level", "WARNING")
    return [_uvicorn("taskiq_app", site), Role("worker", worker, HERE / "peers")]


def _dramatiq(site: Site) -> list[Role]:
    worker = (str(PEER_BIN / "dramatiq"), "dramatiq_app", "--processes", "2", "--threads", "8")
    return [_uvicorn("dramatiq_app", site), Role("worker", worker, HERE / "peers")]


def _ringback(*arguments: str) -> tuple[str, ...]:
    return (str(Path(PYTHON).with_name("ringback")), *arguments)


def _ringback_environment(site: Site) -> dict[str, str]:
    return {
        "RINGBACK_DATABASE_URL": site.database_url,
        "RINGBACK_BROKER_URL": site.broker_url,
        "RINGBACK_PORT": str(site.port),
        "RINGBACK_BOOTSTRAP_API_KEY": API_KEY,
        "RINGBACK_ENCRYPTION_KEYS": json.dumps([base64.urlsafe_b64encode(bytes(range(32))).decode()]),
        # the receiver is on this machine
        "RINGBACK_CALLBACK_ALLOW": '["127.0.0.0/8"]',
    }


def _embedded_environment(site: Site) -> Mapping[str, str]:
    own = {"RINGBACK_DATABASE_URL": f"sqlite:///{site.folder}/ringback.sqlite", "RINGBACK_BROKER_URL": "embedded"}
    return {**_ringback_environment(site), **own}


_RINGBACK_PACKAGES = ("aiohttp", "aio-pika", "asyncpg", "SQLAlchemy", "pydantic", "uvloop")
_BARE_PACKAGES = ("aiohttp", "aio-pika", "asyncpg", "uvloop")

STACKS = [
    Stack(
        "ringback",
        "Ringback (RabbitMQ, PostgreSQL)",
        lambda site: [Role(role, _ringback(role), site.folder) for role in ("api", "worker", "notifier")],
        _ringback_environment,
        before=lambda site: Role("migrate", _ringback("migrate"), site.folder),
        has_tables=False,
        key=API_KEY,
        is_ringback=True,
        packages=_RINGBACK_PACKAGES,
    ),
    Stack(
        "ringback-embedded",
        "Ringback embedded (SQLite, one process)",
        lambda site: [Role("serve", _ringback("serve"), site.folder)],
        _embedded_environment,
        has_tables=False,
        key=API_KEY,
        is_ringback=True,
        packages=("aiohttp", "SQLAlchemy", "pydantic", "uvloop"),
    ),
    Stack(
        "bare-batched",
        "Bare scripts, envelopes, group commits",
        _bare("batched.py"),
        _bench_environment,
        packages=_BARE_PACKAGES,
    ),
    Stack(
        "bare-per-job",
        "Bare scripts, one message a job",
        _bare("per_job.py"),
        _bench_environment,
        packages=_BARE_PACKAGES,
    ),
    Stack(
        "celery",
        "FastAPI + Celery",
        _celery,
        _bench_environment,
        is_peer=True,
        packages=("fastapi", "uvicorn", "celery", "psycopg", "requests"),
    ),
    Stack(
        "taskiq",
        "FastAPI + Taskiq",
        _taskiq,
        _bench_environment,
        is_peer=True,
        packages=("fastapi", "uvicorn", "taskiq", "taskiq-aio-pika", "asyncpg", "aiohttp"),
    ),
    Stack(
        "dramatiq",
        "FastAPI + Dramatiq",
        _dramatiq,
        _bench_environment,
        is_peer=True,
        packages=("fastapi", "uvicorn", "dramatiq", "pika", "psycopg", "requests"),
    ),
]


def named(name: str) -> Stack:
    """The stack of that name; there must be one."""
    return next(stack for stack in STACKS if stack.name == name)
