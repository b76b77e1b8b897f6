"""Provisioning: where the directory pushes people (SCIM), its tokens, and the brake on mass removal."""

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
from control_plane.identity import PolicyChange
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries

READERS = [requires(Permission.SCIM_READ)]
WRITERS = [requires(Permission.SCIM)]
KEPT = "console-scim"
DAYS = ("90", "180", "365")


def _page(
    desk: Desk, *, form: Form | None = None, brake: Form | None = None, theirs: Sequence[Theirs] | None = None
) -> Response[str]:
    shown = desk.shown_once(KEPT)
    rules = identity.policy(desk.session, desk.organisation_id)
    return desk.show(
        "console/provisioning.html",
        status=412 if theirs is not None else 422 if form or brake else 200,
        base_url=f"{desk.workspace_url}/scim/v2",
        tokens=identity.scim_tokens(desk.session, desk.organisation_id),
        connections={str(one.id): one.name for one in identity.connections(desk.session, desk.organisation_id)},
        days=DAYS,
        shown=shown,
        waiting=desk.waiting,
        form=form or Form(),
        brake=brake or Form({"brake_percent": str(rules.brake_percent), conflicts.REVISION: str(rules.revision)}),
        theirs=theirs,
    )


@get("/provisioning", guards=READERS, sync_to_thread=True)
def show_provisioning(desk: NamedDependency[Desk]) -> Response[str]:
    """The address, and the tokens that are alive. One that was just made is shown once."""
    return _page(desk)


@post("/provisioning/tokens", guards=WRITERS, sync_to_thread=True)
def issue_token(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """A token; two may be alive, so that a directory changes over without a gap."""
    days = entries.text("days", "365")
    try:
        with desk.session.begin_nested():
            _, plain = identity.issue_scim_token(
                desk.session,
                desk.organisation_id,
                entries.text("name"),
                connection_id=_connection(desk, entries),
                days=int(days) if days in DAYS else 365,
                actor=desk.actor,
            )
    except (Refusal, Refusals) as wrong:
        return _page(desk, form=Form(entries.values(), desk.errors(wrong)))
    return desk.show_once(KEPT, plain, "/provisioning", "token")


def _connection(desk: Desk, entries: Entries) -> UUID | None:
    known = {str(one.id): one.id for one in identity.connections(desk.session, desk.organisation_id)}
    return known.get(entries.text("connection"))


@post("/provisioning/tokens/{token_id:uuid}/revocation", guards=WRITERS, sync_to_thread=True)
def revoke_token(desk: NamedDependency[Desk], token_id: FromPath[UUID]) -> Redirect:
    """It works no more."""
    identity.revoke_scim_token(desk.session, desk.organisation_id, token_id, actor=desk.actor)
    return go("/provisioning", "token-revoked")


@post("/provisioning/brake", guards=WRITERS, sync_to_thread=True)
def set_brake(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """From which share of members on a push waits for an administrator."""
    try:
        share = _percent(entries.text("brake_percent"))
        with desk.session.begin_nested():
            change, seen = PolicyChange(brake_percent=share), conflicts.seen(entries)
            identity.set_policy(desk.session, desk.organisation_id, change, actor=desk.actor, revision=seen)
    except (Refusal, Refusals) as wrong:
        theirs = conflicts.theirs(desk, entries, wrong, "policy.changed")
        return _page(desk, brake=conflicts.kept(desk, entries, wrong), theirs=theirs)
    return go("/provisioning", "saved")


def _percent(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise Refusal("bad_percent", "Give a whole number from 1 to 100.", field="brake_percent")
    return int(text)


handlers = [show_provisioning, issue_token, revoke_token, set_brake]
