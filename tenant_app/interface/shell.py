"""The frame around every page of a workspace: the organisation, its spaces, its storage, and who looks."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from kit.interface import page
from tenant_app.interface.viewer import Viewer
from tenant_app.tenancy import Connection, Q, TenantRecord, tenant

AnyRequest = Request[Any, Any, Any]

# The frame reads what rooms above it write; these are the columns it reads, no more.
_read_only = MetaData()
_moment = DateTime(timezone=True)
space = Table("space", _read_only, Column("id", Uuid), Column("name", String), Column("archived_at", _moment))
access = Table(
    "access",
    _read_only,
    Column("object_id", Uuid),
    Column("subject_id", Uuid),
    Column("role", SmallInteger),
    Column("expires_at", _moment),
)
tally = Table("tally", _read_only, Column("key", String), Column("value", BigInteger))


class SpaceLink(msgspec.Struct, frozen=True):
    """A space in the side bar."""

    id: UUID
    name: str
    people: int


class Used(msgspec.Struct, frozen=True):
    """Bytes in use."""

    value: int


class Storage(msgspec.Struct, frozen=True):
    """The gauge: bytes used of a limit (None: without), and how full that is in percent."""

    used: int
    limit: int | None

    @property
    def percent(self) -> int:
        """Never above 100."""
        return min(100, self.used * 100 // self.limit) if self.limit else 0


_others = access.alias("others")
_people = (
    select(func.count()).where(_others.c.object_id == space.c.id).correlate(space).scalar_subquery().label("people")
)
SPACES = Q(
    select(space.c.id, space.c.name, _people)
    .join_from(space, access, and_(access.c.object_id == space.c.id, access.c.subject_id == bindparam("viewer")))
    .where(space.c.archived_at.is_(None), or_(access.c.expires_at.is_(None), access.c.expires_at > func.now()))
    .order_by(func.lower(space.c.name), space.c.id),
    SpaceLink,
)
USED = Q(select(tally.c.value).where(tally.c.key == "storage_used"), Used)


async def _storage(conn: Connection, record: TenantRecord) -> Storage:
    used: Used | None = await USED.one(conn)
    limit = record.entitlements.get("storage_bytes")
    return Storage(used.value if used else 0, None if limit is None else int(limit))


def _undo(of: str) -> str | None:
    """Where a form takes back what was just put in the trash; only an id may stand in the address."""
    try:
        return f"/drive/{UUID(of)}/restoration"
    except ValueError:
        return None


async def show(
    request: AnyRequest,
    conn: Connection,
    viewer: Viewer,
    template: str,
    *,
    csrf: str,
    status: int = 200,
    cookies: tuple[Cookie, ...] = (),
    current: str = "",
    here: UUID | None = None,
    **context: Any,
) -> Response[str]:
    """A page inside the shell. `current` marks the place in the side bar, `here` the space."""
    record = tenant(request)
    if viewer.support is not None and viewer.support.read_only:
        # Pages offer nothing that would be refused.
        record = msgspec.structs.replace(record, state="read_only")
    spaces: list[SpaceLink] = await SPACES.all(conn, viewer=viewer.id)
    return page(
        request,
        template,
        status=status,
        locale=viewer.locale,
        cookies=cookies,
        csrf=csrf,
        viewer=viewer,
        tenant=record,
        spaces=spaces,
        storage=await _storage(conn, record),
        current=current,
        here=here,
        told=request.query_params.get("told", ""),
        undo=_undo(request.query_params.get("of", "")),
        **context,
    )


def door(request: AnyRequest, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """A page outside the shell (sign-in, joining): the organisation's mark and name, nothing of its inside."""
    record = tenant(request)
    return page(request, template, status=status, locale=context.pop("locale", None), tenant=record, **context)
