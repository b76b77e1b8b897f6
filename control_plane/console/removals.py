"""What the directory would do beyond the brake, for an administrator to decide; and what it did."""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency

from control_plane import audit
from control_plane.console.desk import Desk, go, id_in, requires
from control_plane.console.permissions import OWNER, Permission
from control_plane.console.words import REMOVALS, SCIM_VERBS
from kit.errors import Refusal
from kit.interface.entries import Entries
from tenant_app.contract import HistoryFilter

DECIDERS = [requires(Permission.MEMBERS)]
READERS = [requires(Permission.AUDIT)]
PER_PAGE = 50
Decide = Callable[[UUID, Collection[UUID] | None, UUID], list[UUID]]


def _page(desk: Desk, wrong: Refusal | None = None, chosen: Collection[UUID] = ()) -> Response[str]:
    return desk.show(
        "console/removals.html",
        status=wrong.status if wrong else 200,
        waiting=desk.database.pending_removals(desk.organisation_id),
        kinds=REMOVALS,
        wrong=desk.errors(wrong) if wrong else {},
        chosen=chosen,
    )


@get("/provisioning/removals", guards=DECIDERS, sync_to_thread=True)
def show_removals(desk: NamedDependency[Desk]) -> Response[str]:
    """Who waits, and what asked for it."""
    return _page(desk)


def _decided(desk: Desk, entries: Entries, decide: Decide, verb: str, done: str) -> Response[Any]:
    chosen = [one for one in map(id_in, entries.all("removal")) if one is not None]
    assert desk.signed.person is not None
    try:
        if not chosen:
            raise _nobody()
        _of_others(desk, chosen)
        people = decide(desk.organisation_id, chosen, desk.signed.person.id)
    except Refusal as wrong:
        return _page(desk, wrong, chosen)
    # By their ids alone: our record keeps no member's name.
    data = {"people": [str(one) for one in people]}
    audit.record(desk.session, verb, actor=desk.actor, organisation_id=desk.organisation_id, data=data)
    return go("/provisioning/removals", done)


def _of_others(desk: Desk, chosen: Collection[UUID]) -> None:
    """Whom his directory would remove does not keep himself in."""
    assert desk.signed.person is not None
    own = desk.signed.person.id
    if any(
        one.principal_id == own and one.id in chosen for one in desk.database.pending_removals(desk.organisation_id)
    ):
        raise Refusal(
            "own_removal", "Your own removal is among them: another administrator decides about you.", status=403
        )


def _nobody() -> Refusal:
    return Refusal("nobody_chosen", "Choose at least one person.", field="removal")


@post("/provisioning/removals/approval", guards=DECIDERS, sync_to_thread=True)
def approve_removals(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """The directory was right about these: they are out. Only an owner takes access from an owner."""
    chosen = set(entries.all("removal"))
    waiting = desk.database.pending_removals(desk.organisation_id)
    if desk.signed.role != OWNER and any(one.role == OWNER for one in waiting if str(one.id) in chosen):
        wrong = Refusal("owner_only", "Only an owner may change another owner.", status=403)
        return _page(desk, wrong, [one.id for one in waiting if str(one.id) in chosen])
    return _decided(desk, entries, desk.database.approve_removals, "scim_removal.approved", "removals-approved")


@post("/provisioning/removals/refusal", guards=DECIDERS, sync_to_thread=True)
def refuse_removals(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """These stay, until the directory asks anew."""
    return _decided(desk, entries, desk.database.refuse_removals, "scim_removal.refused", "removals-refused")


@get("/provisioning/events", guards=READERS, sync_to_thread=True)
def show_events(desk: NamedDependency[Desk]) -> Response[str]:
    """What the directory did to whom, the latest first."""
    before = id_in(desk.request.query_params.get("before", ""))
    found = desk.database.scim_events(desk.organisation_id, HistoryFilter(before=before, limit=PER_PAGE + 1))
    events = found[:PER_PAGE]
    more = urlencode({"before": str(events[-1].id)}) if len(found) > PER_PAGE else None
    return desk.show(
        "console/events.html",
        events=events,
        verbs=SCIM_VERBS,
        next_page=f"/console/provisioning/events?{more}" if more else None,
        first=before is None,
    )


handlers = [show_removals, approve_removals, refuse_removals, show_events]
