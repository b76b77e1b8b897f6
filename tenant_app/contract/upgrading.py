"""Bring slots to the newest schema while their tenants work: each in a transaction of its own, with its version.

A slot is at its old version or at the new one, whatever is killed at whatever moment. Whoever works in the workspace
waits for `LOCK_SECONDS` at most: a slot whose tables are not free by then is left alone and comes with the next round.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from kit import logs
from kit.errors import Unavailable
from migrations.tenant import CompiledSchema
from tenant_app.contract import connections
from tenant_app.contract.connections import Connection
from tenant_app.contract.preparation import Names
from tenant_app.contract.records import Upgraded, slot_name

# For all locks of a slot together. Less than PostgreSQL's `deadlock_timeout` (1 s): where an upgrade and a person wait
# for each other, the upgrade has given up before PostgreSQL looks for a victim, who would be the person.
LOCK_SECONDS = 0.7
# On a disk of its own speed, two wait for the same flush as one does; four share it.
AT_ONCE = 4
# So many that fail, and no fewer than went well: the revision is at fault, and the others are spared this time.
MOST_FAILURES = 3

# Chance orders them, so that one that never works out stands in nobody's way.
BEHIND = """
select name, organisation_id is null from directory.slot where schema_version = any(%s)
order by organisation_id is not null, random() limit %s
"""
COUNT_BEHIND = "select count(*) from directory.slot where schema_version = any(%s)"
# NO KEY: the records that point at the slot go on being published meanwhile.
HOLD = "select schema_version from directory.slot where name = %s for no key update skip locked"
DONE = "update directory.slot set schema_version = %s where name = %s"
# Should this process freeze, PostgreSQL gives the slot back by itself. Its own vacuum steps aside after 100 ms.
ENTER = """
SET LOCAL deadlock_timeout = '100ms';
SET LOCAL statement_timeout = '30s';
SET LOCAL idle_in_transaction_session_timeout = '1s';
SET LOCAL ROLE {builder};
SET LOCAL search_path = {slot}, pg_temp
"""

log = logs.get("tenant_app.contract")


class SlotError(Exception):
    """The revision does not run on this slot within its time."""


@dataclass(frozen=True)
class Upgrading:
    """What a round of upgrades needs to know, for any of its slots."""

    url: str
    names: Names
    schema: CompiledSchema
    lock_seconds: float = LOCK_SECONDS

    def round(self, seconds: float | None, limit: int | None) -> Upgraded:
        """Upgrade what is behind, spares first, for about so long. Raises `Unavailable` when the database is lost."""
        with connections.transaction(self.url) as connection:
            found = connection.execute(BEHIND, [self.schema.older, limit]).fetchall()
        ends_at = float("inf") if seconds is None else time.monotonic() + seconds
        waves = [_Done(ends_at), _Done(ends_at)]
        for wave, spare in zip(waves, (True, False), strict=True):
            self._wave([slot_name(name) for name, is_spare in found if is_spare is spare], wave)
        return Upgraded(
            version=self.schema.version,
            upgraded=sum(len(wave.upgraded) for wave in waves),
            locked=sum(len(wave.locked) for wave in waves),
            failed=waves[0].failed | waves[1].failed,
            behind=self._behind() if found else 0,
        )

    def _wave(self, slots: list[str], done: "_Done") -> None:
        if slots:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upgrade") as threads:
                list(threads.map(lambda slot: self._try(slot, done), slots))
        if done.lost:
            raise done.lost[0]

    def _behind(self) -> int:
        with connections.transaction(self.url) as connection:
            row = connection.execute(COUNT_BEHIND, [self.schema.older]).fetchone()
        assert row is not None
        return int(row[0])

    def _try(self, slot: str, done: "_Done") -> None:
        if done.over:
            return
        try:
            with connections.transaction(self.url) as connection:
                changed = self._in_time(connection, slot)
        except Unavailable as error:
            (done.locked if error.code == "cell_busy" else done.lost).append(error)
        except (SlotError, psycopg.Error) as error:
            log.error("a slot cannot be upgraded", slot=slot, error=str(error))  # noqa: TRY400 - the slot's own trouble
            done.failed[slot] = str(error).partition("\n")[0]
        else:
            done.upgraded.extend([slot] if changed else [])

    def _in_time(self, connection: Connection, slot: str) -> bool:
        try:
            return self.one(connection, slot)
        except psycopg.errors.QueryCanceled as error:
            raise SlotError(str(error)) from error

    def one(self, connection: Connection, slot: str) -> bool:
        """Run what this slot lacks, in the caller's transaction. False if that is nothing."""
        row = connection.execute(HOLD, [slot]).fetchone()
        if row is None:
            raise Unavailable("cell_busy", f"{slot} is being upgraded, taken or dropped")
        lacking = self.schema.after(row[0])
        if not lacking:
            return False
        builder = sql.Identifier(self.names.builder).as_string(connection)
        connection.execute(ENTER.format(builder=builder, slot=slot).encode(), prepare=False)
        made = frozenset[str]().union(*(revision.tables for revision in lacking))
        statements = [statement for revision in lacking for statement in revision.statements]
        patience = time.monotonic() + self.lock_seconds
        for statement in [*statements, self.schema.grants(slot, made)]:
            left = max(1, round((patience - time.monotonic()) * 1000))
            connection.execute(f"SET LOCAL lock_timeout = {left}; {statement}".encode(), prepare=False)
        connection.execute("RESET ROLE", prepare=False)
        connection.execute(DONE, [self.schema.version, slot])
        return True


@dataclass
class _Done:
    """What was done so far, with spares or with taken slots. Its threads only ever add to it."""

    ends_at: float
    upgraded: list[str] = field(default_factory=list)
    locked: list[Unavailable] = field(default_factory=list)
    lost: list[Unavailable] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        hopeless = len(self.failed) >= max(MOST_FAILURES, len(self.upgraded))
        return hopeless or bool(self.lost) or time.monotonic() > self.ends_at
