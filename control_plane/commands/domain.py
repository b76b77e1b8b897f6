"""`parvis domain`: mail domains of an organisation, and their proof."""

import sys
from typing import Any

import click
from rich.console import Console

from control_plane.commands.changing import irreversible
from control_plane.commands.client import Client, quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.tables import card, moment, table

TROUBLE = {
    "no_name": "no such name",
    "no_record": "no TXT record",
    "timeout": "no answer",
    "failed": "cannot tell",
}


@click.group()
def domain() -> None:
    """Mail domains of an organisation. ORGANISATION is an id or an address, DOMAIN a name or an id."""


@domain.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("name", metavar="DOMAIN")
@shared
def add(context: Context, reference: str, name: str) -> None:
    """Claim DOMAIN; tells the TXT record that proves it."""
    found = context.client().ask("POST", f"/organisations/{quoted(reference)}/domains", body={"name": name}).body
    context.show(found, lambda console: _card(console, found))


@domain.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("name", metavar="DOMAIN")
@shared
def check(context: Context, reference: str, name: str) -> None:
    """Look for the proof now, and tell what each name server sees. Exit code 1 while it is not proven."""
    client = context.client()
    found = client.ask("POST", f"{_path(client, reference, name)}/check").body
    context.show(found, lambda console: _card(console, found))
    if found["state"] != "proven":
        sys.exit(ExitCode.FAILED)


@domain.command("list")
@click.argument("reference", metavar="ORGANISATION")
@shared
def list_(context: Context, reference: str) -> None:
    """List an organisation's domains."""
    found = context.client().get(f"/organisations/{quoted(reference)}/domains")
    rows = [
        [one["name"], one["state"], moment(one["proven_at"]), moment(one["checked_at"]), one["id"]]
        for one in found["items"]
    ]
    headers = ["Domain", "State", "Proven", "Looked at", "ID"]
    context.show(found, lambda console: table(console, headers, rows, empty="No domain."))


@domain.command()
@click.argument("reference", metavar="ORGANISATION")
@click.argument("name", metavar="DOMAIN")
@irreversible("{reference} gives {name} up: its providers make nobody there any more.")
@shared
def remove(context: Context, reference: str, name: str) -> None:
    """Give a domain up. Who is a member stays one."""
    client = context.client()
    client.ask("DELETE", _path(client, reference, name))
    context.show({"removed": name}, lambda console: console.print("Removed."))


def _path(client: Client, reference: str, name: str) -> str:
    """Where a domain stands, by its name or id."""
    where = f"/organisations/{quoted(reference)}/domains"
    wanted = name.strip().removeprefix("@").rstrip(".").lower()
    for one in client.get(where)["items"]:
        if wanted in {one["name"], one["id"]}:
            return f"{where}/{one['id']}"
    raise CommandError(
        f"{name} is not claimed.", cure=f"Claim it: parvis domain add {reference} {name}", code=ExitCode.NOT_FOUND
    )


def _card(console: Console, found: dict[str, Any]) -> None:
    card(
        console,
        {
            "Domain": found["name"],
            "ID": found["id"],
            "State": found["state"],
            "TXT record": found["record_name"],
            "Value": found["record_value"],
            "Proven": moment(found["proven_at"]),
            "Counts until": moment(found["lost_after"]),
            "Name servers": [f"{one['resolver']}: {_said(one)}" for one in found["answers"]],
        },
    )


def _said(answer: dict[str, Any]) -> str:
    if answer["ok"]:
        return "sees it"
    return TROUBLE.get(answer["trouble"], "sees " + ", ".join(answer["seen"]))
