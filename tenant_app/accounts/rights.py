"""Who beside the owners sets up how people sign in (`sso:admin`), as the contract keeps it: given, counted, lost."""

from collections.abc import Collection
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from tenant_app.accounts.models import setting
from tenant_app.contract import SSO_ADMIN, sso_admin_key
from tenant_app.tenancy import Connection, Q


class Kept(msgspec.Struct, frozen=True):
    """The row of one who may."""

    key: str


GIVE = Q(
    insert(setting)
    .values(key=bindparam("key"), value=bindparam("value"))
    .on_conflict_do_nothing()
    .returning(setting.c.key)
)
LOSE = Q(delete(setting).where(setting.c.key == func.any(bindparam("keys"))).returning(setting.c.key), Kept)
HOLDERS = Q(select(setting.c.key).where(setting.c.key.startswith(SSO_ADMIN, autoescape=True)), Kept)


def _people(kept: Collection[Kept]) -> set[UUID]:
    return {UUID(one.key.removeprefix(SSO_ADMIN)) for one in kept}


async def sso_admins(conn: Connection) -> set[UUID]:
    """Whom an owner has named. It counts for those who are administrators."""
    return _people(await HOLDERS.all(conn))


async def give_sso_admin(conn: Connection, of: UUID, given_by: UUID) -> bool:
    """From his next request on; False if he has it already."""
    made = await GIVE.scalar(conn, key=sso_admin_key(of), value={"by": str(given_by)})
    return made is not None


async def lose_sso_admin(conn: Connection, people: Collection[UUID]) -> set[UUID]:
    """No more; tells who had it. Whatever changes a role calls this."""
    return _people(await LOSE.all(conn, keys=[sso_admin_key(one) for one in people]))
