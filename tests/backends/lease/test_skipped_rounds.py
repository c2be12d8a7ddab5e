"""Loops of rounds during an outage of the store: what the log says of it."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from ringback_backends.contracts.errors import RowRefused, StoreError, StoreUnavailable
from ringback_backends.lease import outages
from ringback_backends.lease.rounds import Rounds

AWAY = StoreUnavailable("test", "refused")
ABSENT = StoreUnavailable("test", "refused", remedy="create it")
REFUSED = RowRefused("test", "too large")


class Loop(Rounds):
    """A loop with these rounds; None is a good one. It stops itself after the last."""

    name = "loop"

    def __init__(self, rounds: Sequence[StoreError | None]) -> None:
        super().__init__(every_s=0.0)
        self._rounds = list(rounds)

    async def round(self) -> bool:
        """The next of them."""
        error = self._rounds.pop(0)
        if not self._rounds:
            self.stop()
        if error is not None:
            raise error
        return False


async def told(*of_rounds: StoreError | None) -> list[str]:
    """The events in the log of a loop with these rounds."""
    with capture_logs() as lines:
        await Loop(of_rounds).run()
    return [line["event"] for line in lines]


async def test_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    """However many rounds it lasts."""
    assert await told(None, AWAY, AWAY, AWAY, None, None) == ["round_skipped", "round_resumed"]


async def test_each_outage_is_told() -> None:
    """A store that comes and goes."""
    assert await told(AWAY, None, AWAY) == ["round_skipped", "round_resumed", "round_skipped"]


async def test_outage_is_told_again_when_it_turns_out_to_be_another() -> None:
    """A server that was away, and then has no such database."""
    assert await told(AWAY, AWAY, ABSENT, ABSENT) == ["round_skipped", "round_skipped"]


async def test_value_that_is_refused_at_every_round_is_told_once() -> None:
    """It will be, until somebody does something about its row."""
    assert await told(REFUSED, REFUSED, REFUSED, None) == ["round_refused", "round_resumed"]


async def test_outage_that_lasts_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the last minutes of the log sees it."""
    monkeypatch.setattr(outages, "REMIND_S", 0.0)

    assert await told(AWAY, AWAY, AWAY) == ["round_skipped"] * 3
