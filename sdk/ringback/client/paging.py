"""From one page of a list to the next."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qsl, urlsplit

import orjson

from ringback.client.transport import Transport

PAGE = 100


async def pages(transport: Transport, path: str, query: Sequence[tuple[str, str]]) -> AsyncIterator[bytes]:
    """The bodies of the pages, one after the other, for as long as there are more and somebody asks."""
    wanted = [*query, ("limit", str(PAGE))]
    while True:
        answer = await transport.request("GET", path, query=wanted)
        yield answer.body
        following = orjson.loads(answer.body)["next"]
        if following is None:
            return
        # only its parameters: the API may know itself by another name than we know it by
        wanted = parse_qsl(urlsplit(following).query, keep_blank_values=True)
