"""The quick fault cases and a short random one, as part of every test run; ``make faults`` plays all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cases import ALL_CASES
from tests.faults.play import play
from tests.faults.random_faults import random_case
from tests.faults.stage import Case, Servers
from tests.servers import PostgresServer, RabbitServer, needed

QUICK = [*[case for case in ALL_CASES if case.is_quick], random_case(20261121, seconds=40, rate=40)]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Private servers, for these cases stop and wipe them."""
    with needed(RabbitServer) as rabbit, needed(PostgresServer) as postgres:
        yield Servers(rabbit, postgres)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", QUICK, ids=[case.id for case in QUICK])
async def test_nothing_is_lost(case: Case, servers: Servers, tmp_path: Path) -> None:
    """After the fault every 202 reached one terminal state, and every webhook arrived with a good signature."""
    outcome = await play(case, servers, tmp_path, seed=1)

    assert outcome.complaints == ()
