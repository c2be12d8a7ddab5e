"""A cluster of three RabbitMQ nodes with quorum queues loses nodes."""

import asyncio
import time
from urllib.parse import urlsplit, urlunsplit

from tests.faults import rabbit
from tests.faults.fleet import settle
from tests.faults.stage import Case, Stage
from tests.servers import RabbitCluster, RabbitServer

CONSUMERS_BACK_WITHIN_S = 15.0
"""A new leader must be elected first."""


async def leader_killed(stage: Stage) -> None:
    """The node that leads the work queue is killed, comes back, and then another one is: work goes on by envelopes."""
    cluster = stage.servers.cluster
    assert cluster is not None
    await stage.load(60)
    await settle(3)
    for _ in range(2):
        victim = await asyncio.to_thread(cluster.leader, rabbit.QUEUES[0], urlsplit(stage.broker_url).path[1:])
        await asyncio.to_thread(victim.kill)
        stage.faults += 1
        survivor = _lead_away(stage, cluster)
        url = urlunsplit(urlsplit(survivor.url)._replace(path=urlsplit(stage.broker_url).path))
        back_s = await rabbit.consumers_back(stage, time.monotonic(), CONSUMERS_BACK_WITHIN_S, url=url)
        stage.notes["consumers_back_s"] = max(back_s, stage.notes.get("consumers_back_s", 0.0))
        await settle(3)
        await asyncio.to_thread(victim.start)
        await settle(5)
    if stage.driver.ledger.answers.keys() - {202}:
        raise AssertionError(f"accepting did not go on: {dict(stage.driver.ledger.answers)}")


def _lead_away(stage: Stage, cluster: RabbitCluster) -> RabbitServer:
    """What a balancer does: new connections go to a node that lives."""
    survivor = next(node for node in cluster.nodes if node.is_running)
    for link in (stage.links.front_broker, stage.links.back_broker):
        link.lead_to(survivor.port)
    return survivor


CLUSTER_CASES = (
    Case("F02c", "leader of three RabbitMQ nodes killed, twice", leader_killed, is_clustered=True, is_proxied=True,
         settle_s=60),
)  # fmt: skip
