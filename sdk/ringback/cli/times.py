"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

import typer

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def moment_in(text: str, option: str) -> datetime:
    """A time with its offset, or a span before now: ``2026-11-21T07:00:00Z``, ``6h``.

    Raises:
        typer.BadParameter: it is neither; names the option.
    """
    try:
        # a number alone is no span here: it could be a year
        if text[-1:].isalpha() and (seconds := _seconds(text)) is not None:
            return datetime.now(UTC) - timedelta(seconds=seconds)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text} is no time such as 2026-11-21T07:00:00Z", param_hint=option) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text} has no offset: add Z for UTC", param_hint=option)
    return moment


def span_in(text: str, option: str) -> float:
    """A span of time in seconds: ``90``, ``90s``, ``15m``, ``24h``, ``7d``.

    Raises:
        typer.BadParameter: it is none; names the option.
    """
    seconds = _seconds(text)
    if seconds is None:
        raise typer.BadParameter(f"{text} is no span of time, such as 24h", param_hint=option)
    return seconds


def _seconds(text: str) -> float | None:
    match = _SPAN.fullmatch(text)
    return None if match is None else float(match[1]) * _UNITS[match[2]]
