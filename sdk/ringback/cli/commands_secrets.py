"""Commands about the secrets that sign webhooks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ringback.cli.endpoint_options import SecretFile, Signing
from ringback.cli.options import AsJson
from ringback.cli.times import span_in

if TYPE_CHECKING:
    from ringback_schemas.http import SigningSecretBody

secrets = typer.Typer(no_args_is_help=True, help="What signs webhooks. Needs a key with the scope `secrets`.")

EndpointId = Annotated[
    str | None, typer.Argument(metavar="[ENDPOINT_ID]", help="Whose; those of callbacks unless given.")
]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(secrets, name="secrets")


@secrets.command("show")
def show(endpoint_id: EndpointId = None, as_json: AsJson = False) -> None:
    """The live secrets, newest first; each look is in the audit log. Of a key pair only the public half is shown."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.secrets.show(endpoint_id)), as_json=as_json)


@secrets.command("rotate")
def rotate(
    endpoint_id: EndpointId = None,
    overlap: Annotated[
        str | None, typer.Option("--overlap", metavar="SPAN", help="How long the old ones still sign: 24h, 0, 7d.")
    ] = None,
    signing: Signing = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new secret. The old ones sign beside it for a while: a day, unless told otherwise."""
    from ringback.cli.connection import call
    from ringback.cli.endpoint_options import scheme_of, secret_in

    overlap_s = None if overlap is None else span_in(overlap, "--overlap")
    scheme, secret = scheme_of(signing), secret_in(secret_file)
    live = call(lambda client: client.secrets.rotate(endpoint_id, overlap_s=overlap_s, signing=scheme, secret=secret))
    _show(live, as_json=as_json)


def _show(live: "Sequence[SigningSecretBody]", *, as_json: bool) -> None:
    from ringback.cli.output import ago, print_json, print_table
    from ringback_schemas.http import SigningSecretsBody

    if as_json:
        print_json(SigningSecretsBody(secrets=list(live)))
        return
    rows = [
        (
            one.id,
            one.secret or one.public_key or "",
            ago(one.created_at),
            "-" if one.expires_at is None else ago(one.expires_at),
        )
        for one in live
    ]
    print_table(("ID", "SECRET", "MADE", "ENDS"), rows, empty="no secrets")
