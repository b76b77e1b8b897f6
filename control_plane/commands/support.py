"""`parvis support`: ask an organisation to let somebody of the staff in; administrators answer in their console."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.changing import irreversible
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.tables import card, moment, table


@click.group()
def support() -> None:
    """Staff of the provider in a workspace: only by an administrator's consent, which no command gives."""


@support.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--staff", required=True, help="The e-mail of who would come in.")
@click.option("--reason", required=True, help="The administrators read it.")
@click.option("--write/--read-only", default=False, help="To write as well, or to read only (unless said otherwise).")
@click.option("--hours", default=3, show_default=True, type=click.IntRange(3, 168), help="Counted from the consent.")
@shared
def ask(context: Context, *, reference: str, staff: str, reason: str, write: bool, hours: int) -> None:
    """Ask. Nothing opens by it; the organisation's administrators get a mail."""
    body = {"staff": staff, "reason": reason, "read_only": not write, "hours": hours}
    found = context.client().ask("POST", f"/organisations/{quoted(reference)}/support", body=body).body
    context.show(found, lambda console: _card(console, found))


@support.command("list")
@click.argument("reference", metavar="ORGANISATION")
@shared
def list_(context: Context, reference: str) -> None:
    """List what was asked of an organisation, and what became of it."""
    found = context.client().get(f"/organisations/{quoted(reference)}/support")
    rows = [
        [one["state"], one["staff_name"], _scope(one), moment(one["asked_at"]), moment(one["until"]), one["id"]]
        for one in found["items"]
    ]
    headers = ["State", "Who", "For what", "Asked", "Until", "ID"]
    context.show(found, lambda console: table(console, headers, rows, empty="Nothing was asked for."))


@support.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("access_id", metavar="ID")
@shared
def show(context: Context, reference: str, access_id: str) -> None:
    """Show one request."""
    found = context.client().get(f"/organisations/{quoted(reference)}/support/{quoted(access_id)}")
    context.show(found, lambda console: _card(console, found))


@support.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("access_id", metavar="ID")
@irreversible("Whoever is in {reference} by it is out with the next click.")
@shared
def end(context: Context, reference: str, access_id: str) -> None:
    """Take a request back, or end an access."""
    context.client().ask("DELETE", f"/organisations/{quoted(reference)}/support/{quoted(access_id)}")
    context.show({"ended": access_id}, lambda console: console.print("Ended."))


def _scope(found: dict[str, Any]) -> str:
    return "read only" if found["read_only"] else "read and write"


def _card(console: Console, found: dict[str, Any]) -> None:
    card(
        console,
        {
            "State": found["state"],
            "ID": found["id"],
            "Who": found["staff_name"],
            "Why": found["reason"],
            "For what": _scope(found),
            "For how long": f"{found['hours']} h from the consent",
            "Accepted by": found["administrator_name"],
            "Until": moment(found["until"]),
            "Ended by": found["ended_by"],
        },
    )
