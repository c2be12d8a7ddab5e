"""Receivers are down, and come back."""

from tests.faults.fleet import settle
from tests.faults.stage import Case, Stage


async def down_for_a_while(stage: Stage) -> None:
    """The receiver refuses everything for 15 s; afterwards all arrives, under the same ids and bytes."""
    stage.inbox.is_down = True
    stage.faults += 1
    await stage.load(40)
    await settle(15)
    stage.inbox.is_down = False


async def flaky(stage: Stage) -> None:
    """The receiver refuses a third of what comes."""
    stage.faults += 1
    await stage.load(100, 600)


RECEIVER_CASES = (
    Case("F51", "receiver down for 15 s", down_for_a_while, settle_s=60, may_receive_twice=False),
    Case("BB-06+BB-64", "receiver refuses a third", flaky, refuse_share=0.33, settle_s=60, may_receive_twice=False),
)
