"""The arranger: what waits for a changed endpoint is brought along by itself."""

from typing import cast

from ringback_backends.contracts.endpoints import EndpointStore
from ringback_backends.lease.arranger import Arranger


class Steps:
    """A store in which so many steps are to be taken."""

    def __init__(self, left: int) -> None:
        self.left = left

    async def arrange_endpoints(self) -> bool:
        """Take one."""
        self.left -= 1
        return self.left >= 0


async def test_rounds_follow_each_other_while_steps_are_left() -> None:
    """And no longer."""
    arranger = Arranger(cast("EndpointStore", Steps(2)))

    assert [await arranger.round() for _ in range(3)] == [True, True, False]
