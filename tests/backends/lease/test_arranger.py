"""The arranger: what waits for a changed endpoint is brought along by itself."""

from typing import cast

import pytest

from ringback_backends.contracts.endpoints import EndpointStore
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.lease.arranger import LEAST, MOST, Arranger
from ringback_schemas.ids import EndpointId


class Steps:
    """A store in which so many steps are to be taken for each endpoint; one of more than ``most`` does not end."""

    def __init__(self, most: int = MOST, **left: int) -> None:
        self.left = left
        self.most = most
        self.taken: list[str] = []
        self.limits: list[int] = []

    async def arrange_endpoint(self, after: str, limit: int) -> EndpointId | None:
        """Take one."""
        self.limits.append(limit)
        if limit > self.most:
            raise StoreUnavailable("arrange_endpoint", "canceling statement due to statement timeout")
        name = min((name for name, left in self.left.items() if left and name > after), default=None)
        if name is None:
            return None
        self.left[name] -= 1
        self.taken.append(name)
        return EndpointId(name)


def over(steps: Steps) -> Arranger:
    """An arranger of that store."""
    return Arranger(cast("EndpointStore", steps))


async def test_endpoints_take_turns() -> None:
    """One with very many waiting does not keep the others from it."""
    steps = Steps(a=3, b=1, c=1)
    arranger = over(steps)

    while await arranger.round():
        pass

    assert steps.taken == ["a", "b", "c", "a", "a"]


async def test_nothing_to_do_is_no_reason_to_go_round_again() -> None:
    """The next look is the next round's."""
    assert await over(Steps()).round() is False


async def test_steps_that_do_not_end_become_smaller() -> None:
    """Until they end; then they grow again."""
    steps = Steps(most=2_500, a=2)
    arranger = over(steps)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await arranger.round()

    assert await arranger.round()

    assert steps.limits == [MOST, MOST // 2, MOST // 4]
    with pytest.raises(StoreUnavailable):
        await arranger.round()
    assert steps.limits[-1] == MOST // 2


async def test_steps_have_a_least_size() -> None:
    """A store that is away is no reason to crawl."""
    steps = Steps(most=0, a=1)
    arranger = over(steps)

    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            await arranger.round()

    assert steps.limits[-1] == LEAST
