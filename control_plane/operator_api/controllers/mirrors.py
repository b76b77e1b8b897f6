"""The backup mirror of one organisation: copying now, verifying, restoring. A worker does it."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import storage
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import MirrorVerification, Restoration
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.mirror_schemas import MirrorRunList, MirrorRunView, MirrorView
from control_plane.operator_api.presenting_storage import mirror_view, run_view
from control_plane.organisations import Organisation
from kit.errors import not_found

WRITES = [requires(Scope.STORAGE_WRITE)]


class MirrorController(Controller):
    """Where its cell's store is mirrored, every bucket is copied to a second store, over and over."""

    path = "/organisations/{reference:str}/storage"
    tags = ["Storage"]

    @post("/mirroring", guards=WRITES, status_code=202, sync_to_thread=True)
    def mirror_now(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
    ) -> Response[MirrorView]:
        """Copy what is new to its mirror now, before its turn comes; follow Location."""
        return once.answer(lambda: _mirrored(session, organisation, actor))

    @post("/mirror-verification", guards=WRITES, status_code=202, sync_to_thread=True)
    def verify_mirror(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[MirrorVerification],
    ) -> Response[MirrorRunView]:
        """Compare the mirror with the store, object by object; follow Location."""
        return once.answer(
            lambda: _begun(organisation, storage.verify_mirror(session, organisation.id, actor, deep=data.deep))
        )

    @post("/restoration", guards=WRITES, status_code=202, sync_to_thread=True)
    def restore_from_mirror(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[Restoration],
    ) -> Response[MirrorRunView]:
        """Put back what the store lacks and the mirror has. Nothing that is there is overwritten; follow Location."""
        return once.answer(lambda: _begun(organisation, _restored(session, organisation, data, actor)))

    @get("/mirror-runs", guards=[requires(Scope.STORAGE_READ)], sync_to_thread=True)
    def list_mirror_runs(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> MirrorRunList:
        """List the latest verifications and restorations, newest first."""
        return MirrorRunList(items=[run_view(one) for one in storage.mirror_runs(session, organisation.id)])

    @get("/mirror-runs/{run_id:uuid}", guards=[requires(Scope.STORAGE_READ)], sync_to_thread=True)
    def show_mirror_run(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation], run_id: FromPath[UUID]
    ) -> MirrorRunView:
        """Show a verification or a restoration, as far as it is, and what it found."""
        run = storage.mirror_run(session, run_id)
        if run.organisation_id != organisation.id:
            raise not_found("run")
        return run_view(run)


def _mirrored(session: Session, organisation: Organisation, actor: Actor) -> Response[MirrorView]:
    seen = storage.mirror_now(session, organisation.id, actor)
    headers = {"Location": f"/api/v1/organisations/{organisation.id}/storage"}
    return Response(mirror_view(seen), status_code=202, headers=headers)


def _restored(session: Session, organisation: Organisation, data: Restoration, actor: Actor) -> storage.MirrorRunView:
    return storage.restore_mirror(session, organisation.id, actor, keys=data.keys, as_of=data.as_of)


def _begun(organisation: Organisation, run: storage.MirrorRunView) -> Response[MirrorRunView]:
    headers = {"Location": f"/api/v1/organisations/{organisation.id}/storage/mirror-runs/{run.id}"}
    return Response(run_view(run), status_code=202, headers=headers)
