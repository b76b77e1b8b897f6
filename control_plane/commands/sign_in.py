"""`parvis policy`, `parvis scim`, `parvis setup-link`: what an organisation's sign-in has beside its connections."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.changing import irreversible
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.tables import card, moment, table

ALL = "everywhere"


@click.group()
def policy() -> None:
    """How an organisation's people sign in, whatever way they come."""


@policy.command()
@click.argument("reference", metavar="ORGANISATION")
@shared
def show(context: Context, reference: str) -> None:
    """Show the policy."""
    found = context.client().get(f"/organisations/{quoted(reference)}/sign-in-policy")
    context.show(found, lambda console: _policy(console, found))


@policy.command("set")
@click.argument("reference", metavar="ORGANISATION")
@click.option("--session-hours", type=click.FloatRange(0), help="How long a session lasts; 0: the product's default.")
@click.option("--idle-hours", type=click.FloatRange(0), help="How long it lasts unused; 0: the product's default.")
@click.option("--second-factor/--no-second-factor", default=None, help="Whether a password alone is not enough.")
@click.option("--network", "networks", multiple=True, help="Only from here, such as 192.0.2.0/24; or everywhere.")
@click.option("--break-glass", multiple=True, help="The id of an administrator who comes in regardless; several times.")
@click.option("--brake-percent", type=click.IntRange(1, 100), help="A push that removes more people waits.")
@shared
def set_(
    context: Context,
    *,
    reference: str,
    session_hours: float | None,
    idle_hours: float | None,
    second_factor: bool | None,
    networks: tuple[str, ...],
    break_glass: tuple[str, ...],
    brake_percent: int | None,
) -> None:
    """Change the policy; what is not named stays."""
    client, where = context.client(), f"/organisations/{quoted(reference)}/sign-in-policy"
    given: dict[str, Any] = {
        "second_factor": second_factor,
        "networks": [one for one in networks if one != ALL] if networks else None,
        "break_glass": list(break_glass) or None,
        "brake_percent": brake_percent,
    }
    body = {name: value for name, value in given.items() if value is not None}
    for name, hours in (("session_seconds", session_hours), ("idle_seconds", idle_hours)):
        if hours is not None:
            body[name] = round(hours * 3600) or None
    version = client.ask("GET", where).headers["etag"]
    found = client.ask("PATCH", where, body=body, headers={"If-Match": version}).body
    context.show(found, lambda console: _policy(console, found))


def _policy(console: Console, found: dict[str, Any]) -> None:
    card(
        console,
        {
            "A session lasts": _hours(found["session_seconds"]),
            "Unused": _hours(found["idle_seconds"]),
            "Second factor": "wanted" if found["second_factor"] else "not wanted",
            "From": found["networks"] or ALL,
            "Break-glass accounts": found["break_glass"],
            "Brake": f"{found['brake_percent']} % of the members",
        },
    )


def _hours(seconds: int | None) -> str:
    return "the product's default" if seconds is None else f"{seconds / 3600:g} h"


@click.group()
def scim() -> None:
    """An organisation's directory, which pushes its people."""


@scim.group("token")
def scim_token() -> None:
    """Tokens of directories. Two work at a time, so that they can rotate."""


@scim_token.command("add")
@click.argument("reference", metavar="ORGANISATION")
@click.option("--name", required=True, help="What it is for.")
@click.option("--connection-id", help="By which connection its people sign in.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 1095), help="How long it works.")
@shared
def add_token(context: Context, reference: str, name: str, connection_id: str | None, days: int) -> None:
    """Make a token; its secret is shown this once."""
    body = {"name": name, "connection_id": connection_id, "days": days}
    found = context.client().ask("POST", f"/organisations/{quoted(reference)}/scim-tokens", body=body).body
    context.show(found, lambda console: _token(console, found))


def _token(console: Console, found: dict[str, Any]) -> None:
    made = found["token"]
    card(
        console,
        {"Token": made["name"], "ID": made["id"], "Ends": moment(made["expires_at"]), "Address": found["scim_url"]},
    )
    console.print("Its secret, shown this once:")
    # Alone on its line and on stdout, so that it can be copied whole.
    click.echo(found["secret"])


@scim_token.command("list")
@click.argument("reference", metavar="ORGANISATION")
@shared
def list_tokens(context: Context, reference: str) -> None:
    """List an organisation's tokens."""
    found = context.client().get(f"/organisations/{quoted(reference)}/scim-tokens")
    rows = [
        [
            one["prefix"],
            one["name"],
            "revoked" if one["revoked_at"] else moment(one["expires_at"]) or "never",
            one["id"],
        ]
        for one in found["items"]
    ]
    context.show(found, lambda console: table(console, ["Prefix", "Name", "Ends", "ID"], rows, empty="No token."))


@scim_token.command("revoke")
@click.argument("reference", metavar="ORGANISATION")
@click.argument("token_id")
@irreversible("The directory's token {token_id} will stop working at once.")
@shared
def revoke_token(context: Context, reference: str, token_id: str) -> None:
    """Stop a token at once."""
    context.client().ask("DELETE", f"/organisations/{quoted(reference)}/scim-tokens/{quoted(token_id)}")
    context.show({"revoked": token_id}, lambda console: console.print("Revoked."))


@click.command("setup-link")
@click.argument("reference", metavar="ORGANISATION")
@click.option(
    "--purpose", type=click.Choice(["domains", "sign_in", "scim"]), required=True, help="What it lets set up."
)
@click.option("--hours", default=72, show_default=True, type=click.IntRange(1, 336), help="How long it works.")
@shared
def set_up_link(context: Context, reference: str, purpose: str, hours: int) -> None:
    """Print a link by which somebody of the organisation's IT sets one thing up without an account, once."""
    body = {"purpose": purpose, "hours": hours}
    found = context.client().ask("POST", f"/organisations/{quoted(reference)}/set-up-links", body=body).body
    context.show(found, lambda _: click.echo(found["url"]))
