"""Where this session's servers come from: named by the environment, installed here, or out of containers.

``python -m tests.servers.provision`` makes them ready beforehand: it installs what a Debian machine lacks when it may.
Tests themselves never install anything, so that their time-outs mean something.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from tests.servers import compose, programs
from tests.servers.postgres import PostgresServer
from tests.servers.rabbit import RabbitServer

ADVICE = "`make test` as root on Debian installs it; so does a package manager; a running Docker engine will do too"
NODE_PACKAGES = {"node": "nodejs", "npm": "npm"}
"""Commands that receivers in JavaScript need, with their Debian packages; no container stands in for them."""


@dataclass(frozen=True, slots=True)
class RabbitAddresses:
    """Where a RabbitMQ is."""

    url: str
    management_url: str
    """With user and password, without a slash at its end."""


@contextmanager
def rabbit_addresses() -> Iterator[RabbitAddresses]:
    """A RabbitMQ for this session, ended with it unless it was there before.

    Raises:
        ServerMissing: none can be had.
    """
    named = os.environ.get("RINGBACK_TEST_AMQP_URL")
    if named:
        yield RabbitAddresses(named, os.environ.get("RINGBACK_TEST_MANAGEMENT_URL") or _usual_management(named))
    elif programs.rabbitmq_server() and programs.epmd():
        with RabbitServer() as server:
            yield RabbitAddresses(server.url, server.management_url)
    elif compose.is_usable():
        with compose.rabbitmq() as (url, management_url):
            yield RabbitAddresses(url, management_url)
    else:
        raise programs.ServerMissing("RabbitMQ", ADVICE)


@contextmanager
def postgres_address() -> Iterator[str]:
    """The address of a PostgreSQL for this session, whose user may create databases; ended with the session.

    Raises:
        ServerMissing: none can be had.
    """
    named = os.environ.get("RINGBACK_TEST_DATABASE_URL")
    if named:
        yield named
    elif programs.postgres_folder():
        with PostgresServer() as server:
            yield server.url
    elif compose.is_usable():
        with compose.postgres() as url:
            yield url
    else:
        raise programs.ServerMissing("PostgreSQL", ADVICE)


def _usual_management(url: str) -> str:
    """RabbitMQ's management port is 10,000 above its AMQP port unless somebody said otherwise."""
    parts = urlsplit(url)
    user = f"{parts.username}:{parts.password}" if parts.username else "guest:guest"
    return urlunsplit(("http", f"{user}@{parts.hostname}:{(parts.port or 5672) + 10_000}", "", "", ""))


def missing_packages() -> list[str]:
    """The Debian packages that would bring what neither the environment names nor this machine has."""
    packages = []
    if not os.environ.get("RINGBACK_TEST_AMQP_URL") and not programs.rabbitmq_server():
        packages.append("rabbitmq-server")
    if not os.environ.get("RINGBACK_TEST_DATABASE_URL") and not programs.postgres_folder():
        packages.append("postgresql")
    return packages + [package for command, package in NODE_PACKAGES.items() if not shutil.which(command)]


def install(packages: list[str]) -> None:
    """Install Debian packages without starting the services they bring.

    Raises:
        CalledProcessError: apt-get failed; it has said why.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *arguments], check=True, env=environment, stdin=subprocess.DEVNULL)


def main() -> int:
    """Make servers ready for the tests; 0 also when there are none to be had, for the tests say that themselves."""
    packages = missing_packages()
    if not packages:
        return 0
    sys.stdout.write(f"for the tests: {', '.join(packages)}\n")
    sys.stdout.flush()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install(packages)
    elif compose.is_usable() and not set(packages) <= set(NODE_PACKAGES.values()):
        compose.pull()
    else:
        sys.stdout.write(f"not to be had here; tests that need it will be skipped. {ADVICE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
