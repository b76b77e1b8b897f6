"""`parvis cell`: where organisations live."""

from typing import Any

import click
from rich.console import Console

from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode
from control_plane.commands.tables import card, table


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
    context.show(found, lambda console: _shown(console, found))


def _shown(console: Console, found: dict[str, Any]) -> None:
    card(
        console,
        {
            "Cell": found["name"],
            "Region": found["region"],
            "Qualities": found["qualities"],
            "Takes organisations": found["open"],
            "Organisations": f"{found['tenants']} of {found['capacity']}",
        },
    )
    rows = [
        [
            one["name"],
            f"{one['tenants']} of {one['capacity']}",
            f"{one['spares_seen']} of {one['spares_wanted']}",
            one["schema_version"],
            one["trouble"] or "",
        ]
        for one in found["databases"]
    ]
    headers = ["Database", "Organisations", "Spares", "Schema", "Trouble"]
    table(console, headers, rows, empty="No database yet: `parvis cell database add`.")


@cell.command()
@click.argument("name")
@click.option("--region", required=True)
@click.option("--quality", "qualities", multiple=True, help="May be given several times.")
@click.option("--store", required=True, help="Where files go: files:/srv/parvis/store, or s3+https://endpoint.")
@shared
def add(context: Context, name: str, region: str, qualities: tuple[str, ...], store: str) -> None:
    """Add a cell; then give it a database."""
    body = {"name": name, "region": region, "qualities": list(qualities), "store": _store(store)}
    found = context.client().ask("POST", "/cells", body=body).body
    context.show(found, lambda console: _shown(console, found))


def _store(text: str) -> dict[str, str]:
    kind, _, place = text.partition(":")
    if kind == "files" and place.startswith("/"):
        return {"kind": "files", "root": place}
    raise CommandError(
        f"--store: {text!r} is not a store.", cure="Write it as files:/srv/parvis/store.", code=ExitCode.USAGE
    )


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
    context.show(found, lambda console: _shown(console, found))
