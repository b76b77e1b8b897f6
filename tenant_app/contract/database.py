"""The control plane's hand on one cell database. Each method is one transaction, and is safe to run again."""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import sqlalchemy.exc

from kit.errors import Unavailable
from migrations.tenant import CompiledSchema, compiled
from tenant_app.contract import (
    asking,
    connections,
    drift,
    history,
    people,
    preparation,
    publishing,
    pushed,
    removals,
    slots,
    supporting,
    verification,
    watching,
)
from tenant_app.contract.connections import Connection
from tenant_app.contract.history import HistoryFilter, ScimEvent
from tenant_app.contract.people import Person, Trace
from tenant_app.contract.records import Check, Health, Inspection, Inventory, Owner, TenantRecord, Upgraded, Usage
from tenant_app.contract.removals import Removal
from tenant_app.contract.supporting import SupportAct
from tenant_app.contract.upgrading import Upgrading
from tenant_app.contract.watching import UnknownKey

Answer = TypeVar("Answer")

# Roles belong to the cluster: a neighbouring database may make or drop the same one at this very moment.
COLLISIONS = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InternalError_,
)
TRIES = 5

HEALTH = """
select current_setting('server_version_num')::int, (select count(*) from directory.slot),
       (select count(*) from directory.slot where organisation_id is null), (select count(*) from directory.tenant),
       (select number from directory.version),
       array(select distinct schema_version from directory.slot),
       (select count(*) from directory.slot where schema_version = any(%s))
"""


class CellDatabase:
    """A database of slots, by its administrator's address.

    Raises `Refusal` for an address or a record that can never work, `Unavailable` when the database is lost (
    `cell_unreachable`), busy (`cell_busy`), or a newer lease has been there (`fenced`). `schema` is what slots are
    built and upgraded to: this release's, unless given.
    """

    def __init__(self, admin_url: str, schema: CompiledSchema | None = None) -> None:
        self.url = admin_url
        self.names = preparation.names_of(admin_url)
        self._schema = schema

    def __repr__(self) -> str:
        return f"CellDatabase({self.names.database!r})"

    def prepare(self, app_password: str | None = None) -> str:
        """Make a cell database of it: roles, directory, hardening. Returns the tenant app's address.

        Give the password of an earlier run to keep it; without one a new password is made and the old one ends.
        """
        preparation.require_version(self.server_version())
        try:
            return preparation.prepare(self.url, self.server_version(), app_password)
        except psycopg.OperationalError as error:
            raise Unavailable("cell_unreachable", str(error)) from error

    @property
    def schema(self) -> CompiledSchema:
        """The schema of a slot, compiled when it is first needed."""
        return self._schema or compiled()

    def upgrade_directory(self, *, force: bool = False) -> bool:
        """Bring a prepared database's directory, rights and hardening to this release; True if that was to be done.

        Forced, it makes sure of the rights and the hardening even where the shape is this release's.
        """
        try:
            return preparation.upgrade_directory(self.url, force=force)
        except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as error:
            busy = isinstance(getattr(error, "orig", error), connections.BUSY)
            raise Unavailable("cell_busy" if busy else "cell_unreachable", str(error)) from error

    def upgrade(self, seconds: float | None = None, limit: int | None = None) -> Upgraded:
        """Bring slots that are behind to this release, spares first; each whole or not at all, and nobody waits long.

        For about so many seconds, or so many slots. Ask again while some are behind: those in use come later.
        """
        return Upgrading(self.url, self.names, self.schema).round(seconds, limit)

    def server_version(self) -> int:
        """The server's version as one number: 180006 is 18.6."""
        return self._run(lambda connection: connection.info.server_version)

    def verify(self) -> list[Check]:
        """Try every way out of a slot and tell which are closed."""
        return verification.verify(self.url, self.names, lambda: self.build_slots(1)[0])

    def build_slots(self, count: int) -> list[str]:
        """Build spare slots, each in its own transaction; several builders at once never collide."""
        return [self._build(lambda connection: slots.build(connection, self.names, self.schema)) for _ in range(count)]

    def spares(self) -> int:
        """How many slots are ready to be taken."""
        return self.health().spares

    def take_slot(self, organisation_id: UUID, fence: int) -> str:
        """The organisation's slot, taken from the spares or, with none left, built. The same one each time."""
        return self._build(lambda connection: slots.take(connection, self.names, self.schema, organisation_id, fence))

    def ensure_owner(self, organisation_id: UUID, owner: Owner, fence: int) -> bool:
        """The owner can sign in to the workspace; True if he was made just now."""
        return self._run(lambda connection: slots.ensure_owner(connection, organisation_id, owner, fence))

    def drop_slot(self, organisation_id: UUID, fence: int) -> bool:
        """Remove the organisation's schema and role; it must be unpublished. True if there was one."""
        return self._build(lambda connection: slots.drop(connection, self.names, organisation_id, fence))

    def publish(self, record: TenantRecord) -> bool:
        """The tenant app serves this record within a second. True if that changed anything."""
        return self._run(lambda connection: publishing.publish(connection, record))

    def unpublish(self, organisation_id: UUID, fence: int) -> bool:
        """The organisation's hosts lead nowhere any more; True if they did."""
        return self._run(lambda connection: publishing.unpublish(connection, organisation_id, fence))

    def inspect(self, organisation_id: UUID) -> Inspection:
        """What exists of the organisation here, and what differs from its blueprint."""
        return self._run(lambda connection: drift.inspect(connection, self.names, self.schema, organisation_id))

    def repair(self, organisation_id: UUID, fence: int) -> tuple[str, ...]:
        """Mend the rights of the organisation's slot; tells what was wrong."""
        return self._run(lambda connection: drift.repair(connection, self.names, self.schema, organisation_id, fence))

    def usage(self, organisation_ids: Iterable[UUID]) -> dict[UUID, Usage]:
        """What these workspaces last reported."""
        return self._run(lambda connection: publishing.usage(connection, organisation_ids))

    def person(self, organisation_id: UUID, principal_id: UUID) -> Person | None:
        """One of the workspace's people; None for whom it does not know."""
        return self._run(lambda connection: people.person(connection, organisation_id, principal_id))

    def people(
        self, organisation_id: UUID, *, query: str | None = None, after: UUID | None = None, limit: int = 50
    ) -> list[Person]:
        """A page of the workspace's people by name; `after` is the last one of the page before."""
        return self._run(
            lambda connection: people.people(connection, organisation_id, query=query, after=after, limit=limit)
        )

    def people_named(self, organisation_id: UUID, text: str) -> list[Person]:
        """Whoever has exactly this e-mail or this name; several may bear a name."""
        return self._run(lambda connection: people.named(connection, organisation_id, text))

    def set_role(self, organisation_id: UUID, principal_id: UUID, role: str) -> Person:
        """Give somebody another role; the last owner keeps his."""
        return self._run(lambda connection: people.set_role(connection, organisation_id, principal_id, role))

    def set_sso_admin(self, organisation_id: UUID, principal_id: UUID, wanted: bool, given_by: UUID) -> Person:
        """Let an administrator set up how people sign in, or no more; owners do by their role."""
        return self._run(
            lambda connection: people.set_sso_admin(connection, organisation_id, principal_id, wanted, given_by)
        )

    def set_active(self, organisation_id: UUID, principal_id: UUID, active: bool) -> Person:
        """Let somebody in again, or end his sessions and keep him out; never the last owner."""
        return self._run(lambda connection: people.set_active(connection, organisation_id, principal_id, active))

    def traces(self, organisation_id: UUID, connection_id: UUID, limit: int = 20) -> list[Trace]:
        """What the latest sign-ins and test runs of a connection went through."""
        return self._run(lambda connection: people.traces(connection, organisation_id, connection_id, limit))

    def last_success(
        self, organisation_id: UUID, connection_id: UUID, since: datetime, *, administrator: bool
    ) -> datetime | None:
        """When, from `since` on, an administrator last came in by a connection; or a test run of it last succeeded."""
        return self._run(
            lambda connection: people.last_success(
                connection, organisation_id, connection_id, since, administrator=administrator
            )
        )

    def pushed_groups(self, organisation_id: UUID, people: Collection[UUID]) -> dict[UUID, list[tuple[str, ...]]]:
        """The groups that directories have pushed for these people: each by its names, the one for people first."""
        return self._run(lambda connection: pushed.groups(connection, organisation_id, people))

    def pending_removals(self, organisation_id: UUID) -> list[Removal]:
        """Whom a directory would remove and who wait for an administrator, because they are too many at once."""
        return self._run(lambda connection: removals.pending(connection, organisation_id))

    def approve_removals(self, organisation_id: UUID, ids: Collection[UUID] | None, decided_by: UUID) -> list[UUID]:
        """These removals, or all that wait, take place; tells who is no longer let in. Never the last owner."""
        return self._run(lambda connection: removals.approve(connection, organisation_id, ids, decided_by))

    def refuse_removals(self, organisation_id: UUID, ids: Collection[UUID] | None, decided_by: UUID) -> list[UUID]:
        """These, or all who wait, stay."""
        return self._run(lambda connection: removals.refuse(connection, organisation_id, ids, decided_by))

    def sign_ins(self, organisation_id: UUID, wanted: HistoryFilter) -> list[Trace]:
        """Sign-ins and test runs of the workspace, the latest first, as far back as traces are kept."""
        return self._run(lambda connection: history.sign_ins(connection, organisation_id, wanted))

    def scim_events(self, organisation_id: UUID, wanted: HistoryFilter) -> list[ScimEvent]:
        """What the organisation's directories did, the latest first, as far back as that is kept."""
        return self._run(lambda connection: history.events(connection, organisation_id, wanted))

    def administrators(self, organisation_id: UUID) -> list[Person]:
        """Who runs the workspace and reads mail, owners first."""
        return self._run(lambda connection: supporting.administrators(connection, organisation_id))

    def support_acts(
        self, organisation_id: UUID, grant: UUID, viewer: UUID, *, since: datetime, until: datetime
    ) -> list[SupportAct]:
        """What support did and looked at by a consent, the latest first; names as `viewer` may see them."""
        return self._run(
            lambda connection: supporting.acts(connection, organisation_id, grant, viewer, since=since, until=until)
        )

    def ask_reconciliation(self, organisation_id: UUID) -> bool:
        """The worker compares the workspace's books with its store now; until it has, `reconciled_at` is None.

        False if there is no such workspace here.
        """
        return self._run(lambda connection: asking.reconciliation(connection, organisation_id))

    def ensure_signing_key(self, kid: str, public: dict[str, Any]) -> None:
        """The tenant app accepts login tickets of this key."""
        self._run(lambda connection: publishing.ensure_signing_key(connection, kid, public))

    def retire_signing_key(self, kid: str) -> None:
        """The tenant app refuses login tickets of this key."""
        self._run(lambda connection: publishing.retire_signing_key(connection, kid))

    def signing_keys(self) -> dict[str, dict[str, Any]]:
        """The public keys whose tickets are accepted."""
        return self._run(publishing.signing_keys)

    def retire_signing_keys_but(self, kept: Collection[str], older_than: timedelta) -> list[str]:
        """The tenant app refuses tickets of all other keys that have been there for so long; tells which they were."""
        return self._run(lambda connection: watching.retire_signing_keys_but(connection, kept, older_than))

    def unknown_keys(self, limit: int) -> list[UnknownKey]:
        """Where identity providers signed by keys that are not known, the longest ago first."""
        return self._run(lambda connection: watching.unknown_keys(connection, limit))

    def forget_unknown_keys(self, seen: Collection[UnknownKey]) -> None:
        """These were seen to; what came after them stays."""
        self._run(lambda connection: watching.forget_unknown_keys(connection, seen))

    def changed_at(self, organisation_id: UUID) -> int | None:
        """The version of the directory at which the organisation last changed."""
        return self._run(lambda connection: watching.changed_at(connection, organisation_id))

    def served(self, silent: timedelta) -> int | None:
        """The oldest version of the directory that a process still serves; None if none has been heard of lately."""
        return self._run(lambda connection: watching.served(connection, silent))

    def inventory(self) -> Inventory:
        """All slots, schemas, roles, records and hosts, for the orphan sweep."""
        return self._run(lambda connection: drift.inventory(connection, self.names))

    def health(self) -> Health:
        """Counts and versions, by one query."""
        schema = self.schema
        row = self._run(lambda connection: connection.execute(HEALTH, [schema.older]).fetchone())
        assert row is not None
        *figures, versions, behind = row
        fields = ("server_version", "slots", "spares", "tenants", "directory_version")
        # The oldest that a slot has. Those that we do not know are a newer release's.
        oldest = next((known for known in schema.older if known in versions), schema.version)
        return Health(**dict(zip(fields, figures, strict=True)), schema_version=oldest, slots_behind=behind)

    def close(self) -> None:
        """Close this address's connections."""
        connections.forget(self.url)

    def _run(self, work: Callable[[Connection], Answer]) -> Answer:
        with connections.transaction(self.url) as connection:
            return work(connection)

    def _build(self, work: Callable[[Connection], Answer]) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                return self._run(work)
            except COLLISIONS as error:
                if attempt == TRIES:
                    raise Unavailable("slot_contended", str(error)) from error
                time.sleep(0.02 * attempt)
        raise AssertionError("unreachable")
