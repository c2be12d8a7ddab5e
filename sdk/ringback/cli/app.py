"""All commands, put together."""

from typing import Annotated

import typer

from ringback.cli import (
    commands_deliveries,
    commands_demo,
    commands_endpoints,
    commands_events,
    commands_jobs,
    commands_keys,
    commands_processes,
    commands_replays,
    commands_secrets,
    commands_tenants,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes slow work off a web request: 202 at once, a signed webhook when it is done.",
)


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"ringback {installed('ringback')}")
        raise typer.Exit


commands_processes.add_to(app)
commands_jobs.add_to(app)
commands_deliveries.add_to(app)
commands_replays.add_to(app)
commands_events.add_to(app)
commands_endpoints.add_to(app)
commands_secrets.add_to(app)
commands_keys.add_to(app)
commands_tenants.add_to(app)
commands_demo.add_to(app)
