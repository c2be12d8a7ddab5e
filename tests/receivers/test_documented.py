"""``docs/receiving-webhooks.md`` shows what these tests run, and the lock of the JavaScript receiver is honest."""

import json
import re
from pathlib import Path

import pytest

from ringback.webhooks import Reason
from tests.packaging.packages import REPOSITORY
from tests.receivers.programs import EXAMPLES, EXPRESS

PAGE = (REPOSITORY / "docs" / "receiving-webhooks.md").read_text()
SHOWN = dict(re.findall(r"^<!-- (examples/receivers/\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FILES = sorted(
    str(path.relative_to(REPOSITORY))
    for path in [*EXAMPLES.glob("*.py"), EXPRESS / "server.js", EXPRESS / "package.json"]
)


def test_page_shows_every_receiver() -> None:
    """A receiver that nobody is shown helps nobody."""
    assert sorted(SHOWN) == FILES


@pytest.mark.parametrize("name", FILES)
def test_page_shows_the_very_file_that_is_tested(name: str) -> None:
    """Who copies from the page copies what works."""
    assert SHOWN.get(name) == (REPOSITORY / name).read_text()


def test_page_explains_every_reason_of_a_refusal() -> None:
    """Whoever gets one finds what it means."""
    rows = PAGE.split("| reason | means |")[1].split("\n\n")[0].splitlines()
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")}

    assert explained == set(Reason)


def test_lock_names_no_registry() -> None:
    """Whoever installs it uses their own registry or mirror."""
    packages = _lock(EXPRESS)["packages"]

    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_lock_hashes_every_package() -> None:
    """What is installed is what was reviewed."""
    packages = _lock(EXPRESS)["packages"]

    assert len(packages) > 1
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_lock_belongs_to_the_package() -> None:
    """``npm install --package-lock-only`` was run after the last change of dependencies."""
    package = json.loads((EXPRESS / "package.json").read_text())

    assert _lock(EXPRESS)["packages"][""]["dependencies"] == package["dependencies"]


def _lock(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    lock: dict[str, dict[str, dict[str, object]]] = json.loads((folder / "package-lock.json").read_text())
    return lock
