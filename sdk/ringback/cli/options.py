"""Options that several commands have, and what their values mean."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

Tasks = Annotated[
    str | None, typer.Option("--tasks", metavar="MODULES", help="Modules or files with tasks, separated by commas.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 takes any.")]
Queues = Annotated[str | None, typer.Option("--queues", metavar="NAMES", help="Queues to serve, separated by commas.")]
Concurrency = Annotated[int | None, typer.Option("--concurrency", min=1, help="Jobs at the same time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TimeoutS = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Wait no longer; exit code 6 then.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Show at most so many.")]

Member = TypeVar("Member", bound=StrEnum)


def members(kind: type[Member], names: Sequence[str] | None, *, what: str, option: str) -> list[Member]:
    """What these names mean; ``what`` is the word for one.

    Raises:
        typer.BadParameter: one of them means nothing; tells which there are, and names the option.
    """
    known = [member.value for member in kind]
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"{name} is no {what}; there are {', '.join(known)}", param_hint=option)
    return [kind(name) for name in names or ()]
