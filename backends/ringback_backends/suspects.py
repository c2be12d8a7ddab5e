"""What an instance holds in the store without knowing of it, told from what a claim is just bringing.

A claim that was committed and whose answer was lost leaves such rows. Their owner lives, so no rescuer takes them; it
looks for them itself, twice: what both looks find, and no claim under way may still bring, nobody will.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Ref = TypeVar("Ref", bound=Hashable)


class Suspects(Generic[Ref]):
    """What the last look found."""

    def __init__(self, claim_under_way: Callable[[], int | None]) -> None:
        """``claim_under_way`` numbers the claim that is under way in this process, if one is (see ``Intake``)."""
        self._claim_under_way = claim_under_way
        self._found: frozenset[Ref] = frozenset()
        self._during: int | None = None

    def strays(self, unknown: frozenset[Ref]) -> frozenset[Ref]:
        """Of what this look found held and unknown: what is a stray, and forgotten here."""
        if self._during is not None and self._during == self._claim_under_way():
            # it began before the last look, and its answer may be on its way yet
            self._found &= unknown
            return frozenset()
        strays = self._found & unknown
        self._found = unknown - strays
        self._during = self._claim_under_way()
        return strays
