"""The store over PostgreSQL."""

from typing import Self

from ringback_backends.sql.postgres.accept import PostgresAccept
from ringback_backends.sql.postgres.claims import PostgresClaims
from ringback_backends.sql.postgres.deliveries import PostgresDeliveries
from ringback_backends.sql.postgres.engine import PostgresDatabase
from ringback_backends.sql.postgres.feed import PostgresFeed
from ringback_backends.sql.postgres.finish import PostgresFinish
from ringback_backends.sql.postgres.lanes import PostgresLanes
from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.postgres.recording import PostgresRecording
from ringback_backends.sql.shared_store import SharedStore
from ringback_backends.sql.signing import SecretBox


class PostgresStore(
    PostgresAccept,
    PostgresClaims,
    PostgresFinish,
    PostgresDeliveries,
    PostgresRecording,
    PostgresLanes,
    PostgresFeed,
    SharedStore,
):
    """Fulfils ``Store``: set-based statements over a pool of their own, the rest in SQLAlchemy Core."""

    def __init__(self, pool: Pool, database: PostgresDatabase, secret_box: SecretBox) -> None:
        """Closes both at its end."""
        super().__init__(database, secret_box)
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, size: int, secret_box: SecretBox, deadline_s: float) -> Self:
        """A store with at most ``size`` connections (at least 2), opened when first needed."""
        rest = max(1, size // 2)
        pool = Pool(dsn, max(1, size - rest), deadline_s)
        await pool.open()
        return cls(pool, PostgresDatabase(dsn, rest, deadline_s=deadline_s), secret_box)

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._pool.close()
        await super().close()
