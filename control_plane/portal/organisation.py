"""One organisation: what it is, where it stands and why, what it uses, what is being done to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import audit, catalogue, organisations, provisioning
from control_plane.audit import AuditEvent, Filter
from control_plane.identity import Permission
from control_plane.organisations import NOTICE_DAYS, Organisation, StorageView
from control_plane.portal.desk import AnyRequest, Desk, databases_of, go, requires
from control_plane.portal.figures import figures
from control_plane.portal.health import concerns, worst_first
from control_plane.portal.ledger import ledger_of
from control_plane.portal.storage_looks import concerns_of
from kit.interface import N_

READERS = [requires(Permission.ORGANISATIONS_READ)]
ACTORS = [requires(Permission.OPERATIONS_ACT)]
RUNNING = ("live", "read_only", "suspended")
WHY = 6
# A page waits no longer than this for a store; the figure is then told as missing.
STORE_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """One link of the chain of states."""

    label: str
    detail: str = ""
    moment: datetime | None = None
    done: bool = False
    current: bool = False
    tone: str = "ok"
    icon: str = "check"


def chain(row: Organisation, since: datetime | None = None) -> list[Stage]:
    """Where it stands between ordered and erased, `since` when. What failed says so in the place of « prepared »."""
    lived = row.live_at is not None
    preparing = Stage(
        N_("Preparation failed") if row.state == "failed" else N_("Prepared"),
        moment=row.live_at,
        done=lived,
        current=row.state in {"provisioning", "failed"},
        tone="bad" if row.state == "failed" else "info",
        icon="x" if row.state == "failed" else "retry",
    )
    first = [
        Stage(N_("Ordered"), moment=row.created_at, done=row.state != "ordered", current=row.state == "ordered"),
        preparing,
    ]
    later = [
        Stage(N_("Live"), done=lived and row.state != "live", **_now(row, "live", since)),
        Stage(N_("Read-only"), tone="warn", icon="eye", **_now(row, "read_only", since)),
        Stage(N_("Suspended"), tone="bad", icon="pause", **_now(row, "suspended", since)),
        Stage(
            N_("Closing"),
            N_("%(days)d days' notice"),
            moment=row.closing_at,
            current=row.state == "closing",
            done=row.state == "erased",
            tone="warn",
            icon="clock",
        ),
        Stage(N_("Erased"), moment=row.erased_at, current=row.state == "erased", tone="plain", icon="trash"),
    ]
    return first + later


def _now(row: Organisation, state: str, since: datetime | None) -> dict[str, Any]:
    here = row.state == state
    return {"current": here, "moment": since if here else None}


@dataclass(frozen=True)
class Action:
    """Something that may be done now. `path` is its page, where its effects are told before anything happens."""

    path: str
    label: str
    icon: str
    permission: Permission
    tone: str | None = None


ACTIONS: dict[str, tuple[Action, ...]] = {
    "running": (
        Action("offer", N_("Change the offer"), "card", Permission.ORGANISATIONS_CHANGE),
        Action("trial", N_("Extend the trial"), "calendar", Permission.ORGANISATIONS_CHANGE),
        Action("read-only", N_("Make read-only…"), "eye", Permission.ORGANISATIONS_SUSPEND),
        Action("suspend", N_("Suspend…"), "pause", Permission.ORGANISATIONS_SUSPEND, "bad"),
        Action("close", N_("Close…"), "ban", Permission.ORGANISATIONS_CLOSE, "bad"),
    ),
    "closing": (
        Action("reopen", N_("Reopen"), "undo", Permission.ORGANISATIONS_CLOSE),
        Action("erase", N_("Erase…"), "trash", Permission.ORGANISATIONS_ERASE, "bad"),
    ),
    "failed": (Action("erase", N_("Erase…"), "trash", Permission.ORGANISATIONS_ERASE, "bad"),),
}


def actions_for(desk: Desk, row: Organisation) -> list[Action]:
    """What this person may do to it now; the rest is not shown."""
    closing = row.closing_at is not None and row.state not in {"erased", "failed"}
    group = "closing" if closing else "running" if row.state in RUNNING else row.state
    found = [one for one in ACTIONS.get(group, ()) if desk.may(one.permission)]
    return [one for one in found if one.path != "trial" or row.trial_ends_at]


def context(desk: Desk, row: Organisation, tab: str, stored: StorageView | None = None) -> dict[str, Any]:
    """What the head of each of its pages shows; `stored` is looked at too where a page asks for it."""
    numbers = figures(desk.session, databases_of(desk.request, desk.session), [row])[row.id]
    return {
        "organisation": row,
        "tab": tab,
        "figures": numbers,
        "concerns": worst_first([*concerns(row, numbers), *(concerns_of(stored) if stored else [])]),
        "actions": actions_for(desk, row),
        "workspace_url": desk.request.app.state.settings.workspace_url(row.address),
        "notice_days": NOTICE_DAYS,
    }


def why(desk: Desk, row: Organisation) -> list[AuditEvent]:
    """The latest events that tell why it is in its state; drift that was mended does not."""
    page = audit.events(desk.session, Filter(organisation_id=row.id, verb="organisation.", limit=WHY + 4))
    return [event for event in page.items if event.verb != "organisation.mended"][:WHY]


@get("/organisations/{reference:str}", guards=READERS, sync_to_thread=True)
def show_organisation(desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
    """The overview."""
    row = organisations.find(desk.session, reference)
    current = provisioning.current_operation(desk.session, row.id)
    reasons = why(desk, row)
    stored = organisations.storage_of(desk.session, row.id, seconds=STORE_SECONDS)
    return desk.show(
        "portal/organisation.html",
        **context(desk, row, "overview", stored),
        stored=stored,
        stages=chain(row, next((event.at for event in reasons if event.verb == f"organisation.{row.state}"), None)),
        holds=organisations.holds(desk.session, row.id, standing_only=True),
        why=reasons,
        ledger=ledger_of(desk.session, current) if current else None,
        current_offer=_current_offer(desk, row),
    )


def _current_offer(desk: Desk, row: Organisation) -> int | None:
    found = {one.code: one.version for one in catalogue.offers(desk.session)}
    return found.get(row.offer_code)


@get("/organisations/{reference:str}/operations", guards=READERS, sync_to_thread=True)
def show_operations(request: AnyRequest, desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
    """Everything that was asked for."""
    row = organisations.find(desk.session, reference)
    page = provisioning.operations(desk.session, row.id, cursor=request.query_params.get("cursor") or None)
    return desk.show("portal/organisation_operations.html", **context(desk, row, "operations"), page=page)


@get(
    "/organisations/{reference:str}/journal",
    guards=[*READERS, requires(Permission.AUDIT_READ)],
    sync_to_thread=True,
)
def show_journal(request: AnyRequest, desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
    """Its chain of events."""
    row = organisations.find(desk.session, reference)
    asked = Filter(organisation_id=row.id, cursor=request.query_params.get("cursor") or None)
    page = audit.events(desk.session, asked)
    return desk.show("portal/organisation_journal.html", **context(desk, row, "journal"), page=page)


@post("/organisations/{reference:str}/verify", guards=ACTORS, sync_to_thread=True)
def verify_now(desk: NamedDependency[Desk], reference: FromPath[str]) -> Redirect:
    """Look for drift now, and mend what is found."""
    row = organisations.find(desk.session, reference)
    provisioning.recheck(desk.session, row.id)
    return go(f"/organisations/{row.id}", "verifying")


@post("/organisations/{reference:str}/retry", guards=ACTORS, sync_to_thread=True)
def retry(desk: NamedDependency[Desk], reference: FromPath[str]) -> Redirect:
    """Try now instead of later."""
    row = organisations.find(desk.session, reference)
    provisioning.retry(desk.session, row.id, desk.actor)
    return go(f"/organisations/{row.id}", "retried")


handlers = [show_organisation, show_operations, show_journal, verify_now, retry]
