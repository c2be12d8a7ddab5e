"""The command that shows everything."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(demo)


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Keep the data there; else it is thrown away.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the settings and the log.")] = False,
) -> None:
    """See it work: real jobs, real signed webhooks, in this one process; ends by itself."""
    import uvloop

    from ringback.cli.show.stage import data_folder, perform
    from ringback.telemetry import logs

    logs.configure("info" if verbose else "error", "auto")
    with data_folder(data) as folder:
        raise typer.Exit(uvloop.run(perform(folder, is_kept=data is not None, is_verbose=verbose)))
