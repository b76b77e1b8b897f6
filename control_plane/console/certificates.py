"""The certificates of a SAML connection, theirs and ours; and the sign-ins that went through a connection."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import identity
from control_plane.console.connection import common, find
from control_plane.console.connections import READERS, WRITERS
from control_plane.console.desk import Desk, go
from control_plane.console.traces import run_of
from control_plane.identity import ConnectionView
from kit.errors import Refusal, Refusals

MOST = 50


def _draw(desk: Desk, one: ConnectionView, wrong: dict[str, str] | None = None) -> Response[str]:
    return desk.show(
        "console/certificates.html",
        status=422 if wrong else 200,
        addresses=identity.addresses(desk.settings, desk.organisation, one),
        our_keys=list(one.keys),
        wrong=wrong or {},
        **common(one, "certificates"),
    )


def _acted(desk: Desk, connection_id: UUID, act: Callable[..., Any], done: str) -> Response[Any]:
    one = find(desk, connection_id)
    try:
        with desk.session.begin_nested():
            act(desk.session, desk.organisation_id, one.id, actor=desk.actor)
    except (Refusal, Refusals) as wrong:
        return _draw(desk, one, desk.errors(wrong))
    return go(f"/sign-in/{one.id}/certificates", done)


@get("/sign-in/{connection_id:uuid}/certificates", guards=READERS, sync_to_thread=True)
def show_certificates(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[str]:
    """Until when each is good, and our own next key."""
    return _draw(desk, find(desk, connection_id))


@post("/sign-in/{connection_id:uuid}/key", guards=WRITERS, sync_to_thread=True)
def announce_key(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[Any]:
    """Our next key is made, and stands in our metadata before it is used."""
    return _acted(desk, connection_id, identity.announce_key, "key-announced")


@post("/sign-in/{connection_id:uuid}/key/use", guards=WRITERS, sync_to_thread=True)
def use_key(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[Any]:
    """Sign with the next key from now on."""
    return _acted(desk, connection_id, identity.use_next_key, "key-used")


@get("/sign-in/{connection_id:uuid}/traces", guards=READERS, sync_to_thread=True)
def show_traces(desk: NamedDependency[Desk], connection_id: FromPath[UUID]) -> Response[str]:
    """The latest sign-ins and test runs, each with its checks."""
    one = find(desk, connection_id)
    found = identity.traces(desk.session, desk.organisation_id, one.id, limit=MOST)
    if desk.signed.person is None:
        # Whoever came by a link tests the connection. Who of the organisation signs in is not for them to see.
        found = [trace for trace in found if trace.purpose == "test"]
    return desk.show("console/traces.html", runs=[run_of(trace) for trace in found], **common(one, "traces"))


handlers = [show_certificates, announce_key, use_key, show_traces]
