"""One process of the fleet: started, stopped and killed by its own id only."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

UP = (b'"event":"api_started"', b'"event":"broker_connected","role":"consuming"')


class FleetProcess:
    """A ``ringback`` command with its own log file; may be started again after it ended."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """``environment`` is added to PATH and HOME; nothing else is inherited."""
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._arguments = [sys.executable, "-m", "ringback.cli.main", *arguments]
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}
        self._folder = folder
        self._born_at = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it was never started."""
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it; its output is appended to its log."""
        with self.log_path.open("ab") as log:
            self._born_at = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments, env=self._environment, cwd=self._folder, stdin=asyncio.subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None and self.is_alive:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def terminate(self, within_s: float = 40.0) -> int:
        """SIGTERM, and its exit code; killed when it does not end in time."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                return await self.wait()
        except TimeoutError:
            await self.kill()
            raise

    async def wait(self) -> int:
        """Its exit code, once it has ended; 0 when it was never started."""
        return 0 if self._process is None else await self._process.wait()

    @property
    def is_up(self) -> bool:
        """Whether it has said, in this life, that it serves or consumes."""
        said = self.log_path.read_bytes()[self._born_at :]
        return any(word in said for word in UP)

    def log_text(self) -> str:
        """All it has printed, over all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
