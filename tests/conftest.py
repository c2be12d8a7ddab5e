"""Fixtures for every test: real servers, one of each for the whole session, and a place of one's own on them.

What several folders need beside them is here, too: the libraries that verify webhooks.

Where a server cannot be had, the tests that need it are skipped with the reason, and fail instead where ``CI`` is set.
Property tests have no deadline of their own: on a busy machine any example may take a second.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.receivers import libraries
from tests.receivers.libraries import Library
from tests.receivers.programs import install_modules
from tests.servers import fresh_database, fresh_vhost, needed
from tests.servers.provision import RabbitAddresses, postgres_address, rabbit_addresses

# on top of Hypothesis's own profile, which in CI is another one
settings.register_profile("any speed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitAddresses]:
    """A RabbitMQ with its management API; shared, so never stopped and never emptied."""
    with needed(rabbit_addresses) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def amqp_url(rabbit: RabbitAddresses) -> Iterator[str]:
    """A virtual host for this session on a real RabbitMQ."""
    with fresh_vhost(rabbit.url, rabbit.management_url) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """A PostgreSQL whose user may create databases; shared, so never stopped."""
    with needed(postgres_address) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database for this session on a real PostgreSQL."""
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="module")
def module_amqp_url(rabbit: RabbitAddresses) -> Iterator[str]:
    """A virtual host for this module alone."""
    with fresh_vhost(rabbit.url, rabbit.management_url) as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database for this module alone."""
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the receiver in JavaScript and its packages."""
    with needed(lambda: install_modules(tmp_path_factory.mktemp("express"))) as folder:
        yield folder


@pytest.fixture(scope="session")
def javascript_library(node_modules: Path) -> Library:
    """The official library that verifies webhooks, for Node.js."""
    return libraries.javascript_library(node_modules)


@pytest.fixture(params=["python", "javascript"])
def library(request: pytest.FixtureRequest) -> Library:
    """Each official library in turn."""
    if request.param == "python":
        return libraries.python_library
    javascript: Library = request.getfixturevalue("javascript_library")
    return javascript
