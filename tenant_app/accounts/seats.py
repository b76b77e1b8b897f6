"""Seats of the offer: how many people of each kind there may be, those who are invited counted too."""

import msgspec
from sqlalchemy import Column, DateTime, MetaData, String, Table, bindparam, func, select

from kit.errors import Refusal
from tenant_app.accounts.models import principal
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q, TenantRecord

NOW = func.now()
MEMBER = "m"
GUEST = "g"

# Invitations are a room above; these are the columns that counting reads.
_moment = DateTime(timezone=True)
invitation = Table(
    "invitation",
    MetaData(),
    Column("email", String(254)),
    Column("kind", String(1)),
    Column("accepted_at", _moment),
    Column("expires_at", _moment),
)


class Count(msgspec.Struct, frozen=True):
    """How many."""

    n: int


SEATED = Q(
    select(func.count().label("n")).where(principal.c.kind == bindparam("kind"), principal.c.disabled_at.is_(None)),
    Count,
)
INVITED = Q(
    select(func.count().label("n")).where(
        invitation.c.kind == bindparam("kind"),
        invitation.c.accepted_at.is_(None),
        invitation.c.expires_at > NOW,
        invitation.c.email != bindparam("but"),
    ),
    Count,
)


def kind_of(role: int) -> str:
    """Guests and members are counted apart."""
    return GUEST if role == Role.GUEST else MEMBER


async def require_seats(conn: Connection, record: TenantRecord, kind: str, more: int, *, invited: str = "") -> None:
    """Refuse when `more` people of this kind would pass what the offer includes. Call under the seats' lock.

    `invited` is the e-mail of who comes now: a seat that an invitation keeps for him is his.
    """
    most = record.entitlements.get("guests" if kind == GUEST else "members")
    if most is None:
        return
    taken = (await SEATED.one(conn, kind=kind)).n + (await INVITED.one(conn, kind=kind, but=invited)).n
    if taken + more <= int(most):
        return
    message = (
        "Your offer includes {most} guests; {taken} are here or invited. Take one out, or ask for a larger offer."
        if kind == GUEST
        else "Your offer includes {most} members; {taken} are here or invited. Take one out, or ask for a larger offer."
    )
    raise Refusal("seats_limit", message, field="emails", status=409, most=int(most), taken=taken)
