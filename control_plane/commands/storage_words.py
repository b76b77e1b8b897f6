"""How storage looks to people: figures of both sides, what is wrong, keys, mirrors."""

from typing import Any

from rich.console import Console

from control_plane.commands.tables import card, moment, size, span, table

ENCRYPTION = {"store": "the store's own key", "tenant": "a key of the organisation's own"}
FINDINGS = {
    "files_missing": "Files are listed whose content the store lacks: restore them from the mirror.",
    "bucket_missing": "The store has no bucket of this organisation: `parvis organisation verify` makes it anew.",
    "limit_differs": "The store's limit is not what was sold: `parvis organisation verify` sets it.",
    "figures_differ": "Workspace and store count differently, by more than what is under way explains.",
}
AGREEMENT = {"agree": "yes", "differ": "NO", "unknown": "not known just now"}
MODES = {"open": "open", "read_only": "frozen: may only read", "suspended": "suspended"}
MIRROR_STATES = {
    "new": "nobody has looked yet",
    "copying": "copying",
    "whole": "whole",
    "waiting": "nothing to copy yet",
    "suspended": "suspended with the store",
    "needs_keys": "NOT COPIED: its files are encrypted by its own key, which the mirror has not",
    "failing": "FAILING",
    "off": "not mirrored",
}


def storage_card(console: Console, found: dict[str, Any]) -> None:
    """All that is known of an organisation's storage."""
    usage_card(console, found)
    _keys(console, found["keys"])
    if found["mirror"]:
        console.print()
        mirror_card(console, found["mirror"])


def usage_card(console: Console, found: dict[str, Any]) -> None:
    """The figures of both sides, and what is not as it must be, each with its cure."""
    workspace = found["workspace"]
    counted = f"{size(workspace['bytes'])}, counted {moment(workspace['measured_at'])}" if workspace else None
    card(
        console,
        {
            "Organisation": found["organisation_id"],
            "Cell": found["cell"],
            "Sold": f"{size(found['sold_bytes'])}, encrypted by {ENCRYPTION[found['encryption']]}",
            "Workspace counts": counted or "nothing reported yet",
            "Store counts": _store(found),
            "They agree": AGREEMENT[found["agreement"]],
            "Last compared": _compared(found["comparison"]),
            "Mirror": _mirror_line(found["mirror"]),
        },
    )
    for one in found["findings"]:
        console.print(f"WRONG: {FINDINGS[one]}", style="bold")


def _store(found: dict[str, Any]) -> str:
    store = found["store"]
    if store is None:
        return f"no answer ({found['store_trouble']})" if found["store_trouble"] else "nothing there"
    limit = "without limit" if store["limit_bytes"] is None else f"of {size(store['limit_bytes'])}"
    return f"{size(store['bytes'])} {limit} in {_objects(store['objects'])}; {MODES[store['mode']]}"


def _objects(count: int) -> str:
    return f"{count:,} object{'' if count == 1 else 's'}"


def _compared(comparison: dict[str, Any]) -> str:
    if comparison["at"] is None:
        first = comparison["store_objects"] is None
        return ("not yet" if first else "being compared now") if comparison["pending"] else "never"
    told = [f"{moment(comparison['at'])}: {_objects(comparison['store_objects'] or 0)}"]
    told.append(f"{comparison['orphans']} orphans removed" if comparison["orphans"] else "no orphan")
    told.append(f"{comparison['missing']} MISSING" if comparison["missing"] else "nothing missing")
    return ", ".join(told)


def _mirror_line(mirror: dict[str, Any] | None) -> str:
    if mirror is None:
        return MIRROR_STATES["off"]
    behind = "never whole yet" if mirror["lag_seconds"] is None else f"{span(mirror['lag_seconds'])} behind"
    return f"{MIRROR_STATES[mirror['state']]}, {behind}"


def _keys(console: Console, keys: dict[str, Any]) -> None:
    store = [
        ["store", one["version"], one["key_id"], one["state"], moment(one["created_at"]), _ended(one)]
        for one in keys["store"]
    ]
    data = [
        ["data", one["version"], one["name"], one["state"], moment(one["created_at"]), moment(one["destroyed_at"])]
        for one in keys["data"]
    ]
    console.print()
    headers = ["Key", "Version", "Name", "State", "Made", "Out of use since"]
    table(console, headers, [*store, *data], empty="No key yet.")


def _ended(key: dict[str, Any]) -> str | None:
    return moment(key["last_use_ended_at"]) or ("waits until nobody uses it" if key["state"] == "retiring" else None)


def mirror_card(console: Console, mirror: dict[str, Any]) -> None:
    """An organisation's mirror."""
    verified = moment(mirror["verified_at"])
    checked = f"{verified}: {_objects(mirror['verified_objects'] or 0)}, {mirror['mismatches'] or 'none'} wrong"
    holds = f"{_objects(mirror['objects'] or 0)}, {size(mirror['bytes'])}"
    waits = f"{_objects(mirror['missing'])}, since {moment(mirror['oldest_unmirrored_at'])}"
    card(
        console,
        {
            "Mirror": mirror["endpoint"],
            "State": _mirror_line(mirror),
            "Holds": holds if mirror["objects"] is not None else None,
            "Not yet copied": waits if mirror["missing"] else None,
            "Kept though deleted": _objects(mirror["kept"]) if mirror["kept"] else None,
            "Not the same": _objects(mirror["differing"]) if mirror["differing"] else None,
            "Last verified": checked if verified else "never",
            "Error": f"{mirror['error_code']}: {mirror['error'] or ''}" if mirror["error_code"] else None,
        },
    )


def run_card(console: Console, run: dict[str, Any]) -> None:
    """A verification or a restoration, with the first objects that are not as they should be."""
    restored = f"{_objects(run['restored'])}, {size(run['restored_bytes'])}"
    card(
        console,
        {
            "Run": run["id"],
            "Kind": {"verify": "verification", "restore": "restoration"}[run["kind"]],
            "State": run["state"],
            "Looked at": f"{_objects(run['checked'])}, {size(run['read_bytes'])} read",
            "Restored": restored if run["kind"] == "restore" else None,
            "Wrong": _objects(run["mismatches"]) if run["mismatches"] else "none",
            "Error": f"{run['error_code']}: {run['error'] or ''}" if run["error_code"] else None,
        },
    )
    if run["findings"]:
        rows = [[one["key"], one["what"].replace("_", " ")] for one in run["findings"]]
        table(console, ["Object", "What is wrong"], rows, empty="")


def stores_table(console: Console, stores: list[dict[str, Any]]) -> None:
    """The cells' stores, a line each, and what is not well with them."""
    rows = [
        [
            one["cell"],
            one["kind"],
            one["endpoint"] or "–",
            "yes" if one["well"] else "NO",
            "yes" if one["own_keys"] else "no",
            _behind(one["mirror"]),
        ]
        for one in stores
    ]
    headers = ["Cell", "Kind", "Address", "Well", "Own keys", "Mirror"]
    table(console, headers, rows, empty="No cell: add one by `parvis cell add`.")
    for one in stores:
        _troubles(console, one["cell"], one["checks"])


def cells_mirrors_table(console: Console, stores: list[dict[str, Any]]) -> None:
    """The mirrors of the cells' stores, a line each, and what is not well with them."""
    rows = [
        [
            one["cell"],
            (one["mirror"] or {}).get("endpoint") or "none",
            "–" if one["mirror"] is None else "yes" if one["mirror"]["well"] else "NO",
            _behind(one["mirror"]),
            _states(one["mirror"]),
        ]
        for one in stores
    ]
    table(console, ["Cell", "Mirror", "Well", "Behind", "Organisations"], rows, empty="No cell yet.")
    for one in stores:
        _troubles(console, f"{one['cell']}, mirror", (one["mirror"] or {"checks": []})["checks"])


def _troubles(console: Console, of: str, checks: list[dict[str, Any]]) -> None:
    for check in checks:
        if not check["ok"] or check["warning"]:
            what = "warning" if check["ok"] else "WRONG"
            console.print(f"{of}: {what}: {check['name']}: {check['detail']}", markup=False)


def _states(mirror: dict[str, Any] | None) -> str:
    if mirror is None:
        return "–"
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in mirror["states"].items()) or "none yet"


def _behind(mirror: dict[str, Any] | None) -> str:
    if mirror is None:
        return "none"
    lag = mirror["worst_lag_seconds"]
    told = [f"at most {span(lag)} behind" if lag is not None else "never whole yet"]
    told += [f"{mirror['never']} never whole"] if mirror["never"] and lag is not None else []
    return ", ".join(told)


def checks_table(console: Console, store: dict[str, Any]) -> None:
    """What was seen of one cell's store and its mirror."""
    card(
        console,
        {
            "Cell": store["cell"],
            "Kind": store["kind"],
            "Reached at": store["endpoint"],
            "Browsers reach it at": store["public_endpoint"],
            "Region": store["region"],
            "Encrypts by own keys": store["own_keys"],
        },
    )
    console.print()
    rows = [["store", *_check(one)] for one in store["checks"]]
    rows += [["mirror", *_check(one)] for one in (store["mirror"] or {"checks": []})["checks"]]
    table(console, ["Of", "Check", "Result", "Detail"], rows, empty="")
    if store["mirror"]:
        console.print()
        summary_card(console, store["mirror"])


def _check(one: dict[str, Any]) -> list[str]:
    return [one["name"], ("warning" if one["warning"] else "ok") if one["ok"] else "WRONG", one["detail"]]


def summary_card(console: Console, mirror: dict[str, Any]) -> None:
    """The mirrors of one cell in a few figures."""
    card(
        console,
        {
            "Mirror": mirror["endpoint"],
            "Behind": _behind(mirror),
            "Organisations": _states(mirror),
            "Holds": f"{_objects(mirror['objects'])}, {size(mirror['bytes'])}",
            "Not yet copied": _objects(mirror["missing"]) if mirror["missing"] else None,
            "Not the same": _objects(mirror["differing"]) if mirror["differing"] else None,
            "Wrong when verified": _objects(mirror["mismatches"]) if mirror["mismatches"] else None,
        },
    )


def mirrors_table(console: Console, mirrors: list[dict[str, Any]]) -> None:
    """Organisations' mirrors, those that are furthest behind first."""
    rows = [
        [
            one["organisation_id"],
            one["cell"],
            one["state"],
            span(one["lag_seconds"]),
            one["missing"],
            one["error"] or "",
        ]
        for one in mirrors
    ]
    headers = ["Organisation", "Cell", "State", "Behind", "Not yet copied", "Error"]
    table(console, headers, rows, empty="No organisation is mirrored.")
