"""Alembic's entry for a cell database: the caller hands over a connection that may create the schema `directory`."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="directory", target_metadata=None)
with context.begin_transaction():
    connection.exec_driver_sql("set local lock_timeout = '2s'")
    connection.exec_driver_sql("set local statement_timeout = '10min'")
    context.run_migrations()
