"""When a proxy that is out of order stops everything, and when it is tried again."""

import pytest

from ringback_notifier.proxy_gate import PLAN, ProxyGate, tells_of_proxy
from ringback_notifier.replies import Answered, Failed
from ringback_schemas.deliveries import Verdict


def shut(gate: ProxyGate) -> None:
    """It fails until it is shut, at 100 s."""
    for _ in range(PLAN.failures):
        gate.told(99.5, 100.0, 0.0, is_down=True, is_probe=False)


def test_gate_shuts_after_a_few_failures_in_a_row() -> None:
    """Nothing is claimed then."""
    gate = ProxyGate()
    gate.told(0.0, 0.5, 0.0, is_down=True, is_probe=False)
    assert gate.room(10, 1.0) == 10

    shut(gate)

    assert (gate.room(10, 100.5), gate.is_open) == (0, False)


def test_gate_lets_one_try_after_a_pause() -> None:
    """And no other while that is under way."""
    gate = ProxyGate()
    shut(gate)

    assert gate.room(10, 101.0) == 1
    assert gate.enter() is True
    assert gate.room(10, 101.0) == 0


def test_gate_opens_when_the_one_came_through() -> None:
    """Everything goes out again."""
    gate = ProxyGate()
    shut(gate)
    is_probe = gate.enter()

    assert gate.told(101.0, 101.1, 0.0, is_down=False, is_probe=is_probe) is True

    gate.leave(is_probe=is_probe)
    assert gate.room(10, 101.1) == 10


def test_gate_waits_longer_when_the_one_failed_too() -> None:
    """1, 2, 4, … 30 s."""
    gate = ProxyGate()
    shut(gate)
    is_probe = gate.enter()

    gate.told(101.0, 101.1, 0.0, is_down=True, is_probe=is_probe)
    gate.leave(is_probe=is_probe)

    assert (gate.room(10, 103.0), gate.room(10, 103.2)) == (0, 1)


def test_try_that_came_to_nothing_may_be_repeated() -> None:
    """A delivery that was withdrawn told nothing of the proxy."""
    gate = ProxyGate()
    shut(gate)

    gate.leave(is_probe=gate.enter())

    assert gate.room(10, 101.0) == 1


@pytest.mark.parametrize(
    ("reply", "tells"),
    [
        (Answered(500), True),
        (Failed(Verdict.TLS_ERROR, "TLS"), True),
        (Failed(Verdict.PROXY_FAILED, "it answered 503"), True),
        (Failed(Verdict.DNS_ERROR, "no address"), False),
        (Failed(Verdict.REFUSED_ADDRESS, "private"), False),
        (Failed(Verdict.TIMEOUT, "no connection"), False),
    ],
)
def test_only_what_went_through_the_proxy_tells_of_it(reply: Answered | Failed, tells: bool) -> None:  # noqa: FBT001 - a parameter
    """What ended before it was asked does not open a gate."""
    assert tells_of_proxy(reply) is tells
