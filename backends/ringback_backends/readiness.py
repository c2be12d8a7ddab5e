"""Whether a process can do its work, and on what that rests: one account for all kinds of processes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.errors import SchemaMismatch, StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_schemas.http import CheckBody, CheckStatus, ReadinessBody

STORE_WITHIN_S = 1.0


class Readiness:
    """Looks at what a process rests on.

    Only the store is indispensable. Without the broker jobs are accepted, performed and rung back all the same, by
    polling; so a broker that is away never makes a process unready, or its restart would add to the outage.
    """

    def __init__(self, store: Store, broker: Broker, *, is_draining: Callable[[], bool] = lambda: False) -> None:
        """``is_draining`` tells that a stop was requested; who has no such thing calls ``drain``."""
        self._store = store
        self._broker = broker
        self._is_draining = is_draining
        self._awaited: str | None = None
        self.draining = asyncio.Event()
        """Set by ``drain``: whoever waits for something that may take long shall wait no longer."""

    def wait_for(self, what: str) -> None:
        """Be unready until ``begin``: something must be in the store before anybody can use this process."""
        self._awaited = what

    def begin(self) -> None:
        """What was waited for has come. Safe to call twice."""
        self._awaited = None

    def drain(self) -> None:
        """Be unready from now on, so that nobody sends anything here. Safe to call twice."""
        self._is_draining = lambda: True
        self.draining.set()

    async def check(self) -> ReadinessBody:
        """How things are now; takes a second at most."""
        checks = [*await self._check_store(), self._check_broker(), self._check_draining(), *self._check_awaited()]
        return ReadinessBody(ready=all(check.status is not CheckStatus.FAILED for check in checks), checks=checks)

    async def _check_store(self) -> list[CheckBody]:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(STORE_WITHIN_S):
                revision = await self._store.ping()
        except TimeoutError:
            return [_without_store(f"no answer within {STORE_WITHIN_S:g} s")]
        except StoreUnavailable as error:
            # what the driver says stays in the log: anybody may ask, and it names users and machines
            return [_without_store(error.remedy or "does not answer as it should; the log says why")]
        except SchemaMismatch as error:
            return [
                CheckBody(name="store", status=CheckStatus.OK, detail="answers"),
                CheckBody(name="schema", status=CheckStatus.FAILED, detail=str(error)),
            ]
        took_ms = (asyncio.get_running_loop().time() - started) * 1000
        return [
            CheckBody(name="store", status=CheckStatus.OK, detail=f"answers in {took_ms:.1f} ms"),
            CheckBody(name="schema", status=CheckStatus.OK, detail=revision),
        ]

    def _check_broker(self) -> CheckBody:
        status = self._broker.status
        if status.is_connected and not status.is_blocked:
            return CheckBody(name="broker", status=CheckStatus.OK, detail="connected")
        for_s = max(0.0, (datetime.now(UTC) - status.since).total_seconds())
        how = "blocks publishers" if status.is_connected else "is away"
        detail = f"{how} for {for_s:.0f} s; accepting and work go on by polling, a little later than usual"
        return CheckBody(name="broker", status=CheckStatus.DEGRADED, detail=detail)

    def _check_draining(self) -> CheckBody:
        if self._is_draining():
            detail = "the process is stopping; what it has in hand is finished or given back"
            return CheckBody(name="draining", status=CheckStatus.FAILED, detail=detail)
        return CheckBody(name="draining", status=CheckStatus.OK, detail="no")

    def _check_awaited(self) -> list[CheckBody]:
        if self._awaited is None:
            return []
        return [CheckBody(name="starting", status=CheckStatus.FAILED, detail=f"waits for {self._awaited}")]


def _without_store(why: str) -> CheckBody:
    detail = f"{why}; nothing is accepted or shown, running jobs go on"
    return CheckBody(name="store", status=CheckStatus.FAILED, detail=detail)
