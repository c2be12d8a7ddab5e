"""Looks at what is left after a fault, and says what was lost, doubled or wrong (facts O1 to O7)."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.driver import Ledger
from tests.faults.fleet import API_KEY
from tests.faults.inbox import Inbox

DONE = frozenset({"succeeded", "failed", "cancelled", "expired"})
MAY_FAIL = frozenset(
    {"faults.poison", "faults.exit", "faults.deaf", "faults.deaf-thread", "faults.deaf-process", "faults.result"}
)
"""Tasks that fail, or may, whatever is done to Ringback; their cases say how. Jobs of all others succeed."""


@dataclass(slots=True)
class Findings:
    """What the oracle saw; everything but the counts of duplicates must be zero or empty."""

    jobs: int = 0
    lost_jobs: list[str] = field(default_factory=list)
    """Accepted, and not done within the limit, or unknown."""
    lost_webhooks: list[str] = field(default_factory=list)
    """Done, and no webhook taken within the limit."""
    unsuccessful: list[str] = field(default_factory=list)
    """Done otherwise than as succeeded, although their task never fails."""
    doubly_accepted: list[str] = field(default_factory=list)
    """Idempotency keys that led to more than one job."""
    doubly_recorded: list[str] = field(default_factory=list)
    """Jobs with more than one event."""
    unfounded: list[str] = field(default_factory=list)
    """Succeeded jobs whose reported attempt left no trace of having been performed."""
    changed_bodies: list[str] = field(default_factory=list)
    """Webhook ids under which different bytes came."""
    garbled: list[str] = field(default_factory=list)
    """Jobs whose webhook does not say what they were given to echo."""
    wrong_signatures: int = 0
    performed_twice: int = 0
    received_twice: int = 0
    recovery_s: float = 0.0
    """From the call of the oracle to the last webhook."""
    states: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubly recorded or wrong."""
        wrong = (self.lost_jobs, self.lost_webhooks, self.unsuccessful, self.doubly_accepted, self.doubly_recorded,
                 self.unfounded, self.changed_bodies, self.garbled)  # fmt: skip
        return not any(wrong) and self.wrong_signatures == 0

    def explain(self) -> str:
        """The findings for a failed assertion."""
        return (
            f"{self.jobs} jobs, states {dict(self.states)}: lost jobs {self.lost_jobs[:5]} ({len(self.lost_jobs)}), "
            f"lost webhooks {self.lost_webhooks[:5]} ({len(self.lost_webhooks)}), "
            f"unsuccessful {self.unsuccessful[:5]} ({len(self.unsuccessful)}), "
            f"doubly accepted {self.doubly_accepted[:5]}, doubly recorded {self.doubly_recorded[:5]}, "
            f"unfounded {self.unfounded[:5]}, changed bodies {self.changed_bodies[:5]}, garbled {self.garbled[:5]}, "
            f"wrong signatures {self.wrong_signatures}"
        )


async def judge(
    ledger: Ledger,
    inbox: Inbox,
    url: str,
    effects: Path,
    within_s: float,
    *,
    is_forgetful: bool = False,
    may_cancel: bool = False,
) -> Findings:
    """Wait until every accepted job is done and its webhook taken, at most ``within_s``, and then judge.

    ``is_forgetful``: jobs are purged in time, and are taken for what their webhooks said. ``may_cancel``: somebody
    cancels jobs.
    """
    findings = Findings(jobs=len(ledger.accepted), wrong_signatures=len(inbox.wrong_signatures))
    wanted = {job_id for entry in ledger.accepted for job_id in entry.job_ids}
    started = time.monotonic()
    await _until_all_arrived(inbox, wanted, within_s)
    findings.recovery_s = max((a.taken_at for a in inbox.arrivals.values()), default=started) - started
    documents = await _documents(url, wanted)
    if is_forgetful:
        documents = {arrival.job_id: arrival.data for arrival in inbox.arrivals.values()} | documents
    _judge_jobs(findings, inbox, documents, wanted)
    _judge_success(findings, documents, {"succeeded", "cancelled"} if may_cancel else {"succeeded"})
    _judge_keys(findings, ledger)
    _judge_webhooks(findings, inbox)
    _judge_echoes(findings, ledger, inbox)
    _judge_effects(findings, documents, effects)
    return findings


async def _until_all_arrived(inbox: Inbox, wanted: Iterable[str], within_s: float) -> None:
    missing = set(wanted)
    deadline = time.monotonic() + within_s
    while missing and time.monotonic() < deadline:
        missing = {job_id for job_id in missing if not inbox.has_taken(job_id)}
        await asyncio.sleep(0.05)


async def _documents(url: str, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The job resources by id; one that the front end does not know is absent."""
    documents: dict[str, dict[str, Any]] = {}
    gate = asyncio.Semaphore(16)

    async def fetch(session: aiohttp.ClientSession, job_id: str) -> None:
        async with gate, session.get(f"{url}/v1/jobs/{job_id}") as answer:
            if answer.status != 200:
                return
            documents[job_id] = document = await answer.json()
        if document["state"] == "succeeded" and not document["result_inline"]:
            async with gate, session.get(f"{url}/v1/jobs/{job_id}/result") as answer:
                document["result"] = await answer.json()

    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*[fetch(session, job_id) for job_id in wanted])
    return documents


def _judge_jobs(findings: Findings, inbox: Inbox, documents: dict[str, dict[str, Any]], wanted: set[str]) -> None:
    for job_id in sorted(wanted):
        state = documents.get(job_id, {}).get("state", "unknown")
        findings.states[state] += 1
        if state not in DONE:
            findings.lost_jobs.append(job_id)
        elif not inbox.has_taken(job_id):
            findings.lost_webhooks.append(job_id)


def _judge_success(findings: Findings, documents: dict[str, dict[str, Any]], wanted: set[str]) -> None:
    """A fault costs time, and no job its success: what is not done yet is lost, and told as that."""
    findings.unsuccessful += [
        job_id
        for job_id, document in sorted(documents.items())
        if document["state"] in DONE - wanted and document["type"] not in MAY_FAIL
    ]


def _judge_keys(findings: Findings, ledger: Ledger) -> None:
    findings.doubly_accepted += [entry.key for entry in ledger.entries if len(entry.job_ids) > 1]


def _judge_webhooks(findings: Findings, inbox: Inbox) -> None:
    findings.doubly_recorded += [job_id for job_id, events in inbox.by_job.items() if len(events) > 1]
    for webhook_id, arrival in inbox.arrivals.items():
        if len(arrival.bodies) > 1:
            findings.changed_bodies.append(webhook_id)
        findings.received_twice += arrival.taken > 1


def _judge_echoes(findings: Findings, ledger: Ledger, inbox: Inbox) -> None:
    for entry in ledger.accepted:
        for arrival in (arrival for job_id in entry.job_ids for arrival in inbox.by_job.get(job_id, ())):
            is_echo = entry.body["type"] == "faults.work" and arrival.data["result_inline"]
            if is_echo and arrival.data["result"]["echo"] != entry.body["payload"].get("echo"):
                findings.garbled.append(arrival.job_id)


def _judge_effects(findings: Findings, documents: dict[str, dict[str, Any]], effects: Path) -> None:
    ended: dict[str, list[int]] = {}
    for line in effects.read_text().splitlines() if effects.exists() else ():
        job_id, attempt, mark = line.split()
        if mark == "end":
            ended.setdefault(job_id, []).append(int(attempt))
    findings.performed_twice = sum(len(attempts) > 1 for attempts in ended.values())
    for job_id, document in documents.items():
        if document["state"] == "succeeded" and document["type"].startswith("faults."):
            reported = (document["result"] or {}).get("attempt")
            if reported not in ended.get(job_id, []):
                findings.unfounded.append(job_id)
