"""Program: import each module named on standard input in a process of its own; print a JSON object of those that fail.

Third-party packages are imported first, once, for they are most of the time and none of our business. Then a fork for
each module: in it, not one of ours has been imported yet.
"""

import importlib
import json
import os
import sys
import traceback
import warnings

FOREIGN = (
    "aio_pika", "aiohttp", "aiohttp.web", "alembic", "asyncpg", "cryptography.fernet", "orjson", "pebble",
    "prometheus_client", "pydantic", "pydantic_settings", "rich.console", "rich.table", "rich.progress",
    "sqlalchemy.ext.asyncio", "structlog", "tenacity", "typer", "uvloop",
)  # fmt: skip


def complaint_about(module: str) -> str:
    """What importing a module complains of, in a child process; empty when it is content."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            try:
                warnings.simplefilter("error")
                importlib.import_module(module)
            except BaseException:  # noqa: BLE001 -- whatever comes out of an import is the finding, SystemExit too
                pipe.write(traceback.format_exc())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        complaint = pipe.read()
    os.wait()
    return complaint


def main() -> None:
    """Read names, print complaints."""
    for foreign in FOREIGN:
        importlib.import_module(foreign)
    complaints = {module: complaint_about(module) for module in sys.stdin.read().split()}
    json.dump({module: complaint for module, complaint in complaints.items() if complaint}, sys.stdout)


if __name__ == "__main__":
    main()
