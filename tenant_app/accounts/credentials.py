"""What a person signs in with: a password, passkeys, one-time codes, a mailed link. Stored rows only, no rules."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update

from kit.ids import new_id
from tenant_app.accounts.models import credential
from tenant_app.tenancy import Connection, Q

PASSWORD = "p"  # noqa: S105 - a kind of credential
PASSKEY = "k"
CODES = "t"
RESET = "r"


class Credential(msgspec.Struct, frozen=True):
    """One stored credential."""

    id: UUID
    principal_id: UUID
    kind: str
    secret: str | None
    handle: bytes | None
    public_key: bytes | None
    sign_count: int
    name: str | None
    used_at: datetime | None
    created_at: datetime


_all = select(
    credential.c.id,
    credential.c.principal_id,
    credential.c.kind,
    credential.c.secret,
    credential.c.handle,
    credential.c.public_key,
    credential.c.sign_count,
    credential.c.name,
    credential.c.used_at,
    credential.c.created_at,
)
OF = Q(_all.where(credential.c.principal_id == bindparam("person")).order_by(credential.c.created_at), Credential)
BY_HANDLE = Q(
    _all.where(credential.c.handle == bindparam("handle"), credential.c.kind == bindparam("kind")).with_for_update(),
    Credential,
)
ONE = Q(
    _all.where(credential.c.principal_id == bindparam("person"), credential.c.kind == bindparam("kind"))
    .order_by(credential.c.created_at.desc())
    .with_for_update(),
    Credential,
)
ADD = Q(
    insert(credential).values(
        id=bindparam("id"),
        principal_id=bindparam("principal_id"),
        kind=bindparam("kind"),
        secret=bindparam("secret"),
        handle=bindparam("handle"),
        public_key=bindparam("public_key"),
        sign_count=bindparam("sign_count"),
        transports=bindparam("transports"),
        name=bindparam("name"),
        created_at=func.now(),
    )
)
USED = Q(
    update(credential)
    .where(credential.c.id == bindparam("of"))
    .values(used_at=func.now(), sign_count=bindparam("sign_count"))
)
SECRET = Q(update(credential).where(credential.c.id == bindparam("of")).values(secret=bindparam("secret")))
DROP = Q(
    delete(credential)
    .where(credential.c.id == bindparam("of"), credential.c.principal_id == bindparam("person"))
    .returning(credential.c.id)
)
DROP_KIND = Q(
    delete(credential).where(credential.c.principal_id == bindparam("person"), credential.c.kind == bindparam("kind"))
)


async def of(conn: Connection, person: UUID) -> list[Credential]:
    """All that this person has, the oldest first."""
    found: list[Credential] = await OF.all(conn, person=person)
    return found


async def second_factors(conn: Connection, person: UUID) -> frozenset[str]:
    """The kinds that are more than a password, of those he has."""
    return frozenset(one.kind for one in await of(conn, person)) & {PASSKEY, CODES}


async def one(conn: Connection, person: UUID, kind: str) -> Credential | None:
    """The latest of one kind, locked until the transaction ends."""
    found: Credential | None = await ONE.one(conn, person=person, kind=kind)
    return found


async def by_handle(conn: Connection, handle: bytes, kind: str) -> Credential | None:
    """The one with this handle, locked until the transaction ends."""
    found: Credential | None = await BY_HANDLE.one(conn, handle=handle, kind=kind)
    return found


async def add(
    conn: Connection,
    person: UUID,
    kind: str,
    *,
    secret: str | None = None,
    handle: bytes | None = None,
    public_key: bytes | None = None,
    sign_count: int = 0,
    transports: str | None = None,
    name: str | None = None,
) -> UUID:
    """Store one more."""
    key = new_id()
    await ADD.run(
        conn,
        id=key,
        principal_id=person,
        kind=kind,
        secret=secret,
        handle=handle,
        public_key=public_key,
        sign_count=sign_count,
        transports=transports,
        name=name,
    )
    return key


async def used(conn: Connection, key: UUID, sign_count: int = 0) -> None:
    """It was used now; the count never goes back."""
    await USED.run(conn, of=key, sign_count=sign_count)


async def replace_secret(conn: Connection, key: UUID, secret: str) -> None:
    """The same credential, with another secret."""
    await SECRET.run(conn, of=key, secret=secret)


async def drop(conn: Connection, person: UUID, key: UUID) -> bool:
    """Remove one of his; False when it is not his."""
    return await DROP.one(conn, of=key, person=person) is not None


async def drop_kind(conn: Connection, person: UUID, kind: str) -> None:
    """Remove all of one kind."""
    await DROP_KIND.run(conn, person=person, kind=kind)
