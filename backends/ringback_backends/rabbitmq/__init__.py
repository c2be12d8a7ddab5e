"""The broker over RabbitMQ 3.10 to 4.x. aio-pika connects; staying connected is ours (docs/decisions says why)."""

from ringback_backends.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
