"""Pages of a list: keyset, newest first, with a link to the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from ringback_service.api.calls import Call
from ringback_service.api.cursors import binding_of, read_cursor, write_cursor


class HasId(Protocol):
    """A row of a list."""

    @property
    def id(self) -> str:
        """What the list is ordered by."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list a request stands."""

    request: web.Request
    kind: str
    binding: bytes
    limit: int

    @classmethod
    def of(cls, call: Call, kind: str, limit: int) -> "Place":
        """The place that the request's parameters name; ``kind`` is that of the ids in the list."""
        query = call.request.query
        filters = [(name, value) for name, value in query.items() if name not in {"cursor", "limit"}]
        return cls(call.request, kind, binding_of(call.tenant_id, call.request.path, filters), limit)

    @property
    def after(self) -> str | None:
        """The id after which the page begins; absent on the first one.

        Raises:
            Refused: the cursor is not one of this list.
        """
        cursor = self.request.query.get("cursor")
        return None if cursor is None else read_cursor(cursor, self.kind, self.binding)

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than are shown tells whether there is a next page."""
        return self.limit + 1

    def next_url(self, public_url: str, rows: Sequence[HasId]) -> str | None:
        """URL of the page after these rows, of which up to ``fetch`` were read; absent when there is none."""
        if len(rows) <= self.limit:
            return None
        cursor = write_cursor(rows[self.limit - 1].id, self.binding)
        return public_url + str(self.request.rel_url.update_query(cursor=cursor))


def link_header(next_url: str | None) -> dict[str, str]:
    """The ``Link`` header (RFC 8288) of a page; none on the last one."""
    return {} if next_url is None else {"Link": f'<{next_url}>; rel="next"'}
