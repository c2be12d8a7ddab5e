"""Runs the scenes against an embedded service, and prints what is seen from outside."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import aiohttp
import orjson
import typer

from ringback.cli.exits import Exit
from ringback.cli.show.receiver import Arrival, Receiver
from ringback.cli.show.scenes import Scene, missing, scenes
from ringback.client import Client
from ringback.embedded import Embedded
from ringback.settings import Settings, load_settings

SCHEDULE_S = (0.5, 1.0, 2.0, 4.0)
"""Instead of 5 s, 30 s, 2 m, …: nobody wants to wait for a demo."""

WITHIN_S = 10.0
SETTLE_S = 0.1
SETTLE_ROUNDS = 30
OK = 200
ACCEPTED = 202


def demo_settings(folder: Path) -> Settings:
    """Settings of the demo's service: whatever the environment says of these, it does not count."""
    return load_settings(
        database_url=f"sqlite:///{folder / 'ringback.db'}",
        broker_url="embedded",
        host="127.0.0.1",
        port=0,
        public_url="http://127.0.0.1:0",
        tasks="ringback.demo",
        queues="default",
        callback_allow=["127.0.0.0/8"],
        retry_schedule=list(SCHEDULE_S),
    )


@contextmanager
def data_folder(kept: Path | None) -> Iterator[Path]:
    """The folder given, or one that is thrown away."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="ringback-demo-") as name:
        yield Path(name)


async def perform(folder: Path, *, is_kept: bool, is_verbose: bool) -> int:
    """The whole demo; its exit code."""
    async with (
        Embedded(demo_settings(folder)) as service,
        Client(service.url, service.api_key) as client,
        Receiver(await client.signing_secrets()) as receiver,
        aiohttp.ClientSession() as session,
    ):
        _introduce(folder, receiver.verifier, is_kept=is_kept, is_verbose=is_verbose)
        faults: list[str] = []
        wanted = scenes(receiver.url)
        for scene in wanted:
            faults += await Play(service, session, receiver).perform(scene)
        faults += await _unsettled(client)
    return _conclude(len(wanted), faults)


async def _unsettled(client: Client) -> list[str]:
    """Deliveries that are not recorded as delivered a moment after their receiver had them."""
    for _ in range(SETTLE_ROUNDS):
        waiting = [one async for one in client.all_deliveries() if not one.done]
        if not waiting:
            return []
        await asyncio.sleep(SETTLE_S)
    return [f"delivery {one.id} is {one.state}" for one in waiting]


class Play:
    """Performs a scene."""

    def __init__(self, service: Embedded, session: aiohttp.ClientSession, receiver: Receiver) -> None:
        self._service = service
        self._session = session
        self._receiver = receiver

    async def perform(self, scene: Scene) -> list[str]:
        """What was missing in it; prints the rest."""
        hook = f"{scene.type}-{time.time_ns()}"
        self._receiver.answer(hook, *scene.refusals)
        status, document, accepted_at, took_s = await self._submit(scene, hook)
        if status != ACCEPTED:
            _say(f"POST /v1/jobs  {scene.type:<21} → {status}  {document.get('detail', '')}")
            return [f"{scene.type}: {status} instead of 202"]
        note = f"   {scene.note}" if scene.note else ""
        _say(f"POST /v1/jobs  {scene.type:<21} → 202  {document['id']}  in {_span(took_s)}{note}")
        arrivals = await self._receiver.wait_for(
            hook, lambda some: some[-1:] != [] and some[-1].answered == OK, WITHIN_S
        )
        for number, arrival in enumerate(arrivals, 1):
            _tell(scene, number, arrival, arrivals[0], arrival.at - accepted_at)
        return missing(scene, arrivals)

    async def _submit(self, scene: Scene, hook: str) -> tuple[int, dict[str, str], float, float]:
        body = {
            "type": scene.type,
            "payload": scene.payload,
            "max_attempts": scene.max_attempts,
            "callback_url": f"{self._receiver.url}/hooks/{hook}",
        }
        headers = {"Authorization": f"Bearer {self._service.api_key}", "Content-Type": "application/json"}
        started = time.perf_counter()
        async with self._session.post(
            f"{self._service.url}/v1/jobs", data=orjson.dumps(body), headers=headers
        ) as response:
            document = orjson.loads(await response.read())
            now = time.perf_counter()
            return response.status, document, now, now - started


def _tell(scene: Scene, number: int, arrival: Arrival, first: Arrival, after_s: float) -> None:
    margin = " " * 15
    verified = "verified" if arrival.problem is None else f"NOT VERIFIED: {arrival.problem}"
    event = arrival.event
    words = f"{margin}webhook {event['type']:<13} ← {arrival.answered}  {verified}  {_span(after_s)} after the 202"
    if number > 1:
        is_same = (arrival.webhook_id, arrival.body) == (first.webhook_id, first.body)
        words += f"   try {number}, {'same' if is_same else 'ANOTHER'} webhook-id and bytes"
    _say(words)
    if arrival.answered == OK:
        _say(f"{margin}{scene.told(event['data'])}")


def _span(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _introduce(folder: Path, verifier: str, *, is_kept: bool, is_verbose: bool) -> None:
    kept = str(folder) if is_kept else "a temporary folder"
    _say(f"Ringback {version('ringback')}  embedded · SQLite in {kept} · no broker needed", indent=0)
    _say(f"each webhook is verified by {verifier}; the receiver is on loopback, which this demo allows")
    delays = ", ".join(f"{delay:g}" for delay in SCHEDULE_S)
    _say(f"a refused webhook is sent again after {delays} s: shorter than by default, so that you need not wait")
    if is_verbose:
        _say(f'RINGBACK_CALLBACK_ALLOW=["127.0.0.0/8"]  RINGBACK_RETRY_SCHEDULE=[{delays}]')
    _say("")


def _conclude(jobs: int, faults: Sequence[str]) -> int:
    _say("")
    if faults:
        for fault in faults:
            _say(f"MISSING  {fault}", indent=0)
        return Exit.BAD
    _say(f"{jobs} jobs, {jobs} webhooks, 0 lost.   See it yourself:  ringback serve     Read next: README.md", indent=0)
    return Exit.DONE


def _say(text: str, *, indent: int = 2) -> None:
    typer.echo(f"{' ' * indent if text else ''}{text}")
    sys.stdout.flush()
