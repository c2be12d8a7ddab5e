"""The network between the fleet and its servers swallows, cuts and delays."""

import time

from tests.faults import rabbit
from tests.faults.fleet import settle
from tests.faults.proxy import Direction, TcpProxy
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

HEALED_WITHIN_S = 30.0
SLOW_S = 2.0


async def front_broker_blackholed(stage: Stage) -> None:
    """Between front ends and RabbitMQ everything vanishes for 25 s: accepting goes on, and nobody hangs."""
    await _hold(stage, stage.links.front_broker, 25.0)
    _must_accept_all(stage)
    await _front_end_finds_its_broker(stage)


async def back_broker_blackholed(stage: Stage) -> None:
    """Between workers, notifiers and RabbitMQ everything vanishes while jobs run: each is performed once."""
    await stage.load(40, None, {"seconds": 0.5})
    await settle(2)
    stage.links.back_broker.hold()
    stage.faults += 1
    await settle(25)
    stage.links.back_broker.heal()
    back_s = await rabbit.consumers_back(stage, time.monotonic(), HEALED_WITHIN_S)
    stage.notes["consumers_back_s"] = back_s


async def slow_broker(stage: Stage) -> None:
    """RabbitMQ is two seconds away in each direction: accepting is as quick as ever."""
    await stage.load(60)
    await settle(4)
    near = stage.driver.ledger.accept_p99_s(0, time.monotonic())
    stage.links.front_broker.delay(SLOW_S)
    stage.faults += 1
    slow_since = time.monotonic()
    await settle(15)
    stage.notes["accept_p99_near_s"] = near
    stage.notes["accept_p99_slow_s"] = stage.driver.ledger.accept_p99_s(slow_since, time.monotonic())
    stage.links.front_broker.heal()
    _must_accept_all(stage)


async def confirms_swallowed(stage: Stage) -> None:
    """What RabbitMQ says to front ends never arrives, so each publish may or may not have happened."""
    await _hold(stage, stage.links.front_broker, 15.0, Direction.TO_CLIENT)
    stage.links.front_broker.cut()
    _must_accept_all(stage)
    await _front_end_finds_its_broker(stage)


async def acks_swallowed(stage: Stage) -> None:
    """What workers and notifiers say to RabbitMQ never arrives: it delivers again, and the claim sorts it out."""
    for _ in range(3):
        await _hold(stage, stage.links.back_broker, 4.0, Direction.TO_SERVER)
        stage.links.back_broker.cut()


async def database_cut(stage: Stage) -> None:
    """Every connection to PostgreSQL is reset, eight times, while it is well."""
    await stage.load(100)
    for number in range(8):
        await settle(0.7)
        (stage.links.front_database, stage.links.back_database)[number % 2].cut()
        stage.faults += 1


async def front_database_blackholed(stage: Stage) -> None:
    """Between front ends and PostgreSQL everything vanishes for 15 s: 503 in bounded time, then as before."""
    await _hold(stage, stage.links.front_database, 15.0)
    healed = time.monotonic()

    async def is_accepting() -> bool:
        return stage.driver.ledger.first_accept_after(healed) is not None

    await eventually(is_accepting, within_s=HEALED_WITHIN_S, what="a job to be accepted again")
    stage.notes["first_accept_s"] = stage.driver.ledger.first_accept_after(healed) or 0.0


async def back_database_blackholed(stage: Stage) -> None:
    """Between workers, notifiers and PostgreSQL everything vanishes for 10 s, less than a lease, while jobs run."""
    await stage.load(40, None, {"seconds": 0.5})
    await settle(2)
    stage.links.back_database.hold()
    stage.faults += 1
    await settle(10)
    stage.links.back_database.heal()
    await settle(2)


async def _hold(stage: Stage, link: TcpProxy, seconds: float, *directions: Direction) -> None:
    """Under load, let nothing through for so long."""
    if not stage.driver.ledger.entries:
        await stage.load(50)
        await settle(2)
    link.hold(*directions)
    stage.faults += 1
    await settle(seconds)
    link.heal()


def _must_accept_all(stage: Stage) -> None:
    if stage.driver.ledger.answers.keys() - {202}:
        raise AssertionError(f"accepting did not go on: {dict(stage.driver.ledger.answers)}")


async def _front_end_finds_its_broker(stage: Stage) -> None:
    """Note how long after the fault the front end says that its broker is well."""
    healed = time.monotonic()

    async def is_well() -> bool:
        _, document = await stage.api("GET", "/readyz")
        return any(check["name"] == "broker" and check["status"] == "ok" for check in document["checks"])

    await eventually(is_well, within_s=HEALED_WITHIN_S, what="the front end to find its broker")
    stage.notes["broker_found_s"] = time.monotonic() - healed


NETWORK_CASES = (
    Case("F10", "blackhole between front ends and RabbitMQ for 25 s", front_broker_blackholed, is_proxied=True),
    Case("F11", "blackhole between workers and RabbitMQ for 25 s", back_broker_blackholed, is_proxied=True,
         may_perform_twice=False),
    Case("F13", "RabbitMQ 2 s away in each direction", slow_broker, is_proxied=True),
    Case("F14", "RabbitMQ's confirms swallowed", confirms_swallowed, is_proxied=True, may_perform_twice=False),
    Case("F14a", "acknowledgements swallowed three times", acks_swallowed, is_proxied=True, may_perform_twice=False),
    Case("F33c", "connections to PostgreSQL reset eight times", database_cut, is_proxied=True),
    Case("F33b", "blackhole between front ends and PostgreSQL for 15 s", front_database_blackholed, is_proxied=True,
         settle_s=60),
    Case("F34b", "blackhole between workers and PostgreSQL for 10 s", back_database_blackholed, is_proxied=True,
         settle_s=60),
)  # fmt: skip
