"""FastAPI + Dramatiq, set up for reliability as Dramatiq's documentation advises."""

import blocking
import dramatiq
import statements
from dramatiq.brokers.rabbitmq import RabbitmqBroker

# RabbitmqBroker's reference: without confirm_delivery a message that RabbitMQ did not take is lost, and a missing queue
# not noticed. Its queues are durable classic ones, its messages persistent; it has no setting for quorum queues.
# Messages are acknowledged when the actor has returned, and tried again when it raised, both by default.
dramatiq.set_broker(RabbitmqBroker(url=statements.BROKER_URL, confirm_delivery=True))


@dramatiq.actor(queue_name="jobs")
def perform(job_id: str) -> None:
    """Do the job, then have its webhook sent by an actor of its own."""
    deliver.send(blocking.perform(job_id))


@dramatiq.actor(queue_name="webhooks", max_retries=10)
def deliver(delivery_id: str) -> None:
    """Send one webhook."""
    blocking.deliver(delivery_id)


api = blocking.build_api(perform.send)
