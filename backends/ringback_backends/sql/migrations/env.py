"""Runs the migrations over the connection that ``ringback_backends.sql.migrate`` hands in, in its transaction."""

from alembic import context

from ringback_backends.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite too: our driver settings begin a real transaction
)
context.run_migrations()
