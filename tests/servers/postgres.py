"""A private PostgreSQL: own cluster, port and socket folder, durable as in production."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.servers import programs
from tests.servers.private import PrivateServer
from tests.servers.processes import ServerProcess, free_port
from tests.waiting import eventually_blocking


class PostgresServer(PrivateServer):
    """PostgreSQL from the installed binaries; port and address stay the same over restarts."""

    def __init__(self) -> None:
        """Find the programs and make the folder; starts nothing.

        Raises:
            ServerMissing: PostgreSQL is not installed.
        """
        binaries = programs.postgres_folder()
        if binaries is None:
            raise programs.ServerMissing("PostgreSQL", "initdb and postgres are not installed")
        self._binaries = binaries
        self._user = programs.unprivileged_user()
        self._folder = Path(tempfile.mkdtemp(prefix="ringback-postgres-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self.port = free_port()
        self._server = ServerProcess(self._command(), self._environment(), self._folder / "log", user=self._user)

    @property
    def url(self) -> str:
        """The address of the ``postgres`` database, as users write it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._server.is_running

    def start(self) -> None:
        """Start it, with a new cluster the first time, and wait until it answers. Harmless when it runs."""
        if self.is_running:
            return
        if not self._data.exists():
            self._initdb()
        # what a killed server's children still hold makes a first start fail
        try:
            eventually_blocking(self._start_once, within_s=60, what="PostgreSQL to start")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._server.tail}") from error

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it: connections are closed in good order, or cut and nothing flushed (``immediate``)."""
        self._server.end(signal.SIGQUIT if immediate else signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL the server; its children end themselves when they notice."""
        self._server.end(signal.SIGKILL)

    def restart(self, *, immediate: bool = False) -> None:
        """Stop it and start it again; ``immediate`` makes it recover from its log."""
        self.stop(immediate=immediate)
        self.start()

    def wipe(self) -> None:
        """Forget everything: stopped, emptied, started again."""
        self.stop(immediate=True)
        shutil.rmtree(self._data, ignore_errors=True)
        self.start()

    def close(self) -> None:
        """Stop it at once and delete its folder. Safe to call twice."""
        self._server.end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _start_once(self) -> bool:
        self._server.start()
        eventually_blocking(lambda: self._is_ready() or not self.is_running, within_s=60, what="PostgreSQL")
        return self.is_running

    def _is_ready(self) -> bool:
        question = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(question, check=False, timeout=10, env=self._environment()).returncode == 0

    def _initdb(self) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        subprocess.run(
            [*command, "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=60,
            cwd=self._folder,
            env=self._environment(),
            user=self._user,
            extra_groups=None if self._user is None else [],
        )

    def _command(self) -> list[str]:
        program = str(self._binaries / "postgres")
        where = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-k", str(self._folder)]
        # fsync stays on: what a test says about a kill must be true of a real installation
        return [program, "-D", str(self._data), *where, "-c", "max_connections=300", "-c", "fsync=on"]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._folder), "LANG": "C.UTF-8", "TZ": "UTC"}
