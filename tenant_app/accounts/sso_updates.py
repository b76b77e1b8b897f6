"""What a provider says anew of somebody it has named before: his name, and his e-mail within bounds.

The e-mail follows only into the connection's proven domains, to nobody else's address, and tells the old one so. It is
no key of trust here, but what mails and other ways in go by: break-glass accounts keep theirs, for the day when the
directory is wrong. People whom a directory pushes are left to that.
"""

from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import Column, MetaData, Table, Uuid, bindparam, func, select, update

from kit.interface import N_
from tenant_app.accounts import credentials, people, policies
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.models import principal
from tenant_app.accounts.outbox import mail_later
from tenant_app.accounts.people import Person
from tenant_app.accounts.sso_traces import Trail
from tenant_app.contract import SignInConnection
from tenant_app.tenancy import Connection, Q, TenantRecord

# Directories are a room above; this is the column that asking reads. A slot of before them has no such table.
scim_user = Table("scim_user", MetaData(), Column("id", Uuid))
PUSHED_HERE = Q(select(func.to_regclass("scim_user").is_not(None)))
PUSHED = Q(select(scim_user.c.id).where(scim_user.c.id == bindparam("of")))
UPDATE = Q(
    update(principal).where(principal.c.id == bindparam("of")).values(name=bindparam("name"), email=bindparam("email"))
)


class Now(msgspec.Struct, frozen=True):
    """Who he is according to the provider."""

    name: str
    email: str
    email_verified: bool | None


@dataclass(frozen=True)
class Updates:
    """What one connection may change of people, in one transaction; `origin` is the workspace's address for mails."""

    conn: Connection
    record: TenantRecord
    connection: SignInConnection
    trail: Trail
    origin: str

    async def follow(self, person: Person, now: Now) -> Person:
        """The person as he is called from now on."""
        if await self._pushed(person.id):
            return person
        name, email = now.name or person.name, person.email
        if now.email and now.email != email:
            kept = await self._why_kept(person, now)
            check = "email_kept" if kept else "email_changed"
            self.trail.checked(check, ok=True, seen=now.email, wanted=kept or email or "—")
            email = email if kept else now.email
        if name != person.name:
            self.trail.checked("name_changed", ok=True, seen=name, wanted=person.name)
        if (name, email) == (person.name, person.email):
            return person
        await UPDATE.run(self.conn, of=person.id, name=name, email=email)
        changed = msgspec.structs.replace(person, name=name, email=email)
        await self._tell(person, changed)
        return changed

    async def _pushed(self, person: UUID) -> bool:
        if not self.record.identity.scim_tokens or not await PUSHED_HERE.scalar(self.conn):
            return False
        return await PUSHED.scalar(self.conn, of=person) is not None

    async def _why_kept(self, person: Person, now: Now) -> str:
        """What keeps the old e-mail, for the trace; nothing where the new one is his."""
        if now.email_verified is False:
            return N_("a verified address")
        if policies.domain_of(now.email) not in self.connection.domains:
            return ", ".join(self.connection.domains)
        if policies.stage_of(self.connection) == "pilot" and now.email not in self.connection.pilot:
            return N_("an address of the pilot")
        if person.id in self.record.identity.policy.break_glass:
            return N_("no break-glass account")
        return "" if await people.by_email(self.conn, now.email) is None else N_("an address of nobody else here")

    async def _tell(self, before: Person, after: Person) -> None:
        changed = [name for name in ("name", "email") if getattr(after, name) != getattr(before, name)]
        told = {name: getattr(after, name) for name in changed}
        told |= {f"{name}_before": getattr(before, name) for name in changed}
        await journal(self.conn, None, "account.updated", after.id, by=str(self.connection.id), **told)
        if "email" in changed:
            # A link that was mailed to the old address chooses no password of his any more.
            await credentials.drop_kind(self.conn, after.id, credentials.RESET)
            await self._write_to(before.email, after)

    async def _write_to(self, old: str | None, person: Person) -> None:
        if old is None:
            return
        await mail_later(
            self.conn,
            self.record,
            "email_changed",
            old,
            person.locale,
            name=person.name,
            organisation=self.record.name,
            provider=self.connection.name,
            email=person.email,
            url=f"{self.origin}/account",
        )
