"""Servers out of the repository's docker-compose.yml, for machines that have an engine and no binaries."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import free_port

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "ringback-tests"


def is_usable() -> bool:
    """Whether an engine answers and ``docker compose`` is there."""
    if shutil.which("docker") is None:
        return False
    return all(_docker(question).returncode == 0 for question in (["info"], ["compose", "version"]))


def pull() -> None:
    """Fetch the images, which takes longer than a test may."""
    _docker(["compose", "pull", "-q", "--ignore-pull-failures", "rabbitmq", "postgres"], within_s=900)


@contextmanager
def rabbitmq() -> Iterator[tuple[str, str]]:
    """The AMQP address and the management address of a RabbitMQ in a container."""
    port, management_port = free_port(), free_port()
    ports = {"RABBITMQ_PORT": str(port), "RABBITMQ_MANAGEMENT_PORT": str(management_port)}
    with _service("rabbitmq", {"RABBITMQ_PASSWORD": PASSWORD, **ports}):
        yield f"amqp://ringback:{PASSWORD}@127.0.0.1:{port}/", f"http://ringback:{PASSWORD}@127.0.0.1:{management_port}"


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL in a container."""
    port = free_port()
    with _service("postgres", {"POSTGRES_PASSWORD": PASSWORD, "POSTGRES_PORT": str(port)}):
        yield f"postgresql://ringback:{PASSWORD}@127.0.0.1:{port}/ringback"


@contextmanager
def _service(name: str, settings: Mapping[str, str]) -> Iterator[None]:
    """One service in a project of this session's own, gone with its volumes at the end."""
    project = ["compose", "-p", f"ringback-tests-{name}-{os.getpid()}"]
    try:
        started = _docker([*project, "up", "-d", "--wait", name], settings, within_s=300)
        if started.returncode != 0:
            raise AssertionError(f"docker compose up {name} failed:\n{started.stderr.decode(errors='replace')[-2000:]}")
        yield
    finally:
        _docker([*project, "down", "-v", "--timeout", "5"], settings, within_s=120)


def _docker(
    arguments: list[str], settings: Mapping[str, str] | None = None, within_s: float = 30
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", *arguments],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=within_s,
        cwd=REPOSITORY,
        env={**os.environ, **(settings or {})},
    )
