"""Pages of a list: keyset, newest first, with a link to the next one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aiohttp import web

from ringback_service.api.calls import Call
from ringback_service.api.cursors import binding_of, read_cursor, write_cursor


class HasId(Protocol):
    """A row of a list."""

    @property
    def id(self) -> str:
        """What the list is ordered by."""


Id = TypeVar("Id", bound=str)
Row = TypeVar("Row", bound=HasId)

ReadRows = Callable[[Id | None, int], Awaitable[Sequence[Row]]]
"""Reads rows, newest first: those after an id, or from the first one on; at most so many."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list."""

    rows: Sequence[Row]
    next_url: str | None
    """URL of the page after these; absent when there is none."""

    @property
    def headers(self) -> dict[str, str]:
        """The ``Link`` header (RFC 8288) to the next page; none on the last one."""
        return {} if self.next_url is None else {"Link": f'<{self.next_url}>; rel="next"'}


@dataclass(frozen=True, slots=True)
class Place(Generic[Id]):
    """Where in a list a request stands."""

    request: web.Request
    after: Id | None
    """The id after which the page begins; absent on the first one."""
    binding: bytes
    limit: int

    @classmethod
    def of(cls, call: Call, kind: str, to_id: Callable[[str], Id], limit: int) -> "Place[Id]":
        """The place that the request's parameters name.

        Args:
            call: The request.
            kind: That of the ids in the list.
            to_id: Makes such an id of its text.
            limit: Most rows on a page.

        Raises:
            Refused: the cursor is not one of this list.
        """
        query = call.request.query
        filters = [(name, value) for name, value in query.items() if name not in {"cursor", "limit"}]
        binding = binding_of(call.tenant_id, call.request.path, filters)
        cursor = query.get("cursor")
        after = None if cursor is None else to_id(read_cursor(cursor, kind, binding))
        return cls(call.request, after, binding, limit)

    async def page(self, read: ReadRows[Id, Row], public_url: str) -> Page[Row]:
        """The page that begins here. Raises what ``read`` raises."""
        # one row more than is shown tells whether there is a next page
        rows = await read(self.after, self.limit + 1)
        shown = rows[: self.limit]
        return Page(shown, None if len(rows) <= self.limit else self._url_after(shown[-1], public_url))

    def _url_after(self, last: HasId, public_url: str) -> str:
        cursor = write_cursor(last.id, self.binding)
        return public_url + str(self.request.rel_url.update_query(cursor=cursor))
