"""`parvis audit`: the record of who did what."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import ExitCode
from control_plane.commands.tables import moment, table


@click.group()
def audit() -> None:
    """The record of who did what."""


@audit.command("list")
@click.option("--organisation", help="Only this organisation's (id or address).")
@click.option("--verb", help="Such as organisation.suspended; a dot at the end takes all that begin so.")
@click.option("--actor", help="Id or part of the name.")
@click.option("--since", help="Such as 2027-03-01T00:00:00Z.")
@click.option("--until", help="Such as 2027-04-01T00:00:00Z.")
@click.option("--limit", default=50, show_default=True)
@click.option("--cursor", help="Read on from here.")
@shared
def list_(context: Context, **filters: Any) -> None:
    """List events, newest first."""
    found = context.client().get("/audit", **filters)
    context.show(found, lambda console: _listed(console, found))


def _listed(console: Console, found: dict[str, Any]) -> None:
    rows = [
        [moment(one["at"]), one["verb"], one["actor"].get("name"), one["organisation_id"] or "", _data(one["data"])]
        for one in found["items"]
    ]
    table(console, ["When", "What", "Who", "Organisation", "Data"], rows, empty="No event.")
    _more(console, found)


def _data(data: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in data.items() if not isinstance(value, dict))


def _history(command: Any) -> Any:
    """The filters of what happened in one organisation's workspace."""
    for option in (
        click.option("--cursor", help="Read on from here."),
        click.option("--limit", default=50, show_default=True),
        click.option("--until", help="Such as 2027-04-01T00:00:00Z."),
        click.option("--since", help="Such as 2027-03-01T00:00:00Z."),
        click.option("--who", help="The person's id, or a part of name or e-mail."),
        click.option(
            "--verb", help="Such as sign_in.refused or user.disabled; a dot at the end takes all that begin so."
        ),
        click.argument("organisation"),
    ):
        command = option(command)
    return command


@audit.command("sign-ins")
@_history
@shared
def sign_ins(context: Context, organisation: str, **filters: Any) -> None:
    """List who signed in to an organisation's workspace by its identity providers, newest first."""
    found = context.client().get(f"/organisations/{quoted(organisation)}/sign-ins", **filters)
    context.show(found, lambda console: _signed_in(console, found))


def _signed_in(console: Console, found: dict[str, Any]) -> None:
    rows = [
        [moment(one["at"]), one["verb"], _whom(one["data"]), (one["failure"] or {}).get("detail", "")]
        for one in found["items"]
    ]
    table(console, ["When", "What", "Who", "Why not"], rows, empty="No sign-in.")
    _more(console, found)


def _whom(data: dict[str, Any]) -> str:
    result = data.get("result") or {}
    return str(result.get("email") or result.get("name") or "")


@audit.command("directory")
@_history
@shared
def directory(context: Context, organisation: str, **filters: Any) -> None:
    """List what an organisation's directory did by SCIM, newest first."""
    found = context.client().get(f"/organisations/{quoted(organisation)}/scim-events", **filters)
    context.show(found, lambda console: _done(console, found))


def _done(console: Console, found: dict[str, Any]) -> None:
    rows = [[moment(one["at"]), one["verb"], one["name"] or "", _data(one["data"])] for one in found["items"]]
    table(console, ["When", "What", "Whom", "Data"], rows, empty="No event.")
    _more(console, found)


def _more(console: Console, found: dict[str, Any]) -> None:
    if found["next_cursor"]:
        console.print(f"More: --cursor {found['next_cursor']}", style="dim")


@audit.command()
@click.option("--organisation", help="Only this organisation's chain (id or address).")
@shared
def verify(context: Context, organisation: str | None) -> None:
    """Recompute the chains: any edit, deletion or reordering is found, and the command fails."""
    found = context.client().get("/audit/verification", organisation=organisation)
    context.show(found, lambda console: _report(console, found))
    if not found["ok"]:
        raise SystemExit(int(ExitCode.FAILED))


def _report(console: Console, found: dict[str, Any]) -> None:
    console.print(
        f"{found['events']} events in {found['chains']} chains: {'intact' if found['ok'] else 'TAMPERED WITH'}."
    )
    rows = [[one["chain"], one["seq"], one["problem"]] for one in found["findings"]]
    if rows:
        table(console, ["Chain", "Number", "Problem"], rows, empty="")
