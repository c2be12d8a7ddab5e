"""The lock can be trusted and used anywhere: everything pinned and hashed, no address of an index."""

import re
import tomllib

from tests.packaging.packages import REPOSITORY

LOCK = (REPOSITORY / "requirements.lock").read_text()


def test_lock_hashes_every_package() -> None:
    """What is installed is what was reviewed."""
    pinned = re.findall(r"^[\w.-]+==.*", LOCK, re.MULTILINE)
    hashed = re.findall(r"^[\w.-]+==.* \\\n    --hash=sha256:[0-9a-f]{64}", LOCK, re.MULTILINE)

    assert len(pinned) == len(hashed) > 0


def test_lock_names_no_index() -> None:
    """Whoever installs it uses their own registry or mirror."""
    assert re.search(r"://|--(extra-)?index|--find-links|--trusted-host", LOCK) is None


def test_lock_pins_every_dependency_of_the_project() -> None:
    """``make lock`` was run after the last change of dependencies."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in wanted}

    assert names <= set(re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE))
