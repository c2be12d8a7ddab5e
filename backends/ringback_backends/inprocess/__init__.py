"""The broker for one process: queues in memory, nothing to install. What a crash takes, polling finds."""

from ringback_backends.inprocess.broker import InProcessBroker

__all__ = ["InProcessBroker"]
