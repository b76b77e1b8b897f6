"""Alembic in offline mode: the revisions become text once, then run as one message per tenant.

The version of each slot is kept centrally (`directory.slot.schema_version`), so no tenant carries a version table.
"""

import io
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from migrations.tenant.grants import GRANTS

HERE = Path(__file__).parent
# Alembic's `op` belongs to the whole process: two threads that compile at once would write into each other's text.
_ALONE = threading.Lock()


@dataclass(frozen=True)
class CompiledSchema:
    """`sql` builds a whole schema under the current `search_path`; `revisions` holds it step by step, oldest first."""

    version: str
    sql: str
    revisions: tuple[tuple[str, str], ...]
    tables: dict[str, tuple[str, ...]]

    def grants(self, role: str) -> str:
        """Every grant that `role` has on the tables; the caller has validated the name."""
        by_rights: dict[tuple[str, ...], list[str]] = {}
        for table, rights in self.tables.items():
            by_rights.setdefault(rights, []).append(table)
        return "\n".join(
            f"GRANT {', '.join(rights)} ON TABLE {', '.join(tables)} TO {role};" for rights, tables in by_rights.items()
        )


def _script_directory() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return ScriptDirectory.from_config(config)


def _render(script: Script) -> str:
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True}
    )
    with Operations.context(context):
        script.module.upgrade()
    return buffer.getvalue()


def compiled() -> CompiledSchema:
    """The newest schema as SQL. Reads the revisions once; the answer is shared and immutable."""
    with _ALONE:
        return _compiled()


@cache
def _compiled() -> CompiledSchema:
    scripts = list(_script_directory().walk_revisions())[::-1]
    revisions = tuple((script.revision, _render(script)) for script in scripts)
    return CompiledSchema(
        version=revisions[-1][0],
        sql="\n".join(sql for _, sql in revisions),
        revisions=revisions,
        tables=dict(GRANTS),
    )
