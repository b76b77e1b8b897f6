"""An organisation's storage at work: comparing both sides, its keys, its mirror."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import organisations, provisioning, storage
from control_plane.identity import Permission
from control_plane.organisations import Organisation
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.organisation import context
from kit.errors import Refusal
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

READERS = [requires(Permission.ORGANISATIONS_READ)]
COMPARERS = [requires(Permission.OPERATIONS_ACT)]
KEEPERS = [requires(Permission.STORAGE_ACT)]


def _keys_page(desk: Desk, row: Organisation, entries: Entries, errors: dict[str, str]) -> Response[str]:
    return desk.show(
        "portal/organisation_keys.html",
        status=422 if errors else 200,
        **context(desk, row, "keys"),
        keys=provisioning.keys_of(desk.session, row.id),
        form=Form(entries.values(), errors),
    )


@get("/organisations/{reference:str}/keys", guards=READERS, sync_to_thread=True)
def show_keys(desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
    """Every key that it has or had; who keeps storage may replace one, and is told first what that does."""
    return _keys_page(desk, organisations.find(desk.session, reference), Entries({}), {})


@post("/organisations/{reference:str}/keys", guards=KEEPERS, sync_to_thread=True)
def rotate_keys(
    desk: NamedDependency[Desk], reference: FromPath[str], entries: NamedDependency[Entries]
) -> Response[Any]:
    """A new key of the kind that was chosen."""
    row = organisations.find(desk.session, reference)
    try:
        with desk.session.begin_nested():
            organisations.rotate_keys(desk.session, row.id, kind=entries.text("kind"), actor=desk.actor)
    except Refusal as wrong:
        return _keys_page(desk, row, entries, field_errors(wrong, locale_of(desk.request, desk.staff.locale)))
    return go(f"/organisations/{row.id}", "asked")


@post("/organisations/{reference:str}/storage/compare", guards=COMPARERS, sync_to_thread=True)
def compare(desk: NamedDependency[Desk], reference: FromPath[str]) -> Redirect:
    """Compare workspace and store now, file by file."""
    row = organisations.find(desk.session, reference)
    organisations.compare_books(desk.session, row.id, actor=desk.actor)
    return go(f"/organisations/{row.id}", "comparing")


@post("/organisations/{reference:str}/storage/mirror", guards=KEEPERS, sync_to_thread=True)
def mirror_now(desk: NamedDependency[Desk], reference: FromPath[str]) -> Redirect:
    """Copy what is new to its mirror now."""
    row = organisations.find(desk.session, reference)
    storage.mirror_now(desk.session, row.id, desk.actor)
    return go(f"/organisations/{row.id}", "mirroring")


@post("/organisations/{reference:str}/storage/verify-mirror", guards=KEEPERS, sync_to_thread=True)
def verify_mirror(desk: NamedDependency[Desk], reference: FromPath[str]) -> Redirect:
    """Compare its mirror with the store."""
    row = organisations.find(desk.session, reference)
    storage.verify_mirror(desk.session, row.id, desk.actor)
    return go(f"/organisations/{row.id}", "verifying-mirror")


handlers = [show_keys, rotate_keys, compare, mirror_now, verify_mirror]
