"""The provider's own people: who may sign in, as what; added, reset when a device was lost, disabled.

Where the company's sign-in is the only one, no password is drawn: nobody could use it.
"""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.identity import Permission, Role, Staff
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.once import show_once, shown_once
from control_plane.portal.sign_in import issuer_of, passwords_taken
from kit.db import vault_of
from kit.errors import Refusal, Refusals
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

OPERATORS = [requires(Permission.STAFF)]
KEPT = "portal-password"


def _list(desk: Desk, *, form: Form | None = None, leaving: Staff | None = None) -> Response[str]:
    shown = shown_once(desk, KEPT)
    members = identity.staff_members(desk.session)
    passwords = passwords_taken(desk.request)
    issuer = issuer_of(desk.request)
    equipped = identity.has_second_factor if passwords else identity.passkeys
    return desk.show(
        "portal/people.html",
        status=422 if form else 409 if leaving else 200,
        leaving=leaving,
        stopping=identity.tokens_of(desk.session, leaving.id) if leaving else [],
        members=members,
        equipped={one.id: bool(equipped(desk.session, one)) for one in members},
        passwords=passwords,
        linked=identity.linked_staff(desk.session),
        company=issuer is not None,
        ready=identity.ready_without(desk.session, issuer) if issuer else [],
        wanted=identity.LEAST_EMERGENCY,
        roles=list(Role),
        form=form or Form(),
        shown=shown,
    )


def _drawn(desk: Desk) -> str | None:
    return identity.draw_password() if passwords_taken(desk.request) else None


def _shown(desk: Desk, password: str | None, done: str) -> Redirect:
    return show_once(desk, KEPT, password, "/staff") if password else go("/staff", done)


@get("/staff", guards=OPERATORS, sync_to_thread=True)
def list_staff(desk: NamedDependency[Desk]) -> Response[str]:
    """All of them. A password that was just drawn is shown once."""
    return _list(desk)


@post("/staff", guards=OPERATORS, sync_to_thread=True)
def add_staff(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Somebody new, with a drawn password; they set up their second factor at their first sign-in."""
    password = _drawn(desk)
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
    return _shown(desk, password, "added")


def _not_oneself(desk: Desk, staff_id: UUID) -> None:
    if staff_id == desk.staff.id:
        message = "Somebody else must do this for you: nobody locks themselves out."
        raise Refusal("oneself", message, status=409)


@post("/staff/{staff_id:uuid}/reset", guards=OPERATORS, sync_to_thread=True)
def reset_staff(desk: NamedDependency[Desk], staff_id: FromPath[UUID]) -> Redirect:
    """A device was lost: a drawn password, no factor, no link, no session; they enrol anew."""
    _not_oneself(desk, staff_id)
    password = _drawn(desk)
    identity.reset_staff(desk.session, staff_id, password, actor=desk.actor)
    return _shown(desk, password, "reset")


@post("/staff/{staff_id:uuid}/disable", guards=OPERATORS, sync_to_thread=True)
def disable_staff(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], staff_id: FromPath[UUID]
) -> Response[Any]:
    """Out, now. Whoever answers for tokens stops them: first they are shown, for those that must go on."""
    _not_oneself(desk, staff_id)
    found = identity.tokens_of(desk.session, staff_id)
    if found and entries.text("tokens") not in {"stop", "mine"}:
        return _list(desk, leaving=next(one for one in identity.staff_members(desk.session) if one.id == staff_id))
    if entries.text("tokens") == "mine":
        for one in found:
            identity.hand_over(desk.session, one.id, desk.staff.email, actor=desk.actor)
    identity.disable_staff(desk.session, staff_id, actor=desk.actor)
    return go("/staff", "disabled")


@post("/staff/{staff_id:uuid}/emergency", guards=OPERATORS, sync_to_thread=True)
def give_emergency(desk: NamedDependency[Desk], staff_id: FromPath[UUID]) -> Redirect:
    """Their own passkey or password lets them in, whatever the company's sign-in says."""
    _not_oneself(desk, staff_id)
    identity.set_emergency(desk.session, staff_id, wanted=True, actor=desk.actor)
    return go("/staff", "emergency")


@post("/staff/{staff_id:uuid}/emergency/removal", guards=OPERATORS, sync_to_thread=True)
def take_emergency(desk: NamedDependency[Desk], staff_id: FromPath[UUID]) -> Redirect:
    """By the company's sign-in only, again."""
    identity.set_emergency(desk.session, staff_id, wanted=False, actor=desk.actor)
    return go("/staff", "emergency-taken")


handlers = [list_staff, add_staff, reset_staff, disable_staff, give_emergency, take_emergency]
