"""Commands about deliveries."""

from typing import TYPE_CHECKING, Annotated

import typer

from ringback.cli.options import AsJson, Limit, members

if TYPE_CHECKING:
    from ringback_schemas.http import DeliveryBody

deliveries = typer.Typer(no_args_is_help=True, help="Look at webhooks and send them again.")

DeliveryId = Annotated[str, typer.Argument(metavar="ID", help="Such as dlv_01kb3v4r6de0qv8t3kq1x1m9za.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(deliveries, name="deliveries")


@deliveries.command("list")
def list_deliveries(
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Only of this job.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these; may be repeated.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first; those of one job oldest first."""
    from ringback.cli.asking import list_deliveries as ask
    from ringback.cli.connection import call
    from ringback.cli.output import ago, show_list
    from ringback_schemas.states import DeliveryState

    states = members(DeliveryState, state, what="state", option="--state")
    if job is None:
        found = ask(states=states, limit=limit)
    else:
        of_job = call(lambda client: client.deliveries(job))
        found = [one for one in of_job if not states or one.state in states][:limit]
    show_list(
        found,
        ("ID", "EVENT", "STATE", "TRIES", "NEXT", "JOB", "URL"),
        lambda one: (
            one.id,
            one.event_type,
            one.state,
            str(one.tries),
            ago(one.next_attempt_at),
            one.job_id or "-",
            one.url,
        ),
        as_json=as_json,
        empty="no deliveries",
    )


@deliveries.command("get")
def get_delivery(delivery_id: DeliveryId, as_json: AsJson = False) -> None:
    """A delivery with its attempts."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.delivery(delivery_id)), as_json=as_json)


@deliveries.command("redeliver")
def redeliver(delivery_id: DeliveryId, as_json: AsJson = False) -> None:
    """Send a webhook again: same webhook-id, same bytes, a fresh schedule."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.redeliver(delivery_id)), as_json=as_json)


def _show(delivery: "DeliveryBody", *, as_json: bool) -> None:
    from ringback.cli.output import show_one
    from ringback.cli.showing import show_delivery

    show_one(delivery, show_delivery, as_json=as_json)
