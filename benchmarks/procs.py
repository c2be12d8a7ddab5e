"""Processes of a stack: started with a log, counted (CPU, memory) with all their children, ended by their ids."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Return when the condition holds.

    Raises:
        TimeoutError: it did not within so many seconds.
    """
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"waited {within_s:g} s in vain for {what}")
        time.sleep(0.05)


def answers(url: str, *, key: str = "none", refusals: bool = True) -> bool:
    """Whether something answers HTTP there; an answer of 4xx counts unless ``refusals`` is false."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})  # noqa: S310 - ours, on loopback
    try:
        with urllib.request.urlopen(request, timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return refusals and error.code < 500
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process and its children, in MiB."""

    largest_rss: float
    """Resident set of the largest one."""
    total_pss: float
    """All together, each shared page counted once."""


def _stat(pid: int) -> list[str] | None:
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return content.rpartition(")")[2].split()


def parent_of(pid: int) -> int:
    """The parent's process id."""
    fields = _stat(pid)
    if fields is None:
        raise ProcessLookupError(pid)
    return int(fields[1])


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(root: int) -> float:
    """CPU seconds of the process and its children, ended ones included; user and system, to 10 ms."""
    ticks = 0
    for pid in tree(root):
        if (fields := _stat(pid)) is not None:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_A_SECOND


def machine_cpu_s() -> float:
    """CPU seconds of everything on the machine, and what its host took from it."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields[:8]
    return (user + nice + system + interrupts + soft + stolen) / TICKS_A_SECOND


def memory(root: int) -> Memory:
    """What the process and its children hold now."""
    largest, total = 0.0, 0.0
    for pid in tree(root):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            largest = max(largest, resident / 2**20)
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 2**10
    return Memory(round(largest, 1), round(total, 1))


class Fleet:
    """Named processes, each in a session of its own; all of them end with the ``with`` block, the last first."""

    def __init__(self, folder: Path) -> None:
        """``folder`` takes a log for each."""
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each."""
        return {name: process.pid for name, process in self._running.items()}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        """Start one; its environment is ours and what is given."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def check(self) -> None:
        """Nothing, while all run.

        Raises:
            RuntimeError: one has ended; with the end of its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The end of its log."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them: asked first, killed with their children after 10 seconds."""
        for process in reversed(self._running.values()):
            process.terminate()
        ends_at = time.monotonic() + 10
        for process in reversed(self._running.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, ends_at - time.monotonic()))
            # its session holds nobody but it and its children
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()
