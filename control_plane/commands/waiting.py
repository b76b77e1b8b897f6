"""Waiting for an operation with its steps in sight; the exit code tells how it ended."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from control_plane.commands.client import Client
from control_plane.commands.context import Context
from control_plane.commands.errors import CommandError, ExitCode

ENDED = ("succeeded", "failed", "cancelled", "superseded")
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0


def follow(context: Context, client: Client, operation: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The operation once it has ended; progress goes to stderr, so that stdout stays the result's."""
    console = Console(stderr=True, highlight=False)
    watched = _watched(client, operation, seconds)
    shown = watched if context.json else _bar(console, watched) if sys.stderr.isatty() else _lines(watched)
    return list(shown)[-1]


def _watched(client: Client, operation: dict[str, Any], seconds: float) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    yield operation
    while operation["state"] not in ENDED:
        if time.monotonic() > deadline:
            raise CommandError(
                f"The operation {operation['id']} is still {operation['state']} after {seconds:g} s.",
                cure=f"It goes on by itself. Look again with `parvis operation watch {operation['id']}`.",
                code=ExitCode.TIMED_OUT,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        operation = client.get(f"/operations/{operation['id']}")
        yield operation


def _bar(console: Console, watched: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=100)
        for operation in watched:
            progress.update(bar, completed=operation["percentage"], description=_now(operation))
            yield operation


def _lines(watched: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    told: set[tuple[str, str]] = set()
    for operation in watched:
        for step in operation["steps"]:
            line = (step["name"], step["state"])
            if step["state"] != "waiting" and line not in told:
                told.add(line)
                click.echo(f"{step['name']}: {step['state']}{_why(step)}", err=True)
        yield operation


def _now(operation: dict[str, Any]) -> str:
    busy = [step for step in operation["steps"] if step["state"] in ("running", "retrying")]
    return f"{operation['kind']}: {busy[0]['name'] if busy else operation['state']}"


def _why(step: dict[str, Any]) -> str:
    return f" ({step['error_code']})" if step.get("error_code") else ""


def ended(operation: dict[str, Any]) -> None:
    """Leave with FAILED unless the operation succeeded."""
    if operation["state"] in ENDED and operation["state"] != "succeeded":
        raise SystemExit(int(ExitCode.FAILED))
