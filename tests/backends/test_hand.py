"""The envelopes that a consumer holds."""

from collections.abc import Sequence

from ringback_backends.hand import Hand
from ringback_schemas.envelopes import Envelope, EnvelopeKind


class Handed:
    """An envelope that notes how it was settled."""

    def __init__(self, *ids: str) -> None:
        self.envelope = Envelope(EnvelopeKind.JOBS, ids)
        self.settled: list[str] = []

    def ack(self) -> None:
        """Done with it."""
        self.settled.append("acked")

    def give_back(self) -> None:
        """Let another have it."""
        self.settled.append("given back")


def hand(envelopes: Sequence[Handed]) -> Hand:
    """A hand that holds these."""
    held = Hand()
    held.take(envelopes)
    return held


def test_ids_come_in_order_and_once() -> None:
    """However many envelopes name one; no more than asked for."""
    held = hand([Handed("a", "b"), Handed("b", "c"), Handed("d")])

    assert [held.first_ids(3), held.first_ids(9)] == [["a", "b", "c"], ["a", "b", "c", "d"]]


def test_envelope_is_acked_once_all_its_ids_are_claimed() -> None:
    """One of which something is left stays in hand."""
    first, second = Handed("a", "b"), Handed("c", "d")
    held = hand([first, second])

    held.drop({"a", "b", "c"})

    assert (first.settled, second.settled) == (["acked"], [])
    assert (len(held), held.first_ids(9)) == (1, ["d"])


def test_envelopes_are_given_back_once() -> None:
    """The hand is empty then."""
    envelope = Handed("a")
    held = hand([envelope])

    held.give_back()
    held.give_back()

    assert (envelope.settled, len(held)) == (["given back"], 0)
