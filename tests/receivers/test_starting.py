"""The example receivers do not start with what cannot verify a webhook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringback.webhooks import InvalidSecret, check_secret, new_secret, new_signing_key, public_key_of
from tests.packaging.packages import REPOSITORY
from tests.receivers.programs import APPS, PYTHON_APPS, command_of

PLACEHOLDERS = [
    "",
    " ",
    "whsec_",
    "whsec_…",
    "whsec_c2hvcnQ=",
    "changeme",
    f"{new_secret()} changeme",
    new_signing_key(),
]
NAMES = ["nothing", "blank", "prefix", "ellipsis", "short", "word", "one of two", "private key"]
"""Of tests: keys differ each time."""


def ended(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself."""
    known = {"PATH": os.environ["PATH"], "PORT": "0", "INBOX": str(folder / "inbox.sqlite3")}
    return subprocess.run(
        command, env={**known, **environment}, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(params=APPS)
def command(request: pytest.FixtureRequest) -> list[str]:
    """What starts each receiver."""
    modules = None if request.param in PYTHON_APPS else request.getfixturevalue("node_modules")
    return command_of(request.param, modules)


@pytest.mark.parametrize("secrets", PLACEHOLDERS, ids=NAMES)
def test_receiver_does_not_start_with_what_is_no_secret(command: list[str], tmp_path: Path, secrets: str) -> None:
    """It says which setting is wrong, in one line, and shows no secret."""
    outcome = ended(command, tmp_path, WEBHOOK_SECRETS=secrets)

    assert outcome.returncode == 1
    assert outcome.stderr.startswith("WEBHOOK_SECRETS")
    assert outcome.stderr.count("\n") == 1
    assert not any(len(word) > 10 and word in outcome.stderr for word in secrets.split())


@pytest.mark.parametrize("key", [{}, {"RINGBACK_KEY": ""}])
def test_receiver_that_asks_for_its_secrets_wants_a_key(tmp_path: Path, key: dict[str, str]) -> None:
    """It says so in one line."""
    outcome = ended([sys.executable, str(REPOSITORY / "examples" / "receiver.py")], tmp_path, **key)

    assert (outcome.returncode, outcome.stderr.count("\n")) == (1, 1)
    assert outcome.stderr.startswith("RINGBACK_KEY is not set")


@pytest.mark.parametrize("secret", [new_secret(), public_key_of(new_signing_key())], ids=["shared", "public"])
def test_check_takes_what_ringback_hands_out(secret: str) -> None:
    """Shared and public keys."""
    check_secret(secret)


@pytest.mark.parametrize(
    "secret",
    ["", "changeme", "whsec_", "whsec_c2hvcnQ=", "whpk_x", "whsk_", pytest.param(new_signing_key(), id="private key")],
)
def test_check_refuses_the_rest(secret: str) -> None:
    """Private keys, too: they have no business at a receiver."""
    with pytest.raises(InvalidSecret):
        check_secret(secret)
