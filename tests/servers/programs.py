"""Where the servers' programs are on this machine, Node.js too, and who they run as."""

import os
import pwd
import shutil
from pathlib import Path


class ServerMissing(Exception):
    """A server cannot be had here; says which, and what would help."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"no {server} for tests: {reason}")


def rabbitmq_server() -> Path | None:
    """The start script of RabbitMQ; absent when it is not installed.

    Debian's /usr/sbin/rabbitmq-server is a wrapper that changes user and ignores the environment: the real one first.
    """
    real = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    found = shutil.which("rabbitmq-server", path=_search_path())
    return real if real.exists() else Path(found) if found else None


def epmd() -> Path | None:
    """Erlang's port mapper, beside ``erl`` or in the release; absent when Erlang is not installed."""
    found = shutil.which("epmd", path=_search_path())
    return Path(found) if found else None


def postgres_folder() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, the newest version's; absent when it is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if versions:
        return versions[-1].parent
    found = shutil.which("postgres", path=_search_path())
    return Path(found).resolve().parent if found else None


def npm() -> Path | None:
    """The package manager of Node.js, for receivers in JavaScript; absent unless both are installed."""
    found = shutil.which("npm") if shutil.which("node") else None
    return Path(found) if found else None


def unprivileged_user() -> str | None:
    """Who PostgreSQL shall run as when we are root, for it refuses root; absent when we are not."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _search_path() -> str:
    usual = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/opt/homebrew/bin"
    return f"{os.environ.get('PATH', os.defpath)}:{usual}"
