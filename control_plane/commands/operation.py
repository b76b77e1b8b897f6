"""`parvis operation`: what was asked for, how far it is, and what may be done about it."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.client import Client, quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.tables import card, moment, table
from control_plane.commands.waiting import ended, follow


@click.group()
def operation() -> None:
    """Operations: what was asked for and takes a moment."""


@operation.command("list")
@click.option("--organisation", help="Only this organisation's (id or address).")
@click.option("--state", help="Only in this state: pending, running, succeeded, failed, cancelled, superseded.")
@click.option("--limit", default=50, show_default=True)
@click.option("--cursor", help="Read on from here.")
@shared
def list_(context: Context, organisation: str | None, state: str | None, limit: int, cursor: str | None) -> None:
    """List operations, newest first."""
    found = context.client().get("/operations", organisation=organisation, state=state, limit=limit, cursor=cursor)
    rows = [
        [one["id"], one["kind"], one["state"], f"{one['percentage']} %", moment(one["created_at"]), one["error_code"]]
        for one in found["items"]
    ]
    headers = ["ID", "Kind", "State", "Done", "Asked", "Error"]
    context.show(found, lambda console: _listed(console, headers, rows, found["next_cursor"]))


def _listed(console: Console, headers: list[str], rows: list[list[Any]], cursor: str | None) -> None:
    table(console, headers, rows, empty="No operation.")
    if cursor:
        console.print(f"More: --cursor {cursor}", style="dim")


@operation.command()
@click.argument("operation_id")
@shared
def show(context: Context, operation_id: str) -> None:
    """Show an operation with its steps."""
    found = context.client().get(f"/operations/{quoted(operation_id)}")
    context.show(found, lambda console: shown(console, found))


def shown(console: Console, found: dict[str, Any]) -> None:
    """An operation and the ledger of its steps."""
    card(
        console,
        {
            "Operation": found["id"],
            "Organisation": found["organisation_id"],
            "Kind": found["kind"],
            "State": f"{found['state']}, {found['percentage']} %",
            "Asked": moment(found["created_at"]),
            "Error": f"{found['error_code']}: {found['error'] or ''}" if found["error_code"] else None,
            "Trying again": ("may help" if found["retryable"] else "will not help") if found["error_code"] else None,
        },
    )
    if found["steps"]:
        rows = [
            [one["name"], one["state"], one["attempts"], _milliseconds(one["milliseconds"]), one["error"] or ""]
            for one in found["steps"]
        ]
        table(console, ["Step", "State", "Tries", "Took", "Error"], rows, empty="")


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"


@operation.command()
@click.argument("operation_id")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait.")
@shared
def watch(context: Context, operation_id: str, timeout: float) -> None:
    """Watch an operation until it ends; the exit code tells how."""
    client = context.client()
    conclude(context, client, client.get(f"/operations/{quoted(operation_id)}"), wait=True, timeout=timeout)


@operation.command()
@click.argument("operation_id")
@shared
def cancel(context: Context, operation_id: str) -> None:
    """Cancel an operation before its point of no return."""
    found = context.client().ask("POST", f"/operations/{quoted(operation_id)}/cancellation").body
    context.show(found, lambda console: shown(console, found))


@operation.command()
@click.argument("operation_id")
@click.option("--wait/--no-wait", default=True, show_default=True)
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait.")
@shared
def retry(context: Context, operation_id: str, wait: bool, timeout: float) -> None:
    """Try a failed operation again, now."""
    client = context.client()
    found = client.ask("POST", f"/operations/{quoted(operation_id)}/retry").body
    conclude(context, client, found, wait=wait, timeout=timeout)


def conclude(context: Context, client: Client, found: dict[str, Any], *, wait: bool, timeout: float) -> None:
    """Wait for an operation if asked to, show it, and leave with the code of its outcome."""
    if wait:
        found = follow(context, client, found, timeout)
    context.show(found, lambda console: shown(console, found))
    ended(found)
