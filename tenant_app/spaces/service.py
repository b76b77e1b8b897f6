"""Spaces: made, renamed, archived, opened to people. Guests see only the spaces that name them."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal, not_found
from kit.ids import new_id
from tenant_app.accounts import Desk, by_id, chore_later, lock_seats, note, person
from tenant_app.interface import Role
from tenant_app.spaces.models import access, space
from tenant_app.tenancy import Connection, Q, TenantRecord

SPACE = "s"
LONGEST = 160


class SpaceView(msgspec.Struct, frozen=True):
    """A space as one of its people sees it: `role` is his own there."""

    id: UUID
    name: str
    role: int
    archived_at: datetime | None
    created_at: datetime
    people: int

    @property
    def manages(self) -> bool:
        """He may rename it and say who comes in."""
        return self.role >= Role.ADMINISTRATOR


class Participant(msgspec.Struct, frozen=True):
    """Somebody in a space."""

    id: UUID
    name: str
    email: str
    kind: str
    role: int
    disabled: bool


class Candidate(msgspec.Struct, frozen=True):
    """Somebody of the workspace who is not in the space."""

    id: UUID
    name: str
    email: str
    kind: str


class Count(msgspec.Struct, frozen=True):
    """How many."""

    n: int


class Id(msgspec.Struct, frozen=True):
    """One id."""

    id: UUID


class SpaceName(msgspec.Struct, frozen=True):
    """A space's id and name."""

    id: UUID
    name: str


_all = access.alias("everybody")
_people = select(func.count()).where(_all.c.object_id == space.c.id).correlate(space).scalar_subquery()
_mine = and_(
    access.c.object_id == space.c.id,
    access.c.subject_id == bindparam("viewer"),
    or_(access.c.expires_at.is_(None), access.c.expires_at > func.now()),
)
_view = select(
    space.c.id, space.c.name, access.c.role, space.c.archived_at, space.c.created_at, _people.label("people")
).join_from(space, access, _mine)
MINE = Q(_view.order_by(space.c.archived_at.is_not(None), func.lower(space.c.name), space.c.id), SpaceView)
ONE = Q(_view.where(space.c.id == bindparam("space")), SpaceView)
COUNT = Q(select(func.count().label("n")).where(space.c.archived_at.is_(None)), Count)
ADD = Q(
    insert(space).values(
        id=bindparam("id"),
        kind=SPACE,
        name=bindparam("name"),
        settings=bindparam("settings"),
        owner_id=bindparam("owner_id"),
        created_at=func.now(),
    )
)
_letting = insert(access).values(
    object_id=bindparam("object_id"),
    subject_id=bindparam("subject_id"),
    object_kind=SPACE,
    role=bindparam("role"),
    perms=0,
)
LET_IN = Q(
    _letting.on_conflict_do_update(
        index_elements=[access.c.object_id, access.c.subject_id], set_={"role": _letting.excluded.role}
    )
)
LET_OUT = Q(delete(access).where(access.c.object_id == bindparam("space"), access.c.subject_id == bindparam("subject")))
RENAME = Q(update(space).where(space.c.id == bindparam("of")).values(name=bindparam("name")))
ARCHIVE = Q(update(space).where(space.c.id == bindparam("of")).values(archived_at=func.now()))
OPEN_AGAIN = Q(update(space).where(space.c.id == bindparam("of")).values(archived_at=None))
LOCK = Q(select(space.c.id).where(space.c.id == bindparam("of")).with_for_update(), Id)
OWNERS = Q(
    select(func.count().label("n"))
    .join_from(access, person, person.c.id == access.c.subject_id)
    .where(
        access.c.object_id == bindparam("space"),
        access.c.role == int(Role.OWNER),
        access.c.subject_id != bindparam("but"),
        person.c.disabled_at.is_(None),
    ),
    Count,
)
PARTICIPANTS = Q(
    select(
        person.c.id,
        person.c.name,
        func.coalesce(person.c.email, "").label("email"),
        person.c.kind,
        access.c.role,
        person.c.disabled_at.is_not(None).label("disabled"),
    )
    .join_from(access, person, person.c.id == access.c.subject_id)
    .where(access.c.object_id == bindparam("space"))
    .order_by(access.c.role.desc(), func.lower(person.c.name), person.c.id),
    Participant,
)
CANDIDATES = Q(
    select(person.c.id, person.c.name, func.coalesce(person.c.email, "").label("email"), person.c.kind)
    .where(
        person.c.disabled_at.is_(None),
        person.c.id.not_in(select(access.c.subject_id).where(access.c.object_id == bindparam("space"))),
    )
    .order_by(func.lower(person.c.name), person.c.id)
    .limit(1000),
    Candidate,
)
NAMED = Q(
    select(space.c.id, space.c.name)
    .join_from(space, access, and_(access.c.object_id == space.c.id, access.c.subject_id == bindparam("viewer")))
    .where(space.c.archived_at.is_(None), access.c.role >= int(Role.ADMINISTRATOR))
    .order_by(func.lower(space.c.name)),
    SpaceName,
)


def checked_name(name: str) -> str:
    """A space's name in one line."""
    name = " ".join(name.split())
    if not name:
        raise Refusal("name_missing", "A name is missing.", field="name")
    if len(name) > LONGEST:
        raise Refusal("name_long", "A space's name can have {most} characters at most.", field="name", most=LONGEST)
    if not name.isprintable():
        raise Refusal("name_control", "This name contains characters that cannot be seen. Type it again.", field="name")
    return name


async def mine(desk: Desk) -> list[SpaceView]:
    """The spaces this viewer is in, archived ones last."""
    found: list[SpaceView] = await MINE.all(desk.conn, viewer=desk.viewer.id)
    return found


async def one(desk: Desk, space_id: UUID) -> SpaceView:
    """A space he is in; any other one does not exist for him."""
    found: SpaceView | None = await ONE.one(desk.conn, viewer=desk.viewer.id, space=space_id)
    if found is None:
        raise not_found()
    return found


async def managed(desk: Desk, space_id: UUID) -> SpaceView:
    """A space that he manages."""
    found = await one(desk, space_id)
    if not found.manages:
        raise Refusal("not_allowed", "Only those who manage this space may do this.", status=403)
    return found


async def managed_by(conn: Connection, viewer: UUID) -> list[SpaceName]:
    """The spaces to which he may invite."""
    found: list[SpaceName] = await NAMED.all(conn, viewer=viewer)
    return found


async def _room_for_one(desk: Desk) -> None:
    most = desk.tenant.entitlements.get("spaces")
    if most is None:
        return
    await lock_seats(desk.conn)
    have: Count | None = await COUNT.one(desk.conn)
    if have is not None and have.n >= int(most):
        raise Refusal(
            "spaces_limit",
            "Your offer includes {most} spaces, and all are in use. Archive one, or ask for a larger offer.",
            field="name",
            status=409,
            most=int(most),
        )


async def create(desk: Desk, name: str) -> UUID:
    """A new space; its maker owns it."""
    name = checked_name(name)
    await _room_for_one(desk)
    made = new_id()
    await ADD.run(desk.conn, id=made, name=name, settings={}, owner_id=desk.viewer.id)
    await LET_IN.run(desk.conn, object_id=made, subject_id=desk.viewer.id, role=int(Role.OWNER))
    await note(desk, "space.made", made, name=name)
    await chore_later(desk.conn, desk.tenant)
    return made


async def rename(desk: Desk, space_id: UUID, name: str) -> None:
    """Another name."""
    before = await managed(desk, space_id)
    name = checked_name(name)
    await RENAME.run(desk.conn, of=space_id, name=name)
    await note(desk, "space.renamed", space_id, name=name, before=before.name)


async def archive(desk: Desk, space_id: UUID) -> None:
    """To be read only, out of the side bar, and no longer counted."""
    await managed(desk, space_id)
    await ARCHIVE.run(desk.conn, of=space_id)
    await note(desk, "space.archived", space_id)
    await chore_later(desk.conn, desk.tenant)


async def open_again(desk: Desk, space_id: UUID) -> None:
    """Back in use, if the offer has room for it."""
    found = await managed(desk, space_id)
    if found.archived_at is None:
        return
    await _room_for_one(desk)
    await OPEN_AGAIN.run(desk.conn, of=space_id)
    await note(desk, "space.opened_again", space_id)
    await chore_later(desk.conn, desk.tenant)


async def participants(desk: Desk, space_id: UUID) -> list[Participant]:
    """Who is in a space, its owners first."""
    found: list[Participant] = await PARTICIPANTS.all(desk.conn, space=space_id)
    return found


async def candidates(desk: Desk, space_id: UUID) -> list[Candidate]:
    """Who could be added."""
    found: list[Candidate] = await CANDIDATES.all(desk.conn, space=space_id)
    return found


async def let_in(desk: Desk, space_id: UUID, who: UUID, role: int) -> None:
    """This person is in the space with this role; guests of the workspace are guests here too."""
    found = await managed(desk, space_id)
    joining = await by_id(desk.conn, who)
    if joining is None or joining.disabled_at is not None:
        raise not_found()
    if role not in list(Role):
        raise Refusal("role_unknown", "Choose one of the roles of the list.", field="role")
    if joining.kind == "g" and role != Role.GUEST:
        raise Refusal("guest_role", "A guest of the workspace is a guest in its spaces too.", field="role", status=409)
    if role == Role.OWNER and found.role < Role.OWNER:
        raise Refusal("not_allowed", "Only an owner makes owners.", status=403)
    await _keep_an_owner(desk, space_id, who, role)
    await LET_IN.run(desk.conn, object_id=space_id, subject_id=who, role=role)
    await note(desk, "space.let_in", space_id, person=str(who), role=role)


async def let_out(desk: Desk, space_id: UUID, who: UUID) -> None:
    """This person is no longer in the space. Everybody may leave by himself."""
    if who != desk.viewer.id:
        await managed(desk, space_id)
    else:
        await one(desk, space_id)
    await _keep_an_owner(desk, space_id, who, -1)
    await LET_OUT.run(desk.conn, space=space_id, subject=who)
    await note(desk, "space.let_out", space_id, person=str(who))


async def _keep_an_owner(desk: Desk, space_id: UUID, who: UUID, role: int) -> None:
    if role == Role.OWNER:
        return
    await LOCK.one(desk.conn, of=space_id)
    present = {p.id: p.role for p in await participants(desk, space_id)}
    others: Count | None = await OWNERS.one(desk.conn, space=space_id, but=who)
    if present.get(who) == Role.OWNER:
        if (await one(desk, space_id)).role < Role.OWNER:
            raise Refusal("not_allowed", "Only an owner changes an owner's role.", status=403)
        if others is None or others.n == 0:
            raise Refusal("last_owner", "A space keeps at least one owner. Name another one first.", status=409)


async def admit(conn: Connection, record: TenantRecord, space_id: UUID, who: UUID, role: int) -> None:
    """Let a new arrival into the space he was invited to; nothing when that space is gone."""
    if await LOCK.one(conn, of=space_id) is not None:
        await LET_IN.run(conn, object_id=space_id, subject_id=who, role=role)
        await chore_later(conn, record)
