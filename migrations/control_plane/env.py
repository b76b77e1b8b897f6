"""Alembic's entry for the control plane's database: the caller hands over a connection."""

from alembic import context

connection = context.config.attributes["connection"]
# Only a comparison with the models needs their tables: an upgrade loads no room of the product.
metadata = context.config.attributes.get("metadata")
context.configure(connection=connection, target_metadata=metadata, compare_server_default=False)
with context.begin_transaction():
    connection.exec_driver_sql("set local lock_timeout = '5s'")
    connection.exec_driver_sql("set local statement_timeout = '10min'")
    context.run_migrations()
