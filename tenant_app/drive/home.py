"""The start page: what to do in the first hour, and what changed lately."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_date
from litestar import Response, get, post
from litestar.response import Redirect
from sqlalchemy import bindparam, exists, func, literal_column, or_, select, update

from kit.interface import locale_of
from tenant_app.accounts import AnyRequest, Desk, Room, csrf, desk, person
from tenant_app.drive import listing
from tenant_app.drive.models import node
from tenant_app.drive.names import kind_of
from tenant_app.drive.reach import FILE
from tenant_app.interface import Role, show
from tenant_app.members import invitation
from tenant_app.spaces import access, space
from tenant_app.tenancy import Q

HIDDEN = "first_hour_hidden"


class FirstHour(msgspec.Struct, frozen=True):
    """What has been done of the first hour."""

    hidden: bool
    invited: bool
    space: bool
    uploaded: bool
    guest: bool
    first_space: UUID | None

    @property
    def done(self) -> int:
        """How many of the six are done; opening the workspace and choosing how to sign in always are."""
        return 2 + sum((self.invited, self.space, self.uploaded, self.guest))


_others = exists().where(person.c.id != bindparam("viewer"))
_asked = exists(select(invitation.c.id))
_guests = or_(exists().where(person.c.kind == "g"), exists(select(invitation.c.id).where(invitation.c.kind == "g")))
_first = (
    select(access.c.object_id)
    .join_from(access, space, space.c.id == access.c.object_id)
    .where(access.c.subject_id == bindparam("viewer"), space.c.archived_at.is_(None))
    .order_by(space.c.created_at)
    .limit(literal_column("1"))
)
STATE = Q(
    select(
        func.coalesce(person.c.prefs.has_key(HIDDEN), False).label("hidden"),
        or_(_others, _asked).label("invited"),
        exists(select(space.c.id)).label("space"),
        exists(select(node.c.id).where(node.c.kind == FILE)).label("uploaded"),
        _guests.label("guest"),
        _first.scalar_subquery().label("first_space"),
    ).where(person.c.id == bindparam("viewer")),
    FirstHour,
)
HIDE = Q(
    update(person)
    .where(person.c.id == bindparam("of"))
    .values(prefs=person.c.prefs.op("||")(bindparam("more", type_=person.c.prefs.type)))
)


async def first_hour(desk: Desk) -> FirstHour | None:
    """The list, for those who set the workspace up and have not put it away."""
    if not desk.viewer.administers:
        return None
    state: FirstHour | None = await STATE.one(desk.conn, viewer=desk.viewer.id)
    return None if state is None or state.hidden or state.done == 6 else state


def today(request: AnyRequest, desk: Desk) -> str:
    """`Lundi 23 novembre`, where the viewer is."""
    words = format_date(
        datetime.now(UTC).astimezone(ZoneInfo(desk.viewer.tz)),
        "EEEE d MMMM",
        locale=locale_of(request, desk.viewer.locale),
    )
    return words[:1].upper() + words[1:]


class Home(Room):
    """For whoever is signed in."""

    opt = {"support": "read"}  # noqa: RUF012 - Litestar's way

    @get("/", admits=Role.GUEST)
    async def home(self, request: AnyRequest) -> Response[Any]:
        """The start page."""
        async with desk(request) as d:
            return await show(
                request,
                d.conn,
                d.viewer,
                "drive/home.html",
                csrf=csrf.token(request),
                current="home",
                first_hour=await first_hour(d),
                recent=await listing.recent(d.conn, d.viewer.id),
                today=today(request, d),
                kind_of=kind_of,
            )

    @post("/first-hour/hiding", admits=Role.GUEST, status_code=303)
    async def hide(self, request: AnyRequest) -> Response[Any]:
        """Put the list away, for good."""
        async with desk(request) as d:
            await HIDE.run(d.conn, of=d.viewer.id, more={HIDDEN: True})
        return Redirect("/", status_code=303)
