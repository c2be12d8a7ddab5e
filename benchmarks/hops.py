"""What each hop of the road takes alone: once with pauses of 10 ms between, as at 100 jobs/s, and once without any.

With pauses everything is cold: processes have to be woken, and caches filled again. The difference between the two
columns is what low load costs, and no fewer statements or messages can save it; fewer hops can.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import aio_pika  # noqa: E402 - found through the line above, as the rest
import aiohttp  # noqa: E402
import asyncpg  # noqa: E402
import uvloop  # noqa: E402

import driving  # noqa: E402
import machine  # noqa: E402
import run  # noqa: E402
import signing  # noqa: E402
from outcome import percentiles  # noqa: E402

COUNT = 300
PAUSE_S = 0.01

Hop = Callable[[], Awaitable[object]]


async def _times(hop: Hop, pause_s: float) -> dict[str, float]:
    took = []
    for _ in range(COUNT):
        await asyncio.sleep(pause_s)
        started = time.perf_counter_ns()
        await hop()
        took.append(time.perf_counter_ns() - started)
    return percentiles(took[COUNT // 10 :])


async def _tell(name: str, hop: Hop) -> None:
    cold, warm = await _times(hop, PAUSE_S), await _times(hop, 0)
    print(f"| {name} | {cold['p50']:.2f} / {cold['p99']:.2f} | {warm['p50']:.2f} / {warm['p99']:.2f} |", flush=True)


async def _database(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS hops (id bigint, body text)")
    body = "x" * 200
    await _tell("PostgreSQL: SELECT 1", lambda: connection.fetchval("SELECT 1"))
    await _tell("PostgreSQL: insert, committed", lambda: connection.execute("INSERT INTO hops VALUES (1, $1)", body))
    await connection.execute("SET synchronous_commit = off")
    await _tell("the same, not flushed", lambda: connection.execute("INSERT INTO hops VALUES (1, $1)", body))
    await connection.close()


async def _broker(url: str, queue_type: str) -> None:
    publishing, consuming = await aio_pika.connect(url), await aio_pika.connect(url)
    channel, other = await publishing.channel(), await consuming.channel()
    await other.set_qos(prefetch_count=100)
    name = f"hops.{queue_type}"
    await channel.declare_queue(name, durable=True, arguments={"x-queue-type": queue_type})

    async def publish() -> None:
        message = aio_pika.Message(b"x" * 40, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=name)

    await _tell(f"RabbitMQ, {queue_type}: publish, confirmed", publish)
    queue = await other.declare_queue(name, durable=True, arguments={"x-queue-type": queue_type})
    await queue.purge()
    arrived = asyncio.Event()

    async def receive(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        await message.ack()
        arrived.set()

    await queue.consume(receive)

    async def there() -> None:
        arrived.clear()
        publishing_now = asyncio.create_task(publish())
        await arrived.wait()
        waited_for.append(publishing_now)

    waited_for: list[asyncio.Task[None]] = []
    await _tell(f"RabbitMQ, {queue_type}: publish → consumed", there)
    await asyncio.gather(*waited_for)
    await publishing.close()
    await consuming.close()


async def _http(url: str) -> None:
    key = signing.key_of(signing.SECRET)
    body = b'{"type":"job.succeeded","timestamp":1,"data":{"id":"job_1","result":"' + b"x" * 200 + b'"}}'
    async with aiohttp.ClientSession() as session:

        async def post() -> None:
            headers = signing.signed_headers(key, "msg_1", body)
            async with session.post(f"{url}/hook", data=body, headers=headers) as answer:
                await answer.read()

        await _tell("aiohttp: signed POST, verified", post)


def main() -> None:
    """Measure each hop on servers of its own."""
    print(f"fdatasync of 8 KiB: {machine.flush_us():.0f} µs\n")
    print("| hop | at 100/s, p50 / p99 ms | back to back, p50 / p99 ms |\n| --- | ---: | ---: |")
    with run.servers() as (postgres, rabbit), run.bench(driving.Plan(), postgres, rabbit) as bench:
        uvloop.run(_database(postgres.url))
        for queue_type in ("quorum", "classic"):
            uvloop.run(_broker(rabbit.url, queue_type))
        uvloop.run(_http(bench.receiver_url))


if __name__ == "__main__":
    main()
