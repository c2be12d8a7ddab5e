"""Importing does no work, makes no warning, hangs in no cycle, and costs a user of the SDK little."""

import json
import subprocess
import sys

import pytest

from tests.packaging import import_alone
from tests.packaging.packages import modules

HEAVY = ("sqlalchemy", "asyncpg", "alembic", "aio_pika", "aiormq", "aiohttp.web", "typer", "rich")
OURS = ("ringback_backends", "ringback_service", "ringback_notifier", "ringback.cli", "ringback.embedded")


def test_every_module_imports_alone_without_a_warning() -> None:
    """Whichever module comes first, nothing depends on another having been imported before."""
    command = [sys.executable, "-I", import_alone.__file__]

    outcome = subprocess.run(command, input="\n".join(modules()), capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr
    complaints = json.loads(outcome.stdout)
    assert complaints == {}, "\n".join(complaints.values())


@pytest.mark.parametrize("unwanted", [*HEAVY, *OURS])
def test_import_ringback_does_not_import(unwanted: str) -> None:
    """A program that only writes tasks or calls the API pays for no database, no broker and no server."""
    question = f"import sys, ringback; sys.exit({unwanted!r} in sys.modules)"

    outcome = subprocess.run([sys.executable, "-I", "-c", question], capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr


def test_imports_read_no_settings_from_the_environment() -> None:
    """A broken setting disturbs a process that uses it, not one that imports ringback."""
    command = [sys.executable, "-c", "import ringback"]

    outcome = subprocess.run(command, env={"RINGBACK_PORT": "no number"}, capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr
