"""The inbox of the example receivers: nothing lost, nothing twice, and no answer waits for the work."""

import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.receivers.programs import EXAMPLES
from tests.waiting import eventually

Opening = Callable[[Callable[[Any], object]], Any]


@pytest.fixture
def open_inbox(tmp_path: Path) -> Opening:
    """Opens the inbox of this test with what shall handle its events; again, as a restart would."""
    spec = importlib.util.spec_from_file_location("inbox_of_examples", EXAMPLES / "inbox.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda handle: module.Inbox(str(tmp_path / "inbox.sqlite3"), handle)


async def test_event_is_kept_without_waiting_for_the_work(open_inbox: Opening) -> None:
    """However long handling takes, the answer can go out at once."""
    begun, may_end, handled = threading.Event(), threading.Event(), []

    def handle(event: object) -> None:
        begun.set()
        may_end.wait(30)
        handled.append(event)

    inbox = open_inbox(handle)
    inbox.add("evt_1", b"1")
    await eventually(begun.is_set)
    inbox.add("evt_2", b"2")

    assert handled == []
    may_end.set()
    await eventually(lambda: handled == [1, 2])


async def test_event_is_handled_after_a_restart_when_it_was_only_kept(open_inbox: Opening) -> None:
    """Died between the answer and the work: the next process does it."""
    never, handled = threading.Event(), list[object]()
    dying = open_inbox(lambda _event: never.wait(30))
    dying.add("evt_1", b"1")

    open_inbox(handled.append)

    await eventually(lambda: handled == [1])
    never.set()


async def test_event_that_cannot_be_handled_does_not_stop_the_others(
    open_inbox: Opening, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays in the inbox and is tried again when something arrives."""
    tried = list[int]()

    def handle(event: int) -> None:
        tried.append(event)
        if tried == [1]:
            raise RuntimeError("not yet")

    inbox = open_inbox(handle)
    inbox.add("evt_1", b"1")
    await eventually(lambda: tried)
    inbox.add("evt_2", b"2")

    await eventually(lambda: tried[:3] == [1, 1, 2])
    assert "not yet" in capsys.readouterr().err
