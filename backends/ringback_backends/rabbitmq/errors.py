"""What goes wrong with the driver, and in which words it is told. Nothing in here chooses by the text of a message."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)

LONGEST_REASON = 300


class ConnectionLost(ConnectionError):
    """The connection or channel went away beneath a call."""


DRIVER_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_EXCEPTIONS, TimeoutError)
"""What may come out of the driver: aio-pika's own list. ``ConnectionLost`` is among them."""


@contextmanager
def own_cancellation_only() -> Iterator[None]:
    """Tell our own cancellation from the driver's.

    When a connection closes, aiormq ends what waits for it with ``CancelledError``. Let through, it would look as if
    the waiting task had been cancelled: a loop would stop for good, and its owner would think that it was asked to.

    Raises:
        ConnectionLost: nobody cancelled the running task.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionLost("the connection was closed") from error


def explain(error: BaseException) -> str:
    """An error of the driver in a few words, without credentials (the driver masks addresses itself)."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case AuthenticationError() | ProbableAuthenticationError():
            return "user or password refused"
        case PublishError():
            return "no queue takes it"
        case DeliveryError():
            return "the queue refused it"
        case AMQPError() | OSError():
            text = ": ".join(str(argument) for argument in error.args if argument is not None)
        case _:
            text = str(error)
    return (text or type(error).__name__)[:LONGEST_REASON]
