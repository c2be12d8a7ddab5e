"""The circuit breaker as a state machine (BB-78)."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ringback_notifier.circuit import Breaker, BreakerPlan
from ringback_schemas.lanes import Circuit

PLAN = BreakerPlan()


def failing(count: int, seconds: float = 0.0, every_s: float = 1.0) -> tuple[Breaker, float]:
    """A breaker after so many failures in a row, and the time of the last."""
    breaker, now = Breaker(PLAN), 100.0
    for _ in range(count):
        now += every_s
        breaker.failed(now - seconds, now, 0.0)
    return breaker, now


def test_circuit_opens_after_twenty_failures_in_a_row() -> None:
    """Not after nineteen."""
    assert [failing(count)[0].is_closed for count in (19, 20)] == [True, False]


def test_circuit_opens_after_a_minute_spent_on_failures() -> None:
    """Four attempts that hang for 15 s are enough."""
    assert [failing(count, seconds=15.0)[0].is_closed for count in (3, 4)] == [True, False]


def test_circuit_stays_closed_while_the_row_is_young() -> None:
    """A thousand failures within ten seconds open nothing: it may be a restart, or one burst."""
    breaker, now = failing(1_000, every_s=0.009)

    assert breaker.is_closed
    assert breaker.failed(now + 2, now + 2, 0.0)


def test_one_good_answer_begins_the_row_anew() -> None:
    """A destination that answers some is not shut for what it fails."""
    breaker, now = failing(19)

    assert not breaker.succeeded()

    assert not any(breaker.failed(now + after, now + after, 0.0) for after in range(19))


def test_probe_pauses_double_up_to_the_longest() -> None:
    """5, 10, 20, … 300 s."""
    pauses = [PLAN.pause_s(probes, 0.0) for probes in (0, 1, 2, 3, 4, 5, 6, 7, 1_000)]

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_probe_pauses_are_jittered_upwards() -> None:
    """Never early, a fifth late at most."""
    assert (PLAN.pause_s(0, 0.5), PLAN.pause_s(9, 1.0)) == (5.5, 360.0)


def test_one_probe_at_a_time() -> None:
    """While one is under way nobody else may."""
    breaker, now = failing(20)
    later = now + 5

    assert [breaker.may_probe(at) for at in (later - 0.1, later)] == [False, True]
    breaker.begin_probe()
    assert not breaker.may_probe(later)


def test_failed_probe_makes_the_pause_longer() -> None:
    """It is open again, and half open after twice the pause."""
    breaker, now = failing(20)
    breaker.begin_probe()

    breaker.failed(now + 5, now + 6, 0.0, is_probe=True)

    assert [breaker.circuit(now + 6 + after) for after in (0.0, 9.9, 10.0)] == [
        Circuit.OPEN,
        Circuit.OPEN,
        Circuit.HALF_OPEN,
    ]


def test_good_probe_closes() -> None:
    """All is forgotten."""
    breaker, now = failing(20)
    breaker.begin_probe()

    assert breaker.succeeded()
    assert (breaker.circuit(now), breaker.is_unblemished) == (Circuit.CLOSED, True)


def test_late_failure_of_an_earlier_attempt_changes_nothing() -> None:
    """What was under way when the circuit opened is no probe."""
    breaker, now = failing(20)

    assert not breaker.failed(now - 10, now + 4, 0.0)

    assert breaker.may_probe(now + 5)


def test_late_success_of_an_earlier_attempt_closes() -> None:
    """It proves as much as a probe's."""
    breaker, _ = failing(20)

    assert breaker.succeeded()


def test_probe_that_came_to_nothing_lets_another_try() -> None:
    """A stop of the notifier says nothing of the receiver."""
    breaker, now = failing(20)
    breaker.begin_probe()

    breaker.give_up_probe()

    assert breaker.may_probe(now + 5)


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 1))
def test_circuit_never_opens_without_enough_failures_in_a_row(answers: list[bool], dice: float) -> None:
    """Whatever the order: each opening has twenty failures behind it, and nothing else between."""
    breaker, row = Breaker(PLAN), 0
    for second, is_good in enumerate(answers):
        if is_good:
            breaker.succeeded()
            row = 0
        else:
            row += 1
            assert breaker.failed(second, second, dice) == (row == PLAN.failures)


class Histories(RuleBasedStateMachine):
    """Any history: what a notifier may do to a breaker, with time going on."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(PLAN)
        self.now = 0.0
        self.under_way = 0
        self.failures_since_good = 0

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.now += seconds

    @rule(seconds=st.floats(0, 20), dice=st.floats(0, 1))
    def fail(self, seconds: float, dice: float) -> None:
        """An attempt that was no probe failed."""
        self.failures_since_good += 1
        was_open_until = self.breaker.probe_at
        opened = self.breaker.failed(self.now - seconds, self.now, dice)
        if was_open_until is not None:
            assert (opened, self.breaker.probe_at) == (False, was_open_until)

    @precondition(lambda self: self.breaker.may_probe(self.now))
    @rule(dice=st.floats(0, 1), is_good=st.booleans())
    def probe(self, *, dice: float, is_good: bool) -> None:
        """One delivery tries it, and nobody else meanwhile."""
        self.breaker.begin_probe()
        assert not self.breaker.may_probe(self.now + 1e9)
        if is_good:
            assert self.breaker.succeeded()
            self.failures_since_good = 0
        else:
            self.failures_since_good += 1
            self.breaker.failed(self.now, self.now, dice, is_probe=True)
            assert self.breaker.probe_at is not None
            assert PLAN.first_pause_s <= self.breaker.probe_at - self.now <= PLAN.longest_pause_s * 1.2

    @rule()
    def succeed(self) -> None:
        """An attempt that was no probe succeeded."""
        self.breaker.succeeded()
        self.failures_since_good = 0

    @invariant()
    def state_is_consistent(self) -> None:
        """Closed after any good answer, open only with failures behind it, and an open one is some day probed."""
        assert self.breaker.failures == self.failures_since_good
        if self.failures_since_good == 0:
            assert self.breaker.is_closed
        if not self.breaker.is_closed:
            assert self.breaker.circuit(self.now + 361) is Circuit.HALF_OPEN
        assert (self.breaker.circuit(self.now) is Circuit.CLOSED) == self.breaker.is_closed


TestHistories = Histories.TestCase
