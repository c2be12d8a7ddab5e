"""Tables for people, JSON for programs. The JSON is the API's own."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import orjson
import typer
from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

STATE_COLOURS = {
    "succeeded": "green",
    "delivered": "green",
    "failed": "red",
    "exhausted": "red",
    "retrying": "yellow",
    "running": "cyan",
    "sending": "cyan",
}


def print_json(model: BaseModel) -> None:
    """One JSON document on one line."""
    typer.echo(model.model_dump_json())


def print_value(value: Any) -> None:
    """A JSON value, indented for people."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table, or the words for there being nothing."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(empty, err=True)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        overflow: Literal["fold", "ellipsis"] = "fold" if column in {"URL", "REASON", "SECRET"} else "ellipsis"
        table.add_column(column, overflow=overflow, no_wrap=column == "ID")
    for row in rows:
        table.add_row(*[Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in row])
    # off a terminal nothing is cut: a program may be reading after all
    console = Console() if sys.stdout.isatty() else Console(width=400)
    console.print(table)


def show_one(found: Model, show: Callable[[Model], None], *, as_json: bool) -> None:
    """What a command found, as JSON or as ``show`` prints it."""
    if as_json:
        print_json(found)
    else:
        show(found)


def show_list(
    found: Sequence[Model],
    columns: Sequence[str],
    row: Callable[[Model], Sequence[str]],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """What a command found, as JSON or as a table.

    Args:
        found: All of it.
        columns: Their names.
        row: What stands in the columns for one of them.
        as_json: For programs.
        empty: The words for there being nothing; a list in JSON is just empty.
    """
    if as_json:
        # as the API's pages have it
        typer.echo(f'{{"items":[{",".join(one.model_dump_json() for one in found)}]}}')
    else:
        print_table(columns, [row(one) for one in found], empty=empty)


def print_fields(pairs: Sequence[tuple[str, str | None]]) -> None:
    """Names and values under each other; what is absent is left out."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        if value is not None:
            typer.echo(f"{name:<{width}}  {value}")


def ago(moment: datetime | None) -> str:
    """How long ago, or how far ahead: ``12 s ago``, ``in 5 m``."""
    if moment is None:
        return "-"
    passed = datetime.now(UTC) - moment
    return f"{_span(passed)} ago" if passed >= timedelta(0) else f"in {_span(-passed)}"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
