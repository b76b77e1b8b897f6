"""Sessions: only a hash is stored, an id never survives a change of rights, and each request asks anew."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    Interval,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from kit.credentials import new_token, token_hash
from kit.ids import new_id
from tenant_app.accounts.models import MOMENT, credential, principal, session
from tenant_app.interface import Viewer
from tenant_app.tenancy import Connection, Q

IDLE = literal_column("interval '14 days'", Interval)
ABSOLUTE = literal_column("interval '60 days'", Interval)
AWAITING_CODE = literal_column("interval '10 minutes'", Interval)
MINUTE = literal_column("interval '1 minute'", Interval)

MEMBER = "member"
CODE = "code"
# Of the provider's staff: its principal is the administrator who let them in, its subject the grant.
SUPPORT = "support"


class Way(StrEnum):
    """How the person of a session proved himself. A session from before this was written down has none."""

    PASSWORD = "password"  # noqa: S105 - a way
    CODE = "code"
    PASSKEY = "passkey"
    SSO = "sso"
    TICKET = "ticket"
    LINK = "link"
    SUPPORT = "support"


# More than something one knows, or a mailbox one reads.
STRONG = frozenset({Way.CODE, Way.PASSKEY, Way.SSO})


class Origin(msgspec.Struct, frozen=True):
    """Which sign-in at an identity provider, or which grant, a session comes from; what it takes to end it there."""

    connection_id: UUID | None
    subject: str
    session: str | None = None
    data: dict[str, Any] | None = None
    until: datetime | None = None
    proved_at: datetime | None = None


class Ended(msgspec.Struct, frozen=True):
    """A session that has ended here, as far as its identity provider may want to know."""

    connection_id: UUID | None
    subject: str | None
    sso_session: str | None
    sso_data: dict[str, Any] | None


class OpenSession(msgspec.Struct, frozen=True):
    """One line of the list of sessions on the account page."""

    id: UUID
    ip: str | None
    agent: str | None
    seen_at: datetime
    created_at: datetime


NOW = func.now()
ALIVE = and_(session.c.expires_at > NOW, session.c.seen_at > NOW - IDLE)

BY_HASH = Q(
    select(
        session.c.id.label("session_id"),
        session.c.hash.label("session_hash"),
        session.c.purpose,
        session.c.verified_at,
        session.c.way,
        session.c.connection_id,
        session.c.subject,
        (NOW - session.c.created_at).label("age"),
        (NOW - session.c.seen_at).label("idle"),
        (session.c.seen_at < NOW - MINUTE).label("stale"),
        principal.c.id,
        principal.c.name,
        func.coalesce(principal.c.email, "").label("email"),
        principal.c.role,
        principal.c.locale,
        principal.c.tz,
        or_(
            session.c.way == Way.SSO,
            exists()
            .where(credential.c.principal_id == principal.c.id, credential.c.kind.in_(("p", "k")))
            .correlate(principal),
        ).label("equipped"),
    )
    .join_from(session, principal, principal.c.id == session.c.principal_id)
    .where(session.c.hash == bindparam("hash"), ALIVE, principal.c.disabled_at.is_(None)),
    Viewer,
)
TOUCH = Q(update(session).where(session.c.hash == bindparam("of")).values(seen_at=NOW))
TOUCH_PERSON = Q(update(principal).where(principal.c.id == bindparam("of")).values(seen_at=NOW))
OPEN = Q(
    insert(session).values(
        hash=bindparam("hash"),
        id=bindparam("id"),
        principal_id=bindparam("principal_id"),
        purpose=bindparam("purpose"),
        ip=bindparam("ip"),
        agent=bindparam("agent"),
        way=bindparam("way"),
        connection_id=bindparam("connection_id"),
        subject=bindparam("subject"),
        sso_session=bindparam("sso_session"),
        sso_data=bindparam("sso_data"),
        # A provider that knows somebody since this morning has not asked him now; one that says nothing is believed.
        verified_at=func.least(NOW, bindparam("proved_at", type_=MOMENT)),
        seen_at=NOW,
        created_at=NOW,
        # Of two moments the earlier; one that is not known counts for nothing.
        expires_at=func.least(
            NOW + case((bindparam("purpose_again") == CODE, AWAITING_CODE), else_=ABSOLUTE),
            bindparam("until", type_=MOMENT),
        ),
    )
)
RENEW = Q(
    update(session)
    .where(session.c.hash == bindparam("of"))
    .values(hash=bindparam("hash"), id=bindparam("id"), way=bindparam("way"), verified_at=NOW, seen_at=NOW)
)
OF_PERSON = Q(
    select(session.c.id, session.c.ip, session.c.agent, session.c.seen_at, session.c.created_at)
    .where(session.c.principal_id == bindparam("principal_id"), session.c.purpose == MEMBER, ALIVE)
    .order_by(session.c.seen_at.desc()),
    OpenSession,
)
CLOSE = Q(
    delete(session)
    .where(session.c.hash == bindparam("of"))
    .returning(session.c.connection_id, session.c.subject, session.c.sso_session, session.c.sso_data),
    Ended,
)
_of_connection = delete(session).where(session.c.connection_id == bindparam("connection_id"))
# SAML ends what it began under the NameID, which need not be the attribute that we know its person by.
_of_subject = _of_connection.where(
    func.coalesce(session.c.sso_data["name_id"].astext, session.c.subject) == bindparam("subject")
)
_named = session.c.sso_session == func.any(bindparam("named"))
CLOSE_SUBJECT = Q(_of_subject)
CLOSE_SOME = Q(_of_subject.where(or_(_named, session.c.sso_session.is_(None))))
CLOSE_NAMED = Q(_of_connection.where(_named))
REVOKE = Q(
    delete(session)
    .where(session.c.id == bindparam("of"), session.c.principal_id == bindparam("person"))
    .returning(session.c.id)
)
CLOSE_OTHERS = Q(
    delete(session).where(session.c.principal_id == bindparam("person"), session.c.hash != bindparam("but"))
)
FORGET_DEAD = Q(delete(session).where(session.c.principal_id == bindparam("person"), session.c.expires_at < NOW))


def digest(token: str) -> str:
    """What is stored of a token."""
    return token_hash(token).hex()


async def authenticate(conn: Connection, token: str, *, touch: bool = True) -> Viewer | None:
    """Who holds this token now; nobody when it is unknown, ended, or its owner was deactivated."""
    viewer: Viewer | None = await BY_HASH.one(conn, hash=digest(token))
    if viewer is not None and viewer.stale and touch:
        await note_use(conn, viewer)
    return viewer


async def note_use(conn: Connection, viewer: Viewer) -> None:
    """This session, and whose it is, were seen now."""
    await TOUCH.run(conn, of=viewer.session_hash)
    if viewer.purpose != SUPPORT:
        await TOUCH_PERSON.run(conn, of=viewer.id)


async def open_session(
    conn: Connection,
    person: UUID,
    *,
    way: Way,
    purpose: str = MEMBER,
    ip: str | None,
    agent: str | None,
    origin: Origin | None = None,
) -> str:
    """A new session for this person; the answer is its token, for the cookie alone."""
    token = new_token()
    await FORGET_DEAD.run(conn, person=person)
    await OPEN.run(
        conn,
        hash=digest(token),
        id=new_id(),
        principal_id=person,
        purpose=purpose,
        purpose_again=purpose,
        ip=ip,
        agent=(agent or "")[:300] or None,
        way=way,
        connection_id=origin.connection_id if origin else None,
        subject=origin.subject if origin else None,
        sso_session=origin.session if origin else None,
        sso_data=origin.data if origin else None,
        until=origin.until if origin else None,
        proved_at=origin.proved_at if origin else None,
    )
    if purpose == MEMBER:
        await TOUCH_PERSON.run(conn, of=person)
    return token


async def sessions_of(conn: Connection, person: UUID) -> list[OpenSession]:
    """His living sessions, the last used first."""
    found: list[OpenSession] = await OF_PERSON.all(conn, principal_id=person)
    return found


async def renew(conn: Connection, session_hash: str, way: Way | None) -> str:
    """The same session under a new token, proven now in this way; the old token is void. Its end does not move."""
    token = new_token()
    await RENEW.run(conn, of=session_hash, hash=digest(token), id=new_id(), way=way)
    return token


async def close(conn: Connection, session_hash: str) -> Ended | None:
    """This session ends."""
    ended: Ended | None = await CLOSE.one(conn, of=session_hash)
    return ended


async def close_by_provider(
    conn: Connection, connection_id: UUID, subject: str | None, sessions: tuple[str, ...]
) -> int:
    """An identity provider ends its sessions: the named ones of the subject, or all of his where none is named.

    Sessions of the subject whose provider gave them no name end with any. Without a subject the names alone say which:
    OpenID Connect's are unique, where SAML's may be numbers that each person's sessions begin anew.
    """
    if subject is None:
        return await CLOSE_NAMED.run(conn, connection_id=connection_id, named=list(sessions))
    if not sessions:
        return await CLOSE_SUBJECT.run(conn, connection_id=connection_id, subject=subject)
    return await CLOSE_SOME.run(conn, connection_id=connection_id, subject=subject, named=list(sessions))


async def revoke(conn: Connection, person: UUID, session_id: UUID) -> bool:
    """One of his own sessions ends, at once; False when he has no such session."""
    return await REVOKE.one(conn, of=session_id, person=person) is not None


async def close_others(conn: Connection, person: UUID, keep: str = "") -> None:
    """All his sessions end but the one with the hash `keep`."""
    await CLOSE_OTHERS.run(conn, person=person, but=keep)
