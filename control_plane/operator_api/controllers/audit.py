"""The record of who did what."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Meta
from sqlalchemy.orm import Session

from control_plane import audit, organisations
from control_plane.identity import Scope
from control_plane.operator_api.guards import requires
from control_plane.operator_api.paging import Cursor, Limit
from control_plane.operator_api.presenting import event_view
from control_plane.operator_api.schemas import AuditReport, EventPage, FindingView

Of = Annotated[
    str | None,
    QueryParameter(name="organisation", max_length=63, description="Only this organisation's: its id or address."),
]
Verb = Annotated[
    str | None,
    QueryParameter(max_length=60, description="`organisation.suspended`, or `organisation.` for all that begin so."),
]
Who = Annotated[
    str | None, QueryParameter(name="actor", max_length=200, description="The actor's id, or a part of the name.")
]

Moment = Annotated[datetime, Meta(tz=True)]
Since = Annotated[Moment | None, QueryParameter(description="Not before; with an offset.")]
Until = Annotated[Moment | None, QueryParameter(description="Before; with an offset.")]


class AuditController(Controller):
    """Events are written in the transaction of the change they tell, and chained by hashes."""

    path = "/audit"
    tags = ["Audit"]

    @get("/", guards=[requires(Scope.AUDIT_READ)], sync_to_thread=True)
    def list_events(
        self,
        session: NamedDependency[Session],
        of: Of = None,
        verb: Verb = None,
        who: Who = None,
        since: Since = None,
        until: Until = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> EventPage:
        """List events, newest first."""
        owner = organisations.find(session, of).id if of else None
        page = audit.events(session, audit.Filter(owner, verb, who, since, until, cursor, limit))
        return EventPage(items=[event_view(one) for one in page.items], next_cursor=page.next_cursor)

    @get("/verification", guards=[requires(Scope.AUDIT_READ)], sync_to_thread=True)
    def verify_audit(self, session: NamedDependency[Session], of: Of = None) -> AuditReport:
        """Recompute the chains: any edit, deletion or reordering is found."""
        owner = organisations.find(session, of).id if of else None
        report = audit.verify(session, audit.audit_key(session), owner)
        findings = [FindingView(chain=one.chain, seq=one.seq, problem=one.problem) for one in report.findings]
        return AuditReport(ok=report.ok, chains=report.chains, events=report.events, findings=findings)
