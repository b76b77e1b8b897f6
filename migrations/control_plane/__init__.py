"""The control plane's schema. `upgrade(url)` brings a database to the newest revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

HERE = Path(__file__).parent


def config(connection: Connection) -> Config:
    """Alembic's configuration on an open connection."""
    made = Config()
    made.set_main_option("script_location", str(HERE))
    made.attributes["connection"] = connection
    return made


def upgrade(engine: Engine) -> None:
    """Bring the control plane's database to the newest revision; nothing to do is cheap and safe to repeat."""
    with engine.begin() as connection:
        # Two processes may start at once: one migrates, the other waits here.
        connection.exec_driver_sql("select pg_advisory_xact_lock(7265001)")
        command.upgrade(config(connection), "head")
