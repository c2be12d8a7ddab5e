"""Server processes: started in a session of their own, and ended by the ids that we started, never by name."""

import contextlib
import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.waiting import eventually_blocking

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now.

    Below those that connections go out from: one of them could take it before its server does, or while that is down.
    """
    first_ephemeral = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32_768
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10_240, first_ephemeral) if first_ephemeral > 12_000 else 0
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found: int = probe.getsockname()[1]
            return found


def is_listening(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One foreground program with a log file. May be started again after it ended."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, user: str | None = None
    ) -> None:
        """``environment`` replaces ours; ``user`` is who it runs as, if not we ourselves."""
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; does not wait until it serves."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )

    def end(self, number: signal.Signals, within_s: float = 30.0) -> None:
        """Send it a signal and wait until it is gone; SIGKILL after ``within_s``. Safe when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(within_s)
        # helpers it left behind in its session; those with one of their own notice the death themselves
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait_until(self, is_ready: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait until it serves, as ``is_ready`` tells.

        Raises:
            AssertionError: it ended, or did not in time; with the end of its log.
        """
        try:
            eventually_blocking(lambda: is_ready() or not self.is_running, within_s=within_s, what=self._command[0])
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail}") from error
        if not self.is_running:
            raise AssertionError(f"{self._command[0]} ended instead of serving:\n{self.tail}")

    @property
    def tail(self) -> str:
        """The last 2,000 characters of its log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
