"""Three RabbitMQ nodes on one machine that are one cluster: as much of it as a machine can show."""

import json
import subprocess
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.servers.rabbit import RabbitServer

NODES = 3


class RabbitCluster:
    """Nodes with one cookie and one port mapper; ``async`` code calls it with ``asyncio.to_thread``."""

    def __init__(self) -> None:
        """Find the programs and make the folders; starts nothing.

        Raises:
            ServerMissing: RabbitMQ is not installed.
        """
        first = RabbitServer()
        self.nodes = [first, *[RabbitServer(beside=first) for _ in range(NODES - 1)]]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start all nodes, and let the others join the first."""
        for node in self.nodes:
            self._stack.enter_context(node)
        first, *others = self.nodes
        for node in others:
            for step in (["stop_app"], ["join_cluster", first.name], ["start_app"]):
                node.control(*step)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them for good, the first, whose port mapper all use, last."""
        self._stack.close()

    def leader(self, queue: str, vhost: str = "/") -> RabbitServer:
        """The node that leads that quorum queue, as a node that runs tells."""
        asked = next(node for node in self.nodes if node.is_running)
        told = json.loads(asked.told("list_queues", "-p", vhost, "name", "leader", "--formatter", "json"))
        (name,) = [row["leader"] for row in told if row["name"] == queue]
        return next(node for node in self.nodes if node.name == name)


def is_joined(cluster: RabbitCluster) -> bool:
    """Whether every node that runs sees all nodes that run."""
    running = [node for node in cluster.nodes if node.is_running]
    try:
        seen = [json.loads(node.told("cluster_status", "--formatter", "json"))["running_nodes"] for node in running]
    except subprocess.CalledProcessError:
        return False
    return all(len(names) == len(running) for names in seen)
