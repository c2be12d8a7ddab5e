"""PostgreSQL keeps plans for as long as a connection lives; tables do not stay as they were."""

from collections.abc import AsyncIterator

import pytest

from ringback_backends.sql.postgres import pool as pool_module
from ringback_backends.sql.postgres.pool import Pool

UPDATE = "PREPARE probe AS UPDATE plan_probe t SET n = 1 FROM unnest($1::text[]) AS wanted (id) WHERE t.id = wanted.id"
EXPLAIN = "EXPLAIN EXECUTE probe('{a,b}')"


@pytest.fixture
async def pool(module_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """One connection, with a statement whose plan was made while its table was empty, and 50,000 rows since.

    Nothing has plans made anew unless the test says so.
    """
    monkeypatch.setattr(pool_module, "SLOW_S", float("inf"))
    monkeypatch.setattr(pool_module, "REPLAN_FIRST_S", float("inf"))
    monkeypatch.setattr(pool_module, "REPLAN_AGAIN_S", 0.0)
    pool = Pool(module_postgres_url, 1, 10.0)
    await pool.open()
    await pool.fetch("test", "DROP TABLE IF EXISTS plan_probe")
    await pool.fetch("test", "CREATE TABLE plan_probe (id text PRIMARY KEY, n integer)")
    await pool.fetch("test", "VACUUM plan_probe")
    await pool.fetch("test", UPDATE)
    await _plan(pool)
    await pool.fetch("test", "INSERT INTO plan_probe SELECT n::text, 0 FROM generate_series(1, 50000) AS n")
    yield pool
    await pool.fetch("test", "DROP TABLE plan_probe")
    await pool.close()


async def _plan(pool: Pool) -> str:
    return "\n".join(row[0] for row in await pool.fetch("test", EXPLAIN))


def _probes_an_index(plan: str) -> bool:
    return "Index Cond: (id = wanted.id)" in plan


async def test_slow_statement_has_plans_made_anew(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the size that tables have by then; a quick one changes nothing."""
    await pool.fetch("test", "SELECT pg_sleep(0.01)")
    before = await _plan(pool)

    monkeypatch.setattr(pool_module, "SLOW_S", 0.0)
    await pool.fetch("test", "SELECT pg_sleep(0.01)")

    assert (_probes_an_index(before), _probes_an_index(await _plan(pool))) == (False, True)


async def test_plans_are_made_anew_from_time_to_time(pool: Pool) -> None:
    """Even when nothing is slow yet."""
    pool._replan_after_s = 0.0

    await pool.fetch("test", "SELECT pg_sleep(0.01)")

    assert _probes_an_index(await _plan(pool))
