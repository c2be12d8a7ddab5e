"""How connections to PostgreSQL are opened."""

from dataclasses import dataclass, field

import asyncpg

CONNECT_TIMEOUT_S = 5.0

SESSION = {
    "application_name": "ringback",
    "jit": "off",  # compiling costs more than any of our statements
    "statement_timeout": "8000",
    "lock_timeout": "4000",
    "idle_in_transaction_session_timeout": "30000",
    "timezone": "UTC",
}
"""Session settings of every connection; the time-outs are below our own deadline, so that the server cleans up."""

PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Keeps the plans of the set-based statements whatever the statistics say: one index probe per row.

A plan made while a table was empty (a scan of nothing) would otherwise stay in use while a burst fills it, until the
next ANALYZE, and every statement would scan all of it.
"""


@dataclass(frozen=True, slots=True)
class Connector:
    """Opens connections with given session settings."""

    dsn: str
    settings: dict[str, str] = field(default_factory=dict)

    async def __call__(self, *_: object, **__: object) -> asyncpg.Connection:
        """A fresh connection; pools pass arguments of their own, which mean nothing here."""
        return await asyncpg.connect(
            self.dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=None,
            server_settings=SESSION | self.settings,
            max_cached_statement_lifetime=0,  # the statements are few and live as long as the process
        )
