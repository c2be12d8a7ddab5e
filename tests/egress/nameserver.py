"""A DNS server on loopback that says what a test wants, a different thing each time if need be, and who asks it.

Built on dnspython, so that both ends speak the real protocol, and none of it is ours.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP from entering to leaving; every answer may be kept for 0 s."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Name and type of each question, such as ``evil.example A``."""
        self._records: dict[tuple[str, dns.rdatatype.RdataType], deque[Sequence[str]]] = {}
        self._aliases: dict[str, str] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        """Begin to answer."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._transport is not None
        self._transport.close()

    def host(self, name: str, *answers: Sequence[str]) -> None:
        """Let a name have these addresses, IPv4 and IPv6 mixed: first the first list, then the next; the last stays."""
        for kind in _ADDRESSES:
            self._records[name, kind] = deque(_of(kind, addresses) for addresses in answers)

    def alias(self, name: str, target: str) -> None:
        """Let a name be another (CNAME)."""
        self._aliases[name] = target

    async def lookup(self, host: str) -> Sequence[str]:
        """All addresses of a name, asked of this server by a real client: what ``GuardedResolver`` looks names up with.

        Raises:
            OSError: it has none.
        """
        assert self._transport is not None
        client = dns.asyncresolver.Resolver(configure=False)
        client.nameservers = ["127.0.0.1"]
        client.port = self._transport.get_extra_info("sockname")[1]
        client.lifetime = 5.0
        found: list[str] = []
        for kind in _ADDRESSES:
            # a name may have addresses of one family alone
            with suppress(dns.exception.DNSException):
                found += [str(record) for record in await client.resolve(f"{host}.", kind)]
        if not found:
            raise OSError(-2, "Name or service not known")
        return found

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        query = dns.message.from_wire(data)
        assert self._transport is not None
        self._transport.sendto(self._answer(query).to_wire(), addr)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        (question,) = query.question
        self.asked.append(f"{_plain(question.name)} {question.rdtype.name}")
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name = question.name
        while (alias := self._aliases.get(_plain(name))) is not None:
            answer.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", f"{alias}."))
            name = dns.name.from_text(alias)
        known = self._records.get((_plain(name), question.rdtype))
        if known is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        addresses = known.popleft() if len(known) > 1 else known[0]
        if addresses:
            answer.answer.append(dns.rrset.from_text(name, 0, "IN", question.rdtype.name, *addresses))
        return answer


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _of(kind: dns.rdatatype.RdataType, addresses: Sequence[str]) -> Sequence[str]:
    return [address for address in addresses if (":" in address) == (kind is dns.rdatatype.AAAA)]
