"""What is no text is refused, wherever it comes from, before anything is asked or stored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ringback.cli.exits import Exit
from tests.cli.conftest import Run

LATIN_1 = "caf\udce9"
"""What Python makes of an argument with the byte E9."""

SHOWN = r"caf\xe9"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit", LATIN_1), rf"argument 2 is not valid UTF-8: {SHOWN}"),
        (("submit", "demo.echo", f'{{"name": "{LATIN_1}"}}'), rf'argument 3 is not valid UTF-8: {{"name": "{SHOWN}'),
        (
            ("endpoints", "create", "http://127.0.0.1/", "--description", LATIN_1),
            rf"5 (after --description) is not valid UTF-8: {SHOWN}",
        ),
        (("endpoints", "create", "http://127.0.0.1/", f"--header=X-Name={LATIN_1}"), rf"--header=X-Name={SHOWN}"),
        (("jobs", "list", "--tag", LATIN_1), rf"argument 4 (after --tag) is not valid UTF-8: {SHOWN}"),
        (("jobs", "get", LATIN_1), SHOWN),
        (("keys", "create", LATIN_1), SHOWN),
        (("tenants", "create", LATIN_1), SHOWN),
        (("listen", "--forward-to", f"http://127.0.0.1/{LATIN_1}"), SHOWN),
        (("serve", "--host", LATIN_1), SHOWN),
        ((LATIN_1,), rf"argument 1 is not valid UTF-8: {SHOWN}"),
    ],
)
def test_argument_that_is_no_utf_8_is_named(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """In one line, whatever the command."""
    outcome = run(*arguments)

    assert outcome.code == Exit.USAGE
    assert outcome.err.count("\n") == 1
    assert told in outcome.err


def test_argument_is_shown_up_to_the_byte_only(run: Run) -> None:
    """A payload may be long, and what is wrong with it far behind."""
    outcome = run("submit", "demo.echo", f'"{"x" * 10_000}{LATIN_1} and more"')

    assert outcome.err.endswith(f"xxx{SHOWN}\n")
    assert len(outcome.err) < 200


def test_bytes_of_the_system_are_shown() -> None:
    """A process of its own gets them as they are."""
    command = (sys.executable, "-m", "ringback.cli.main", "jobs", "list", "--tag", b"caf\xe9")

    outcome = subprocess.run(command, capture_output=True, text=True, check=False)

    assert outcome.returncode == Exit.USAGE
    assert outcome.stderr == f"ringback: argument 4 (after --tag) is not valid UTF-8: {SHOWN}\n"


@pytest.mark.parametrize(
    "arguments",
    [("submit", "demo.echo", "-"), ("endpoints", "create", "http://127.0.0.1/", "--secret-file", "-")],
)
def test_standard_input_that_is_no_text_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Also where Python would hide the bytes, as it does in the POSIX locale."""
    path = tmp_path / "input"
    path.write_bytes(b'"caf\xe9"')
    with path.open(errors="surrogateescape") as file:
        monkeypatch.setattr("sys.stdin", file)
        outcome = run(*arguments)

    assert outcome.code == Exit.USAGE
    assert "can't decode byte 0xe9" in outcome.err


def test_half_a_surrogate_pair_in_a_payload_is_refused(run: Run) -> None:
    """JSON can spell it, and no character is meant."""
    outcome = run("submit", "demo.echo", json.dumps("\ud800"))

    assert outcome.code == Exit.USAGE
    assert "half a surrogate pair" in outcome.err
