"""What is seen while a command waits."""

import io
import os

import pytest

from ringback.cli.progress import progress

CURSOR_AGAIN = b"\x1b[?25h"
"""The last thing that a living line does to a terminal."""


def test_progress_shows_what_a_task_says_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are no markup: they would be left out, or end the command with a traceback."""
    screen, terminal = os.openpty()
    monkeypatch.setenv("TERM", "xterm")

    with os.fdopen(terminal, "w") as stream, os.fdopen(screen, "rb", buffering=0) as watched:
        monkeypatch.setattr("sys.stderr", stream)
        with progress(str) as show:
            show("row [1] of [/2]")
        seen = b""
        while CURSOR_AGAIN not in seen:
            seen += watched.read(65_536)

    assert b"row [1] of [/2]" in seen


def test_progress_is_silent_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads standard error gets messages only."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)

    with progress(str) as show:
        show("running")

    assert not stream.getvalue()
