"""Options that say something of an endpoint, and what they make of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ringback.cli.texts import read_file, read_stdin

if TYPE_CHECKING:
    from ringback.client.endpoints import EndpointOptions
    from ringback_schemas.endpoints import SigningScheme

Event = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="TYPE", help="Only these, such as job.failed or job.*; may be repeated."),
]
Description = Annotated[str | None, typer.Option("--description", help="What you call it.")]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME=VALUE", help="Sent along; =@FILE reads the value from a file."),
]
Rate = Annotated[float | None, typer.Option("--rate", metavar="PER_SECOND", help="Most deliveries a second.")]
InFlight = Annotated[int | None, typer.Option("--max-in-flight", help="Most deliveries at the same time.")]
TimeoutS = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="To answer in.")]
Format = Annotated[str | None, typer.Option("--format", help="standard or cloudevents.")]
Fifo = Annotated[bool | None, typer.Option("--fifo/--no-fifo", help="One at a time, in the order of events.")]
Consent = Annotated[bool | None, typer.Option("--consent/--no-consent", help="Ask it by OPTIONS first.")]
Signing = Annotated[str | None, typer.Option("--signing", help="v1 (HMAC) or v1a (Ed25519).")]
SecretFile = Annotated[
    str | None, typer.Option("--secret-file", metavar="FILE", help="Has a secret that you bring along; - is stdin.")
]
Unset = Annotated[
    list[str] | None, typer.Option("--unset", metavar="FIELD", help="Back to the default; may be repeated.")
]

_UNSET: Mapping[str, object] = {
    "events": [],
    "description": "",
    "headers": {},
    "rate_limit_per_s": None,
    "max_in_flight": None,
    "timeout_s": None,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was said on the command line; absent: nothing was."""

    event: Sequence[str] | None
    description: str | None
    header: Sequence[str] | None
    rate: float | None
    max_in_flight: int | None
    timeout_s: float | None
    body_format: str | None
    fifo: bool | None
    consent: bool | None


def options_of(given: Given) -> "EndpointOptions":
    """What the client takes of it. The API says what is wrong with it.

    Raises:
        typer.BadParameter: a header is none, or its file cannot be read.
    """
    said = {
        "events": given.event or None,
        "description": given.description,
        "headers": _headers(given.header or ()) or None,
        "rate_limit_per_s": given.rate,
        "max_in_flight": given.max_in_flight,
        "timeout_s": given.timeout_s,
        "body_format": given.body_format,
        "is_fifo": given.fifo,
        "needs_consent": given.consent,
    }
    return cast("EndpointOptions", {name: value for name, value in said.items() if value is not None})


def without(options: "EndpointOptions", fields: Iterable[str]) -> "EndpointOptions":
    """The options with these fields set back.

    Raises:
        typer.BadParameter: a field is none that can be unset.
    """
    for field in fields:
        if field not in _UNSET:
            raise typer.BadParameter(f"there are {', '.join(_UNSET)}", param_hint="--unset")
    return cast("EndpointOptions", {**options, **{field: _UNSET[field] for field in fields}})


def scheme_of(text: str | None) -> "SigningScheme | None":
    """How to sign; absent if nothing was said."""
    from ringback_schemas.endpoints import SigningScheme

    if text is None:
        return None
    known = [scheme.value for scheme in SigningScheme]
    if text not in known:
        raise typer.BadParameter(f"there are {', '.join(known)}", param_hint="--signing")
    return SigningScheme(text)


def secret_in(path: str | None) -> str | None:
    """The secret in that file; a secret on the command line would be seen by everybody on the machine."""
    if path is None:
        return None
    text = read_stdin("--secret-file") if path == "-" else read_file(path, "--secret-file")
    return text.strip()


def _headers(given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{name} has no value: NAME=VALUE, or NAME=@FILE", param_hint="--header")
        found[name] = read_file(value[1:], "--header").strip() if value.startswith("@") else value
    return found
