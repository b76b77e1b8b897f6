"""How a cell looks to people."""

from typing import Any

from rich.console import Console

from control_plane.commands.tables import card, table


def _key(store: dict[str, Any]) -> str | None:
    going = store["admin_keys_retiring"]
    return f"{store['admin_key_id']}; {', '.join(going)} goes soon" if going else store["admin_key_id"]


def shown(console: Console, found: dict[str, Any]) -> None:
    """A cell, its store and its databases."""
    store, mirror = found["store"], found["store"]["mirror"]
    card(
        console,
        {
            "Cell": found["name"],
            "Region": found["region"],
            "Qualities": found["qualities"],
            "Takes organisations": found["open"],
            "Organisations": f"{found['tenants']} of {found['capacity']}",
            "Store": f"{store['kind']}, {store['endpoint'] or store['root']}",
            "Browsers reach it at": store["public_endpoint"],
            "Administrator's key": _key(store),
            "Encrypts by own keys": store["tenant_keys"],
            "Mirror": f"{mirror['endpoint']}, keeps {mirror['retention_days']} days" if mirror else "none",
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
