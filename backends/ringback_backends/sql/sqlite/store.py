"""The store over SQLite."""

from ringback_backends.sql.arming import ArmingQueries
from ringback_backends.sql.audit import AuditQueries
from ringback_backends.sql.deliveries import DeliveryQueries
from ringback_backends.sql.endpoints import EndpointQueries
from ringback_backends.sql.feed import FeedQueries
from ringback_backends.sql.instances import InstanceQueries
from ringback_backends.sql.jobs import JobQueries
from ringback_backends.sql.keys import KeyQueries
from ringback_backends.sql.lines import LineQueries
from ringback_backends.sql.replays import ReplayQueries
from ringback_backends.sql.retention import RetentionQueries
from ringback_backends.sql.schema import SchemaQueries
from ringback_backends.sql.signing import SecretBox
from ringback_backends.sql.sqlite.accept import SqliteAccept
from ringback_backends.sql.sqlite.claims import SqliteClaims
from ringback_backends.sql.sqlite.deliveries import SqliteDeliveries
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_backends.sql.sqlite.feed import SqliteFeed
from ringback_backends.sql.sqlite.finish import SqliteFinish
from ringback_backends.sql.sqlite.lanes import SqliteLanes
from ringback_backends.sql.sqlite.recording import SqliteRecording
from ringback_backends.sql.telling import EventQueries
from ringback_backends.sql.tenants import TenantQueries


class SqliteStore(
    SqliteAccept,
    SqliteClaims,
    SqliteFinish,
    SqliteDeliveries,
    SqliteRecording,
    SqliteLanes,
    SqliteFeed,
    JobQueries,
    DeliveryQueries,
    LineQueries,
    EventQueries,
    FeedQueries,
    EndpointQueries,
    ArmingQueries,
    AuditQueries,
    ReplayQueries,
    RetentionQueries,
    InstanceQueries,
    TenantQueries,
    KeyQueries,
    SchemaQueries,
):
    """Fulfils ``Store``: set-based statements over the bare driver, the rest in SQLAlchemy Core."""

    def __init__(self, database: SqliteDatabase, secret_box: SecretBox) -> None:
        """Closes the database at its end."""
        self._sqlite = database
        self._database = database
        self._secret_box = secret_box

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._database.close()
