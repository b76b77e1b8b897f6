"""A changed mapping of groups to roles acts on the people whom a directory has pushed, before their next push.

Only whom the change concerns is touched: those to whom the old mapping and the new one give something else. Whatever an
administrator set by hand for the others stays. The rules are those of a push: owners and break-glass accounts keep
their role, seats are counted, and who would get no role any more goes within the brake, all counted together.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from kit import logs
from kit.errors import Refusal
from tenant_app.accounts import lock_seats, setting
from tenant_app.contract import ScimToken, SignInConnection
from tenant_app.scim.events import tell
from tenant_app.scim.models import scim_user
from tenant_app.scim.pushing import Push
from tenant_app.scim.standing import STANDINGS, Mapping, Standing, role_by, settle
from tenant_app.tenancy import Connection, Q, TenantPool, TenantRecord

APPLIED = "scim_mapping"
AT_ONCE = 500
SOON = timedelta(seconds=1)
GENERATION = "select generation from directory.tenant where organisation_id = $1"

log = logs.get("tenant_app.scim")


class Kept(msgspec.Struct, frozen=True):
    """The mapping that was applied last."""

    value: Mapping


class Of(msgspec.Struct, frozen=True):
    """Somebody."""

    id: UUID


READ = Q(select(setting.c.value).where(setting.c.key == APPLIED), Kept)
_write = insert(setting).values(key=APPLIED, value=bindparam("value"))
WRITE = Q(_write.on_conflict_do_update(index_elements=["key"], set_={"value": _write.excluded.value}))
EVERYBODY = Q(select(scim_user.c.id).order_by(scim_user.c.id), Of)


def mapping_of(connection: SignInConnection | None) -> Mapping:
    """What a connection says of groups; one that maps none says nothing."""
    if connection is None or not connection.roles:
        return Mapping()
    return Mapping(roles=connection.roles, otherwise=connection.otherwise)


def directory_of(record: TenantRecord) -> tuple[ScimToken, SignInConnection | None] | None:
    """The directory that pushes. With several, nobody knows whose a person is: then each acts with its next push."""
    now = datetime.now(UTC)
    alive = [one for one in record.identity.scim_tokens if one.expires_at is None or one.expires_at > now]
    if len({one.connection_id for one in alive}) != 1:
        return None
    found = (one for one in record.identity.connections if one.id == alive[0].connection_id)
    return alive[0], next(found, None)


async def follow(pool: TenantPool, record: TenantRecord) -> datetime | None:
    """Apply the mapping as it is now, if it is another one; tells when to come again, if at all."""
    directory = directory_of(record)
    if directory is None or record.state != "live":
        return None
    async with pool.shared() as conn:
        newest = await conn.fetchval(GENERATION, record.organisation_id)
    if newest is not None and newest > record.generation:
        # This process has not heard of the change yet that it is called for.
        return datetime.now(UTC) + SOON
    token, connection = directory
    wanted = mapping_of(connection)
    async with pool.transaction(record, read_only=False) as conn:
        found = await READ.one(conn)
        if found is None:
            await WRITE.run(conn, value=msgspec.to_builtins(wanted))
        before = wanted if found is None else msgspec.convert(found.value, Mapping)
        leaving, others = ([], []) if before == wanted else await _concerned(conn, before, wanted)
    if before == wanted:
        return None
    for some in [leaving, *(others[at : at + AT_ONCE] for at in range(0, len(others), AT_ONCE))]:
        await _settle(pool, Push(record, token, connection, "", None), some)
    async with pool.transaction(record, read_only=False) as conn:
        await WRITE.run(conn, value=msgspec.to_builtins(wanted))
    return None


async def _concerned(conn: Connection, before: Mapping, wanted: Mapping) -> tuple[list[UUID], list[UUID]]:
    """Those to whom the change gives something else: whom it gives nothing any more, and the others."""
    everybody: list[Of] = await EVERYBODY.all(conn)
    found: list[Standing] = await STANDINGS.all(conn, ids=[one.id for one in everybody])
    leaving: list[UUID] = []
    others: list[UUID] = []
    for one in found:
        old, new = role_by(before, one.groups, one.role), role_by(wanted, one.groups, one.role)
        if old != new:
            (leaving if new is None else others).append(one.id)
    return leaving, others


async def _settle(pool: TenantPool, push: Push, ids: Sequence[UUID]) -> None:
    """Some of them, in a transaction. What the offer does not allow is told in the journal, and the rest goes on."""
    if not ids:
        return
    try:
        async with pool.transaction(push.record, read_only=False) as conn:
            await lock_seats(conn)
            await settle(replace(push, conn=conn), ids, "mapping")
    except Refusal as refusal:
        log.warning("a mapping does not fit", organisation_id=str(push.record.organisation_id), code=refusal.code)
        async with pool.transaction(push.record, read_only=False) as conn:
            held = replace(push, conn=conn)
            await tell(held, "mapping.refused", None, code=refusal.code, detail=str(refusal), people=len(ids))
