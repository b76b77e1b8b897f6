"""Alembic in offline mode: the revisions become text once, then run as one message per tenant.

The version of each slot is kept centrally (`directory.slot.schema_version`), so no tenant carries a version table.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from migrations import ALONE
from migrations.tenant.grants import GRANTS

HERE = Path(__file__).parent
CREATED = re.compile(r"create table (\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Revision:
    """One step: its statements in order, to be run under the slot's own `search_path`."""

    version: str
    statements: tuple[str, ...]

    @property
    def tables(self) -> frozenset[str]:
        """The tables that this step makes."""
        return frozenset(found[1] for one in self.statements if (found := CREATED.match(one)))


@dataclass(frozen=True)
class CompiledSchema:
    """`sql` builds a whole schema; `revisions` holds it step by step, oldest first; `tables` has the rights on each."""

    revisions: tuple[Revision, ...]
    tables: Mapping[str, tuple[str, ...]]

    @property
    def version(self) -> str:
        """The newest step's name."""
        return self.revisions[-1].version

    @property
    def older(self) -> list[str]:
        """The versions that slots are brought up from."""
        return [one.version for one in self.revisions[:-1]]

    @cached_property
    def sql(self) -> str:
        """Everything, for a slot that is built anew."""
        return "\n".join(statement for one in self.revisions for statement in one.statements)

    def knows(self, version: str) -> bool:
        """Whether `version` is one of ours. Another is a newer release's, for versions are never taken back."""
        return any(one.version == version for one in self.revisions)

    def after(self, version: str) -> tuple[Revision, ...]:
        """What a slot of this version lacks; nothing if a newer release made it."""
        names = [one.version for one in self.revisions]
        return self.revisions[names.index(version) + 1 :] if version in names else ()

    def up_to(self, version: str) -> "CompiledSchema":
        """The schema as this version had it: what a slot that waits for its upgrade is measured by."""
        names = [one.version for one in self.revisions]
        if version not in names:
            return self
        kept = self.revisions[: names.index(version) + 1]
        made = frozenset[str]().union(*(one.tables for one in kept))
        return CompiledSchema(kept, {table: rights for table, rights in self.tables.items() if table in made})

    def grants(self, role: str, tables: Iterable[str] | None = None) -> str:
        """What `role` may do on these tables, or on all of them; the caller has validated the name."""
        wanted = self.tables.keys() if tables is None else set(tables)
        by_rights: dict[tuple[str, ...], list[str]] = {}
        for table, rights in self.tables.items():
            if table in wanted:
                by_rights.setdefault(rights, []).append(table)
        return "\n".join(
            f"GRANT {', '.join(rights)} ON TABLE {', '.join(names)} TO {role};" for rights, names in by_rights.items()
        )


def _script_directory() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return ScriptDirectory.from_config(config)


class _Statements(list[str]):
    """Alembic writes each statement by one call."""

    def write(self, text: str) -> None:
        self.append(text.strip())

    def flush(self) -> None:
        """Nothing waits here."""


def _render(script: Script) -> Revision:
    statements: Any = _Statements()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": statements, "literal_binds": True}
    )
    with Operations.context(context):
        script.module.upgrade()
    return Revision(script.revision, tuple(statements))


def compiled() -> CompiledSchema:
    """The newest schema as SQL. Reads the revisions once; the answer is shared and immutable."""
    with ALONE:
        return _compiled()


@cache
def _compiled() -> CompiledSchema:
    scripts = list(_script_directory().walk_revisions())[::-1]
    return CompiledSchema(tuple(_render(script) for script in scripts), dict(GRANTS))
