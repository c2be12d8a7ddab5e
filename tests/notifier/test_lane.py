"""One lane: its window, its queue, its share."""

from hypothesis import given
from hypothesis import strategies as st

from ringback_notifier.lane import Lane, LanePlan
from ringback_schemas.deliveries import Verdict, WaitReason
from ringback_schemas.lanes import Circuit

WIDEST = 128
GOOD, BAD = Verdict.DELIVERED, Verdict.SERVER_ERROR


def lane(*, sharers: int = 1, **plan: object) -> Lane:
    """A lane of a notifier with 128 slots, made at time 0."""
    return Lane("https://a.example:443", LanePlan(**plan), WIDEST, sharers, 0.0)  # type: ignore[arg-type]


def answer(lane: Lane, count: int, verdict: Verdict = GOOD, seconds: float = 0.01, now: float = 0.0) -> None:
    """A full lane's deliveries are answered one by one, each followed by another."""
    while lane.room(now):
        lane.enter(now)
    for _ in range(count):
        lane.answered(verdict, seconds, now, 0.0, is_probe=False)
        lane.leave(now, is_probe=False)
        while lane.room(now):
            lane.enter(now)


def test_new_lane_has_sixteen_slots() -> None:
    """And says why there are no more."""
    new = lane()
    for _ in range(16):
        new.enter(0.0)

    assert (new.room(0.0), new.reason(0.0)) == (0, WaitReason.IN_FLIGHT)


def test_window_grows_with_quick_answers_to_all_slots() -> None:
    """One more for each, never beyond what the notifier has."""
    quick = lane()

    answer(quick, 10)
    after_ten = quick.in_flight
    answer(quick, 500)

    assert (after_ten, quick.in_flight) == (26, WIDEST)


def test_window_does_not_grow_while_it_is_not_used() -> None:
    """A thousand deliveries one after another prove nothing about a hundred at once."""
    idle = lane()
    for _ in range(1_000):
        idle.enter(0.0)
        idle.answered(GOOD, 0.01, 0.0, 0.0, is_probe=False)
        idle.leave(0.0, is_probe=False)

    assert idle.room(0.0) == 16


def test_window_is_small_again_when_answers_are_slow_or_bad() -> None:
    """A slow answer, a failure, or one that is awaited for a second."""
    lanes = [lane(), lane(), lane()]
    for one in lanes:
        answer(one, 500)

    lanes[0].answered(GOOD, 1.5, 0.0, 0.0, is_probe=False)
    lanes[1].answered(BAD, 0.01, 0.0, 0.0, is_probe=False)
    lanes[2].slowed()

    for one in lanes:
        for _ in range(WIDEST - 15):
            one.leave(0.0, is_probe=False)
    assert [one.room(0.0) for one in lanes] == [1, 1, 1]


def test_window_stays_when_the_receiver_is_not_what_was_slow() -> None:
    """One that waited for its rate was not even sent."""
    wide = lane()
    answer(wide, 500)

    wide.slowed(is_its_fault=False)
    for _ in range(WIDEST - 15):
        wide.leave(0.0, is_probe=False)

    assert wide.room(0.0) == WIDEST - 15


def test_slow_lane_has_one_slot_when_slow_receivers_crowd_the_notifier() -> None:
    """Others are not bothered."""
    slow, quick = lane(), lane()
    slow.enter(0.0)
    slow.slowed()

    assert [one.room(0.0, is_crowded=True) for one in (slow, quick)] == [0, 16]


def test_open_circuit_has_no_room_and_a_half_open_one_has_one() -> None:
    """Attempts are not burnt: one delivery tries it when the pause is over."""
    shut = lane()
    for second in range(20):
        change = shut.answered(BAD, 0.1, float(second), 0.0, is_probe=False)

    assert change is Circuit.OPEN
    assert (shut.room(19.0), shut.reason(19.0), shut.opens_at(19.0)) == (0, WaitReason.CIRCUIT, 24.0)
    assert shut.room(24.0) == 1
    assert shut.enter(24.0)
    assert (shut.room(24.0), shut.opens_at(24.0)) == (0, None)


def test_good_probe_opens_the_lane_at_its_small_window() -> None:
    """A backlog does not fall upon a receiver that has only just come back."""
    shut = lane()
    for second in range(20):
        shut.answered(BAD, 0.1, float(second), 0.0, is_probe=False)
    shut.enter(24.0)

    assert shut.answered(GOOD, 0.1, 24.0, 0.0, is_probe=True) is Circuit.CLOSED
    shut.leave(24.0, is_probe=True)

    assert 16 <= shut.room(24.0) <= 17


def test_answers_of_receivers_that_work_open_no_circuit() -> None:
    """A wrong path, a request for less, a redirect: the destination lives."""
    kinds = (Verdict.CLIENT_ERROR, Verdict.RATE_LIMITED, Verdict.REDIRECT, Verdict.GONE, Verdict.REFUSED_ADDRESS)
    for verdict in kinds:
        alive = lane()

        assert [alive.answered(verdict, 9.0, float(at), 0.0, is_probe=False) for at in range(50)] == [None] * 50


def test_newcomers_go_behind_what_waits() -> None:
    """A steady stream would starve the old otherwise."""
    queue = lane()
    queue.is_waiting = True

    assert (queue.room_for_newcomers(0.0), queue.room(0.0)) == (0, 16)


def test_newcomers_need_not_wait_where_the_lane_is_no_bottleneck() -> None:
    """With all slots open to it, what limits is the notifier, whose intake gives each source its turn."""
    wide = lane()
    answer(wide, 500)
    wide.leave(0.0, is_probe=False)
    wide.is_waiting = True

    assert wide.room_for_newcomers(0.0) == 1


def test_rate_makes_wait_and_says_until_when() -> None:
    """One at a time at ten a second."""
    limited = lane(rate_per_s=10.0)
    limited.enter(0.0)

    assert (limited.room(0.0), limited.reason(0.0)) == (0, WaitReason.RATE)
    at = limited.opens_at(0.0)
    assert at is not None
    assert (0.1 <= at < 0.11, limited.room(at)) == (True, 1)


def test_probe_waits_for_the_rate_in_the_store() -> None:
    """One that would hold its slot for minutes is not sent for; it is looked at when its turn has come."""
    shut = lane(rate_per_s=0.01)
    for second in range(20):
        shut.answered(BAD, 0.1, float(second), 0.0, is_probe=False)
    shut.sent(20.0)

    assert shut.room(24.0) == 0
    at = shut.opens_at(24.0)
    assert at is not None
    assert (at > 100, shut.room(at)) == (True, 1)


def test_limits_are_shared_among_notifiers() -> None:
    """A part of the rate and of the slots for each; at least one slot."""
    alone, shared, crowd = (lane(max_in_flight=8, sharers=sharers) for sharers in (1, 4, 100))
    rated = lane(rate_per_s=100.0)
    rated.share(10, 0.0)

    assert [one.room(0.0) for one in (alone, shared, crowd)] == [8, 2, 1]
    assert rated.room(0.0) == 1


@given(st.lists(st.integers(1, 20), min_size=1, max_size=60))
def test_a_quarter_of_what_is_taken_are_retries(rooms: list[int]) -> None:
    """However small the turns: neither more than a quarter and one, nor less than a quarter less one."""
    some = lane()

    retries = sum(some.turn(room).retries for room in rooms)

    assert sum(rooms) / 4 - 1 <= retries <= sum(rooms) / 4 + 1


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([GOOD, BAD]), st.floats(0, 20)), max_size=300))
def test_window_stays_within_its_bounds(history: list[tuple[bool, Verdict, float]]) -> None:
    """Whatever happens, a closed lane has 16 to 128 slots, and never more in flight than it had room for."""
    some, now = lane(), 0.0
    for is_entering, verdict, seconds in history:
        now += 0.1
        if is_entering and some.room(now):
            some.enter(now)
        elif some.in_flight:
            some.answered(verdict, seconds, now, 0.0, is_probe=False)
            some.leave(now, is_probe=False)
        slots = some.in_flight + some.room(now)
        assert slots <= WIDEST
        if some.breaker.is_closed:
            assert slots >= 16
