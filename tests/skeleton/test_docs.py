"""The documentation says what the code does, wherever that can be compared."""

import re
from pathlib import Path

import pytest

from ringback_schemas.deliveries import Verdict
from ringback_schemas.job_errors import JobErrorCode
from ringback_schemas.states import DELIVERY_TRANSITIONS, JOB_TRANSITIONS, REPLAY_TRANSITIONS
from tests.faults.cases import ALL_CASES
from tests.faults.cases.unplayed import OPEN

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])


def table(page: Path, heading: str) -> dict[str, list[str]]:
    """The cells behind the first one of each row whose first cell is code, in the section with that heading."""
    section = page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [row.strip("|").split("|") for row in section.splitlines() if row.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def anchors(page: Path) -> set[str]:
    """What a link may name behind the ``#``, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    links = re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text())
    targets = [((page.parent / path) if path else page, anchor) for path, anchor in links]

    missing = [str(path) for path, _ in targets if not path.exists()]
    astray = [anchor for path, anchor in targets if anchor and path.is_file() and anchor not in anchors(path)]

    assert (missing, astray) == ([], [])


@pytest.mark.parametrize(
    ("heading", "transitions"),
    [("A job", JOB_TRANSITIONS), ("A delivery", DELIVERY_TRANSITIONS), ("A replay", REPLAY_TRANSITIONS)],
    ids=["jobs", "deliveries", "replays"],
)
def test_states_page_has_the_table_of_transitions(heading: str, transitions: dict[str, frozenset[str]]) -> None:
    """Each state may become in the page what it may become in the code."""
    rows = table(DOCS / "states.md", heading)
    told = {state: set(re.findall(r"`(\w+)`", rows[state][-1])) for state in transitions}

    assert told == {state: set(after) for state, after in transitions.items()}


def test_operations_page_explains_every_verdict() -> None:
    """Whoever looks up an attempt's verdict finds it."""
    assert set(table(DOCS / "operations.md", "Verdicts of a delivery")) == set(Verdict)


def test_operations_page_explains_every_error_code() -> None:
    """Whoever looks up a job's error finds it."""
    assert set(table(DOCS / "operations.md", "Errors of a job")) == set(JobErrorCode)


def test_crash_table_names_cases_that_exist() -> None:
    """What the architecture page claims is played by the fault suite."""
    section = (DOCS / "architecture.md").read_text().split("## What a crash costs")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if re.match(r"\| .*\bF\d\d", row)]
    named = {case.strip() for row in rows for case in row.strip("|").rsplit("|", 1)[1].split(",")}
    known = {part for case in ALL_CASES for part in [case.id, *case.id.split("+")]}

    assert len(rows) > 10
    assert named - known == set()


def test_faults_page_has_every_case() -> None:
    """The table tells of the cases that there are, each once, and of no other; random ones aside."""
    told = [case for case in first_cells(faults_table()[0]) if not case.startswith("random")]

    assert sorted(told) == sorted(case.id for case in ALL_CASES)


def test_faults_page_calls_no_played_case_unplayed() -> None:
    """What is under "Not played yet" is what the suite says, and none of it is played."""
    played = {part for case in ALL_CASES for part in [case.id, *case.id.split("+")]}
    unplayed = first_cells(faults_table()[1])

    assert unplayed == [case for case, _, _ in OPEN]
    assert set(unplayed) & played == set()


def faults_table() -> tuple[str, str]:
    """What the fault suite wrote into its page: of the cases that it played, and of the others."""
    written = (DOCS / "faults.md").read_text().split("<!-- table: begin -->")[1].split("<!-- table: end -->")[0]
    played, unplayed = written.split("## Not played yet")
    return played, unplayed


def first_cells(text: str) -> list[str]:
    """The first cell of each row below the head of a table."""
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[1:]]
