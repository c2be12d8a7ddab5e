"""The broker contract (ringback_backends.contracts.broker), and what RabbitMQ alone must survive."""
