"""Sessions: only a hash is stored, an id never survives a change of rights, and each request asks anew."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Interval, and_, bindparam, case, delete, exists, func, insert, literal_column, select, update

from kit.credentials import new_token, token_hash
from kit.ids import new_id
from tenant_app.accounts.models import credential, principal, session
from tenant_app.interface import Viewer
from tenant_app.tenancy import Connection, Q

IDLE = literal_column("interval '14 days'", Interval)
ABSOLUTE = literal_column("interval '60 days'", Interval)
AWAITING_CODE = literal_column("interval '10 minutes'", Interval)
MINUTE = literal_column("interval '1 minute'", Interval)

MEMBER = "member"
CODE = "code"


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
        (session.c.seen_at < NOW - MINUTE).label("stale"),
        principal.c.id,
        principal.c.name,
        func.coalesce(principal.c.email, "").label("email"),
        principal.c.role,
        principal.c.locale,
        principal.c.tz,
        exists()
        .where(credential.c.principal_id == principal.c.id, credential.c.kind.in_(("p", "k")))
        .correlate(principal)
        .label("equipped"),
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
        verified_at=NOW,
        seen_at=NOW,
        created_at=NOW,
        expires_at=NOW + case((bindparam("purpose_again") == CODE, AWAITING_CODE), else_=ABSOLUTE),
    )
)
OF_PERSON = Q(
    select(session.c.id, session.c.ip, session.c.agent, session.c.seen_at, session.c.created_at)
    .where(session.c.principal_id == bindparam("principal_id"), session.c.purpose == MEMBER, ALIVE)
    .order_by(session.c.seen_at.desc()),
    OpenSession,
)
CLOSE = Q(delete(session).where(session.c.hash == bindparam("of")))
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
        await TOUCH.run(conn, of=viewer.session_hash)
        await TOUCH_PERSON.run(conn, of=viewer.id)
    return viewer


async def open_session(
    conn: Connection, person: UUID, *, purpose: str = MEMBER, ip: str | None, agent: str | None
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
    )
    if purpose == MEMBER:
        await TOUCH_PERSON.run(conn, of=person)
    return token


async def sessions_of(conn: Connection, person: UUID) -> list[OpenSession]:
    """His living sessions, the last used first."""
    found: list[OpenSession] = await OF_PERSON.all(conn, principal_id=person)
    return found


async def close(conn: Connection, session_hash: str) -> None:
    """This session ends."""
    await CLOSE.run(conn, of=session_hash)


async def revoke(conn: Connection, person: UUID, session_id: UUID) -> bool:
    """One of his own sessions ends, at once; False when he has no such session."""
    return await REVOKE.one(conn, of=session_id, person=person) is not None


async def close_others(conn: Connection, person: UUID, keep: str = "") -> None:
    """All his sessions end but the one with the hash `keep`."""
    await CLOSE_OTHERS.run(conn, person=person, but=keep)
