"""Which names a work queue may have. Whoever takes a name from outside checks it there; brokers check once more."""

import re

from ringback_backends.contracts.broker import Queue
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_schemas.envelopes import EnvelopeKind

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class InvalidQueueName(BrokerUnavailable):
    """No queue can have that name; a publisher that copes with an absent broker copes with this too."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:100]!r} is no name for a queue")


def checked(queue: Queue) -> Queue:
    """The queue itself.

    Raises:
        InvalidQueueName: a work queue's name is not 1 to 100 of ``A-Z a-z 0-9 _ . -``.
    """
    if queue.kind is EnvelopeKind.JOBS and _NAME.fullmatch(queue.name) is None:
        raise InvalidQueueName(queue.name)
    return queue
