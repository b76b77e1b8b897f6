"""A change to an organisation: seen first with --dry-run, made against the version that was read, then waited for."""

import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.operation import conclude

SEE_FIRST = "Add --yes to say that this is meant, or --dry-run to see first."

Change = tuple[str, str, Any, dict[str, Any]]


def change(describe: Callable[..., Change]) -> Callable[..., None]:
    """Makes a command of a function that says method, path, body and query; adds --dry-run, --wait and --timeout."""

    def run(context: Context, dry_run: bool, wait: bool, timeout: float, **kwargs: Any) -> None:
        method, path, body, query = describe(**kwargs)
        client = context.client()
        if dry_run and method == "PATCH":
            raise CommandError("--dry-run: there is nothing to tell about a new name.", code=ExitCode.USAGE)
        before = client.ask("GET", "/organisations/" + path.split("/")[2])
        headers = {"If-Match": before.headers["etag"]}
        answer = client.ask(method, path, body=body, query={**query, "dry_run": dry_run}, headers=headers)
        if dry_run:
            context.show(answer.body, lambda console: _effects(console, answer.body))
            return
        conclude(context, client, answer.body, wait=wait, timeout=timeout)

    named: Any = update_wrapper(run, describe)
    wrapped: Any = shared(named)
    for decorate in (
        click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait."),
        click.option("--wait/--no-wait", default=True, show_default=True),
        click.option("--dry-run", is_flag=True, help="Tell what would happen; do nothing."),
    ):
        wrapped = decorate(wrapped)
    made: Callable[..., None] = wrapped
    return made


def _effects(console: Console, effects: dict[str, Any]) -> None:
    if not effects["allowed"]:
        console.print(f"[bold]This would be refused:[/] {escape((effects['refusal'] or {}).get('message', ''))}")
        return
    for one in effects["effects"]:
        console.print(f"• {escape(one['message'])}")
    console.print("Nothing was done (--dry-run).", style="dim")


def irreversible(warning: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds --yes, and asks when it is missing; without a terminal to ask at, it must be given."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(yes: bool, **kwargs: Any) -> None:
            if not (yes or kwargs.get("dry_run")):
                agreed(warning.format(**kwargs), *([SEE_FIRST] if "dry_run" in kwargs else []))
            command(**kwargs)

        named: Callable[..., None] = update_wrapper(run, command)
        return click.option("--yes", is_flag=True, help="Do not ask.")(named)

    return decorate


def agreed(warning: str, cure: str = "Add --yes to say that this is meant.") -> None:
    """Ask whether this is meant; without a terminal to ask at, --yes must have said so."""
    if not sys.stdin.isatty():
        raise CommandError(warning, cure=cure, code=ExitCode.USAGE)
    click.confirm(f"{warning} Go on?", abort=True)
