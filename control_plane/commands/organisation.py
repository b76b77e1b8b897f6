"""`parvis organisation`: order, look at, change, suspend and remove organisations."""

from typing import Any
from uuid import uuid4

import click
from rich.console import Console

from control_plane.commands.changing import Change, change, irreversible
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.operation import conclude
from control_plane.commands.operation import shown as operation_shown
from control_plane.commands.tables import card, moment, table
from control_plane.commands.waiting import ended, follow

KIND = click.Choice(["contract", "billing", "technical"])


@click.group()
def organisation() -> None:
    """Organisations. ORGANISATION is an id or an address."""


@organisation.command()
@click.option("--name", required=True, help="As people read it: 'Mairie de Sèvres'.")
@click.option("--address", required=True, help="The first label of its host: 'sevres'.")
@click.option("--offer", required=True, help="An offer's code; see `parvis offer list`.")
@click.option("--admin-email", required=True, help="Receives the entry mail and owns the workspace.")
@click.option("--admin-name", required=True)
@click.option("--siret", help="14 digits; public-sector offers want it.")
@click.option("--entity-kind", help="What kind of public body it is.")
@click.option("--locale", type=click.Choice(["fr", "en"]), help="Language of its first mails.")
@click.option("--cell", help="A cell's name, to place it by hand.")
@click.option("--idempotency-key", help="Repeating a command with the same key never orders twice.")
@click.option("--wait/--no-wait", default=True, show_default=True)
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait.")
@shared
def create(
    context: Context,
    *,
    admin_email: str,
    admin_name: str,
    idempotency_key: str | None,
    wait: bool,
    timeout: float,
    **given: str | None,
) -> None:
    """Order an organisation and watch it being made."""
    client = context.client()
    body = {name: value for name, value in given.items() if value is not None}
    body["admin"] = {"email": admin_email, "name": admin_name}  # type: ignore[assignment]
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    made = client.ask("POST", "/organisations", body=body, headers=headers).body
    if wait:
        made["operation"] = follow(context, client, made["operation"], timeout)
        made["organisation"] = client.get(f"/organisations/{made['organisation']['id']}")
    context.show(made, lambda console: _made(console, made))
    ended(made["operation"])


def _made(console: Console, made: dict[str, Any]) -> None:
    _card(console, made["organisation"])
    operation_shown(console, made["operation"])


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@shared
def show(context: Context, reference: str) -> None:
    """Show an organisation with its holds and its use."""
    client = context.client()
    found = client.get(f"/organisations/{quoted(reference)}")
    found["holds"] = client.get(f"/organisations/{quoted(reference)}/holds", standing=True)["items"]
    context.show(found, lambda console: _card(console, found))


def _card(console: Console, found: dict[str, Any]) -> None:
    card(
        console,
        {
            "Organisation": found["name"],
            "ID": found["id"],
            "Address": found["url"],
            "State": found["state"],
            "Why": [f"{one['kind']} hold ({one['effect']}): {one['reason']}" for one in found.get("holds", [])],
            "Failure": found["failure"],
            "Offer": f"{found['offer']['code']} (version {found['offer']['version']})",
            "Administrator": f"{found['admin']['name']} <{found['admin']['email']}>",
            "SIRET": found["siret"],
            "Ordered": moment(found["created_at"]),
            "Live since": moment(found["live_at"]),
            "Trial ends": moment(found["trial_ends_at"]),
            "Closing since": moment(found["closing_at"]),
            "May be erased after": moment(found["erase_after"]),
            "Flags": found["flags"],
        },
    )


@organisation.command("list")
@click.argument("words", nargs=-1)
@click.option("--state", help="Only in this state.")
@click.option("--offer", help="Only with this offer.")
@click.option("--cell", help="Only in this cell.")
@click.option("--sort", help="created, updated, name or relevance; a leading - turns it round.")
@click.option("--limit", default=50, show_default=True)
@click.option("--cursor", help="Read on from here.")
@shared
def list_(context: Context, words: tuple[str, ...], **filters: Any) -> None:
    """List organisations; WORDS search name, address, SIRET and e-mail."""
    found = context.client().get("/organisations", q=" ".join(words) or None, **filters)
    context.show(found, lambda console: _listed(console, found))


def _listed(console: Console, found: dict[str, Any]) -> None:
    rows = [
        [one["address"], one["name"], one["state"], one["offer"]["code"], moment(one["created_at"])]
        for one in found["items"]
    ]
    table(console, ["Address", "Name", "State", "Offer", "Ordered"], rows, empty="No organisation.")
    if found["next_cursor"]:
        console.print(f"More: --cursor {found['next_cursor']}", style="dim")


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--reason", required=True, help="Why; people read it later.")
@click.option("--kind", type=KIND, default="technical", show_default=True, help="Which hold it is.")
@change
def suspend(reference: str, reason: str, kind: str) -> Change:
    """Close an organisation's doors; its data stays."""
    return "PUT", f"/organisations/{quoted(reference)}/suspension", {"reason": reason, "kind": kind}, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--kind", type=KIND, default="technical", show_default=True, help="Which hold to lift.")
@click.option("--from-read-only", is_flag=True, help="Lift a read-only hold, not a suspension.")
@change
def resume(reference: str, kind: str, from_read_only: bool) -> Change:
    """Lift a hold; the organisation is live again once none is left."""
    noun = "read-only" if from_read_only else "suspension"
    return "DELETE", f"/organisations/{quoted(reference)}/{noun}", None, {"kind": kind}


@organisation.command("read-only")
@click.argument("reference", metavar="ORGANISATION")
@click.option("--reason", required=True, help="Why; people read it later.")
@click.option("--kind", type=KIND, default="technical", show_default=True, help="Which hold it is.")
@change
def read_only(reference: str, reason: str, kind: str) -> Change:
    """Refuse writes; everything still reads."""
    return "PUT", f"/organisations/{quoted(reference)}/read-only", {"reason": reason, "kind": kind}, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--reason", required=True, help="Why; people read it later.")
@change
def close(reference: str, reason: str) -> Change:
    """Begin the notice after which the organisation may be erased."""
    return "PUT", f"/organisations/{quoted(reference)}/closure", {"reason": reason}, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@change
def reopen(reference: str) -> Change:
    """Take a closure back, while its notice runs."""
    return "DELETE", f"/organisations/{quoted(reference)}/closure", None, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--confirm", required=True, help="The organisation's address, typed again.")
@click.option("--force", is_flag=True, help="Do not wait for the notice; wants --reason.")
@click.option("--reason", help="Why, when it is forced.")
@irreversible("Everything of {reference} will be removed for good.")
@change
def erase(reference: str, confirm: str, force: bool, reason: str | None) -> Change:
    """Remove an organisation and all its data for good, once its notice has passed."""
    return (
        "POST",
        f"/organisations/{quoted(reference)}/erasure",
        {"confirm_address": confirm, "force": force, "reason": reason},
        {},
    )


@organisation.command("change-offer")
@click.argument("reference", metavar="ORGANISATION")
@click.argument("offer")
@change
def change_offer(reference: str, offer: str) -> Change:
    """Move to the present version of OFFER."""
    return "PUT", f"/organisations/{quoted(reference)}/offer", {"offer": offer}, {}


@organisation.command("extend-trial")
@click.argument("reference", metavar="ORGANISATION")
@click.option("--until", required=True, help="Its last day: 2027-03-31.")
@click.option("--reason", required=True, help="Why; people read it later.")
@change
def extend_trial(reference: str, until: str, reason: str) -> Change:
    """Give a trial a new end."""
    return "PUT", f"/organisations/{quoted(reference)}/trial", {"until": until, "reason": reason}, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--name", required=True, help="As people read it.")
@change
def rename(reference: str, name: str) -> Change:
    """Give an organisation another name; its address stays."""
    return "PATCH", f"/organisations/{quoted(reference)}", {"name": name}, {}


@organisation.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--wait/--no-wait", default=True, show_default=True)
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait.")
@shared
def verify(context: Context, reference: str, wait: bool, timeout: float) -> None:
    """Check now that everything is as ordered, and mend what is not."""
    client = context.client()
    found = client.ask("POST", f"/organisations/{quoted(reference)}/verification").body
    conclude(context, client, found, wait=wait, timeout=timeout)
