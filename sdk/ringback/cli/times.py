"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

import typer

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def moment_in(text: str, option: str) -> datetime:
    """A time with its offset, or a span before now: ``2026-11-21T07:00:00Z``, ``6h``.

    Raises:
        typer.BadParameter: it is neither; names the option.
    """
    try:
        if match := _SPAN.fullmatch(text):
            return datetime.now(UTC) - timedelta(seconds=float(match[1]) * _UNITS[match[2]])
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text} is no time such as 2026-11-21T07:00:00Z", param_hint=option) from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text} has no offset: add Z for UTC", param_hint=option)
    return moment
