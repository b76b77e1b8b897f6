"""Invitations: mailed, renewed, withdrawn, accepted once."""

import re
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.credentials import new_token, token_hash
from kit.errors import Refusal, not_found
from kit.ids import new_id
from tenant_app.accounts import (
    Desk,
    Invited,
    Person,
    add,
    checked_name,
    chore_later,
    kind_of,
    lock_seats,
    mail_later,
    normal_email,
    note,
    person,
    require_seats,
)
from tenant_app.accounts import record as journal
from tenant_app.interface import Role
from tenant_app.members.models import invitation
from tenant_app.members.service import checked_role, person_rows
from tenant_app.spaces import admit, managed_by
from tenant_app.tenancy import Connection, Q, TenantRecord

NOW = func.now()
WEEK = literal_column("interval '7 days'", Interval)
MOST_AT_ONCE = 200
EMAIL = re.compile(r"[^@\s,;<>\"'()\\]{1,64}@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
SEPARATORS = re.compile(r"[\s,;]+")
IN_BRACKETS = re.compile(r"[^,;\n<>]*<([^<>\s]+)>")


class Invitation(msgspec.Struct, frozen=True):
    """An invitation that nobody has accepted yet."""

    id: UUID
    email: str
    role: int
    space_id: UUID | None
    invited_by: UUID
    expires_at: datetime
    expired: bool


HERE_ALREADY = Q(person_rows.where(person.c.email == func.any(bindparam("emails"))), Person)
_invitation = select(
    invitation.c.id,
    invitation.c.email,
    invitation.c.role,
    invitation.c.space_id,
    invitation.c.invited_by,
    invitation.c.expires_at,
    (invitation.c.expires_at < NOW).label("expired"),
).where(invitation.c.accepted_at.is_(None))
OPEN = Q(_invitation.order_by(invitation.c.created_at.desc(), invitation.c.id).limit(1000), Invitation)
ONE_OPEN = Q(_invitation.where(invitation.c.id == bindparam("id")).with_for_update(), Invitation)
BY_TOKEN = Q(
    _invitation.where(invitation.c.hash == bindparam("hash"), invitation.c.expires_at > NOW).with_for_update(),
    Invitation,
)
WAITING = Q(
    _invitation.where(invitation.c.email == bindparam("email"), invitation.c.expires_at > NOW).with_for_update(),
    Invitation,
)
_inviting = insert(invitation).values(
    id=bindparam("id"),
    email=bindparam("email"),
    kind=bindparam("kind"),
    role=bindparam("role"),
    space_id=bindparam("space_id"),
    hash=bindparam("hash"),
    invited_by=bindparam("invited_by"),
    expires_at=NOW + WEEK,
    created_at=NOW,
)
_again = {
    name: getattr(_inviting.excluded, name)
    for name in ("kind", "role", "space_id", "hash", "invited_by", "expires_at", "created_at")
}
INVITE = Q(
    _inviting.on_conflict_do_update(
        index_elements=[invitation.c.email], index_where=invitation.c.accepted_at.is_(None), set_=_again
    ).returning(invitation.c.id)
)
RENEW = Q(
    update(invitation).where(invitation.c.id == bindparam("of")).values(hash=bindparam("hash"), expires_at=NOW + WEEK)
)
REVOKE = Q(
    delete(invitation)
    .where(invitation.c.id == bindparam("of"), invitation.c.accepted_at.is_(None))
    .returning(invitation.c.id)
)
ACCEPT = Q(update(invitation).where(invitation.c.id == bindparam("of")).values(accepted_at=NOW))


def addresses_in(text: str) -> list[str]:
    """E-mail addresses from pasted text, each once; what is none is named in a Refusal."""
    text = IN_BRACKETS.sub(r" \1 ", text)
    found = list(dict.fromkeys(normal_email(part) for part in SEPARATORS.split(text) if part))
    if not found:
        raise Refusal("emails_missing", "Type or paste at least one e-mail address.", field="emails")
    if len(found) > MOST_AT_ONCE:
        raise Refusal("emails_many", "Invite at most {most} people at a time.", field="emails", most=MOST_AT_ONCE)
    wrong = [email for email in found if not EMAIL.fullmatch(email)]
    if wrong:
        raise Refusal(
            "email_invalid",
            "This is no e-mail address: {wrong}. Nobody was invited.",
            field="emails",
            wrong=", ".join(wrong[:5]),
        )
    return found


async def open_invitations(conn: Connection) -> list[Invitation]:
    """Those that nobody has accepted."""
    found: list[Invitation] = await OPEN.all(conn)
    return found


async def invite(desk: Desk, emails: str, role: int, space_id: UUID | None, base_url: str) -> list[str]:
    """Mail each address a link to join; all of them or none. An open invitation is replaced by the new one."""
    role = checked_role(desk, role)
    asked = addresses_in(emails)
    if role == Role.GUEST and space_id is None:
        raise Refusal("space_needed", "A guest sees only the spaces that name him: choose one.", field="space")
    if space_id is not None and space_id not in {space.id for space in await managed_by(desk.conn, desk.viewer.id)}:
        raise Refusal("space_unknown", "Choose a space that you manage.", field="space")
    await lock_seats(desk.conn)
    here: list[Person] = await HERE_ALREADY.all(desk.conn, emails=asked)
    if here:
        names = ", ".join(one.email or "" for one in here[:5])
        raise Refusal(
            "already_here", "Already in this workspace: {names}. Nobody was invited.", field="emails", names=names
        )
    replaced = {
        one.email for one in await open_invitations(desk.conn) if not one.expired and kind_of(one.role) == kind_of(role)
    }
    await require_seats(desk.conn, desk.tenant, kind_of(role), len([email for email in asked if email not in replaced]))
    for email in asked:
        await _invite_one(desk, email, role, space_id, base_url)
    await chore_later(desk.conn, desk.tenant)
    return asked


async def _invite_one(desk: Desk, email: str, role: int, space_id: UUID | None, base_url: str) -> None:
    token = new_token()
    made: UUID = await INVITE.scalar(
        desk.conn,
        id=new_id(),
        email=email,
        kind=kind_of(role),
        role=role,
        space_id=space_id,
        hash=token_hash(token).hex(),
        invited_by=desk.viewer.id,
    )
    await note(desk, "member.invited", made, email=email, role=role)
    await _mail(desk, email, token, base_url)


async def _mail(desk: Desk, email: str, token: str, base_url: str) -> None:
    await mail_later(
        desk.conn,
        desk.tenant,
        "invitation",
        email,
        desk.tenant.locale,
        organisation=desk.tenant.name,
        inviter=desk.viewer.name,
        url=f"{base_url}/join?token={token}",
    )


async def resend(desk: Desk, of: UUID, base_url: str) -> None:
    """A fresh link for another week; the old one is void."""
    await lock_seats(desk.conn)
    found: Invitation | None = await ONE_OPEN.one(desk.conn, id=of)
    if found is None:
        raise not_found()
    if found.expired:
        await require_seats(desk.conn, desk.tenant, kind_of(found.role), 1)
    token = new_token()
    await RENEW.run(desk.conn, of=of, hash=token_hash(token).hex())
    await note(desk, "member.invited_again", of, email=found.email)
    await _mail(desk, found.email, token, base_url)


async def revoke(desk: Desk, of: UUID) -> None:
    """The link is void; the seat is free."""
    if await REVOKE.scalar(desk.conn, of=of) is None:
        raise not_found()
    await note(desk, "member.invitation_revoked", of)


def invitation_void() -> Refusal:
    """Used, revoked, replaced, or older than a week: the same answer."""
    return Refusal(
        "invitation_void", "This invitation was already used or withdrawn, or its week has passed.", status=410
    )


async def by_token(conn: Connection, token: str) -> Invitation:
    """The invitation behind a link, locked."""
    found: Invitation | None = await BY_TOKEN.one(conn, hash=token_hash(token).hex())
    if found is None:
        raise invitation_void()
    return found


async def accept(conn: Connection, tenant: TenantRecord, token: str, name: str, locale: str) -> UUID:
    """The invited person is here now, in the space he was invited to. A link works once."""
    # Seats before the row, as everywhere: he may come by his identity provider at the same moment.
    await lock_seats(conn)
    found = await by_token(conn, token)
    name = checked_name(name)
    if await HERE_ALREADY.all(conn, emails=[found.email]):
        raise invitation_void()
    made = new_id()
    await add(conn, made, name=name, email=found.email, role=found.role, locale=locale)
    await ACCEPT.run(conn, of=found.id)
    await journal(conn, made, "member.joined", made, email=found.email, role=found.role)
    await _let_into(conn, tenant, found, made, found.role)
    await chore_later(conn, tenant)
    return made


async def _let_into(conn: Connection, tenant: TenantRecord, found: Invitation, who: UUID, role: int) -> None:
    """Into the space that an invitation names, if it names one."""
    if found.space_id is not None:
        guest = Role.GUEST in (found.role, role)
        await admit(conn, tenant, found.space_id, who, int(Role.GUEST if guest else Role.MEMBER))


class Waiting:
    """Invitations of those who come by an identity provider first, which vouches for their address as a link does."""

    async def waiting(self, conn: Connection, email: str) -> Invited | None:
        """The one that waits for this e-mail."""
        found: Invitation | None = await WAITING.one(conn, email=email)
        return None if found is None else Invited(found.id, found.role)

    async def accept(self, conn: Connection, record: TenantRecord, invited: Invited, person: Person) -> None:
        """It is accepted, and he is in the space that it names."""
        found: Invitation | None = await ONE_OPEN.one(conn, id=invited.id)
        if found is None:
            return
        await ACCEPT.run(conn, of=found.id)
        await journal(conn, person.id, "member.invitation_accepted", found.id, email=found.email)
        await _let_into(conn, record, found, person.id, person.role)
