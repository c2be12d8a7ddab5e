"""The store over SQLite."""

from ringback_backends.sql.shared_store import SharedStore
from ringback_backends.sql.signing import SecretBox
from ringback_backends.sql.sqlite.accept import SqliteAccept
from ringback_backends.sql.sqlite.claims import SqliteClaims
from ringback_backends.sql.sqlite.deliveries import SqliteDeliveries
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_backends.sql.sqlite.feed import SqliteFeed
from ringback_backends.sql.sqlite.finish import SqliteFinish
from ringback_backends.sql.sqlite.lanes import SqliteLanes
from ringback_backends.sql.sqlite.recording import SqliteRecording


class SqliteStore(
    SqliteAccept,
    SqliteClaims,
    SqliteFinish,
    SqliteDeliveries,
    SqliteRecording,
    SqliteLanes,
    SqliteFeed,
    SharedStore,
):
    """Fulfils ``Store``: set-based statements over the bare driver, the rest in SQLAlchemy Core."""

    def __init__(self, database: SqliteDatabase, secret_box: SecretBox) -> None:
        """Closes the database at its end."""
        super().__init__(database, secret_box)
        self._sqlite = database
