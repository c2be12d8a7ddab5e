"""The receivers of ``examples/receivers`` as processes, each with a folder, a port and an inbox of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.packages import REPOSITORY
from tests.servers import ServerMissing, programs
from tests.servers.processes import ServerProcess, free_port, is_listening

EXAMPLES = REPOSITORY / "examples" / "receivers"
EXPRESS = EXAMPLES / "express"
PYTHON_APPS = ("aiohttp_app", "fastapi_app", "flask_app")
APPS = (*PYTHON_APPS, "express")


@dataclass(frozen=True, slots=True)
class ReceiverProcess:
    """A receiver that runs."""

    process: ServerProcess
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where webhooks go to."""
        return f"http://127.0.0.1:{self.port}/hook"

    def handled(self) -> list[str]:
        """What it worked on, in order: type and id of the job, such as ``job.succeeded job_1``."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line.removeprefix("handled ") for line in lines if line.startswith("handled ")]

    def start(self) -> None:
        """Start it, again after ``kill``; returns when it listens."""
        self.process.start()
        self.process.wait_until(lambda: is_listening(self.port))

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.end(signal.SIGKILL)


@contextmanager
def running(
    app: str, secrets: Sequence[str], folder: Path, *, modules: Path | None = None
) -> Iterator[ReceiverProcess]:
    """One of ``APPS``, listening on loopback until the end; ``folder`` takes its log and its inbox.

    ``modules`` is where ``install_modules`` put what the one in JavaScript needs.
    """
    port, log = free_port(), folder / "log"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "WEBHOOK_SECRETS": " ".join(secrets),
        "PORT": str(port),
        "INBOX": str(folder / "inbox.sqlite3"),
    }
    receiver = ReceiverProcess(ServerProcess(command_of(app, modules), environment, log), port, log)
    try:
        receiver.start()
        yield receiver
    finally:
        receiver.kill()


def command_of(app: str, modules: Path | None) -> list[str]:
    """What starts one of ``APPS``."""
    if app in PYTHON_APPS:
        return [sys.executable, "-W", "error", str(EXAMPLES / f"{app}.py")]
    assert modules is not None, "the receiver in JavaScript needs its modules"
    return ["node", str(modules / "server.js")]


@contextmanager
def install_modules(folder: Path) -> Iterator[Path]:
    """The receiver in JavaScript, copied into that folder, with the packages of its lock beside it.

    Raises:
        ServerMissing: there is no Node.js, or its packages cannot be had.
    """
    npm = programs.npm()
    if npm is None:
        raise ServerMissing("Node.js with npm", "`make test` as root on Debian installs it; so does a package manager")
    for name in ("package.json", "package-lock.json", ".npmrc", "server.js"):
        shutil.copy(EXPRESS / name, folder)
    command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    outcome = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=100
    )
    if outcome.returncode:
        raise ServerMissing("packages of Node.js", f"npm ci: {outcome.stderr.strip()[-500:]}")
    yield folder
