"""Domains: claimed, proven by a line in the DNS, looked at again at once, given back."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.console import conflicts
from control_plane.console.conflicts import Theirs
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from control_plane.console.words import DOMAIN_STATES, TROUBLES
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries

READERS = [requires(Permission.DOMAINS_READ)]
WRITERS = [requires(Permission.DOMAINS)]


def _list(
    desk: Desk,
    *,
    form: Form | None = None,
    wrong: dict[str, str] | None = None,
    about: UUID | None = None,
    theirs: Sequence[Theirs] | None = None,
) -> Response[str]:
    return desk.show(
        "console/domains.html",
        status=412 if theirs is not None else 422 if form or wrong else 200,
        theirs=theirs,
        domains=identity.domains(desk.session, desk.organisation_id),
        states=DOMAIN_STATES,
        troubles=TROUBLES,
        form=form or Form(),
        wrong=wrong or {},
        about=about,
    )


@get("/domains", guards=READERS, sync_to_thread=True)
def list_domains(desk: NamedDependency[Desk]) -> Response[str]:
    """Each with its record, its state, and what each resolver last saw."""
    return _list(desk)


@post("/domains", guards=WRITERS, sync_to_thread=True)
def add_domain(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Claim one: the record to write is then shown."""
    try:
        with desk.session.begin_nested():
            made = identity.claim_domain(desk.session, desk.organisation_id, entries.text("name"), actor=desk.actor)
    except (Refusal, Refusals) as wrong:
        return _list(desk, form=Form(entries.values(), desk.errors(wrong)))
    return go(f"/domains#d-{made.id}", "domain")


@post("/domains/{domain_id:uuid}/check", guards=WRITERS, sync_to_thread=True)
def check_domain(desk: NamedDependency[Desk], domain_id: FromPath[UUID]) -> Response[Any]:
    """Ask every resolver now."""
    identity.domain(desk.session, desk.organisation_id, domain_id)
    try:
        with desk.session.begin_nested():
            seen = identity.check_domain(desk.session, desk.settings, desk.organisation_id, domain_id, actor=desk.actor)
    except Refusal as wrong:
        return _list(desk, wrong=desk.errors(wrong), about=domain_id)
    return go(f"/domains#d-{domain_id}", "proven" if seen.state == "proven" else "unproven")


@post("/domains/{domain_id:uuid}/capture", guards=WRITERS, sync_to_thread=True)
def capture_domain(
    desk: NamedDependency[Desk], entries: NamedDependency[Entries], domain_id: FromPath[UUID]
) -> Response[Any]:
    """Whether people of this domain who sign up are sent here instead of making an organisation of their own."""
    one = identity.domain(desk.session, desk.organisation_id, domain_id)
    drawn = conflicts.seen(entries)
    seen = None if drawn is None else bool(drawn)
    try:
        with desk.session.begin_nested():
            wanted = bool(entries.text("capture"))
            identity.set_capture(desk.session, desk.organisation_id, one.id, wanted, actor=desk.actor, seen=seen)
    except Refusal as wrong:
        if wrong.code == "stale":
            return _list(desk, theirs=conflicts.latest(desk, "domain.capture_set", domain=one.name))
        return _list(desk, wrong=desk.errors(wrong), about=domain_id)
    return go(f"/domains#d-{domain_id}", "saved")


@post("/domains/{domain_id:uuid}/removal", guards=WRITERS, sync_to_thread=True)
def remove_domain(desk: NamedDependency[Desk], domain_id: FromPath[UUID]) -> Response[Any] | Redirect:
    """Give it back; refused while a connection lives of it."""
    identity.domain(desk.session, desk.organisation_id, domain_id)
    try:
        with desk.session.begin_nested():
            identity.remove_domain(desk.session, desk.organisation_id, domain_id, actor=desk.actor)
    except Refusal as wrong:
        return _list(desk, wrong=desk.errors(wrong), about=domain_id)
    return go("/domains", "removed")


handlers = [list_domains, add_domain, check_domain, capture_domain, remove_domain]
