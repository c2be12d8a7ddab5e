"""All lanes together: what a claim is told, what is ready, what is forgotten."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from ringback_notifier.lane import Lane, LanePlan
from ringback_notifier.lanes import Lanes
from ringback_notifier.roster import FORGOTTEN_S, IDLE_S, MOST_LANES
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, DeliveryRecord, Verdict, WaitReason
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    new_delivery_id,
    new_event_id,
    new_instance_id,
    new_job_id,
)
from ringback_schemas.lanes import Circuit, LaneRoom, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState

A, B = "https://a.example:443", "https://b.example:443"


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Its time."""
        return self.now


@dataclass
class Counted:
    """Remembers what it was told."""

    counts: list[dict[Circuit, int]] = field(default_factory=list)

    def on_lanes(self, counts: object) -> None:
        """Remember it."""
        self.counts.append(dict(counts))  # type: ignore[call-overload]


@pytest.fixture
def clock() -> Clock:
    """A clock for the test to move."""
    return Clock()


@pytest.fixture
def lanes(clock: Clock) -> Lanes:
    """Lanes of a notifier with 128 slots."""
    return Lanes(LanePlan(), 128, clock=clock, dice=lambda: 0.0)


def claimed(destination: str) -> ClaimedDelivery:
    """A delivery for it that was just claimed."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = DeliveryRecord(
        id=new_delivery_id(),
        tenant_id=DEFAULT_TENANT,
        event_id=new_event_id(),
        event_type="job.succeeded",
        job_id=new_job_id(),
        kind=DeliveryKind.CALLBACK,
        endpoint_id=None,
        url=f"{destination}/hook",
        lane=destination,
        state=DeliveryState.SENDING,
        attempt=1,
        tries=0,
        created_at=at,
        next_attempt_at=at,
        finished_at=None,
        owner=new_instance_id(),
    )
    return ClaimedDelivery(record, b"{}", at)


def enter(lanes: Lanes, destination: str, count: int) -> Lane:
    """So many deliveries are sent there."""
    for _ in range(count):
        lane, _ = lanes.enter(destination)
    return lane.trunk


def shut(lanes: Lanes, clock: Clock, destination: str) -> Lane:
    """Its circuit opens; nothing is in flight."""
    for _ in range(20):
        clock.now += 1
        lane, _ = lanes.enter(destination)
        lanes.answered(lane, Verdict.TIMEOUT, 0.5, is_probe=False)
        lanes.leave(lane, is_probe=False)
    assert not lane.trunk.breaker.is_closed
    return lane.trunk


def test_claim_needs_no_telling_while_there_is_some_room_everywhere(lanes: Lanes) -> None:
    """With twelve in flight at one destination four are safe to claim; with eight in flight any number is likely to."""
    enter(lanes, A, 8)
    assert not lanes.may_overflow(100)

    enter(lanes, A, 4)

    assert (lanes.may_overflow(4), lanes.may_overflow(5)) == (False, True)
    assert lanes.rooms() == LaneRooms(16, [LaneRoom(A, 4, WaitReason.IN_FLIGHT)])


def test_claim_is_not_told_of_what_is_unknown(lanes: Lanes) -> None:
    """It would be dearer each time; what is too much for one destination is sorted out."""
    surprise = [claimed(A) for _ in range(20)]
    some = [claimed(B) for _ in range(3)]

    assert not lanes.may_overflow(128)
    assert lanes.sort_out([*surprise, *some]) == ([*surprise[:16], *some], surprise[16:])


def test_what_came_for_a_circuit_that_opened_meanwhile_has_no_room(lanes: Lanes, clock: Clock) -> None:
    """Its attempts are not burnt."""
    shut(lanes, clock, A)
    late, other = claimed(A), claimed(B)

    assert lanes.sort_out([late, other]) == ([other], [late])
    assert (lanes.reason(A), lanes.reason(B)) == (WaitReason.CIRCUIT, WaitReason.IN_FLIGHT)


def test_claim_is_told_of_open_circuits(lanes: Lanes, clock: Clock) -> None:
    """With why they are."""
    shut(lanes, clock, A)

    assert lanes.may_overflow(1)
    assert lanes.rooms() == LaneRooms(16, [LaneRoom(A, 0, WaitReason.CIRCUIT)])


def test_lane_that_is_as_new_is_not_told_of(lanes: Lanes) -> None:
    """A thousand destinations that were sent to a moment ago make no claim dearer."""
    for number in range(1_000):
        lane = enter(lanes, f"https://{number}.example:443", 1)
        lanes.answered(lane, Verdict.DELIVERED, 0.01, is_probe=False)
        lanes.leave(lane, is_probe=False)

    assert lanes.rooms() == LaneRooms(16, [])


def test_waiting_lane_is_ready_when_a_delivery_ends(lanes: Lanes) -> None:
    """At once: nobody waits for a poll."""
    nudges: list[bool] = []
    lanes.begin(lambda: nudges.append(True))
    lane = enter(lanes, A, 16)
    lanes.note_waiting([A])
    assert (lanes.is_ready, nudges) == (False, [])

    lanes.leave(lane, is_probe=False)

    assert (lanes.is_ready, nudges) == (True, [True])
    assert lanes.turns(100) == [LaneTurn(A, 1, 0)]


def test_waiting_lane_is_ready_when_its_circuit_may_be_probed(lanes: Lanes, clock: Clock) -> None:
    """One delivery, when the pause is over and not before."""
    shut(lanes, clock, A)
    lanes.note_waiting([A])
    clock.now += 4.9
    lanes.tick()
    assert not lanes.is_ready

    clock.now += 0.1
    lanes.tick()

    assert lanes.turns(100) == [LaneTurn(A, 1, 0)]


def test_waiting_lane_is_ready_when_its_circuit_closes(lanes: Lanes, clock: Clock) -> None:
    """A good probe lets the others go at once."""
    shut(lanes, clock, A)
    lanes.note_waiting([A])
    clock.now += 5
    lane, is_probe = lanes.enter(A)

    lanes.answered(lane, Verdict.DELIVERED, 0.1, is_probe=is_probe)
    lanes.leave(lane, is_probe=is_probe)

    assert is_probe
    (turn,) = lanes.turns(100)
    assert turn.room >= 16


def test_waiting_lane_is_ready_when_its_rate_allows(clock: Clock) -> None:
    """By the clock, for nothing need end."""
    lanes = Lanes(LanePlan(rate_per_s=10), 128, clock=clock)
    lane = enter(lanes, A, 1)
    lanes.leave(lane, is_probe=False)
    lanes.note_waiting([A])
    assert not lanes.is_ready

    clock.now += 0.11
    lanes.tick()

    assert lanes.turns(100) == [LaneTurn(A, 1, 0)]


def test_turns_share_what_there_is(lanes: Lanes) -> None:
    """Two lanes, ten slots: five for each."""
    lanes.note_waiting([A, B])

    assert [(turn.lane, turn.room) for turn in lanes.turns(10)] == [(A, 5), (B, 5)]


def test_lanes_take_turns(lanes: Lanes) -> None:
    """Who was served is last the next time."""
    lanes.note_waiting([A, B])
    turns = lanes.turns(1)
    lane = enter(lanes, A, 1)

    lanes.served(turns, [claimed(A)])
    lanes.leave(lane, is_probe=False)

    assert [turn.lane for turn in lanes.turns(1)] == [B]


def test_lane_waits_no_longer_when_less_came_than_was_asked_for(lanes: Lanes) -> None:
    """The store has no more."""
    lanes.note_waiting([A])

    lanes.served(lanes.turns(10), [])

    assert (lanes.is_ready, lanes.turns(10)) == (False, [])


def test_idle_lane_is_forgotten(lanes: Lanes, clock: Clock) -> None:
    """Memory is for what is active."""
    lane = enter(lanes, A, 1)
    lanes.leave(lane, is_probe=False)
    enter(lanes, B, 1)

    clock.now += IDLE_S - 1
    lanes.tick()
    before = len(lanes)
    clock.now += 2
    lanes.tick()

    assert (before, len(lanes)) == (2, 1)


def test_open_circuit_is_remembered_longer(lanes: Lanes, clock: Clock) -> None:
    """And as long as something waits behind it."""
    shut(lanes, clock, A)
    shut(lanes, clock, B)
    lanes.note_waiting([B])

    clock.now += IDLE_S + 1
    lanes.tick()
    after_a_minute = len(lanes)
    clock.now += FORGOTTEN_S
    lanes.tick()

    assert (after_a_minute, len(lanes)) == (2, 1)


def test_all_idle_lanes_are_forgotten_in_time(lanes: Lanes, clock: Clock) -> None:
    """A few at each tick, in turn."""
    for number in range(1_000):
        lanes.leave(enter(lanes, f"https://{number}.example:443", 1), is_probe=False)
    busy = enter(lanes, A, 1)
    clock.now += IDLE_S

    for _ in range(11):
        lanes.tick()

    assert (len(lanes), busy.in_flight) == (1, 1)


def test_memory_is_bounded_whatever_happens(lanes: Lanes) -> None:
    """The oldest without anything in flight makes place, even one with deliveries waiting in the store."""
    enter(lanes, A, 1)

    lanes.note_waiting(f"https://{number}.example:443" for number in range(MOST_LANES + 50))

    assert (len(lanes), lanes.has_place) == (MOST_LANES, False)
    lane, _ = lanes.enter(A)
    assert lane.in_flight == 2


def test_lanes_are_counted_by_circuit(clock: Clock) -> None:
    """For the gauge."""
    counted = Counted()
    lanes = Lanes(LanePlan(), 128, observer=counted, clock=clock, dice=lambda: 0.0)
    enter(lanes, "https://c.example:443", 1)
    shut(lanes, clock, A)
    clock.now += 5
    shut(lanes, clock, B)

    lanes.tick()

    assert counted.counts[-1] == {Circuit.CLOSED: 1, Circuit.OPEN: 1, Circuit.HALF_OPEN: 1}


def test_share_divides_what_every_lane_has(clock: Clock) -> None:
    """Those in memory and those to come."""
    lanes = Lanes(LanePlan(max_in_flight=8), 128, clock=clock)
    enter(lanes, A, 1)

    lanes.share(4)

    assert lanes.rooms() == LaneRooms(2, [LaneRoom(A, 1, WaitReason.IN_FLIGHT)])
    assert (lanes.may_overflow(1), lanes.may_overflow(2)) == (False, True)
