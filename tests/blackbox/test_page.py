"""docs/webhook-conformance.md names every case, and tests that there are."""

import re
from pathlib import Path

import pytest

from tests.faults.cases import ALL_CASES

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "webhook-conformance.md"

CASES = (
    *(1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 17, 18),
    *(20, 21, 22, 24, 25, 26, 27, 28, 29),
    *(30, 31, 33, 34, 37, 38, 41),
    *(42, 43, 44, 45, 46, 48, 49, 50, 51, 53),
    *(54, 55, 56, 57, 60, 61, 62, 63, 64, 65, 66, 69),
    *(70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 81, 82, 83, 84, 86),
    *(87, 88, 89, 90),
)
"""Their numbers; those between them were never given."""


def rows() -> dict[str, list[str]]:
    """The cells of each case."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| BB-")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def named(pattern: str) -> list[str]:
    """What the page names in code like that, each once."""
    return sorted(set(re.findall(f"`({pattern})`", PAGE.read_text())))


def test_page_lists_every_case_in_order() -> None:
    """Each once."""
    lines = re.findall(r"^\| (BB-\d+) \|", PAGE.read_text(), re.MULTILINE)

    assert lines == [f"BB-{number:02}" for number in CASES]


def test_every_case_is_shown_or_says_why_not() -> None:
    """No row is silent."""
    silent = [
        case for case, (_, shown_by, result) in rows().items() if not shown_by and not result.startswith("open: ")
    ]

    assert silent == []
    assert all(result for _, _, result in rows().values())


@pytest.mark.parametrize("test", named(r"[\w/]+\.py::\w+"))
def test_named_test_exists(test: str) -> None:
    """By its file and its name."""
    path, name = test.split("::")

    assert re.search(rf"^(async )?def {name}\(", (REPOSITORY / "tests" / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "case", sorted({case for case, _ in re.findall(r"`([BF][\w+-]*\d\w*)` \(`(\w+)`\)", PAGE.read_text())})
)
def test_named_fault_case_exists(case: str) -> None:
    """By its id, and by the function that plays it."""
    (played,) = [one for one in ALL_CASES if one.id == case]

    assert f"`{case}` (`{played.act.__name__}`)" in PAGE.read_text()


@pytest.mark.parametrize("program", named(r"benchmarks/\w+\.py"))
def test_named_benchmark_exists(program: str) -> None:
    """As a file."""
    assert (REPOSITORY / program).is_file()


def test_every_test_of_a_case_is_on_the_page() -> None:
    """A test that says which case it shows is named there."""
    folder = Path(__file__).parent
    stated = {
        f"blackbox/{path.name}::{name}": cases
        for path in folder.glob("test_*.py")
        for name, cases in re.findall(
            r'def (test_\w+)\([^"]*?"""((?:BB-\d+(?:, | to )?)+):', path.read_text(), re.DOTALL
        )
    }
    text = PAGE.read_text()

    assert len(stated) > 40
    assert [test for test in stated if test not in text] == []
