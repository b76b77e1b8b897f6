"""`parvis vault`: which master key opens what, and sealing anew by the newest one. Works on this installation."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from control_plane.commands.context import Context
from control_plane.commands.errors import ExitCode
from control_plane.commands.local import installation, local
from control_plane.commands.tables import table

if TYPE_CHECKING:
    from control_plane.sealing import Progress, Status


@click.group()
def vault() -> None:
    """The master keys, and what in the database hangs on which. Works on the database of this installation."""


@vault.command()
@local
def status(context: Context) -> None:
    """Tell how much is sealed by the newest master key, and how much still hangs on older ones."""
    from control_plane import sealing
    from kit.db import transaction, vault_of

    with installation() as engine, transaction(engine) as session:
        found = sealing.status(session, vault_of(session))
    context.show(_told(found), lambda console: _show(console, found))


@vault.command()
@local
def reseal(context: Context) -> None:
    """Seal everything by the newest master key, while all goes on; afterwards older keys may be removed.

    Put the new key first in the file of the master keys (`openssl rand -base64 32` draws one), keep the older ones
    below it, and restart every process of the control plane before this.
    """
    from control_plane import sealing
    from control_plane.audit import Actor
    from kit.db import transaction, vault_of

    actor = Actor("command", "parvis vault reseal", "parvis vault reseal")
    with installation() as engine:
        with transaction(engine) as session:
            keys = vault_of(session)
        with _progress(context) as progress:
            found = sealing.reseal(engine, keys, actor, progress)
    context.show(_told(found), lambda console: _show(console, found))
    if found.left:
        raise SystemExit(int(ExitCode.FAILED))


@contextmanager
def _progress(context: Context) -> Iterator["Progress"]:
    """How far each column is: bars for people, lines for others, on standard error."""
    if context.json or not sys.stderr.isatty():
        yield lambda column, done, total: click.echo(f"{column}: {done} of {total}", err=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True, highlight=False), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(column: str, done: int, total: int) -> None:
            if column not in tasks:
                tasks[column] = bars.add_task(column)
            bars.update(tasks[column], completed=done, total=max(done, total))

        yield tell


def _told(found: "Status") -> dict[str, Any]:
    columns = [{"column": line.column, "by_key": line.by_key, "derived": line.derived} for line in found.lines]
    facts = {"sealed": found.sealed, "left": found.left, "lost": found.lost}
    return {"key": found.key_id, "older_keys": list(found.known[1:]), **facts, "columns": columns}


def _show(console: Console, found: "Status") -> None:
    rows = [
        [line.column, line.by_key.get(found.key_id, 0), *_older(line.by_key, found.key_id), line.derived]
        for line in found.lines
    ]
    headers = ["Column", f"By the newest key {found.key_id}", "By older keys", "Not sealed yet"]
    table(console, headers, rows, empty="Nothing is sealed.")
    console.print(_verdict(found))


def _older(by_key: dict[str, int], newest: str) -> list[str]:
    # A text from before keys had names is sealed by one of the older keys, or by the only one there is.
    return [", ".join(f"{name or 'unnamed'}: {count}" for name, count in by_key.items() if name != newest) or "0"]


def _verdict(found: "Status") -> str:
    if found.lost:
        return f"{found.lost} texts are sealed by a key that is not given here: add it, or they stay closed."
    if found.left:
        return f"{found.left} still hang on an older key, or name none: keep it, and run `parvis vault reseal`."
    return "Nothing hangs on an older key any more: it may be removed from the file, and destroyed."
