"""A random case: a seeded schedule of faults over minutes of steady load, replayable by its seed."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from tests.faults import rabbit
from tests.faults.fleet import settle
from tests.faults.process import FleetProcess
from tests.faults.proxy import Direction
from tests.faults.stage import Case, Stage

Fault = Callable[[Stage, random.Random], Awaitable[None]]


async def _kill_one(stage: Stage, chance: random.Random) -> None:
    victim = chance.choice(stage.fleet.processes)
    await victim.kill()
    await settle(chance.uniform(0, 1))
    await stage.fleet.revive(victim)


async def _kill_role(stage: Stage, chance: random.Random) -> None:
    role: Sequence[FleetProcess] = chance.choice([stage.fleet.apis, stage.fleet.workers, stage.fleet.notifiers])
    for victim in role:
        victim.signal(signal.SIGKILL)
    for victim in role:
        await stage.fleet.revive(victim)


async def _stop_one(stage: Stage, chance: random.Random) -> None:
    victim = chance.choice(stage.fleet.processes)
    await victim.terminate()
    await stage.fleet.revive(victim)


async def _freeze_one(stage: Stage, chance: random.Random) -> None:
    victim = chance.choice([*stage.fleet.workers, *stage.fleet.notifiers])
    victim.signal(signal.SIGSTOP)
    await settle(chance.uniform(0.5, 4))
    victim.signal(signal.SIGCONT)


async def _restart_database(stage: Stage, chance: random.Random) -> None:
    await asyncio.to_thread(stage.servers.postgres.stop, immediate=chance.random() < 0.7)
    await settle(chance.uniform(0, 2))
    await asyncio.to_thread(stage.servers.postgres.start)


async def _restart_broker(stage: Stage, chance: random.Random) -> None:
    await asyncio.to_thread(stage.servers.rabbit.kill if chance.random() < 0.5 else stage.servers.rabbit.stop)
    await settle(chance.uniform(0, 3))
    await asyncio.to_thread(stage.servers.rabbit.start)


async def _wipe_broker(stage: Stage, chance: random.Random) -> None:
    await settle(chance.uniform(0, 0.5))
    await asyncio.to_thread(rabbit.wipe, stage)


async def _cut_link(stage: Stage, chance: random.Random) -> None:
    chance.choice(stage.links.all).cut(with_reset=chance.random() < 0.5)
    await settle(chance.uniform(0, 0.5))


async def _hold_link(stage: Stage, chance: random.Random) -> None:
    """Everything vanishes in one direction or both; nobody is told."""
    link = chance.choice(stage.links.all)
    link.hold(*chance.choice([(), (Direction.TO_CLIENT,), (Direction.TO_SERVER,)]))
    await settle(chance.uniform(0.5, 6))
    if chance.random() < 0.5:
        link.cut()
    link.heal()


async def _slow_link(stage: Stage, chance: random.Random) -> None:
    link = chance.choice(stage.links.all)
    link.delay(chance.uniform(0.05, 0.5))
    await settle(chance.uniform(0.5, 3))
    link.heal()


async def _flaky_receiver(stage: Stage, chance: random.Random) -> None:
    stage.inbox.is_down = True
    await settle(chance.uniform(0.5, 3))
    stage.inbox.is_down = False


FAULTS: tuple[tuple[Fault, int], ...] = (
    (_kill_one, 10),
    (_kill_role, 2),
    (_stop_one, 4),
    (_freeze_one, 2),
    (_restart_database, 2),
    (_restart_broker, 2),
    (_wipe_broker, 2),
    (_cut_link, 8),
    (_hold_link, 4),
    (_slow_link, 4),
    (_flaky_receiver, 3),
)
"""Each fault with its weight: what is quick to come back from is dealt more often."""


def random_case(seed: int, *, seconds: float, rate: float, pause_s: float = 1.0) -> Case:
    """Faults one after another, about ``pause_s`` apart, for so many seconds under ``rate`` jobs a second."""

    async def act(stage: Stage) -> None:
        chance = random.Random(seed)  # noqa: S311 - replayable by its seed
        faults, weights = zip(*FAULTS, strict=True)
        await stage.load(rate, None, {"seconds": 0.05})
        ends = time.monotonic() + seconds
        kinds: Counter[str] = Counter()
        while time.monotonic() < ends:
            await settle(chance.uniform(0.5, 1.5) * pause_s)
            fault = chance.choices(faults, weights)[0]
            await fault(stage, chance)
            stage.faults += 1
            kinds[fault.__name__.strip("_")] += 1
        for process in stage.fleet.processes:
            if not process.is_alive:
                await process.start()
        stage.notes.update(kinds)

    title = f"random faults for {seconds:g} s at {rate:g} jobs/s, seed {seed}"
    return Case(f"random {seed}", title, act, settle_s=120, is_proxied=True)
