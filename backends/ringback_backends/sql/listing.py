"""Lists that go by id: ids tell their age, so this is newest first, and a place in it stays where it is."""

from typing import Any

from sqlalchemy import ColumnElement, Select


def newest_first(query: Select[Any], ids: ColumnElement[str], before: str | None, limit: int) -> Select[Any]:
    """The first rows of the query that are older than ``before``, or at all when it is absent."""
    if before is not None:
        query = query.where(ids < before)
    return query.order_by(ids.desc()).limit(limit)
