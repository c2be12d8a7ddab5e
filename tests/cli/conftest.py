"""A running API for commands, and a way to run commands in this process."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from ringback.cli.main import main
from ringback.embedded import Embedded
from ringback.settings import load_settings
from ringback.telemetry import logs


@dataclass(frozen=True, slots=True)
class Api:
    """Where it is, and a key for it."""

    url: str
    key: str
    folder: Path
    """Where ``ringback serve`` would have been started."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(scope="package", autouse=True)
def quiet_logs() -> Iterator[None]:
    """The service runs in our process: its log must not get between a command's lines. As before after that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with Path(os.devnull).open("w") as nowhere:
        logs.configure("error", "json", stream=nowhere)
        yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An embedded service in a thread with a loop of its own.

    It must not outlive the tests of this package: it draws jitter from the process's random numbers, and Hypothesis
    takes that for a strategy that does.
    """
    folder = tmp_path_factory.mktemp("service")
    settings = load_settings(
        database_url=f"sqlite:///{folder}/ringback-data/ringback.db",
        port=0,
        public_url="http://127.0.0.1:0",
        drain_s=0,
        callback_allow=["127.0.0.0/8"],
    )
    ready, found = threading.Event(), dict[str, str]()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        async with Embedded(settings) as service:
            found.update(url=service.url, key=service.api_key)
            ready.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="service", daemon=True)
    thread.start()
    assert ready.wait(30)
    yield Api(found["url"], found["key"], folder)
    loop.call_soon_threadsafe(stopping.set)
    thread.join(30)
    loop.close()


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command against the API, with further environment by keyword; nothing else is set."""
    for name in [name for name in os.environ if name.startswith("RINGBACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, **environment: str) -> Outcome:
        with monkeypatch.context() as patch:
            for name, value in {"RINGBACK_URL": api.url, "RINGBACK_KEY": api.key, **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as leaving:
                main(arguments)
        printed = capsys.readouterr()
        return Outcome(int(leaving.value.code or 0), printed.out, printed.err)

    return command
