"""Texts that commands are given: as arguments, in files, on standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

_SHOWN = 60


def fault_in(arguments: Sequence[str]) -> str | None:
    """Which argument is no text, in a sentence; absent when all are.

    Bytes that are no UTF-8 come as halves of surrogate pairs (PEP 383). No request can carry these, and each command
    would find out at another place, the last ones behind the store.
    """
    for number, text in enumerate(arguments, start=1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            before = arguments[number - 2] if number > 1 else ""
            after = f" (after {before})" if before.startswith("-") else ""
            return f"argument {number}{after} is not valid UTF-8: {_shown(text, error.start)}"
    return None


def read_file(path: str, option: str) -> str:
    """The text in that file.

    Raises:
        typer.BadParameter: it cannot be read, or is no text; names the option.
    """
    try:
        return Path(path).read_text()
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def read_stdin(option: str) -> str:
    """The text on standard input, to its end.

    Raises:
        typer.BadParameter: it is no text; names the option.
    """
    try:
        # its bytes: in some locales Python hides those that are no text, as in arguments
        return sys.stdin.buffer.read().decode(sys.stdin.encoding)
    except UnicodeError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _shown(text: str, fault: int) -> str:
    r"""The text up to the first byte that is none, with that byte as ``\xe9``."""
    start = max(0, fault + 1 - _SHOWN)
    head = text[start : fault + 1].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return ("…" if start else "") + head
