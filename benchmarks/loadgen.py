"""The load on every stack: the same ``POST /v1/jobs``, either as fast as N connections go or at a steady rate.

Closed loop: each connection posts its next job when the last one was answered. Open loop: a job is posted at its time
whatever became of those before it. Writes a file of JSON: each accepted job's id, when its request was begun
(nanoseconds of the monotonic clock) and how long the answer took; when any request was begun, and in the open loop how
late that was; refusals, and answers that never came, are counted, not retried.
"""

import argparse
import asyncio
import itertools
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
import uvloop

PAYLOAD = {"text": "x" * 187}
"""200 bytes of JSON."""


@dataclass(slots=True)
class Load:
    """Where to, what, and what came of it."""

    session: aiohttp.ClientSession
    url: str
    bodies: Iterator[bytes]
    jobs: list[tuple[str, int, int]] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    begun_ns: list[int] = field(default_factory=list)
    lags_ns: list[int] = field(default_factory=list)

    async def submit(self, due: int | None = None) -> None:
        """Post one job and note what came of it, and how late it was begun if it was due at a time."""
        started = time.monotonic_ns()
        self.begun_ns.append(started)
        if due is not None:
            self.lags_ns.append(started - due)
        try:
            async with self.session.post(self.url, data=next(self.bodies)) as answer:
                content = await answer.read()
                ended = time.monotonic_ns()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._refuse(type(error).__name__)
            return
        if answer.status == 202:
            self.jobs.append((orjson.loads(content)["id"], started, ended - started))
        else:
            self._refuse(f"{answer.status} {_code(content)}")

    async def closed(self, count: int, connections: int) -> None:
        """``count`` jobs over so many connections, each as fast as it is answered."""
        left = iter(range(count))

        async def connection() -> None:
            for _ in left:
                await self.submit()

        await asyncio.gather(*[connection() for _ in range(connections)])

    async def steady(self, count: int, rate: float) -> None:
        """``count`` jobs at ``rate`` a second; notes how late each was begun."""
        begin = time.monotonic_ns()
        under_way: set[asyncio.Task[None]] = set()
        for number in range(count):
            due = begin + int(number * 1e9 / rate)
            # timers of the loop count whole milliseconds; so a job is begun up to one late, and its latency is
            # counted from then: waiting more exactly would burn the very cores that the stacks run on
            if (ahead := due - time.monotonic_ns()) > 0:
                await asyncio.sleep(ahead / 1e9)
            task = asyncio.create_task(self.submit(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    def _refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1


def _code(content: bytes) -> str:
    """What a problem document calls it: its words may name the request. Of any other answer, the beginning."""
    try:
        return str(orjson.loads(content)["code"])
    except (ValueError, TypeError, KeyError):
        return repr(content[:200])


def bodies(callback: str, destinations: int) -> Iterator[bytes]:
    """What to post, one after the other, without end; the callbacks go round so many addresses of 127.0.0.0/8."""
    before, _, after = callback.partition("127.0.0.1")
    if destinations == 1:
        yield from itertools.repeat(orjson.dumps({"type": "demo.echo", "payload": PAYLOAD, "callback_url": callback}))
    for number in itertools.cycle(range(destinations)):
        address = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
        body = {"type": "demo.echo", "payload": PAYLOAD, "callback_url": before + address + after}
        yield orjson.dumps(body)


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Put the load on, and tell what came of it."""
    headers = {"authorization": f"Bearer {options.key}", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        load = Load(session, f"{options.url}/v1/jobs", bodies(options.callback, options.destinations))
        if options.rate:
            await load.steady(options.jobs, options.rate)
        else:
            await load.closed(options.jobs, options.connections)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = usage.ru_utime + usage.ru_stime
    return {
        "jobs": load.jobs,
        "begun_ns": load.begun_ns,
        "lags_ns": load.lags_ns,
        "refused": load.refused,
        "cpu_s": cpu_s,
    }


def main() -> None:
    """Read what load to put on, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the stack's API, without a slash at its end")
    parser.add_argument("--callback", required=True, help="where webhooks shall go")
    parser.add_argument("--key", default="none", help="the bearer key")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="jobs a second; 0 for the closed loop")
    parser.add_argument("--connections", type=int, default=64, help="of the closed loop")
    parser.add_argument("--destinations", type=int, default=1, help="how many addresses the callbacks name")
    parser.add_argument("--out", type=Path, required=True, help="the file that tells what came of it")
    options = parser.parse_args()
    options.out.write_bytes(orjson.dumps(uvloop.run(run(options))))


if __name__ == "__main__":
    main()
