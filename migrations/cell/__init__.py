"""The shared schema `directory` of a cell database."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from migrations import ALONE


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


@cache
def versions() -> tuple[str, ...]:
    """Every version that this release knows, its own first. A directory with another one is a newer release's."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the directory to its newest shape. The schema exists already; the caller commits."""
    config = _config()
    config.attributes["connection"] = connection
    with ALONE:
        command.upgrade(config, revision)
