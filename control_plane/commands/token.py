"""`parvis token`: keys of scripts."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.changing import irreversible
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.tables import card, moment, table


@click.group()
def token() -> None:
    """API tokens."""


@token.command("list")
@shared
def list_(context: Context) -> None:
    """List tokens, with when and from where each was last used."""
    found = context.client().get("/tokens")
    rows = [
        [
            one["prefix"],
            one["name"],
            one["owner"] or "",
            len(one["scopes"]),
            moment(one["used_at"]),
            "revoked" if one["revoked_at"] else "stopped" if one["stopped"] else moment(one["expires_at"]) or "never",
            one["id"],
        ]
        for one in found["items"]
    ]
    headers = ["Prefix", "Name", "Owner", "Scopes", "Last used", "Ends", "ID"]
    context.show(found, lambda console: table(console, headers, rows, empty="No token."))


@token.command()
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", multiple=True, required=True, help="Such as organisations:read; several times.")
@click.option("--network", "networks", multiple=True, help="Only from here, such as 192.0.2.0/24; several times.")
@click.option("--expires-at", help="Such as 2027-03-01T00:00:00Z.")
@shared
def create(
    context: Context, name: str, scopes: tuple[str, ...], networks: tuple[str, ...], expires_at: str | None
) -> None:
    """Make a token; its secret is shown this once."""
    body = {"name": name, "scopes": list(scopes), "networks": list(networks), "expires_at": expires_at}
    found = context.client().ask("POST", "/tokens", body=body).body
    context.show(found, lambda console: _new(console, found))


def _new(console: Console, found: dict[str, Any]) -> None:
    made = found["token"]
    card(
        console,
        {
            "Token": made["name"],
            "ID": made["id"],
            "Scopes": made["scopes"],
            "Expires": moment(made["expires_at"]) or "never",
        },
    )
    console.print("Its secret, shown this once:")
    # Alone on its line and on stdout, so that it can be copied whole.
    click.echo(found["secret"])


@token.command()
@click.argument("token_id")
@shared
def rotate(context: Context, token_id: str) -> None:
    """Make a token's successor; the old one goes on working for a while."""
    found = context.client().ask("POST", f"/tokens/{quoted(token_id)}/rotation").body
    context.show(found, lambda console: _new(console, found))


@token.command("hand-over")
@click.argument("token_id")
@click.option("--to", "staff", required=True, help="E-mail of the operator who answers for it from now on.")
@shared
def hand_over(context: Context, token_id: str, staff: str) -> None:
    """Let another operator answer for a token; one that stopped with its owner works again."""
    found = context.client().ask("PUT", f"/tokens/{quoted(token_id)}/owner", body={"staff": staff}).body
    context.show(found, lambda console: console.print(f"{found['owner']} answers for {found['name']}."))


@token.command()
@click.argument("token_id")
@irreversible("The token {token_id} will stop working at once.")
@shared
def revoke(context: Context, token_id: str) -> None:
    """Stop a token at once."""
    context.client().ask("DELETE", f"/tokens/{quoted(token_id)}")
    context.show({"revoked": token_id}, lambda console: console.print("Revoked."))
