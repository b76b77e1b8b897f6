"""The provider's own people: who may sign in, as what; added, reset when a device was lost, disabled."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.identity import Permission, Role
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.once import show_once, shown_once
from kit.db import vault_of
from kit.errors import Refusal, Refusals
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

OPERATORS = [requires(Permission.STAFF)]
KEPT = "portal-password"


def _list(desk: Desk, *, form: Form | None = None) -> Response[str]:
    shown = shown_once(desk, KEPT)
    members = identity.staff_members(desk.session)
    return desk.show(
        "portal/people.html",
        status=422 if form else 200,
        members=members,
        equipped={one.id: identity.has_second_factor(desk.session, one) for one in members},
        linked=identity.linked_staff(desk.session),
        roles=list(Role),
        form=form or Form(),
        shown=shown,
    )


@get("/staff", guards=OPERATORS, sync_to_thread=True)
def list_staff(desk: NamedDependency[Desk]) -> Response[str]:
    """All of them. A password that was just drawn is shown once."""
    return _list(desk)


@post("/staff", guards=OPERATORS, sync_to_thread=True)
def add_staff(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Somebody new, with a drawn password; they set up their second factor at their first sign-in."""
    password = identity.draw_password()
    try:
        with desk.session.begin_nested():
            identity.create_staff(
                desk.session,
                vault_of(desk.session),
                entries.text("email"),
                entries.text("name"),
                entries.text("role"),
                password,
                actor=desk.actor,
                locale=desk.staff.locale,
            )
    except (Refusal, Refusals) as wrong:
        return _list(desk, form=Form(entries.values(), field_errors(wrong, locale_of(desk.request, desk.staff.locale))))
    return show_once(desk, KEPT, password, "/staff")


def _not_oneself(desk: Desk, staff_id: UUID) -> None:
    if staff_id == desk.staff.id:
        message = "Somebody else must do this for you: nobody locks themselves out."
        raise Refusal("oneself", message, status=409)


@post("/staff/{staff_id:uuid}/reset", guards=OPERATORS, sync_to_thread=True)
def reset_staff(desk: NamedDependency[Desk], staff_id: FromPath[UUID]) -> Redirect:
    """A device was lost: a drawn password, no factor, no session; they enrol anew."""
    _not_oneself(desk, staff_id)
    password = identity.draw_password()
    identity.reset_staff(desk.session, staff_id, password, actor=desk.actor)
    return show_once(desk, KEPT, password, "/staff")


@post("/staff/{staff_id:uuid}/disable", guards=OPERATORS, sync_to_thread=True)
def disable_staff(desk: NamedDependency[Desk], staff_id: FromPath[UUID]) -> Redirect:
    """Out, now."""
    _not_oneself(desk, staff_id)
    identity.disable_staff(desk.session, staff_id, actor=desk.actor)
    return go("/staff", "disabled")


handlers = [list_staff, add_staff, reset_staff, disable_staff]
