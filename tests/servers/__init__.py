"""Real servers for tests: private ones started from installed binaries, or those that somebody names.

``RabbitServer`` and ``PostgresServer`` may also be made by a test of its own, to be stopped, killed and wiped there.
"""

from tests.servers.cluster import RabbitCluster
from tests.servers.databases import fresh_database
from tests.servers.needs import needed
from tests.servers.postgres import PostgresServer
from tests.servers.programs import ServerMissing
from tests.servers.rabbit import RabbitServer
from tests.servers.vhosts import fresh_vhost

__all__ = [
    "PostgresServer",
    "RabbitCluster",
    "RabbitServer",
    "ServerMissing",
    "fresh_database",
    "fresh_vhost",
    "needed",
]
