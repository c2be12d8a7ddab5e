"""Plays a case: sets its stage, lets it act, and asks the oracle afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.driver import Driver
from tests.faults.fleet import Fleet, FleetPlan
from tests.faults.inbox import Inbox
from tests.faults.links import linked
from tests.faults.oracle import Findings, judge
from tests.faults.stage import Case, NotPlayed, Servers, Stage
from tests.servers import RabbitCluster, fresh_database, fresh_vhost


@asynccontextmanager
async def staged(case: Case, servers: Servers, folder: Path, seed: int) -> AsyncIterator[Stage]:
    """The stage of one case: a fresh database and virtual host, a fleet that is ready, an inbox that can verify."""
    async with AsyncExitStack() as stack:
        database_url, broker_url = await stack.enter_async_context(_places(servers))
        if case.prepare is not None:
            await case.prepare(servers, broker_url)
        links = await stack.enter_async_context(linked(database_url, broker_url)) if case.is_proxied else None
        plan = FleetPlan(
            database_url,
            broker_url,
            case.apis,
            case.workers,
            case.notifiers,
            case.is_embedded,
            settings=case.settings,
            role_settings=links.settings(database_url, broker_url) if links else case.role_settings,
        )
        inbox = await stack.enter_async_context(Inbox(refuse_share=case.refuse_share, seed=seed))
        fleet = await stack.enter_async_context(Fleet(plan, folder))
        driver = Driver(fleet.urls, inbox.url, seed=seed)
        stage = Stage(servers, fleet, driver, inbox, database_url, broker_url, links)
        await stage.trust()
        yield stage


@asynccontextmanager
async def _places(servers: Servers) -> AsyncIterator[tuple[str, str]]:
    """A database and a virtual host on servers that run, before and after."""
    for start in (servers.postgres.start, servers.rabbit.start):
        await asyncio.to_thread(start)
    database = fresh_database(servers.postgres.url)
    vhost = fresh_vhost(servers.rabbit.url, servers.rabbit.management_url)
    database_url, broker_url = await asyncio.to_thread(database.__enter__), await asyncio.to_thread(vhost.__enter__)
    try:
        yield database_url, broker_url
    finally:
        for start in (servers.postgres.start, servers.rabbit.start):
            await asyncio.to_thread(start)
        await asyncio.to_thread(vhost.__exit__, None, None, None)
        await asyncio.to_thread(database.__exit__, None, None, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case went."""

    case: Case
    findings: Findings
    faults: int
    seconds: float
    notes: Mapping[str, float]
    complaints: tuple[str, ...] = ()
    """Why it failed; empty when it passed."""
    shortfalls: tuple[str, ...] = ()
    """Goals that were not reached although nothing broke."""
    not_played: str = ""
    """Why it was not played; empty when it was."""


async def play(case: Case, servers: Servers, folder: Path, seed: int) -> Outcome:
    """Play one case and judge it, where it can be played."""
    try:
        async with AsyncExitStack() as stack:
            if case.is_clustered:
                cluster = RabbitCluster()
                stack.push_async_callback(asyncio.to_thread, cluster.__exit__, None, None, None)
                await asyncio.to_thread(cluster.__enter__)
                servers = Servers(cluster.nodes[0], servers.postgres, cluster)
            return await _play(case, servers, folder, seed)
    except NotPlayed as reason:
        return Outcome(case, Findings(), 0, 0.0, {}, not_played=str(reason))
    except AssertionError as error:
        return Outcome(case, Findings(), 0, 0.0, {}, (f"the stage did not stand: {error}",))


async def _play(case: Case, servers: Servers, folder: Path, seed: int) -> Outcome:
    started = time.monotonic()
    complaints: list[str] = []
    async with staged(case, servers, folder, seed) as stage:
        try:
            await case.act(stage)
            await stage.loaded(stop=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails this case and not the rest of the run
            complaints.append(str(error) if isinstance(error, AssertionError) else repr(error))
            stage.driver.stop()
            await stage.loaded()
        url = await stage.fleet.any_ready()
        findings = await judge(
            stage.driver.ledger,
            stage.inbox,
            url,
            stage.fleet.effects_path,
            case.settle_s,
            is_forgetful=case.is_forgetful,
            may_cancel=case.may_cancel,
        )
        complaints += _complaints(case, stage, findings)
    seconds = time.monotonic() - started
    return Outcome(case, findings, stage.faults, seconds, stage.notes, tuple(complaints), tuple(stage.shortfalls))


def _complaints(case: Case, stage: Stage, findings: Findings) -> list[str]:
    complaints = [] if findings.is_clean else [findings.explain()]
    if findings.performed_twice and not case.may_perform_twice:
        complaints.append(f"{findings.performed_twice} jobs were performed twice")
    if findings.received_twice and not case.may_receive_twice:
        complaints.append(f"{findings.received_twice} webhooks were received twice")
    complaints += [
        f"{process.name} printed a traceback: see {process.log_path}"
        for process in stage.fleet.processes
        if "Traceback (most recent call last)" in process.log_text()
    ]
    answers = stage.driver.ledger.answers
    if answers.get(500):
        complaints.append(f"{answers[500]} answers were 500")
    unanswered = len(stage.driver.ledger.entries) - len(stage.driver.ledger.accepted)
    if unanswered:
        complaints.append(f"{unanswered} requests were never accepted: {dict(answers)}")
    return complaints
