"""FastAPI + Celery, set up for reliability as Celery's documentation advises; each setting says where."""

import blocking
import requests
import statements
from celery import Celery
from kombu import Exchange, Queue


def quorum_queue(name: str) -> Queue:
    """Celery, "Using RabbitMQ", "Using Quorum Queues": the type by argument, and a topic exchange for retries."""
    return Queue(name, Exchange(name, type="topic"), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


celery = Celery("bench", broker=statements.BROKER_URL)
celery.conf.update(
    task_queues=[quorum_queue("jobs"), quorum_queue("webhooks")],
    task_default_queue="jobs",
    task_default_exchange="jobs",
    task_default_exchange_type="topic",
    task_default_routing_key="jobs",
    task_routes={"celery_app.deliver": {"queue": "webhooks", "routing_key": "webhooks"}},
    # "Should I use retry or acks_late?" (FAQ): a task that may run twice is acknowledged when it is done ...
    task_acks_late=True,
    # ... also when its process was killed: without it such a task is acknowledged and lost
    task_reject_on_worker_lost=True,
    # kombu, "pyamqp": without it a publish succeeds that never reached the broker
    broker_transport_options={"confirm_publish": True},
    # "Optimizing", "Prefetch Limits": short tasks want many
    worker_prefetch_multiplier=16,
    # results are in PostgreSQL already
    task_ignore_result=True,
    # "broker_pool_limit": as many as threads publish at once
    broker_pool_limit=blocking.THREADS,
)


@celery.task
def perform(job_id: str) -> None:
    """Do the job, then have its webhook sent by a task of its own."""
    deliver.delay(blocking.perform(job_id))


@celery.task(autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=10)
def deliver(delivery_id: str) -> None:
    """Send one webhook."""
    blocking.deliver(delivery_id)


api = blocking.build_api(perform.delay)
