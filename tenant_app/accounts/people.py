"""The people of a workspace: found, added, changed."""

from datetime import datetime
from uuid import UUID
from zoneinfo import available_timezones

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from kit.domains import ascii_domain
from kit.errors import Refusal, Refusals
from tenant_app.accounts.models import principal, tally
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q

LOCALES = ("fr", "en")
LONGEST_EMAIL = 254


class Person(msgspec.Struct, frozen=True):
    """Somebody who can sign in here."""

    id: UUID
    kind: str
    name: str
    email: str | None
    role: int
    locale: str
    tz: str
    disabled_at: datetime | None
    seen_at: datetime | None


_person = select(
    principal.c.id,
    principal.c.kind,
    principal.c.name,
    principal.c.email,
    principal.c.role,
    principal.c.locale,
    principal.c.tz,
    principal.c.disabled_at,
    principal.c.seen_at,
)
BY_ID = Q(_person.where(principal.c.id == bindparam("id")), Person)
BY_EMAIL = Q(_person.where(principal.c.email == bindparam("email")), Person)
ADD = Q(
    insert(principal).values(
        id=bindparam("id"),
        kind=bindparam("kind"),
        name=bindparam("name"),
        email=bindparam("email"),
        role=bindparam("role"),
        locale=bindparam("locale"),
        tz=bindparam("tz"),
        prefs=bindparam("prefs"),
        created_at=func.now(),
    )
)
CHANGE = Q(
    update(principal)
    .where(principal.c.id == bindparam("of"))
    .values(name=bindparam("name"), locale=bindparam("locale"), tz=bindparam("tz"))
)
SEATS = Q(select(tally.c.key).where(tally.c.key == "seats").with_for_update())


async def lock_seats(conn: Connection) -> None:
    """Whoever counts people or spaces against the offer does so one after the other."""
    await SEATS.all(conn)


def normal_email(email: str) -> str:
    """The form in which an e-mail is kept and looked for: in lower case, its domain as DNS knows it."""
    return _normal(email)[:LONGEST_EMAIL]


def _normal(email: str) -> str:
    local, at, domain = email.strip().lower().rpartition("@")
    return f"{local}{at}{(at and ascii_domain(domain)) or domain}"


def whole_email(email: str) -> str:
    """The same of what somebody else sent; nothing where that is no address."""
    # Cut to what is kept, a long one would end in another domain than it was sent with.
    normal = _normal(email)
    whole = len(normal) <= LONGEST_EMAIL and email.strip().isprintable() and " " not in normal
    return normal if whole and all(normal.rpartition("@")[::2]) else ""


def printable_name(name: str) -> str:
    """A name that somebody else sent, in one line and as long as is kept."""
    return "".join(one for one in " ".join(name.split()) if one.isprintable())[:120].strip()


async def by_id(conn: Connection, of: UUID) -> Person | None:
    """The person with this id."""
    found: Person | None = await BY_ID.one(conn, id=of)
    return found


async def by_email(conn: Connection, email: str) -> Person | None:
    """The person with this e-mail."""
    found: Person | None = await BY_EMAIL.one(conn, email=normal_email(email))
    return found


async def add(conn: Connection, of: UUID, *, name: str, email: str, role: int, locale: str) -> None:
    """A new person: a guest or a member, by his role."""
    kind = "g" if role == Role.GUEST else "m"
    await ADD.run(conn, id=of, kind=kind, name=name, email=email, role=role, locale=locale, tz="Europe/Paris", prefs={})


def checked_name(name: str) -> str:
    """A person's name in one line."""
    name = " ".join(name.split())
    if not name:
        raise Refusal("name_missing", "Tell us your name.", field="name")
    if len(name) > 120:
        raise Refusal("name_long", "A name can have 120 characters at most.", field="name")
    if not name.isprintable():
        raise Refusal("name_control", "This name contains characters that cannot be seen. Type it again.", field="name")
    return name


async def change(conn: Connection, of: UUID, *, name: str, locale: str, tz: str) -> None:
    """His name, language and time zone."""
    wrong = []
    try:
        name = checked_name(name)
    except Refusal as refusal:
        wrong.append(refusal)
    if locale not in LOCALES:
        wrong.append(Refusal("locale_unknown", "Choose one of the languages of the list.", field="locale"))
    if tz not in available_timezones():
        wrong.append(Refusal("tz_unknown", "Choose one of the time zones of the list.", field="tz"))
    if wrong:
        raise Refusals(wrong)
    await CHANGE.run(conn, of=of, name=name, locale=locale, tz=tz)
