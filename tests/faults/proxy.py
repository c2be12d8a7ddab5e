"""A TCP proxy under a test's control: what a network does to a connection, done on purpose.

It stands between a client and a server and forwards, until told to delay, to hold (as a network that drops everything,
so that neither side learns anything), to cut (RST or FIN) or to refuse. Bytes are never lost or reordered on a
connection that lives on: TCP would not lose them either.
"""

import asyncio
import contextlib
import socket
import struct
from enum import Enum
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
CHUNKS_UNDER_WAY = 256
_LINGER_NOT = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Whose bytes."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


BOTH = (Direction.TO_SERVER, Direction.TO_CLIENT)


class _Weather:
    """What happens to bytes in one direction, on all connections."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.flows = asyncio.Event()
        self.flows.set()
        self.passed = 0
        """Bytes that were passed on."""


class _Pipe:
    """One direction of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: _Weather) -> None:
        self._reader = reader
        self._writer = writer
        self._weather = weather
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY)

    async def run(self) -> None:
        """Until the sender has closed and everything has arrived."""
        clock = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as group:
            group.create_task(self._arrive(), name="proxy arrivals")
            chunk = b"."
            while chunk:
                await self._weather.flows.wait()
                chunk = await self._reader.read(CHUNK_BYTES)
                await self._under_way.put((clock() + self._weather.delay_s, chunk))

    async def _arrive(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due_at, chunk = await self._under_way.get()
            await asyncio.sleep(max(0.0, due_at - clock()))
            await self._weather.flows.wait()
            if not chunk:
                self._writer.write_eof()
                return
            self._writer.write(chunk)
            self._weather.passed += len(chunk)
            await self._writer.drain()


class _Connection:
    """Two pipes and two sockets."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, task: "asyncio.Task[None]") -> None:
        self._writers = (client, server)
        self.task = task

    def cut(self, *, with_reset: bool) -> None:
        """End both sides now."""
        for writer in self._writers:
            if not with_reset:
                writer.close()
                continue
            # the other end may have closed this one a moment ago
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            writer.transport.abort()
        self.task.cancel()


class TcpProxy:
    """Listens on a port of 127.0.0.1 and leads to another; the port stays the same for its whole life."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        """Does not listen yet: use it as ``async with``."""
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._weather = {direction: _Weather() for direction in Direction}
        self.port = 0
        self.accepted = 0
        """Connections that were accepted so far."""

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and listen no more."""
        await self.refuse()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    def passed(self, direction: Direction) -> int:
        """Bytes that were passed on in this direction so far, on all connections together."""
        return self._weather[direction].passed

    async def accept(self) -> None:
        """Take new connections (again)."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def lead_to(self, target_port: int) -> None:
        """Lead new connections to another port, as a balancer does when a server is gone."""
        self._target = (self._target[0], target_port)

    def cut(self, *, with_reset: bool = True) -> None:
        """End all open connections: with RST, or in good order with FIN."""
        for connection in list(self._connections):
            connection.cut(with_reset=with_reset)

    def hold(self, *directions: Direction) -> None:
        """Let nothing through in these directions (both when none is named), on old and new connections alike.

        Nobody is told: for both ends the other has fallen silent.
        """
        for direction in directions or BOTH:
            self._weather[direction].flows.clear()

    def delay(self, seconds: float, *directions: Direction) -> None:
        """Let everything that comes from now on arrive so much later."""
        for direction in directions or BOTH:
            self._weather[direction].delay_s = seconds

    def heal(self) -> None:
        """Hold nothing, delay nothing; what was held arrives now."""
        for weather in self._weather.values():
            weather.delay_s = 0.0
            weather.flows.set()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._connect(reader, writer), name="proxy connection")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            # the server is away: so it shall seem to the client
            writer.transport.abort()
            return
        to_server = _Pipe(reader, server_writer, self._weather[Direction.TO_SERVER])
        to_client = _Pipe(server_reader, writer, self._weather[Direction.TO_CLIENT])
        forwarding = asyncio.create_task(_forward(to_server, to_client), name="proxy pipes")
        connection = _Connection(writer, server_writer, forwarding)
        self._connections.add(connection)
        await asyncio.wait({forwarding})
        self._connections.discard(connection)
        for end in (writer, server_writer):
            end.close()


async def _forward(*pipes: _Pipe) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for pipe in pipes:
                group.create_task(pipe.run(), name="proxy pipe")
    except* OSError:
        # one side has broken off: whoever waits for us closes the other
        pass
