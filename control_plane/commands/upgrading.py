"""`parvis cell upgrade`: every database and slot brought to this version, with the progress in sight."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from control_plane.commands.context import Context
from control_plane.commands.errors import ExitCode
from control_plane.commands.local import installation, local
from control_plane.commands.tables import table

if TYPE_CHECKING:
    from control_plane.fleet import Upgrade

    Tell = Callable[[Upgrade], None]

HEADERS = ["Database", "Schema", "Slots", "Upgraded", "Behind", "Trouble"]


@click.command()
@click.argument("name", metavar="[CELL]", required=False)
@local
def upgrade_cells(context: Context, name: str | None) -> None:
    """Bring the databases of CELL, or of all cells, to this version: their directory, then every slot.

    Run it before the new version's processes start: old and new ones both work on the new schema. Workspaces stay open
    meanwhile. Nothing to do is cheap; it may be stopped and repeated at any moment.
    """
    from control_plane import fleet
    from control_plane.placement import Databases
    from kit import logs
    from kit.db import transaction, vault_of

    # On stderr, so that stdout stays the result's.
    logs.configure("ERROR", process="parvis")
    with installation() as engine:
        with transaction(engine) as session:
            databases = Databases(vault_of(session))
        try:
            with _shown(context) as tell:
                found = fleet.upgrade_all(engine, databases, cell=name, progress=tell)
        finally:
            databases.close()
    done = all(one.done for one in found)
    told = {"done": done, "items": [_told(one) for one in found]}
    rows = [[*row.values()] for row in map(_row, found)]
    context.show(told, lambda console: table(console, HEADERS, rows, empty="There is no database yet."))
    if not done:
        raise SystemExit(int(ExitCode.FAILED))


def _told(one: "Upgrade") -> dict[str, Any]:
    return {**_row(one), "trouble": one.trouble, "failed": one.failed}


def _row(one: "Upgrade") -> dict[str, Any]:
    why = one.trouble or ", ".join(f"{slot}: {words}" for slot, words in one.failed.items())
    figures = {"slots": one.slots, "upgraded": one.upgraded, "behind": one.behind}
    return {"database": one.database, "version": one.version, **figures, "trouble": why}


@contextmanager
def _shown(context: Context) -> Iterator["Tell"]:
    """How far each database is, on stderr: a bar for people, a line for logs, nothing beside JSON."""
    if context.json:
        yield lambda _: None
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as progress:
            yield _bars(progress)
    else:
        yield _line


def _bars(progress: Progress) -> "Tell":
    bars: dict[str, TaskID] = {}

    def tell(one: "Upgrade") -> None:
        if one.database not in bars:
            bars[one.database] = progress.add_task(one.database)
        progress.update(bars[one.database], total=one.slots, completed=one.slots - one.behind)

    return tell


def _line(one: "Upgrade") -> None:
    click.echo(f"{one.database}: {one.slots - one.behind} of {one.slots} slots have schema {one.version}", err=True)
