"""What one does with a connection beside changing it: stages, test runs, traces, fresh metadata, our own keys."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing, stages
from control_plane.identity.connection_keys import fresh_key, keys_of
from control_plane.identity.connection_settings import fetched_metadata, from_metadata
from control_plane.identity.connection_views import ConnectionView
from control_plane.identity.connections import DAILY, fingerprints, row_of, touch, view
from control_plane.identity.organisation_models import Connection
from control_plane.identity.vendors import ServiceAddresses, addresses_of, role_of
from control_plane.organisations import Organisation
from kit.credentials import new_token
from kit.errors import Refusal
from kit.saml import IdentityProvider
from kit.settings import ControlPlaneSettings
from tenant_app.contract import Trace

TEST_VALID = timedelta(minutes=30)
AGAIN = timedelta(hours=1)
PAUSE = 0.2


@dataclass(frozen=True)
class TestRun:
    """Where a browser begins a test run. Its token is in the address, and never seen again."""

    __test__ = False

    url: str
    expires_at: datetime


def addresses(
    settings: ControlPlaneSettings, organisation: Organisation, connection: ConnectionView
) -> ServiceAddresses:
    """Our addresses for a connection, to be entered at the provider's."""
    return addresses_of(settings, organisation, connection.id)


def role_for(connection: ConnectionView, groups: Iterable[str]) -> str | None:
    """What somebody in these groups becomes: the highest match, else the default; None if he is refused."""
    return role_of(connection.roles, connection.otherwise, groups)


def obstacles(session: Session, organisation_id: UUID, connection_id: UUID, stage: str) -> list[Refusal]:
    """What is in the way of a stage now, with the cure of each; empty when it can be had."""
    return stages.obstacles_of(session, row_of(session, organisation_id, connection_id), stage)


def stage_connection(
    session: Session,
    organisation_id: UUID,
    connection_id: UUID,
    stage: str,
    *,
    actor: Actor,
    revision: int | None = None,
) -> ConnectionView:
    """Take a connection to another stage, up or down; `Refusals` name everything that is in the way."""
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    changing.check_revision(revision, row.revision)
    stages.move(session, row, stage, actor)
    return view(session, row)


def start_test(
    session: Session, settings: ControlPlaneSettings, organisation_id: UUID, connection_id: UUID, *, actor: Actor
) -> TestRun:
    """Begin a test run: a real sign-in by it, at any stage, that opens no session. The one before ends."""
    organisation = changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    if not row.settings:
        raise stages.incomplete()
    token = new_token()
    row.test_sha256, row.test_until = hashlib.sha256(token.encode()).hexdigest(), datetime.now(UTC) + TEST_VALID
    session.flush()
    changing.note(session, "connection.test_started", organisation_id, actor, connection=row.id)
    changing.publish(session, organisation_id)
    return TestRun(f"{addresses_of(settings, organisation, row.id).begin_url}?test={token}", row.test_until)


def wait_for_test(session: Session, organisation_id: UUID, run: TestRun, seconds: float = 5.0) -> bool:
    """Whether the workspace has been told of this run: until then its door takes it for one that was withdrawn."""
    database = changing.database_of(session, organisation_id)
    wanted = hashlib.sha256(run.url.rpartition("=")[2].encode()).hexdigest()
    until = time.monotonic() + seconds
    while database is not None and time.monotonic() < until:
        record = database.inspect(organisation_id).record
        if record and any(one.settings.get("test_sha256") == wanted for one in record.identity.connections):
            return True
        time.sleep(PAUSE)
    return False


def traces(session: Session, organisation_id: UUID, connection_id: UUID, limit: int = 20) -> list[Trace]:
    """What its latest sign-ins and test runs went through, the newest first."""
    row_of(session, organisation_id, connection_id)
    database = changing.database_of(session, organisation_id)
    return [] if database is None else database.traces(organisation_id, connection_id, limit)


def refresh_metadata(
    session: Session, settings: ControlPlaneSettings, organisation_id: UUID, connection_id: UUID, *, actor: Actor
) -> ConnectionView:
    """Fetch the provider's metadata now, and take over what it says; refused with what is wrong with it."""
    row = row_of(session, organisation_id, connection_id)
    if row.metadata_url is None:
        message = "This connection has no metadata address. Give one, or paste the new metadata."
        raise Refusal("metadata_none", message, field="metadata_url", status=409)
    url, began = row.metadata_url, row.revision
    provider = fetched_metadata(settings, url)
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    if row.metadata_url != url:
        changing.check_revision(began, row.revision)
    take_over(session, row, provider, actor)
    return view(session, row)


def take_over(session: Session, row: Connection, provider: IdentityProvider, actor: Actor) -> bool:
    """What metadata says now: new certificates and addresses, never another provider. True if that changed anything."""
    now = datetime.now(UTC)
    if provider.entity_id != row.settings["entity_id"]:
        message = "The metadata is of {seen} now, this connection is with {wanted}. Change it by hand if that is meant."
        wanted, seen = row.settings["entity_id"], provider.entity_id[:200]
        raise Refusal("metadata_other", message, field="metadata_url", seen=seen, wanted=wanted)
    row.metadata_at, row.metadata_due_at, row.metadata_trouble = now, now + DAILY, None
    before, fresh = dict(row.settings), {**row.settings, **from_metadata(provider)}
    if fresh == before:
        session.flush()
        return False
    seen_before = fingerprints(row)
    row.settings = fresh
    touch(row)
    session.flush()
    plain = {name: value for name, value in fresh.items() if name != "certificates"}
    facts = changing.difference({**before, "fingerprints": seen_before}, {**plain, "fingerprints": fingerprints(row)})
    changing.note(session, "connection.metadata_refreshed", row.organisation_id, actor, connection=row.id, **facts)
    changing.publish(session, row.organisation_id)
    return True


def note_trouble(row: Connection, error: Refusal) -> None:
    """The metadata could not be had: what is known goes on serving, and one tries again soon."""
    row.metadata_trouble, row.metadata_due_at = str(error)[:500], datetime.now(UTC) + AGAIN


def announce_key(session: Session, organisation_id: UUID, connection_id: UUID, *, actor: Actor) -> ConnectionView:
    """Make our next key and publish it in our metadata, so that the provider knows it before it is used."""
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    known = keys_of(session, row.id)
    if row.kind != "saml" or any(key.state == "next" for key in known):
        message = (
            "A next key is announced already." if row.kind == "saml" else "Only SAML connections have keys of ours."
        )
        raise Refusal("key_announced", message, status=409)
    made = fresh_key(session, row, "next")
    return _noted(session, row, "connection.key_announced", actor, key=made.id)


def use_next_key(session: Session, organisation_id: UUID, connection_id: UUID, *, actor: Actor) -> ConnectionView:
    """Sign by the announced key from now on. The one before still opens what is encrypted for it."""
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    by_state = {key.state: key for key in keys_of(session, row.id)}
    if "next" not in by_state:
        message = "Announce the next key first, and let your identity provider read our metadata again."
        raise Refusal("key_none", message, status=409)
    if "past" in by_state:
        session.delete(by_state["past"])
    by_state["current"].state, by_state["next"].state = "past", "current"
    return _noted(session, row, "connection.key_used", actor, key=by_state["next"].id)


def _noted(session: Session, row: Connection, verb: str, actor: Actor, **facts: object) -> ConnectionView:
    touch(row)
    session.flush()
    changing.note(session, verb, row.organisation_id, actor, connection=row.id, **facts)
    changing.publish(session, row.organisation_id)
    return view(session, row)
