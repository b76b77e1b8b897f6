"""`parvis offer`: what is sold, by version."""

import json
from typing import IO, Any

import click
from rich.console import Console

from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.tables import card, moment, size, table


@click.group()
def offer() -> None:
    """Offers and their versions."""


@offer.command("list")
@shared
def list_(context: Context) -> None:
    """List the offers that are sold."""
    found = context.client().get("/offers")
    rows = [
        [
            one["code"],
            one["names"]["en"]["name"],
            one["version"],
            size(one["entitlements"]["storage_bytes"]),
            one["entitlements"]["members"] or "unlimited",
            price(one["terms"]),
            one["public"],
        ]
        for one in found["items"]
    ]
    headers = ["Code", "Name", "Version", "Storage", "Members", "Price", "Public"]
    context.show(found, lambda console: table(console, headers, rows, empty="No offer."))


def price(terms: dict[str, Any]) -> str:
    """12,50 EUR per member, and what comes before."""
    amount = f"{terms['price_cents'] / 100:.2f} {terms['currency']} per {terms['price_per']}"
    months = terms["trial_months"]
    return amount + (f", {months} month{'s' if months > 1 else ''} free" if months else "")


@offer.command()
@click.argument("code")
@shared
def show(context: Context, code: str) -> None:
    """Show an offer and its versions."""
    found = context.client().get(f"/offers/{quoted(code)}")
    context.show(found, lambda console: _shown(console, found))


def _shown(console: Console, found: dict[str, Any]) -> None:
    now = found["offer"]
    granted = {name.replace("_", " "): value for name, value in now["entitlements"].items()}
    for name in ("storage bytes", "file bytes"):
        granted[name.removesuffix(" bytes")] = size(granted.pop(name))
    for name in ("members", "guests", "spaces"):
        granted[name] = "unlimited" if granted[name] is None else granted[name]
    card(
        console,
        {
            "Offer": now["code"],
            "Name": f"{now['names']['en']['name']} · {now['names']['fr']['name']}",
            "Price": price(now["terms"]),
            "After the trial": now["terms"]["follows"],
            **granted,
            "Wants": [now["requirements"].get("region") or "any region", *now["requirements"]["qualities"]],
        },
    )
    rows = [[one["version"], moment(one["created_at"]), price(one["terms"])] for one in found["versions"]]
    table(console, ["Version", "Published", "Price"], rows, empty="")


@offer.command()
@click.argument("file", type=click.File("r"))
@shared
def publish(context: Context, file: IO[str]) -> None:
    """Publish FILE (JSON, - for stdin) as an offer or its next version.

    The file holds code, names, entitlements, terms and, if wanted, requirements, public and rank:
    `parvis offer show CODE --json` shows the shape.
    """
    content = _read(file)
    code = content.pop("code")
    client = context.client()
    known = {one["code"]: one["version"] for one in client.get("/offers")["items"]}
    if code in known:
        headers = {"If-Match": f'"{known[code]}"'}
        found = client.ask("PUT", f"/offers/{quoted(code)}", body=content, headers=headers).body
    else:
        found = client.ask("POST", "/offers", body={"code": code, **content}).body
    context.show(found, lambda console: console.print(f"Published {found['code']}, version {found['version']}."))


def _read(file: IO[str]) -> dict[str, Any]:
    try:
        content = json.load(file)
    except ValueError as error:
        raise CommandError(
            f"FILE {file.name}: this is not JSON ({error}).",
            cure="See `parvis offer show team --json`.",
            code=ExitCode.USAGE,
        ) from error
    if isinstance(content, dict) and "offer" in content:
        content = content["offer"]
    if not isinstance(content, dict) or not isinstance(content.get("code"), str):
        raise CommandError(f"FILE {file.name}: `code` is missing.", cure="Add the offer's code.", code=ExitCode.USAGE)
    # What `offer show` printed may be sent back as it is.
    return {name: value for name, value in content.items() if name not in ("version", "created_at")}
