"""Many rows in few steps.

Each step of a SQLite statement lets go of Python's global lock and has to get it back, which takes up to five
milliseconds while the event loop is busy. So rows go in many to a statement, and come out as one JSON text.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import orjson

_SIZES = (64, 16, 4, 1)
"""Rows per statement: few sizes, so that each is prepared once, and small enough for SQLite's 32,766 parameters."""


class Insert:
    """``INSERT`` of any number of rows into one table."""

    def __init__(self, table: str, *columns: str) -> None:
        """The rows' values come in the order of the columns."""
        row = f"({', '.join('?' * len(columns))})"
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - names are ours
        self._statements = [(size, head + ", ".join([row] * size)) for size in _SIZES]

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the rows; none at all is fine."""
        start = 0
        for size, statement in self._statements:
            while len(rows) - start >= size:
                connection.execute(statement, list(chain.from_iterable(rows[start : start + size])))
                start += size


def rows_of(connection: sqlite3.Connection, query: str, *parameters: Any) -> list[list[Any]]:
    """The rows of a query that answers one JSON list of lists; in any order, for an aggregate promises none."""
    (text,) = connection.execute(query, parameters).fetchone()
    rows: list[list[Any]] = orjson.loads(text)
    return rows


def in_order(rows: Sequence[list[Any]], ids: Sequence[str]) -> list[list[Any]]:
    """The rows, which begin with an id, in the order of the ids."""
    places = {row_id: place for place, row_id in enumerate(ids)}
    return sorted(rows, key=lambda row: places[row[0]])


def listed(values: Sequence[str]) -> str:
    """The values as a parameter for ``json_each``."""
    return orjson.dumps(values).decode()
