"""A store that is watched: how long each of its calls takes, and which of them fail."""

import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from ringback_backends.contracts.errors import StoreError
from ringback_backends.contracts.store import Store


class Operations(Protocol):
    """Told of each call; telemetry implements it."""

    def on_operation(self, operation: str, seconds: float, error: str | None) -> None:
        """A call ended after so long; ``error`` is the class of what came out of it, absent when all went well."""


def observed(store: Store, observer: Operations) -> Store:
    """The same store, watched."""
    return cast("Store", _Observed(store, observer))


class _Observed:
    """Stands for a store; wraps each method when it is first asked for."""

    def __init__(self, store: Store, observer: Operations) -> None:
        self._store = store
        self._observer = observer

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if inspect.iscoroutinefunction(value):
            value = _timed(name, value, self._observer)
        setattr(self, name, value)
        return value


def _timed(
    operation: str, method: Callable[..., Awaitable[Any]], observer: Operations
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        error: str | None = None
        try:
            return await method(*args, **kwargs)
        except StoreError as failure:
            error = type(failure).__name__
            raise
        finally:
            observer.on_operation(operation, time.perf_counter() - started, error)

    return call
