"""Strays: what two looks find, and no claim under way may still bring."""

from ringback_backends.suspects import Suspects


class Claims:
    """Says which claim is under way."""

    def __init__(self) -> None:
        self.under_way: int | None = None

    def suspects(self) -> Suspects[str]:
        """Of a process with these claims."""
        return Suspects(lambda: self.under_way)


def look(suspects: Suspects[str], *unknown: str) -> set[str]:
    """One look that finds these."""
    return set(suspects.strays(frozenset(unknown)))


def test_what_two_looks_find_is_a_stray_once() -> None:
    """It is given back then, and looked for anew."""
    suspects = Claims().suspects()

    assert [look(suspects, "a"), look(suspects, "a", "b"), look(suspects, "b"), look(suspects)] == [
        set(),
        {"a"},
        {"b"},
        set(),
    ]


def test_what_a_look_does_not_find_is_forgotten() -> None:
    """It came to light, or ended."""
    suspects = Claims().suspects()

    assert [look(suspects, "a"), look(suspects), look(suspects, "a")] == [set(), set(), set()]


def test_nothing_is_a_stray_while_the_claim_of_the_first_look_is_under_way() -> None:
    """Its answer may bring it; if it ends without, nobody will."""
    claims = Claims()
    suspects = claims.suspects()
    claims.under_way = 1
    assert [look(suspects, "a", "b"), look(suspects, "a", "b"), look(suspects, "a", "c")] == [set()] * 3

    claims.under_way = None

    assert [look(suspects, "a", "b", "c"), look(suspects, "b", "c")] == [{"a"}, {"b", "c"}]


def test_a_later_claim_says_nothing_of_what_was_held_before_it() -> None:
    """A process that claims without a pause finds its strays all the same."""
    claims = Claims()
    suspects = claims.suspects()
    claims.under_way = 1
    look(suspects, "a")

    claims.under_way = 2

    assert look(suspects, "a") == {"a"}
