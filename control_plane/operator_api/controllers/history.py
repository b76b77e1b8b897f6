"""Beside the record: who signed in to an organisation's workspace, and what its directory did there."""

from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.identity import Scope
from control_plane.operator_api.controllers.audit import Since, Until
from control_plane.operator_api.guards import requires
from control_plane.operator_api.identity_schemas import ScimEventPage, SignInPage
from control_plane.operator_api.paging import Cursor, Limit
from control_plane.operator_api.presenting_identity import scim_event_view, sign_in_view
from control_plane.organisations import Organisation
from kit.interface import locale_of, translator
from tenant_app.contract import HistoryFilter

READS = [requires(Scope.AUDIT_READ)]
Outcome = Annotated[
    str | None,
    QueryParameter(
        max_length=40, description="`sign_in.ok`, `sign_in.refused`, `test.ok` or `test.refused`; `sign_in.` for both."
    ),
]
Verb = Annotated[
    str | None, QueryParameter(max_length=40, description="`user.disabled`, or `user.` for all that begin so.")
]
Who = Annotated[
    str | None, QueryParameter(max_length=200, description="The person's id, or a part of the name or e-mail.")
]


class HistoryController(Controller):
    """Kept with the workspace: sign-ins for 30 days, what directories did for a year. 503 while it does not answer."""

    path = "/organisations/{reference:str}"
    tags = ["Audit"]

    @get("/sign-ins", guards=READS, sync_to_thread=True)
    def list_sign_ins(
        self,
        request: Request[Any, Any, Any],
        session: NamedDependency[Session],
        organisation: NamedDependency[Organisation],
        verb: Outcome = None,
        who: Who = None,
        since: Since = None,
        until: Until = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> SignInPage:
        """List sign-ins and tests of all its connections, newest first, with each check and redacted claims."""
        wanted = HistoryFilter(verb=verb, who=who, since=since, until=until, limit=limit)
        page = identity.sign_ins(session, organisation.id, wanted, cursor)
        words = translator(locale_of(request))
        return SignInPage(items=[sign_in_view(one, words) for one in page.items], next_cursor=page.next_cursor)

    @get("/scim-events", guards=READS, sync_to_thread=True)
    def list_scim_events(
        self,
        session: NamedDependency[Session],
        organisation: NamedDependency[Organisation],
        verb: Verb = None,
        who: Who = None,
        since: Since = None,
        until: Until = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> ScimEventPage:
        """List what its directory did to whom, newest first, and what was decided about it."""
        wanted = HistoryFilter(verb=verb, who=who, since=since, until=until, limit=limit)
        page = identity.scim_events(session, organisation.id, wanted, cursor)
        return ScimEventPage(items=[scim_event_view(one) for one in page.items], next_cursor=page.next_cursor)
