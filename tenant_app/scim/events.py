"""What directories did, line by line, for the console; and its traces in the workspace's own journal."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert

from kit.ids import new_id
from tenant_app.accounts import record
from tenant_app.scim.models import scim_event
from tenant_app.scim.pushing import Push
from tenant_app.tenancy import Q

ADD = Q(
    insert(scim_event).values(
        id=bindparam("id"),
        token_id=bindparam("token_id"),
        verb=bindparam("verb"),
        object_id=bindparam("object_id"),
        data=bindparam("data"),
        created_at=func.now(),
    )
)


async def tell(push: Push, verb: str, of: UUID | None, **data: Any) -> None:
    """One line: what this directory did to whom."""
    await ADD.run(push.conn, id=new_id(), token_id=push.token.id, verb=verb, object_id=of, data=data)


async def tell_each(push: Push, verb: str, ids: Iterable[UUID], **data: Any) -> None:
    """The same about several, in one round trip."""
    common = {"token_id": push.token.id, "verb": verb, "data": data}
    await ADD.each(push.conn, [{"id": new_id(), "object_id": of, **common} for of in ids])


async def journal_each(push: Push, verb: str, ids: Iterable[UUID], **data: Any) -> None:
    """The workspace's own journal: nobody of the workspace did it, a directory did."""
    for of in ids:
        await record(push.conn, None, verb, of, by="scim", **data)
