"""Commands about tenants: straight on the store, as those about keys."""

from typing import Annotated

import typer

from ringback.cli.options import AsJson

tenants = typer.Typer(no_args_is_help=True, help="Tenants, in the store that RINGBACK_DATABASE_URL names.")


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(tenants, name="tenants")


@tenants.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")], as_json: AsJson = False
) -> None:
    """Make a tenant with a signing secret; `ringback keys create NAME --tenant ID` makes it a key."""
    from ringback.cli.keyring import create_tenant
    from ringback.cli.output import print_json

    made = create_tenant(name)
    if as_json:
        print_json(made)
    else:
        typer.echo(made.id)


@tenants.command("list")
def list_all(as_json: AsJson = False) -> None:
    """All tenants, oldest first."""
    from ringback.cli.keyring import list_tenants
    from ringback.cli.output import ago, show_list

    found = list_tenants()
    show_list(
        found,
        ("ID", "NAME", "MADE"),
        lambda one: (one.id, one.name, ago(one.created_at)),
        as_json=as_json,
        empty="no tenants",
    )
