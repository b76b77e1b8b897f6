"""Connections to the organisation's directories: the list, and a new one."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from control_plane import identity
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from control_plane.console.policy import keepers
from control_plane.console.vendors import VENDORS
from control_plane.console.words import KINDS, STAGE_LOOKS
from control_plane.identity import NewConnection
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries

READERS = [requires(Permission.SIGN_IN_READ)]
WRITERS = [requires(Permission.SIGN_IN)]


@get("/sign-in", guards=READERS, sync_to_thread=True)
def list_connections(desk: NamedDependency[Desk]) -> Response[str]:
    """All of them, with their stages; and whether two break-glass accounts stand ready."""
    rules = identity.policy(desk.session, desk.organisation_id)
    return desk.show(
        "console/connections.html",
        connections=identity.connections(desk.session, desk.organisation_id),
        vendors=VENDORS,
        kinds=KINDS,
        stages=STAGE_LOOKS,
        ready=sum(one.ready for one in keepers(desk, rules)),
    )


def _new(desk: Desk, form: Form) -> Response[str]:
    proven = [one.name for one in identity.domains(desk.session, desk.organisation_id) if one.proven]
    return desk.show(
        "console/connection_new.html",
        status=422 if form.errors else 200,
        form=form,
        vendors=VENDORS,
        kinds=KINDS,
        proven=proven,
    )


@get("/sign-in/new", guards=WRITERS, sync_to_thread=True)
def begin_connection(desk: NamedDependency[Desk]) -> Response[str]:
    """Which directory, and how it speaks."""
    return _new(desk, Form(Entries.of(desk.request.query_params).values()))


@post("/sign-in", guards=WRITERS, sync_to_thread=True)
def add_connection(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """A draft: our values are then shown, theirs are asked for."""
    vendor, kind = entries.text("vendor"), entries.text("kind")
    try:
        _check(vendor, kind)
        proven = [one.name for one in identity.domains(desk.session, desk.organisation_id) if one.proven]
        name = entries.text("name") or VENDORS[vendor].name
        new = NewConnection(kind=kind, name=name, vendor=vendor, domains=proven)  # type: ignore[arg-type]
        with desk.session.begin_nested():
            made = identity.add_connection(desk.session, desk.settings, desk.organisation_id, new, actor=desk.actor)
    except (Refusal, Refusals) as wrong:
        return _new(desk, Form(entries.values(), desk.errors(wrong)))
    return go(f"/sign-in/{made.id}", "connection")


def _check(vendor: str, kind: str) -> None:
    wrong = []
    if vendor not in VENDORS:
        wrong.append(Refusal("vendor_missing", "Choose your directory.", field="vendor"))
    if kind not in KINDS:
        wrong.append(Refusal("kind_missing", "Choose how your directory shall speak with us.", field="kind"))
    if wrong:
        raise Refusals(wrong)


handlers = [list_connections, begin_connection, add_connection]
