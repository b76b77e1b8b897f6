"""Connections: the identity providers of an organisation, stage by stage."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.dependencies import IfMatch, etag, seen
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.identity_bodies import ConnectionChange, KeyStep, NewConnection, StageChange
from control_plane.operator_api.identity_schemas import ConnectionList, ConnectionView, TestRunView, TraceList
from control_plane.operator_api.presenting_identity import connection_view, trace_view
from control_plane.organisations import Organisation
from kit.db import transaction
from kit.interface import locale_of, translator
from kit.settings import ControlPlaneSettings

READS, WRITES = [requires(Scope.IDENTITY_READ)], [requires(Scope.IDENTITY_WRITE)]
Most = Annotated[int, QueryParameter(name="limit", ge=1, le=200, description="How many.")]


class ConnectionController(Controller):
    """A connection begins as a draft, is tested, tried by named people, then enforced for its proven domains."""

    path = "/organisations/{reference:str}/connections"
    tags = ["Connections"]

    @get("/", guards=READS, sync_to_thread=True)
    def list_connections(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        organisation: NamedDependency[Organisation],
    ) -> ConnectionList:
        """List its connections, with our own addresses for each."""
        found = identity.connections(session, organisation.id)
        return ConnectionList(items=[connection_view(one, organisation, settings) for one in found])

    @post("/", guards=WRITES, sync_to_thread=True)
    def add_connection(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[NewConnection],
    ) -> Response[ConnectionView]:
        """Add a connection, as a draft that lets nobody in. What its provider says of itself is fetched and checked."""
        new = msgspec.convert(msgspec.to_builtins(data), identity.NewConnection)
        return once.answer(
            lambda: _made(
                identity.add_connection(session, settings, organisation.id, new, actor=actor), organisation, settings
            )
        )

    @get("/{connection_id:uuid}", guards=READS, sync_to_thread=True)
    def show_connection(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
    ) -> Response[ConnectionView]:
        """Show a connection. Its ETag is wanted by every change of it."""
        return _shown(identity.connection(session, organisation.id, connection_id), organisation, settings)

    @patch("/{connection_id:uuid}", guards=WRITES, sync_to_thread=True)
    def change_connection(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
        data: JSONBody[ConnectionChange],
        if_match: IfMatch = None,
    ) -> Response[ConnectionView]:
        """Change a connection. New settings want a new test; enforced, they have an hour to let an administrator in."""
        revision = seen(if_match, identity.connection(session, organisation.id, connection_id).revision)
        change = msgspec.convert(msgspec.to_builtins(data), identity.ConnectionChange)
        changed = identity.change_connection(
            session, settings, organisation.id, connection_id, change, actor=actor, revision=revision
        )
        return _shown(changed, organisation, settings)

    @put("/{connection_id:uuid}/stage", guards=WRITES, sync_to_thread=True)
    def stage_connection(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
        data: JSONBody[StageChange],
        if_match: IfMatch = None,
    ) -> Response[ConnectionView]:
        """Take a connection to another stage. What is in the way is named, all of it at once."""
        revision = seen(if_match, identity.connection(session, organisation.id, connection_id).revision)
        moved = identity.stage_connection(
            session, organisation.id, connection_id, data.stage, actor=actor, revision=revision
        )
        return _shown(moved, organisation, settings)

    @delete("/{connection_id:uuid}", guards=WRITES, sync_to_thread=True)
    def remove_connection(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> None:
        """Remove a connection: sessions by it end, who came in by it needs another way. Not while it is enforced."""
        revision = seen(if_match, identity.connection(session, organisation.id, connection_id).revision)
        identity.remove_connection(session, organisation.id, connection_id, actor=actor, revision=revision)

    @post("/{connection_id:uuid}/test", guards=WRITES, status_code=200, sync_to_thread=True)
    def test_connection(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
    ) -> TestRunView:
        """Begin a test run, for half an hour: a real sign-in that opens no session. Read its trace afterwards."""
        # A transaction of its own: only what is committed reaches the workspace, whose door the answer names.
        with transaction(session.get_bind()) as own:
            run = identity.start_test(own, settings, organisation.id, connection_id, actor=actor)
        identity.wait_for_test(session, organisation.id, run)
        return TestRunView(url=run.url, expires_at=run.expires_at)

    @get("/{connection_id:uuid}/traces", guards=READS, sync_to_thread=True)
    def list_traces(
        self,
        request: Request[Any, Any, Any],
        session: NamedDependency[Session],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
        most: Most = 20,
    ) -> TraceList:
        """List what its latest sign-ins and test runs went through."""
        found = identity.traces(session, organisation.id, connection_id, most)
        words = translator(locale_of(request))
        return TraceList(items=[trace_view(one, words) for one in found])

    @post("/{connection_id:uuid}/metadata-refresh", guards=WRITES, status_code=200, sync_to_thread=True)
    def refresh_metadata(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
    ) -> Response[ConnectionView]:
        """Fetch the provider's metadata now, and take over its certificates and addresses."""
        fresh = identity.refresh_metadata(session, settings, organisation.id, connection_id, actor=actor)
        return _shown(fresh, organisation, settings)

    @post("/{connection_id:uuid}/key-rotation", guards=WRITES, status_code=200, sync_to_thread=True)
    def rotate_connection_key(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        connection_id: FromPath[UUID],
        data: JSONBody[KeyStep],
    ) -> Response[ConnectionView]:
        """Announce our next SAML key, or use the announced one."""
        verb = identity.announce_key if data.step == "announce" else identity.use_next_key
        return _shown(verb(session, organisation.id, connection_id, actor=actor), organisation, settings)


def _shown(
    found: identity.ConnectionView, organisation: Organisation, settings: ControlPlaneSettings
) -> Response[ConnectionView]:
    return Response(connection_view(found, organisation, settings), headers=etag(found.revision))


def _made(
    made: identity.ConnectionView, organisation: Organisation, settings: ControlPlaneSettings
) -> Response[ConnectionView]:
    where = {"Location": f"/api/v1/organisations/{organisation.id}/connections/{made.id}"}
    return Response(
        connection_view(made, organisation, settings), status_code=201, headers={**where, **etag(made.revision)}
    )
