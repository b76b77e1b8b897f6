"""The workspace's own record of who did what: it grows in the transaction of what it tells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert

from kit.ids import new_id
from tenant_app.accounts.models import journal
from tenant_app.contract import SupportGrant
from tenant_app.tenancy import Connection, Q

if TYPE_CHECKING:
    # The desk itself notes what support looks at.
    from tenant_app.accounts.desk import Desk

ADD = Q(
    insert(journal).values(
        id=bindparam("id"),
        actor_id=bindparam("actor_id"),
        verb=bindparam("verb"),
        object_id=bindparam("object_id"),
        data=bindparam("data"),
        created_at=func.now(),
    )
)


def acting(grant: SupportGrant | None) -> dict[str, Any]:
    """Who of the provider's staff acted in the name of the line's actor, if anybody did."""
    if grant is None:
        return {}
    return {"support": {"grant": str(grant.id), "staff": str(grant.staff_id), "name": grant.staff_name}}


async def record(conn: Connection, actor: UUID | None, verb: str, of: UUID | None, **data: Any) -> None:
    """One line: who did what to what."""
    await ADD.run(conn, id=new_id(), actor_id=actor, verb=verb, object_id=of, data=data)


async def note(desk: "Desk", verb: str, of: UUID | None, **data: Any) -> None:
    """One line about what this desk's viewer did."""
    await record(desk.conn, desk.viewer.id, verb, of, **data, **acting(desk.viewer.support))


async def notes(desk: "Desk", lines: Sequence[tuple[str, UUID, dict[str, Any]]]) -> None:
    """Several lines (verb, of what, data) about what this desk's viewer did, in one round trip."""
    actor, staff = desk.viewer.id, acting(desk.viewer.support)
    rows = [
        {"id": new_id(), "actor_id": actor, "verb": verb, "object_id": of, "data": data | staff}
        for verb, of, data in lines
    ]
    await ADD.each(desk.conn, rows)
