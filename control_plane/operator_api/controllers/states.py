"""What may be put on an organisation and taken off again: suspension, read-only, closure; and offer, trial, erasure."""

from typing import Annotated, Literal

from litestar import Controller, Response, delete, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from sqlalchemy.orm import Session

from control_plane import organisations
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import Closure, Erasure, OfferChange, ReadOnly, Suspension, Trial
from control_plane.operator_api.changing import Answer, Change
from control_plane.operator_api.dependencies import IfMatch, seen
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.presenting import accepted
from control_plane.operator_api.schemas import EffectsView, OperationView
from control_plane.organisations import Organisation

Kind = Annotated[
    Literal["contract", "billing", "technical"],
    QueryParameter(description="Which hold to lift; others keep what they hold."),
]
WOULD: dict[int, ResponseSpec] = {200: ResponseSpec(EffectsView, description="With dry_run: what would happen.")}


class StateController(Controller):
    """Each is a noun: PUT puts it on, DELETE takes it off. All take If-Match and, where it helps, `dry_run`."""

    path = "/organisations/{reference:str}"
    guards = [requires(Scope.ORGANISATIONS_WRITE)]
    tags = ["Organisations"]

    @put("/suspension", status_code=202, responses=WOULD, sync_to_thread=True)
    def suspend(
        self, change: NamedDependency[Change], revision: NamedDependency[int], data: JSONBody[Suspension]
    ) -> Answer:
        """Close its doors to everybody, until this kind of hold is lifted. Nothing is lost."""
        return change.make("suspend", organisations.suspend, revision, reason=data.reason, kind=data.kind)

    @delete("/suspension", status_code=202, responses=WOULD, sync_to_thread=True)
    def end_suspension(
        self, change: NamedDependency[Change], revision: NamedDependency[int], kind: Kind = "technical"
    ) -> Answer:
        """Lift a suspending hold; it is live again once no hold is left."""
        change.must_stand(kind, "suspended")
        return change.make("resume", organisations.resume, revision, kind=kind)

    @put("/read-only", status_code=202, responses=WOULD, sync_to_thread=True)
    def make_read_only(
        self, change: NamedDependency[Change], revision: NamedDependency[int], data: JSONBody[ReadOnly]
    ) -> Answer:
        """Let everybody read and nobody write, until this kind of hold is lifted."""
        return change.make("read_only", organisations.read_only, revision, reason=data.reason, kind=data.kind)

    @delete("/read-only", status_code=202, responses=WOULD, sync_to_thread=True)
    def end_read_only(
        self, change: NamedDependency[Change], revision: NamedDependency[int], kind: Kind = "technical"
    ) -> Answer:
        """Lift a read-only hold."""
        change.must_stand(kind, "read_only")
        return change.make("resume", organisations.resume, revision, kind=kind)

    @put("/closure", status_code=202, responses=WOULD, sync_to_thread=True)
    def close(self, change: NamedDependency[Change], revision: NamedDependency[int], data: JSONBody[Closure]) -> Answer:
        """Begin the notice after which it may be erased; members are told, export stays open."""
        return change.make("close", organisations.close, revision, reason=data.reason)

    @delete("/closure", status_code=202, responses=WOULD, sync_to_thread=True)
    def reopen(self, change: NamedDependency[Change], revision: NamedDependency[int]) -> Answer:
        """Take the closure back while its notice runs."""
        return change.make("reopen", organisations.reopen, revision)

    @post("/erasure", status_code=202, responses=WOULD, sync_to_thread=True)
    def erase(
        self,
        change: NamedDependency[Change],
        once: NamedDependency[Once],
        data: JSONBody[Erasure],
        if_match: IfMatch = None,
    ) -> Answer:
        """Remove everything for good, once the notice has passed. There is no way back."""
        # The version is looked at inside: a repeated request gets its answer, though it changed the version itself.
        return once.answer(
            lambda: change.make(
                "erase",
                organisations.erase,
                seen(if_match, change.organisation.revision),
                confirm_address=data.confirm_address,
                force=data.force,
                reason=data.reason,
            )
        )

    @put("/offer", status_code=202, responses=WOULD, sync_to_thread=True)
    def change_offer(
        self, change: NamedDependency[Change], revision: NamedDependency[int], data: JSONBody[OfferChange]
    ) -> Answer:
        """Move it to the present version of an offer."""
        return change.make("change_offer", organisations.change_offer, revision, offer=data.offer)

    @put("/trial", status_code=202, responses=WOULD, sync_to_thread=True)
    def extend_trial(
        self, change: NamedDependency[Change], revision: NamedDependency[int], data: JSONBody[Trial]
    ) -> Answer:
        """Give its trial a new end: the end of a day in Paris. Its reminders move along."""
        return change.make("extend_trial", organisations.extend_trial, revision, until=data.until, reason=data.reason)

    @post("/verification", status_code=202, sync_to_thread=True)
    def verify(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
    ) -> Response[OperationView]:
        """Check now that everything is as ordered, and mend what is not."""
        return once.answer(lambda: accepted(session, organisations.verify(session, organisation.id, actor=actor)))
