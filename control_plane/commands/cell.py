"""`parvis cell`: where organisations live."""

from typing import Any

import click

from control_plane.commands.cell_store import ADMIN_SECRET, change_store, mirror_cell, store_of
from control_plane.commands.cell_words import shown
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import ExitCode
from control_plane.commands.tables import table


@click.group()
def cell() -> None:
    """Cells: a PostgreSQL cluster, its processes and an object store in one region."""


@cell.command("list")
@shared
def list_(context: Context) -> None:
    """List cells with their room and spares."""
    found = context.client().get("/cells")
    rows = [
        [
            one["name"],
            one["region"],
            one["qualities"],
            one["open"],
            f"{one['tenants']} of {one['capacity']}",
            one["spares"],
        ]
        for one in found["items"]
    ]
    headers = ["Name", "Region", "Qualities", "Open", "Organisations", "Spares"]
    context.show(found, lambda console: table(console, headers, rows, empty="No cell: add one by `parvis cell add`."))


@cell.command()
@click.argument("name")
@shared
def show(context: Context, name: str) -> None:
    """Show a cell with its databases."""
    found = context.client().get(f"/cells/{quoted(name)}")
    context.show(found, lambda console: shown(console, found))


@cell.command()
@click.argument("name")
@click.option("--region", required=True)
@click.option("--quality", "qualities", multiple=True, help="May be given several times.")
@click.option("--store", "store", required=True, help="files:/srv/parvis/store, or ceph+https://gateway.example:7480.")
@click.option("--public-endpoint", help="Where browsers reach the store; left out, the same.")
@click.option("--endpoint", help="Of a store of files: where its gateway answers the cell.")
@click.option("--admin-key-id", help=f"Of a Ceph: its administrator's key; the secret comes by {ADMIN_SECRET}.")
@click.option("--store-region", "store_region", help="Of a Ceph: the zone group's name, if it is not “default”.")
@click.option("--ca-file", help="Of a Ceph: certificates to trust beside the system's; a path on the control plane.")
@click.option("--tenant-keys", is_flag=True, help="Of a Ceph: its gateway asks Parvis for organisations' own keys.")
@shared
def add(context: Context, *, name: str, region: str, qualities: tuple[str, ...], store: str, **given: Any) -> None:
    """Add a cell, once its store has proved fit; then give it a database.

    The secret of a Ceph's administrator comes by PARVIS_STORE_ADMIN_SECRET, or is asked for: others see options.
    """
    given["region"] = given.pop("store_region")
    body = {"name": name, "region": region, "qualities": list(qualities), "store": store_of(store, given)}
    found = context.client().ask("POST", "/cells", body=body).body
    context.show(found, lambda console: shown(console, found))


@cell.command()
@click.argument("name")
@shared
def verify(context: Context, name: str) -> None:
    """Prove that a cell's databases are prepared and closed as they must be."""
    found = context.client().ask("POST", f"/cells/{quoted(name)}/verification").body
    rows = [[one["database"], one["name"], "ok" if one["ok"] else "WRONG", one["detail"]] for one in found["checks"]]
    headers = ["Database", "Check", "Result", "Detail"]
    context.show(found, lambda console: table(console, headers, rows, empty="This cell has no database."))
    if not found["ok"]:
        raise SystemExit(int(ExitCode.FAILED))


cell.add_command(change_store)
cell.add_command(mirror_cell)


@cell.group()
def database() -> None:
    """Databases of a cell."""


@database.command("add")
@click.argument("cell_name", metavar="CELL")
@click.option(
    "--admin-url",
    envvar="PARVIS_CELL_ADMIN_URL",
    required=True,
    help="PostgreSQL ≥ 18 and a role that may create roles. Better in PARVIS_CELL_ADMIN_URL: options can be seen.",
)
@click.option("--capacity", default=2000, show_default=True, help="Organisations at most.")
@click.option("--spares", default=20, show_default=True, help="Ready slots kept in stock.")
@shared
def add_database(context: Context, cell_name: str, admin_url: str, capacity: int, spares: int) -> None:
    """Prepare a PostgreSQL database from its address alone, and add it to CELL."""
    body = {"admin_url": admin_url, "capacity": capacity, "spares": spares}
    found = context.client().ask("POST", f"/cells/{quoted(cell_name)}/databases", body=body).body
    context.show(found, lambda console: shown(console, found))
