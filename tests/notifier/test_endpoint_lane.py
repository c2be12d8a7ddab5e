"""Lanes of endpoints with limits of their own, beside those of their destinations: pure, with a clock of the test's."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ringback_notifier.endpoint_lane import NO_LIMITS, Limits, limits_of
from ringback_notifier.lane import LanePlan
from ringback_notifier.lanes import Lanes
from ringback_schemas.deliveries import Verdict, WaitReason
from ringback_schemas.endpoints import Consent, EndpointHealth, EndpointRecord, EndpointSettings, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, new_endpoint_id
from ringback_schemas.lanes import LaneRoom, LaneTurn
from tests.notifier.test_lanes import claimed

THERE = "https://a.example:443"
ONE, TWO = f"{THERE}#end_1", f"{THERE}#end_2"


@dataclass
class Clock:
    """Seconds that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The test's time."""
    return Clock()


@pytest.fixture
def lanes(clock: Clock) -> Lanes:
    """Of a notifier with 100 slots, 16 for what it does not know."""
    return Lanes(LanePlan(16), 100, clock=clock, dice=lambda: 0.0)


def recorded_endpoint(*, consent_rate_per_minute: int | None = None, **settings: Any) -> EndpointRecord:
    """An endpoint with these settings."""
    plain = EndpointSettings("https://a.example/hook", THERE)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return EndpointRecord(
        id=new_endpoint_id(),
        tenant_id=DEFAULT_TENANT,
        settings=replace(plain, **settings),
        signing=SigningScheme.V1,
        is_enabled=True,
        disabled_reason=None,
        disabled_at=None,
        consent=Consent.GRANTED,
        consent_rate_per_minute=consent_rate_per_minute,
        health=EndpointHealth(),
        version=1,
        created_at=at,
        updated_at=at,
    )


def turns(lanes: Lanes, limit: int = 100) -> dict[str, int]:
    """What is asked for, by lane."""
    return {turn.lane: turn.room for turn in lanes.turns(limit)}


def test_rate_of_an_endpoint_bounds_no_other(lanes: Lanes) -> None:
    """What is left at its destination is for those who wait there."""
    lanes.limit(ONE, Limits(rate_per_s=10))
    lanes.note_waiting([ONE, THERE])
    assert turns(lanes) == {ONE: 1, THERE: 15}

    lanes.enter(ONE)

    assert turns(lanes) == {THERE: 15}


def test_rate_of_an_endpoint_grants_the_next_in_time(lanes: Lanes, clock: Clock) -> None:
    """One at a time at 10 a second; the next when a token has come."""
    lanes.limit(ONE, Limits(rate_per_s=10))
    lanes.enter(ONE)
    lanes.note_waiting([ONE])
    assert turns(lanes) == {}

    clock.now += 0.11
    lanes.tick()

    assert turns(lanes) == {ONE: 1}


def test_what_is_put_back_waits_until_its_turn_is_near(lanes: Lanes, clock: Clock) -> None:
    """Two were taken at one in a hundred seconds: the second is not asked for again and again meanwhile."""
    lanes.limit(ONE, Limits(rate_per_s=0.01))
    first, _ = lanes.enter(ONE)
    second, _ = lanes.enter(ONE)
    first.sent(clock.now)
    lanes.put_back(second)
    lanes.leave(second, is_probe=False)
    lanes.leave(first, is_probe=False)

    asked = []
    for _ in range(200):
        clock.now += 1
        lanes.tick()
        asked.append(turns(lanes).get(ONE, 0))

    assert sum(asked[:101]) == 0
    assert set(asked[103:]) == {1}


def test_sends_of_an_endpoint_are_kept_apart_by_the_slower_rate() -> None:
    """Its own or its destination's, whatever was granted."""
    lanes = Lanes(LanePlan(16, rate_per_s=10), 100)
    lanes.limit(ONE, Limits(rate_per_s=1))
    slow, _ = lanes.enter(ONE)
    other, _ = lanes.enter(THERE)
    assert (slow.is_paced, slow.pause_s(1000.0)) == (True, 0.0)

    slow.sent(1000.0)

    assert slow.pause_s(1000.0) == pytest.approx(1 / 0.99)
    assert other.pause_s(1000.0) == pytest.approx(0.1 / 0.99)


def test_lanes_without_a_rate_are_not_paced(lanes: Lanes) -> None:
    """They cost nothing more."""
    lanes.limit(ONE, Limits(max_in_flight=3))

    assert [lanes.enter(name)[0].is_paced for name in (ONE, THERE)] == [False, False]


def test_cap_of_an_endpoint_bounds_what_is_in_flight(lanes: Lanes) -> None:
    """However much room its destination has."""
    lanes.limit(ONE, Limits(max_in_flight=2))
    lane, _ = lanes.enter(ONE)
    lanes.enter(ONE)
    lanes.note_waiting([ONE])
    assert turns(lanes) == {}

    lanes.leave(lane, is_probe=False)

    assert turns(lanes) == {ONE: 1}


def test_window_of_the_destination_bounds_all_its_endpoints(lanes: Lanes) -> None:
    """What is sent by any of its lanes is in flight there."""
    for _ in range(10):
        lanes.enter(ONE)
    for _ in range(6):
        lanes.enter(TWO)

    lanes.note_waiting([ONE, TWO, THERE])

    assert turns(lanes) == {}


def test_room_at_a_destination_goes_to_one_who_waits_for_it(lanes: Lanes) -> None:
    """When something ends there, whoever it was for."""
    lane = None
    for _ in range(16):
        lane, _ = lanes.enter(ONE)
    lanes.note_waiting([TWO])
    assert turns(lanes) == {}
    assert lane is not None

    lanes.leave(lane, is_probe=False)

    assert turns(lanes) == {TWO: 1}


def test_turns_together_ask_for_no_more_than_the_destination_has_room_for(lanes: Lanes) -> None:
    """Each of its lanes alone might have it."""
    for _ in range(14):
        lanes.enter(THERE)

    lanes.note_waiting([ONE, TWO, THERE])

    assert sum(turns(lanes).values()) == 2


def test_what_came_for_a_destination_by_all_its_lanes_must_fit_into_it(lanes: Lanes) -> None:
    """Each fits into its own; the last are beyond the sixteen that go there at once."""
    lanes.limit(ONE, Limits(max_in_flight=3))
    lanes.note_waiting([TWO])
    came = [claimed(name) for name in [ONE] * 4 + [TWO] * 7 + [THERE] * 7]

    fitting, rest = lanes.sort_out(came)

    assert Counter(one.delivery.lane for one in fitting) == {ONE: 3, TWO: 7, THERE: 6}
    assert rest == [came[3], came[-1]]


def test_circuit_is_the_destinations(lanes: Lanes, clock: Clock) -> None:
    """Failures of one endpoint there shut it for the others; one delivery of any may try it."""
    for _ in range(20):
        clock.now += 1
        lane, _ = lanes.enter(ONE)
        lanes.answered(lane, Verdict.TIMEOUT, 0.5, is_probe=False)
        lanes.leave(lane, is_probe=False)
    lanes.note_waiting([ONE, TWO, THERE])
    assert turns(lanes) == {}
    assert lanes.reason(TWO) is WaitReason.CIRCUIT

    clock.now += 5
    lanes.tick()

    assert sum(turns(lanes).values()) == 1
    probe, is_probe = lanes.enter(TWO)
    assert is_probe
    assert turns(lanes) == {}
    lanes.answered(probe, Verdict.DELIVERED, 0.1, is_probe=True)
    lanes.leave(probe, is_probe=True)
    assert lanes.reason(TWO) is not WaitReason.CIRCUIT
    assert turns(lanes)


def test_failed_probe_leaves_those_who_wait_awake(lanes: Lanes, clock: Clock) -> None:
    """They are looked at when the next probe is due."""
    for _ in range(20):
        clock.now += 1
        lane, _ = lanes.enter(ONE)
        lanes.answered(lane, Verdict.TIMEOUT, 0.5, is_probe=False)
        lanes.leave(lane, is_probe=False)
    clock.now += 5
    probe, is_probe = lanes.enter(ONE)
    lanes.note_waiting([ONE, TWO])
    assert turns(lanes) == {}
    lanes.answered(probe, Verdict.TIMEOUT, 0.5, is_probe=is_probe)
    lanes.leave(probe, is_probe=is_probe)

    clock.now += 10
    lanes.tick()

    assert sum(turns(lanes).values()) == 1


def test_line_is_asked_for_its_head(lanes: Lanes) -> None:
    """One at a time, with the time that it may hold up the others."""
    lanes.limit(ONE, Limits(hold_s=60))
    lanes.note_waiting([ONE])

    assert lanes.turns(100) == [LaneTurn(ONE, 1, 0, 60)]
    lanes.enter(ONE)
    assert lanes.turns(100) == []


def test_notifiers_share_an_endpoints_limits(lanes: Lanes, clock: Clock) -> None:
    """Each takes its part: half the rate, half the cap, at least one."""
    lanes.limit(ONE, Limits(rate_per_s=10))
    lanes.limit(TWO, Limits(max_in_flight=5))
    lanes.share(2)
    lanes.note_waiting([ONE, TWO])

    assert turns(lanes) == {ONE: 1, TWO: 2}
    lanes.enter(ONE)
    clock.now += 0.11
    lanes.tick()
    assert ONE not in turns(lanes)
    clock.now += 0.11
    lanes.tick()
    assert ONE in turns(lanes)


def test_changed_limits_hold_at_once(lanes: Lanes) -> None:
    """Also for what waits behind the old ones."""
    lanes.limit(ONE, Limits(rate_per_s=0.001))
    lanes.enter(ONE)
    lanes.note_waiting([ONE])
    assert turns(lanes) == {}

    lanes.limit(ONE, NO_LIMITS)
    lanes.note_waiting([ONE])

    assert turns(lanes) == {ONE: 15}


def test_claim_is_told_of_both_lanes(lanes: Lanes) -> None:
    """And of neither when nothing goes on."""
    lanes.limit(ONE, Limits(max_in_flight=3))
    lane, _ = lanes.enter(ONE)

    told = {room.lane: room for room in lanes.rooms().named}

    assert told == {
        ONE: LaneRoom(ONE, 2, WaitReason.IN_FLIGHT),
        THERE: LaneRoom(THERE, 15, WaitReason.IN_FLIGHT),
    }
    lanes.leave(lane, is_probe=False)
    assert lanes.rooms().named == []


def test_idle_lanes_are_forgotten(lanes: Lanes, clock: Clock) -> None:
    """The endpoint's first, then its destination's."""
    lanes.limit(ONE, Limits(rate_per_s=10))
    lane, _ = lanes.enter(ONE)
    lanes.leave(lane, is_probe=False)
    assert len(lanes) == 2

    for _ in range(3):
        clock.now += 100
        lanes.tick()

    assert len(lanes) == 0


@pytest.mark.parametrize(
    ("rate", "consented", "expected"),
    [(None, None, None), (5.0, None, 5.0), (None, 120, 2.0), (5.0, 120, 2.0), (1.0, 120, 1.0)],
)
def test_lower_of_the_endpoints_rate_and_its_consent_holds(
    rate: float | None, consented: int | None, expected: float | None
) -> None:
    """What it consented to is a rate a minute."""
    endpoint = recorded_endpoint(rate_limit_per_s=rate, consent_rate_per_minute=consented)

    assert limits_of(endpoint, 60).rate_per_s == expected


def test_only_an_endpoint_that_takes_one_at_a_time_has_a_line() -> None:
    """The time to hold is the operator's."""
    assert limits_of(recorded_endpoint(is_fifo=True), 60) == Limits(hold_s=60)
    assert limits_of(recorded_endpoint(max_in_flight=3), 60) == Limits(max_in_flight=3)
