"""Where a cell keeps its files: `parvis cell add --store …`, `cell store`, `cell mirror`. Secrets are never options."""

import os
import sys
from typing import Any
from uuid import uuid4

import click

from control_plane.commands.cell_words import shown
from control_plane.commands.client import quoted
from control_plane.commands.context import Context, shared
from control_plane.commands.errors import CommandError, ExitCode

ADMIN_SECRET, MIRROR_SECRET = "PARVIS_STORE_ADMIN_SECRET", "PARVIS_STORE_MIRROR_SECRET"


def secret_of(variable: str, whose: str) -> str:
    """A secret from the environment, or typed unseen at the terminal: options are seen by others."""
    given = os.environ.get(variable)
    if given:
        return given
    if not sys.stdin.isatty():
        raise CommandError(
            f"{variable}: the secret of {whose} is missing.",
            cure=f"Set {variable}, or run this at a terminal to be asked.",
            code=ExitCode.USAGE,
        )
    typed: str = click.prompt(f"Secret of {whose}", hide_input=True, err=True)
    return typed


def store_of(text: str, given: dict[str, Any]) -> dict[str, Any]:
    """The store that --store and the options beside it describe, as the API takes it."""
    kind, _, place = text.partition(":")
    if kind == "files" and place.startswith("/"):
        return _files(place, given)
    if text.startswith(("ceph+http://", "ceph+https://")):
        return _ceph(text.removeprefix("ceph+"), given)
    raise CommandError(
        f"--store: {text!r} is not a store.",
        cure="Write it as files:/srv/parvis/store, or as ceph+https://gateway.example:7480.",
        code=ExitCode.USAGE,
    )


def _files(root: str, given: dict[str, Any]) -> dict[str, Any]:
    _refuse(given, ("admin_key_id", "region", "ca_file", "tenant_keys"), "ceph+https://…")
    kept = {name: given[name] for name in ("endpoint", "public_endpoint") if given[name]}
    return {"kind": "files", "root": root, **kept}


def _ceph(endpoint: str, given: dict[str, Any]) -> dict[str, Any]:
    _refuse(given, ("endpoint",), "files:/…")
    if not given["admin_key_id"]:
        raise CommandError("--admin-key-id: a Ceph needs the id of its administrator's key.", code=ExitCode.USAGE)
    kept = {name: value for name, value in given.items() if value}
    secret = secret_of(ADMIN_SECRET, f"the administrator's key {given['admin_key_id']}")
    return {"kind": "ceph", "endpoint": endpoint.rstrip("/"), "admin_secret": secret, **kept}


NAMES = {
    "admin_key_id": "--admin-key-id",
    "region": "--store-region",
    "ca_file": "--ca-file",
    "tenant_keys": "--tenant-keys",
    "endpoint": "--endpoint",
}


def _refuse(given: dict[str, Any], names: tuple[str, ...], kind: str) -> None:
    for name in names:
        if given[name]:
            raise CommandError(f"{NAMES[name]} goes with --store {kind} only.", code=ExitCode.USAGE)


@click.command("store")
@click.argument("name")
@click.option("--endpoint", help="Another gateway of the same Ceph, such as https://gateway-2.example:7480.")
@click.option("--public-endpoint", help="Where browsers reach it; empty for the same.")
@click.option("--admin-key-id", help=f"Another administrator's key, or a new secret; it comes by {ADMIN_SECRET}.")
@click.option("--ca-file", help="Certificates to trust, a path on the control plane; empty for the system's.")
@click.option("--rotate-key", is_flag=True, help="Draw a new administrator's key at the Ceph; the old one goes later.")
@shared
def change_store(context: Context, name: str, rotate_key: bool, **given: str | None) -> None:
    """Change where the Ceph of cell NAME is reached, or its administrator's key, once that has proved right."""
    path, changes = f"/cells/{quoted(name)}/store", {key: one for key, one in given.items() if one is not None}
    if bool(changes) == rotate_key:
        raise CommandError("Name what is to change, or --rotate-key alone.", code=ExitCode.USAGE)
    if rotate_key:
        headers = {"Idempotency-Key": str(uuid4())}
        found = context.client().ask("POST", f"{path}/key-rotation", headers=headers).body
    else:
        found = context.client().ask("PATCH", path, body=_changes(changes)).body
    context.show(found, lambda console: shown(console, found))


def _changes(given: dict[str, str]) -> dict[str, str | None]:
    """What is left empty is taken away."""
    secret = {}
    if key_id := given.get("admin_key_id"):
        secret = {"admin_secret": secret_of(ADMIN_SECRET, f"the administrator's key {key_id}")}
    return {**{name: value or None for name, value in given.items()}, **secret}


@click.command("mirror")
@click.argument("name")
@click.option("--endpoint", help="The second store's gateway, such as https://backup.example:7480.")
@click.option("--key-id", help=f"A user there who may own many buckets; the secret comes by {MIRROR_SECRET}.")
@click.option("--keep-secret", is_flag=True, help="The secret of this key is known already and stays.")
@click.option("--region", default="default", show_default=True, help="The zone group's name.")
@click.option("--ca-file", help="Certificates to trust beside the system's; a path on the control plane.")
@click.option("--retention-days", default=30, show_default=True, help="How long it keeps what was deleted.")
@click.option("--tenant-keys", is_flag=True, help="Its gateway asks Parvis for organisations' own keys.")
@click.option("--off", is_flag=True, help="Copy nothing more; what lies there stays.")
@shared
def mirror_cell(context: Context, name: str, off: bool, keep_secret: bool, **given: Any) -> None:
    """Copy everything of the store of cell NAME to a second store from now on."""
    path = f"/cells/{quoted(name)}/mirror"
    if off:
        found = context.client().ask("DELETE", path).body
    else:
        found = context.client().ask("PUT", path, body=_mirror(given, keep_secret=keep_secret)).body
    context.show(found, lambda console: shown(console, found))


def _mirror(given: dict[str, Any], *, keep_secret: bool) -> dict[str, Any]:
    for name in ("endpoint", "key_id"):
        if not given[name]:
            raise CommandError(f"--{name.replace('_', '-')}: a mirror needs it.", code=ExitCode.USAGE)
    body = {name: value for name, value in given.items() if value is not None}
    if not keep_secret:
        body["secret"] = secret_of(MIRROR_SECRET, f"the key {given['key_id']}")
    return body
