"""What may come out of a store or a broker. Drivers' own errors never do: they are translated once, at the edge.

RingbackError
├── StoreError
│   ├── StoreUnavailable    away, too slow, out of space or read-only: trying again may help
│   ├── StoreTaken          another process has the file to itself
│   ├── RowRefused          the database will not have a value of this row: trying again will not help
│   ├── SecretUnreadable    one secret opens with no key that is known: whoever needs it fails, nobody else
│   └── SchemaMismatch      migrate first, or this program is older than the schema
└── BrokerError
    ├── BrokerUnavailable   away, blocked or too slow: the poller carries on
    └── BrokerMisfit        a queue or exchange exists with other arguments; says which and how they differ
"""

from ringback_schemas.errors import RingbackError


class StoreError(RingbackError):
    """Whatever a store raises."""


class StoreUnavailable(StoreError):
    """The store did not answer as it should; the transaction may or may not have been committed."""

    def __init__(self, operation: str, reason: str, *, remedy: str = "") -> None:
        """``remedy`` says what is to be done about it, when that is known. It names nothing, so anybody may read it."""
        told = f"{remedy} ({reason})" if remedy else reason
        super().__init__(f"store unavailable during {operation}: {told}")
        self.operation = operation
        self.remedy = remedy


class StoreTaken(StoreError):
    """Another process serves from this file, and must be the only one."""

    def __init__(self, path: str, holder: str) -> None:
        who = f" ({holder})" if holder else ""
        super().__init__(
            f"another `ringback serve` works on {path} already{who}: stop that one first, "
            "or name another file in RINGBACK_DATABASE_URL"
        )


class RowRefused(StoreError):
    """The database refused a value; nothing of the call was stored."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"the store refused a value during {operation}: {reason}")


class SecretUnreadable(StoreError):
    """Something encrypted cannot be read."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot be read: {reason}")


class SchemaMismatch(StoreError):
    """The schema in the database is not the one this program knows."""

    def __init__(self, found: str | None, wanted: str) -> None:
        advice = "run `ringback migrate`" if found is None or found < wanted else "this program is too old for it"
        super().__init__(f"the database schema is {found or 'absent'}, this program needs {wanted}: {advice}")


class BrokerError(RingbackError):
    """Whatever a broker raises."""


class BrokerUnavailable(BrokerError):
    """The broker did not take the message in time; it may have it all the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"broker unavailable: {reason}")


class BrokerMisfit(BrokerError):
    """A queue or exchange exists with other arguments than wanted."""

    def __init__(self, name: str, difference: str) -> None:
        super().__init__(f"{name} exists, but differs: {difference}")
