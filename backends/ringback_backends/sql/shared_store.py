"""What both stores are made of beside the statements of their own."""

from ringback_backends.sql.arming import ArmingQueries
from ringback_backends.sql.audit import AuditQueries
from ringback_backends.sql.database import Database
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
from ringback_backends.sql.telling import EventQueries
from ringback_backends.sql.tenants import TenantQueries


class SharedStore(
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
    """The queries that are the same for both databases. Not yet a ``Store``: accepting, claiming, finishing are not."""

    def __init__(self, database: Database, secret_box: SecretBox) -> None:
        """Closes the database at its end."""
        self._database = database
        self._secret_box = secret_box

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._database.close()
