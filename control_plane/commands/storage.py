"""`parvis storage`: what organisations have in their stores, whether both sides agree, keys and backup mirrors."""

from typing import Any
from uuid import uuid4

import click

from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.following import Sight, follow
from control_plane.commands.operation import conclude
from control_plane.commands.storage_words import checks_table, storage_card, stores_table, usage_card

TIMEOUT = click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait.")


@click.group()
def storage() -> None:
    """Storage: figures, keys and mirrors. ORGANISATION is an id or an address."""


@storage.command()
@click.argument("reference", metavar="[ORGANISATION]", required=False)
@click.option("--cell", help="Only this cell's store, with every check.")
@shared
def status(context: Context, reference: str | None, cell: str | None) -> None:
    """Show an organisation's storage, or whether the cells' stores are well."""
    if reference and cell:
        raise CommandError("--cell: name a cell or an organisation, not both.", code=ExitCode.USAGE)
    if reference:
        found = context.client().get(_path(reference))
        context.show(found, lambda console: storage_card(console, found))
        return
    found = context.client().get("/storage", cell=cell)
    if cell:
        context.show(found, lambda console: checks_table(console, found["items"][0]))
    else:
        context.show(found, lambda console: stores_table(console, found["items"]))
    if not all(one["well"] for one in found["items"]):
        raise SystemExit(int(ExitCode.FAILED))


@storage.command()
@click.argument("reference", metavar="ORGANISATION")
@shared
def usage(context: Context, reference: str) -> None:
    """Show what an organisation uses, as both sides count it."""
    found = context.client().get(_path(reference))
    context.show(found, lambda console: usage_card(console, found))


@storage.command()
@click.argument("reference", metavar="ORGANISATION")
@click.option("--data", is_flag=True, help="A new data key, which seals secrets and encrypts files, instead.")
@click.option("--wait/--no-wait", default=True, show_default=True)
@TIMEOUT
@shared
def rotate(context: Context, reference: str, data: bool, wait: bool, timeout: float) -> None:
    """Give an organisation new keys to its store.

    Nobody is locked out: the old key goes by itself once every process uses the new one and what was signed has run
    out. `parvis storage status` tells when.
    """
    client = context.client()
    body = {"kind": "data" if data else "store"}
    headers = {"Idempotency-Key": str(uuid4())}
    found = client.ask("POST", f"{_path(reference)}/key-rotation", body=body, headers=headers).body
    conclude(context, client, found, wait=wait, timeout=timeout)


@storage.command()
@click.argument("reference", metavar="ORGANISATION")
@TIMEOUT
@shared
def verify(context: Context, reference: str, timeout: float) -> None:
    """Compare workspace and store now, file by file.

    It fails where files are missing, where the store's limit is not what was sold, or where both count differently.
    """
    client, path = context.client(), _path(reference)
    client.ask("POST", f"{path}/verification", headers={"Idempotency-Key": str(uuid4())})
    again = f"parvis storage status {reference}"
    found = follow(context, lambda: client.get(path), _comparing, seconds=timeout, again=again)
    context.show(found, lambda console: usage_card(console, found))
    if found["findings"]:
        raise SystemExit(int(ExitCode.FAILED))
    if found["store"] is None:
        raise SystemExit(int(ExitCode.UNAVAILABLE))


def _comparing(found: dict[str, Any]) -> Sight:
    store = found["store"]
    words = f"comparing {store['objects']:,} objects of the store" if store else "comparing workspace and store"
    return Sight(words, over=not found["comparison"]["pending"])


def _path(reference: str) -> str:
    return f"/organisations/{quoted(reference)}/storage"
