"""The table of results: printed, and written to docs/faults.md."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.cases.unplayed import OPEN
from tests.faults.play import Outcome

HEADER = (
    "| case | fault | jobs | faults | lost | wrong signatures | recorded twice | performed twice | received twice "
    "| last webhook after | result |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
)


def row(outcome: Outcome) -> str:
    """One line of the table."""
    found = outcome.findings
    lost = len(found.lost_jobs) + len(found.lost_webhooks)
    notes = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in outcome.notes.items())
    fault = outcome.case.title + (f" ({notes})" if notes else "")
    cells = (
        outcome.case.id, fault, found.jobs, outcome.faults, lost,
        found.wrong_signatures, len(found.doubly_recorded) + len(found.doubly_accepted), found.performed_twice,
        found.received_twice, f"{max(0.0, found.recovery_s):.1f} s", _result(outcome),
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _result(outcome: Outcome) -> str:
    if outcome.not_played:
        return f"not played: {outcome.not_played}"
    if outcome.complaints:
        return "**failed**"
    return f"held; open: {'; '.join(outcome.shortfalls)}" if outcome.shortfalls else "held"


def table(outcomes: Sequence[Outcome], versions: str, seed: int) -> str:
    """The whole table, with what it was measured on and the sums."""
    jobs = sum(outcome.findings.jobs for outcome in outcomes)
    faults = sum(outcome.faults for outcome in outcomes)
    failed = sum(bool(outcome.complaints) for outcome in outcomes)
    head = (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {versions} · seed {seed} · {len(outcomes)} cases, {failed} failed · "
        f"{jobs} jobs accepted, {faults} faults injected · {_machine()}\n\n"
    )
    rows = "".join(row(outcome) for outcome in outcomes)
    unplayed = "".join(f"| {' | '.join(case)} |\n" for case in OPEN)
    return f"{head}{HEADER}{rows}\n## Not played yet\n\n| case | fault | why |\n|---|---|---|\n{unplayed}"


def _machine() -> str:
    """What figures in seconds depend on."""
    busy = os.getloadavg()[2]
    return f"{os.cpu_count()} cores, on average {busy:.1f} processes wanted them in the last quarter of an hour"


def write(path: Path, text: str) -> None:
    """Put the table between the markers in the page; the words around it stay."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    page = path.read_text()
    before, rest = page.split(begin)
    _, after = rest.split(end)
    path.write_text(before + begin + text + end + after)
