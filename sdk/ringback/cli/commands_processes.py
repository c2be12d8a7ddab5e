"""Commands that run things."""

from typing import Annotated

import typer

from ringback.cli.options import Concurrency, Host, Port, Queues, Tasks


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (serve, api, worker, notifier, migrate):
        app.command()(command)


def serve(
    host: Host = None, port: Port = None, tasks: Tasks = None, queues: Queues = None, concurrency: Concurrency = None
) -> None:
    """Run everything in one process: front end, worker and notifier. Nothing else to install."""
    from ringback.cli.running import run_embedded

    raise typer.Exit(run_embedded(host=host, port=port, tasks=tasks, queues=queues, concurrency=concurrency))


def api(host: Host = None, port: Port = None, tasks: Tasks = None) -> None:
    """Run a front end."""
    from ringback.cli.running import run_front_end

    raise typer.Exit(run_front_end(host=host, port=port, tasks=tasks))


def worker(queues: Queues = None, concurrency: Concurrency = None, tasks: Tasks = None) -> None:
    """Run a worker: performs jobs."""
    from ringback.cli.running import run_worker_process

    raise typer.Exit(run_worker_process(queues=queues, concurrency=concurrency, tasks=tasks))


def notifier(
    concurrency: Annotated[int | None, typer.Option("--concurrency", min=1, help="Webhooks at the same time.")] = None,
) -> None:
    """Run a notifier: delivers webhooks."""
    from ringback.cli.running import run_notifier_process

    raise typer.Exit(run_notifier_process(delivery_concurrency=concurrency))


def migrate() -> None:
    """Bring the database to the schema of this version. Safe to run twice, and from several places at once."""
    from ringback.cli.running import run_migration

    typer.echo(f"the schema is {run_migration()}")
