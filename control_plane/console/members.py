"""The people of the workspace, as its own database has them: found, given a role, kept out, let in again."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import audit
from control_plane.console.desk import Desk, go, id_in, requires
from control_plane.console.permissions import OWNER, Permission
from control_plane.console.words import ROLES
from kit.errors import Refusal, not_found
from kit.interface import Form
from kit.interface.entries import Entries
from tenant_app.contract import Person

ADMINISTRATORS = [requires(Permission.MEMBERS)]
OWNERS = [requires(Permission.RIGHTS)]
PER_PAGE = 50


def _list(desk: Desk, *, wrong: Refusal | None = None, about: UUID | None = None) -> Response[str]:
    entries = Entries.of(desk.request.query_params)
    query, after = entries.text("q")[:200], id_in(entries.text("after"))
    found = desk.database.people(desk.organisation_id, query=query or None, after=after, limit=PER_PAGE + 1)
    people, more = found[:PER_PAGE], len(found) > PER_PAGE
    following = {"q": query} if query else {}
    return desk.show(
        "console/members.html",
        status=wrong.status if wrong else 200,
        people=people,
        query=query,
        next_page=f"/console/members?{urlencode({**following, 'after': people[-1].id})}" if more else None,
        first=after is None,
        roles=_roles(desk),
        errors=desk.errors(wrong) if wrong else {},
        about=about,
        form=Form(entries.values(), {}),
    )


def _roles(desk: Desk) -> list[str]:
    """The roles that this person may give: only an owner makes owners."""
    return [role for role in ROLES if role != OWNER or desk.signed.role == OWNER]


@get("/members", guards=ADMINISTRATORS, sync_to_thread=True)
def list_members(desk: NamedDependency[Desk]) -> Response[str]:
    """A page of them, by name."""
    return _list(desk)


def _person(desk: Desk, person_id: UUID) -> Person:
    found = desk.database.person(desk.organisation_id, person_id)
    if found is None:
        raise not_found("person")
    return found


def _check_role(desk: Desk, role: str) -> None:
    if role not in _roles(desk):
        raise Refusal("unknown_role", "Choose one of the roles.", field="role")


def _check_touching(desk: Desk, person: Person) -> None:
    assert desk.signed.person is not None
    if person.id == desk.signed.person.id:
        message = "Another administrator must do this for you: nobody locks themselves out."
        raise Refusal("oneself", message, status=409)
    if person.role == OWNER and desk.signed.role != OWNER:
        raise Refusal("owner_only", "Only an owner may change another owner.", status=403)


@post("/members/{person_id:uuid}/role", guards=ADMINISTRATORS, sync_to_thread=True)
def change_role(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], person_id: FromPath[UUID]
) -> Response[Any]:
    """Another role, from the next request on."""
    person, role = _person(desk, person_id), entries.text("role")
    try:
        _check_touching(desk, person)
        _check_role(desk, role)
        changed = desk.database.set_role(desk.organisation_id, person_id, role).role != person.role
    except Refusal as wrong:
        return _list(desk, wrong=wrong, about=person_id)
    if changed:
        _record(desk, "member.role_changed", person, before=person.role, after=role)
    return _back(entries, "role")


@post("/members/{person_id:uuid}/sso-admin", guards=OWNERS, sync_to_thread=True)
def let_set_up_sign_in(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], person_id: FromPath[UUID]
) -> Response[Any]:
    """An administrator sets up sign-in, too, from the next request on."""
    return _set_sso_admin(desk, entries, person_id, wanted=True)


@post("/members/{person_id:uuid}/sso-admin/removal", guards=OWNERS, sync_to_thread=True)
def let_no_more_set_up_sign_in(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], person_id: FromPath[UUID]
) -> Response[Any]:
    """An administrator like the others again."""
    return _set_sso_admin(desk, entries, person_id, wanted=False)


def _set_sso_admin(desk: Desk, entries: Entries, person_id: UUID, *, wanted: bool) -> Response[Any]:
    person, owner = _person(desk, person_id), desk.signed.person
    assert owner is not None
    try:
        changed = desk.database.set_sso_admin(desk.organisation_id, person_id, wanted, owner.id)
    except Refusal as wrong:
        return _list(desk, wrong=wrong, about=person_id)
    done = "sso_admin_given" if wanted else "sso_admin_taken"
    if changed.sso_admin != person.sso_admin:
        _record(desk, f"member.{done}", person)
    return _back(entries, done.replace("_", "-"))


@post("/members/{person_id:uuid}/deactivation", guards=ADMINISTRATORS, sync_to_thread=True)
def deactivate(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], person_id: FromPath[UUID]
) -> Response[Any]:
    """Out, now; what they made stays."""
    return _set_active(desk, entries, person_id, active=False)


@post("/members/{person_id:uuid}/deactivation/removal", guards=ADMINISTRATORS, sync_to_thread=True)
def reactivate(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], person_id: FromPath[UUID]
) -> Response[Any]:
    """In again, with the role they had."""
    return _set_active(desk, entries, person_id, active=True)


def _set_active(desk: Desk, entries: Entries, person_id: UUID, *, active: bool) -> Response[Any]:
    person = _person(desk, person_id)
    try:
        _check_touching(desk, person)
        changed = desk.database.set_active(desk.organisation_id, person_id, active).active != person.active
    except Refusal as wrong:
        return _list(desk, wrong=wrong, about=person_id)
    done = "reactivated" if active else "deactivated"
    if changed:
        _record(desk, f"member.{done}", person)
    return _back(entries, done)


def _record(desk: Desk, verb: str, person: Person, **data: str) -> None:
    # The id alone: our record keeps no member's name.
    whole = {"person_id": str(person.id), **data}
    audit.record(desk.session, verb, actor=desk.actor, organisation_id=desk.organisation_id, data=whole)


def _back(entries: Entries, done: str) -> Redirect:
    """To the list as it was looked at."""
    kept = {name: entries.text(name) for name in ("q", "after") if entries.text(name)}
    return go(f"/members?{urlencode(kept)}" if kept else "/members", done)


handlers = [
    list_members,
    change_role,
    let_set_up_sign_in,
    let_no_more_set_up_sign_in,
    deactivate,
    reactivate,
]
