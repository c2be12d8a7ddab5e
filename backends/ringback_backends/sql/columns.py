"""Column types that mean the same in both databases, and their clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Name = Text().with_variant(Text(collation="C"), "postgresql")
"""An id, a state or another word for programs: compared by bytes, which is quicker than by a language's rules."""


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment, aware and in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


class Moment(TypeDecorator[datetime]):
    """``timestamptz`` in PostgreSQL; microseconds since 1970 in SQLite, which has no type for times."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type in that database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What the driver gets."""
        if value is None or dialect.name == "postgresql":
            return value
        return to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """What the program gets: aware and in UTC."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            moment: datetime = value
            return moment.astimezone(UTC)
        return from_microseconds(value)


class now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock at the start of the transaction."""

    type = Moment()
    inherit_cache = True


class now_minus(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """So many seconds before ``now()``."""

    type = Moment()
    inherit_cache = True


class microseconds_before(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """A moment, and how many microseconds before it: exact, and the same for every row of a statement."""

    type = Moment()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgres(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "now()"


@compiles(now, "sqlite")
def _now_sqlite(_element: now, _compiler: SQLCompiler, **_: Any) -> str:
    return "ringback_now()"


@compiles(now_minus, "postgresql")
def _now_minus_postgres(element: now_minus, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(now() - make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(now_minus, "sqlite")
def _now_minus_sqlite(element: now_minus, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(ringback_now() - CAST({compiler.process(element.clauses, **kw)} * 1000000 AS INTEGER))"


@compiles(microseconds_before, "postgresql")
def _before_postgres(element: microseconds_before, compiler: SQLCompiler, **kw: Any) -> str:
    moment, microseconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({moment} - ({microseconds}) * interval '1 microsecond')"


@compiles(microseconds_before, "sqlite")
def _before_sqlite(element: microseconds_before, compiler: SQLCompiler, **kw: Any) -> str:
    moment, microseconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({moment} - ({microseconds}))"
