"""Who somebody is here of whom an identity provider speaks.

The key of trust is (connection, subject). An e-mail alone links nobody: it does so once, within the domains that the
organisation has proven for the connection, to somebody whom this connection does not yet name otherwise.
"""

from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal
from kit.ids import new_id
from tenant_app.accounts import people, policies
from tenant_app.accounts.invited import Invitations, Invited
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.models import identity_link, principal
from tenant_app.accounts.outbox import chore_later
from tenant_app.accounts.people import Person
from tenant_app.accounts.rights import lose_sso_admin
from tenant_app.accounts.seats import kind_of, require_seats
from tenant_app.accounts.sso_said import Said
from tenant_app.accounts.sso_traces import Result, Trail
from tenant_app.accounts.sso_updates import Now, Updates
from tenant_app.contract import SignInConnection
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q, TenantRecord, read_only_refusal

ROLES = {"guest": Role.GUEST, "member": Role.MEMBER, "administrator": Role.ADMINISTRATOR}
LONGEST_SUBJECT = 255
# Under which check the console shows what kept somebody out.
CHECKS = {
    "sso_subject": "subject",
    "sso_other_subject": "subject",
    "sso_email_missing": "email",
    "sso_email_unverified": "email",
    "sso_domain_unproven": "domain",
    "sso_no_role": "role",
    "sso_groups_left_out": "role",
    "sso_not_open": "pilot",
    "sso_deactivated": "active",
    "sso_not_a_member": "member",
}
NOW = func.now()


class Link(msgspec.Struct, frozen=True):
    """A subject of a connection, and who that is here."""

    subject: str
    principal_id: UUID


BY_SUBJECT = Q(
    select(identity_link.c.subject, identity_link.c.principal_id).where(
        identity_link.c.connection_id == bindparam("connection_id"), identity_link.c.subject == bindparam("subject")
    ),
    Link,
)
OF_PERSON = Q(
    select(identity_link.c.subject, identity_link.c.principal_id).where(
        identity_link.c.connection_id == bindparam("connection_id"), identity_link.c.principal_id == bindparam("person")
    ),
    Link,
)
LINK = Q(
    insert(identity_link)
    .values(
        connection_id=bindparam("connection_id"),
        subject=bindparam("subject"),
        principal_id=bindparam("person"),
        created_at=NOW,
        used_at=NOW,
    )
    .on_conflict_do_nothing()
)
USED = Q(
    update(identity_link)
    .where(identity_link.c.connection_id == bindparam("connection"), identity_link.c.subject == bindparam("of"))
    .values(used_at=NOW)
)
SET_ROLE = Q(
    update(principal).where(principal.c.id == bindparam("of")).values(role=bindparam("role"), kind=bindparam("kind"))
)


class Reception:
    """Receives whoever one connection vouches for, in one transaction of his tenant."""

    def __init__(
        self,
        conn: Connection,
        record: TenantRecord,
        connection: SignInConnection,
        trail: Trail,
        *,
        invitations: Invitations,
        origin: str,
    ) -> None:
        self.conn = conn
        self.invitations = invitations
        self.record = record
        self.connection = connection
        self.trail = trail
        self.updates = Updates(conn, record, connection, trail, origin)

    async def receive(self, said: Said, locale: str) -> tuple[Person, Result]:
        """Who he is here: known, linked by his e-mail, or new. A Refusal names what keeps him out, and the cure."""
        if not said.subject or len(said.subject) > LONGEST_SUBJECT:
            raise self._failed(
                Refusal(
                    "sso_subject",
                    "{provider} named nobody. Its answer needs a subject of 1 to 255 characters that stays"
                    " the same for each person.",
                )
            )
        role = self._role(said)
        # Two first sign-ins of one person, or two for the last seat, come one after the other.
        await people.lock_seats(self.conn)
        link: Link | None = await BY_SUBJECT.one(self.conn, connection_id=self.connection.id, subject=said.subject)
        person = None if link is None else await people.by_id(self.conn, link.principal_id)
        action = "signed_in"
        if person is None:
            person, action = await self._first_time(said, role, locale)
        self._require_open(person.email or said.email)
        if person.disabled_at is not None:
            raise self._failed(
                Refusal(
                    "sso_deactivated",
                    "{email} is deactivated in this workspace. An administrator of it can let this person in again.",
                    email=person.email or "",
                )
            )
        person = await self._with_role(person, role)
        person = await self._as_told(person, said)
        await USED.run(self.conn, connection=self.connection.id, of=said.subject)
        role_name = Role(person.role).name.lower()
        return person, Result(person.email, person.name, role_name, action, person.id)

    def _failed(self, refusal: Refusal) -> Refusal:
        """The check that kept him out stands in the trace; the words name the provider."""
        seen = str(refusal.params.get("email", refusal.params.get("seen", "")))
        self.trail.checked(CHECKS[refusal.code], ok=False, seen=seen)
        refusal.params["provider"] = self.connection.name
        refusal.status = 403
        return refusal

    def _role(self, said: Said) -> Role:
        """The highest role of his groups, or what is stated for people without one."""
        given = [ROLES[self.connection.roles[group]] for group in said.groups if group in self.connection.roles]
        if given:
            self.trail.checked("role", ok=True, seen=max(given).name.lower())
            return max(given)
        if self.connection.roles and said.groups_left_out:
            # What is stated for people without a group would take his role from him.
            raise self._failed(
                Refusal(
                    "sso_groups_left_out",
                    "{provider} left your groups out, as it does for people in very many. An administrator of it has it"
                    " send the groups that are assigned to this application only, or its roles.",
                )
            )
        if self.connection.otherwise is None:
            raise self._failed(
                Refusal(
                    "sso_no_role",
                    "{provider} named no group of yours that may come in (received: {seen}). Ask for one of"
                    " the groups of this workspace.",
                    seen=", ".join(said.groups)[:200] or "—",
                )
            )
        self.trail.checked("role", ok=True, seen=self.connection.otherwise, wanted="a group that is mapped")
        return ROLES[self.connection.otherwise]

    def _require_open(self, email: str) -> None:
        """In the pilot stage named people come in, nobody else; before it, nobody but a test run."""
        stage = policies.stage_of(self.connection)
        if self.trail.test or stage == "enforced":
            return
        if stage != "pilot" or people.normal_email(email) not in self.connection.pilot:
            raise self._failed(
                Refusal(
                    "sso_not_open",
                    "Signing in with {provider} is not open to {email} yet. An administrator names the"
                    " people of the pilot.",
                    email=email or "—",
                )
            )

    async def _first_time(self, said: Said, role: Role, locale: str) -> tuple[Person, str]:
        email = self._proven_email(said)
        self._require_open(email)
        person = await people.by_email(self.conn, email)
        action = "linked"
        invited = await self.invitations.waiting(self.conn, email)
        if person is None:
            person, action = await self._join(said, email, role, locale, invited), "created"
        elif await OF_PERSON.all(self.conn, connection_id=self.connection.id, person=person.id):
            # An address that was given to somebody else must not open the first one's account.
            raise self._failed(
                Refusal(
                    "sso_other_subject",
                    "{email} belongs to another person of {provider} here. An administrator may have to"
                    " rename or remove the older account.",
                    email=email,
                )
            )
        await LINK.run(self.conn, connection_id=self.connection.id, subject=said.subject, person=person.id)
        await journal(self.conn, person.id, "account.linked", person.id, connection=str(self.connection.id))
        if invited is not None and person.disabled_at is None:
            await self.invitations.accept(self.conn, self.record, invited, person)
        return person, action

    async def _as_told(self, person: Person, said: Said) -> Person:
        """Under the name and e-mail that the provider gives now; invited under the new one, he is expected already."""
        now = Now(people.printable_name(said.name), people.whole_email(said.email), said.email_verified)
        after = await self.updates.follow(person, now)
        if after.email and after.email != person.email:
            invited = await self.invitations.waiting(self.conn, after.email)
            if invited is not None:
                await self.invitations.accept(self.conn, self.record, invited, after)
        return after

    def _proven_email(self, said: Said) -> str:
        email = people.whole_email(said.email)
        if not email:
            raise self._failed(
                Refusal(
                    "sso_email_missing",
                    "{provider} sent no e-mail address (received: {seen}). Map the attribute that carries it.",
                    seen=people.normal_email(said.email)[:100] or "—",
                )
            )
        if said.email_verified is False:
            raise self._failed(
                Refusal(
                    "sso_email_unverified",
                    "{provider} says that {email} is not verified. Verify it there, then sign in again.",
                    email=email,
                )
            )
        if policies.domain_of(email) not in self.connection.domains:
            raise self._failed(
                Refusal(
                    "sso_domain_unproven",
                    "{provider} sent {email}, and this organisation has not proven that domain for it. Prove"
                    " it in the console, or use an address of a proven one.",
                    email=email,
                )
            )
        self.trail.checked("domain", ok=True, seen=email, wanted=", ".join(self.connection.domains))
        return email

    async def _join(self, said: Said, email: str, role: Role, locale: str, invited: Invited | None) -> Person:
        if invited is None and not self.connection.just_in_time:
            raise self._failed(
                Refusal(
                    "sso_not_a_member",
                    "{email} is not a member of this workspace. Ask an administrator for an invitation.",
                    email=email,
                )
            )
        if self.record.state == "read_only":
            raise read_only_refusal()
        if invited is not None and not self.connection.roles:
            # Somebody chose it for him. Where groups give roles they would give him theirs the next time anyway.
            role = Role(invited.role)
        await require_seats(self.conn, self.record, kind_of(role), 1, invited=email)
        made = new_id()
        name = people.printable_name(said.name) or email.partition("@")[0]
        await people.add(self.conn, made, name=name, email=email, role=int(role), locale=locale)
        await journal(self.conn, made, "member.joined", made, email=email, role=int(role), by=str(self.connection.id))
        await chore_later(self.conn, self.record)
        person = await people.by_id(self.conn, made)
        assert person is not None
        return person

    async def _with_role(self, person: Person, role: Role) -> Person:
        """Groups decide the role at each sign-in. Owners and break-glass accounts keep theirs: somebody always can."""
        kept = person.role == Role.OWNER or person.id in self.record.identity.policy.break_glass
        if not self.connection.roles or person.role == role or kept:
            return person
        if kind_of(role) != person.kind:
            await require_seats(self.conn, self.record, kind_of(role), 1)
        await SET_ROLE.run(self.conn, of=person.id, role=int(role), kind=kind_of(role))
        await lose_sso_admin(self.conn, [person.id])
        await journal(
            self.conn, None, "member.role_changed", person.id, role=int(role), before=person.role,
            by=str(self.connection.id),
        )  # fmt: skip
        return msgspec.structs.replace(person, role=int(role), kind=kind_of(role))
