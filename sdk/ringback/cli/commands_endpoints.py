"""Commands about registered endpoints."""

from typing import TYPE_CHECKING, Annotated

import typer

from ringback.cli.endpoint_options import (
    Consent,
    Description,
    Event,
    Fifo,
    Format,
    Given,
    Header,
    InFlight,
    Rate,
    SecretFile,
    Signing,
    TimeoutS,
    Unset,
)
from ringback.cli.options import AsJson, Limit

if TYPE_CHECKING:
    from ringback_schemas.http import EndpointBody

endpoints = typer.Typer(no_args_is_help=True, help="Registered receivers of webhooks.")

EndpointId = Annotated[str, typer.Argument(metavar="ID", help="Such as end_01kb3v4r6de0qv8t3kq1x1m9za.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="Where the signed webhooks go.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(endpoints, name="endpoints")


@endpoints.command("create")
def create(  # noqa: PLR0913, PLR0917 - an option for each thing that can be said of an endpoint
    url: Url,
    event: Event = None,
    description: Description = None,
    header: Header = None,
    rate: Rate = None,
    max_in_flight: InFlight = None,
    timeout: TimeoutS = None,
    format: Format = None,  # noqa: A002 - what the option is called
    fifo: Fifo = None,
    consent: Consent = None,
    signing: Signing = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Register an endpoint; `ringback secrets show ID` tells what verifies its webhooks."""
    from ringback.cli.connection import call
    from ringback.cli.endpoint_options import options_of, scheme_of, secret_in

    options = options_of(
        Given(event, description, header, rate, max_in_flight, timeout, format, fifo=fifo, consent=consent)
    )
    scheme, secret = scheme_of(signing), secret_in(secret_file)
    made = call(lambda client: client.endpoints.create(url, signing=scheme, secret=secret, **options))
    _show(made, as_json=as_json)


@endpoints.command("list")
def list_endpoints(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Newest first."""
    from ringback.cli.asking import list_endpoints as ask
    from ringback.cli.output import ago, show_list

    found = ask(limit)
    show_list(
        found,
        ("ID", "STATE", "EVENTS", "FAILURES", "SUCCESS", "URL"),
        lambda one: (
            one.id,
            "enabled" if one.enabled else f"disabled, {one.disabled_reason}",
            " ".join(one.events) or "*",
            str(one.failures_in_row),
            ago(one.last_success_at),
            one.url,
        ),
        as_json=as_json,
        empty="no endpoints",
    )


@endpoints.command("show")
def show(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Everything about an endpoint but its secrets."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.endpoints.get(endpoint_id)), as_json=as_json)


@endpoints.command("update")
def update(  # noqa: PLR0913, PLR0917 - as create
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option("--url", help="Where the signed webhooks go.")] = None,
    event: Event = None,
    description: Description = None,
    header: Header = None,
    rate: Rate = None,
    max_in_flight: InFlight = None,
    timeout: TimeoutS = None,
    format: Format = None,  # noqa: A002 - what the option is called
    fifo: Fifo = None,
    consent: Consent = None,
    unset: Unset = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given; the rest stays. --event and --header replace all that there are."""
    from ringback.cli.connection import call
    from ringback.cli.endpoint_options import options_of, without

    given = Given(event, description, header, rate, max_in_flight, timeout, format, fifo=fifo, consent=consent)
    changes = without(options_of(given), unset or ())
    if not changes and url is None:
        raise typer.BadParameter("say what to change")
    _show(call(lambda client: client.endpoints.update(endpoint_id, url=url, **changes)), as_json=as_json)


@endpoints.command("delete")
def delete(endpoint_id: EndpointId) -> None:
    """Forget it and its secrets. What waits for it is cancelled."""
    from ringback.cli.connection import call

    call(lambda client: client.endpoints.delete(endpoint_id))
    typer.echo(f"{endpoint_id} is deleted")


@endpoints.command("enable")
def enable(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Let it get events again. What waited for it is due at once."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.endpoints.enable(endpoint_id)), as_json=as_json)


@endpoints.command("disable")
def disable(endpoint_id: EndpointId, as_json: AsJson = False) -> None:
    """Send it nothing more. What waits for it is kept until it is enabled."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.endpoints.disable(endpoint_id)), as_json=as_json)


@endpoints.command("test")
def send_test(
    endpoint_id: EndpointId,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the first attempt.")] = True,
    as_json: AsJson = False,
) -> None:
    """Send it an endpoint.test event, and show what became of it; exit code 1 if that failed."""
    from ringback.cli.asking import send_endpoint_test
    from ringback.cli.exits import Exit
    from ringback.cli.output import show_one
    from ringback.cli.showing import show_delivery

    delivery = send_endpoint_test(endpoint_id, wait=wait)
    show_one(delivery, show_delivery, as_json=as_json)
    if wait and delivery.state != "delivered":
        raise typer.Exit(Exit.BAD if delivery.attempts else Exit.WAITED)


def _show(endpoint: "EndpointBody", *, as_json: bool) -> None:
    from ringback.cli.output import show_one
    from ringback.cli.showing import show_endpoint

    show_one(endpoint, show_endpoint, as_json=as_json)
