"""Commands about API keys: straight on the store, so that the first key needs no other."""

from typing import Annotated

import typer

from ringback.cli.options import AsJson

keys = typer.Typer(no_args_is_help=True, help="API keys, in the store that RINGBACK_DATABASE_URL names.")

TenantId = Annotated[
    str | None, typer.Option("--tenant", metavar="ID", help="Whose; the default tenant's unless given.")
]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(keys, name="keys")


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="What it may do; all, unless given.")] = None,
    tenant: TenantId = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once: the store keeps only its hash."""
    from ringback.cli.keyring import create_key
    from ringback.cli.output import print_json

    created = create_key(name, scope or [], tenant)
    if as_json:
        print_json(created)
        return
    typer.echo(created.key)
    typer.echo(f"{created.id} ({', '.join(created.scopes)}); it will not be shown again", err=True)


@keys.command("list")
def list_all(tenant: TenantId = None, as_json: AsJson = False) -> None:
    """All keys of a tenant, revoked ones too."""
    from ringback.cli.keyring import list_keys
    from ringback.cli.output import ago, show_list

    found = list_keys(tenant)
    show_list(
        found,
        ("ID", "NAME", "KEY", "SCOPES", "MADE", "REVOKED"),
        lambda one: (
            one.id,
            one.name,
            f"{one.hint}…",
            " ".join(one.scopes),
            ago(one.created_at),
            "" if one.revoked_at is None else ago(one.revoked_at),
        ),
        as_json=as_json,
        empty="no keys",
    )


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Such as key_01kb3v4r6de0qv8t3kq1x1m9za.")],
    tenant: TenantId = None,
) -> None:
    """End a key; it is refused everywhere within seconds. Done already is as good."""
    from ringback.cli.exits import Exit
    from ringback.cli.keyring import revoke_key

    if revoke_key(key_id, tenant) is None:
        typer.echo(f"ringback: there is no key {key_id}", err=True)
        raise typer.Exit(Exit.NOT_FOUND)
    typer.echo(f"{key_id} is revoked")


@keys.command("show")
def show() -> None:
    """The key that embedded mode made for itself in the data folder."""
    from ringback.cli.connection import local_key
    from ringback.settings import load_settings

    typer.echo(local_key(load_settings()))


@keys.command("encryption")
def encryption() -> None:
    """A fresh key for RINGBACK_ENCRYPTION_KEYS. Nothing is stored."""
    from ringback.secretbox import new_key

    typer.echo(new_key())
