"""An organisation's identity providers: added as drafts, changed, removed. Nothing here lets anybody in; stages do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing
from control_plane.identity.connection_keys import fresh_key, keys_of
from control_plane.identity.connection_settings import (
    Checked,
    fetched_metadata,
    from_metadata,
    oidc_settings,
    pasted_metadata,
    saml_settings,
)
from control_plane.identity.connection_views import (
    ConnectionChange,
    ConnectionView,
    NewConnection,
    certificate_view,
    connection_view,
)
from control_plane.identity.mapping import checked_mapping
from control_plane.identity.organisation_models import Connection, ScimToken
from control_plane.identity.publishing import proven_names, secret_purpose
from control_plane.identity.stages import GRACE
from control_plane.identity.vendors import default_attributes
from kit.db import vault_of
from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.settings import ControlPlaneSettings

MOST = 20
DAILY = timedelta(hours=24)
# What an event tells of a connection; certificates by their fingerprints, secrets not at all.
TOLD = ("name", "vendor", "domains", "pilot", "attributes", "roles", "otherwise", "just_in_time", "metadata_url")


def connections(session: Session, organisation_id: UUID) -> list[ConnectionView]:
    """The organisation's connections, the oldest first."""
    query = select(Connection).where(Connection.organisation_id == organisation_id).order_by(Connection.id)
    return [view(session, row) for row in session.scalars(query.execution_options(populate_existing=True))]


def row_of(session: Session, organisation_id: UUID, connection_id: UUID) -> Connection:
    """One of its connections; refused as not found otherwise."""
    row = session.get(Connection, connection_id, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise not_found("connection")
    return row


def view(session: Session, row: Connection) -> ConnectionView:
    """What people see of it."""
    return connection_view(row, proven_names(session, row.organisation_id), keys_of(session, row.id))


def connection(session: Session, organisation_id: UUID, connection_id: UUID) -> ConnectionView:
    """One of its connections."""
    return view(session, row_of(session, organisation_id, connection_id))


def add_connection(
    session: Session, settings: ControlPlaneSettings, organisation_id: UUID, new: NewConnection, *, actor: Actor
) -> ConnectionView:
    """A new connection, as a draft: it can be tested, and lets nobody in."""
    plain = {"domains": new.domains, "pilot": new.pilot, "roles": new.roles, "otherwise": new.otherwise}
    attributes = default_attributes(new.kind, new.vendor) if new.attributes is None else new.attributes
    plain = checked_mapping({**plain, "name": new.name, "attributes": attributes})
    given = _from_metadata(settings, new.kind, new.metadata_url, new.metadata_xml) | new.settings
    checked = _checked(settings, new.kind, given, {})
    changing.begin(session, organisation_id)
    if len(connections(session, organisation_id)) >= MOST:
        message = "An organisation has {most} connections at most. Remove one that you do not need."
        raise Refusal("connections_many", message, status=409, most=MOST)
    now = datetime.now(UTC)
    row = Connection(
        id=new_id(),
        organisation_id=organisation_id,
        kind=new.kind,
        vendor=new.vendor,
        stage="draft",
        just_in_time=new.just_in_time,
        settings=checked.settings,
        settled_at=now,
        created_at=now,
        updated_at=now,
        revision=1,
        **plain,
    )
    _keep_secret(session, row, checked)
    _metadata_from(row, new.metadata_url, now)
    session.add(row)
    session.flush()
    if row.kind == "saml":
        fresh_key(session, row, "current")
    changing.note(session, "connection.added", organisation_id, actor, connection=row.id, kind=row.kind, **_told(row))
    changing.publish(session, organisation_id)
    return view(session, row)


def _from_metadata(settings: ControlPlaneSettings, kind: str, url: str | None, xml: str | None) -> dict[str, Any]:
    if kind != "saml" and (url or xml):
        message = "Metadata is for SAML. OpenID Connect takes the issuer's address alone."
        raise Refusal("metadata_unfit", message, field="metadata_url")
    if xml:
        return from_metadata(pasted_metadata(xml))
    return from_metadata(fetched_metadata(settings, url)) if url else {}


def _checked(settings: ControlPlaneSettings, kind: str, given: dict[str, Any], before: dict[str, Any]) -> Checked:
    if not given and not before:
        # A draft before the other side is known: it asks for our addresses first, and they hold the connection's id.
        return Checked({})
    return saml_settings(given, before) if kind == "saml" else oidc_settings(settings, given, before)


def _keep_secret(session: Session, row: Connection, checked: Checked) -> None:
    if checked.secret is not None:
        row.secret_sealed = vault_of(session).seal(checked.secret, secret_purpose(row.id))
    wants = row.kind == "oidc" and checked.settings.get("auth_method", "none") != "none"
    if wants and row.secret_sealed is None:
        message = "Give the client secret that your identity provider made, or choose that there is none."
        raise Refusal("secret_missing", message, field="settings.client_secret")


def _metadata_from(row: Connection, url: str | None, now: datetime) -> None:
    row.metadata_url, row.metadata_trouble = url or None, None
    row.metadata_at = now if url else None
    row.metadata_due_at = now + DAILY if url else None


def _told(row: Connection) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in TOLD}
    told = {name: value for name, value in row.settings.items() if name != "certificates"}
    return plain | {"settings": told, "certificates": fingerprints(row)}


def fingerprints(row: Connection) -> list[str]:
    """How people compare the provider's certificates."""
    return [certificate_view(one).fingerprint for one in row.settings.get("certificates", [])]


def change_connection(
    session: Session,
    settings: ControlPlaneSettings,
    organisation_id: UUID,
    connection_id: UUID,
    change: ConnectionChange,
    *,
    actor: Actor,
    revision: int | None = None,
) -> ConnectionView:
    """Change a connection. Another provider behind it must prove itself anew: see `_settle`."""
    seen = row_of(session, organisation_id, connection_id)
    began = seen.revision
    asked = {name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET}
    plain = checked_mapping({name: asked[name] for name in asked if not name.startswith(("metadata", "settings"))})
    url, xml, given = asked.get("metadata_url"), asked.get("metadata_xml"), asked.get("settings")
    checked = None
    if url or xml or given:
        fresh = _from_metadata(settings, seen.kind, url, xml) | (given or {})
        checked = _checked(settings, seen.kind, fresh, dict(seen.settings))
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    changing.check_revision(revision, row.revision)
    if checked is not None:
        # The provider was asked before the lock was held; settings that were checked beside older ones undo nothing.
        changing.check_revision(began, row.revision)
    before, now = _told(row), datetime.now(UTC)
    for name, value in plain.items():
        setattr(row, name, value)
    if "metadata_url" in asked:
        _metadata_from(row, url, now)
    if checked is not None:
        _keep_secret(session, row, checked)
        _settle(row, checked, now)
    difference = changing.difference(before, _told(row))
    if checked is not None and checked.secret is not None:
        difference["replaced"] = "client secret"
    return (
        _written(session, row, difference, actor)
        if difference["after"] or "replaced" in difference
        else view(session, row)
    )


def _written(session: Session, row: Connection, difference: dict[str, Any], actor: Actor) -> ConnectionView:
    touch(row)
    session.flush()
    changing.note(session, "connection.changed", row.organisation_id, actor, connection=row.id, **difference)
    changing.publish(session, row.organisation_id)
    return view(session, row)


def touch(row: Connection) -> None:
    """Count a write: its ETag changes."""
    row.revision += 1
    row.updated_at = datetime.now(UTC)


def _settle(row: Connection, checked: Checked, now: datetime) -> None:
    """New settings want a new test. Enforced, it goes back to pilot within the hour unless they let somebody in."""
    if row.settings == checked.settings and checked.secret is None:
        return
    row.settings, row.settled_at = checked.settings, now
    if row.stage == "tested":
        row.stage, row.tested_at = "draft", None
    elif row.stage == "enforced":
        row.enforced_at, row.reverts_at = now, now + GRACE


def remove_connection(
    session: Session, organisation_id: UUID, connection_id: UUID, *, actor: Actor, revision: int | None = None
) -> None:
    """Remove a connection with its keys. Who came in by it needs another way from now on; sessions by it end."""
    changing.begin(session, organisation_id)
    row = row_of(session, organisation_id, connection_id)
    changing.check_revision(revision, row.revision)
    if row.stage == "enforced":
        message = "Everybody of its domains signs in by it. Take it back to pilot first."
        raise Refusal("connection_enforced", message, status=409)
    told = _told(row)
    for token in session.scalars(select(ScimToken).where(ScimToken.connection_id == row.id)):
        token.connection_id = None
    session.delete(row)
    session.flush()
    changing.note(session, "connection.removed", organisation_id, actor, connection=connection_id, **told)
    changing.publish(session, organisation_id)
