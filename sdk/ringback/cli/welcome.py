"""What ``ringback serve`` says when it is up: what runs, where the data is, and what to type next."""

import os
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from ringback.embedded import Embedded
from ringback.settings import Settings

_SAMPLE = '{"type": "report.csv", "payload": {"csv": "city,year\\nOslo,1048\\nBergen,1070"}}'
_PLAIN = '{"type": "%s"}'


def welcome(service: Embedded, settings: Settings) -> str:
    """The start-up text; a few aligned lines."""
    lines = [
        ("API", f"{service.url}          docs  {service.url}/docs"),
        ("Data", _data(settings)),
        ("Broker", _broker(settings)),
        ("Tasks", _tasks(service, settings)),
        ("API key", _key(service)),
    ]
    if settings.callback_allow:
        networks = ", ".join(str(network) for network in settings.callback_allow)
        lines.append(("Webhooks", f"may also go to {networks} (RINGBACK_CALLBACK_ALLOW)"))
    told = "\n".join(f"  {name:<11} {text}" for name, text in lines)
    return (
        f"Ringback {version('ringback')}\n{told}\n\n"
        f"  Try   {_curl(service)}\n"
        f"  Stop  Ctrl-C (drains up to {settings.drain_s:g} s; twice = now, nothing is lost)\n"
    )


def _data(settings: Settings) -> str:
    if settings.is_sqlite:
        path = settings.database_url.get_secret_value().partition(":///")[2].partition("?")[0]
        return f"{_shown(Path(path))} (SQLite, fsync on every commit)"
    parts = urlsplit(settings.database_url.get_secret_value())
    return f"PostgreSQL at {parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


def _broker(settings: Settings) -> str:
    if settings.is_broker_embedded:
        return "embedded (one process); for more:  RINGBACK_BROKER_URL=amqp://…"
    parts = urlsplit(settings.broker_url.get_secret_value())
    return f"RabbitMQ at {parts.hostname}:{parts.port or 5672}"


def _tasks(service: Embedded, settings: Settings) -> str:
    names = " ".join(sorted(service.registry))
    return f"{names} · yours: --tasks app.tasks" if settings.tasks == "ringback.demo" else names


def _key(service: Embedded) -> str:
    if service.key_path is None:
        return "as RINGBACK_BOOTSTRAP_API_KEY says"
    return f"in {_shown(service.key_path)} (mode 600); shown by  ringback keys show"


def _curl(service: Embedded) -> str:
    """A request that works when it is pasted. The key itself is shown to a person, and kept out of log files."""
    if service.key_path is None:
        key = "$RINGBACK_BOOTSTRAP_API_KEY"
    elif sys.stdout.isatty():
        key = service.api_key
    else:
        key = f"$(cat {shlex.quote(str(service.key_path.resolve()))})"
    body = _SAMPLE if "report.csv" in service.registry else _PLAIN % min(service.registry)
    return (
        f'curl -i {service.url}/v1/jobs -H "Authorization: Bearer {key}" \\\n'
        f"          -H 'Content-Type: application/json' -d '{body}'"
    )


def _shown(path: Path) -> str:
    """Relative to where we are, when it is below."""
    relative = os.path.relpath(path)
    return str(path.resolve()) if relative.startswith("..") else f"./{relative}"
