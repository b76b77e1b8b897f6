"""A cell's worker: sends the mails that its workspaces left, and tidies each workspace that asks for it.

`python -m tenant_app.worker` runs until it is told to stop; `--once` does what waits now, due or not, and ends. Several
may run side by side: each row is held by one of them, and comes back when its holder is lost.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread

from kit import logs
from kit.errors import Refusal, Unavailable
from kit.mail import build, send
from kit.settings import CellWorkerSettings, SettingError
from tenant_app.accounts import forget_sign_ins
from tenant_app.contract import TenantRecord
from tenant_app.drive import Stores, tidy
from tenant_app.interface import letter
from tenant_app.scim import follow_up
from tenant_app.tenancy import Directory, TenantPool

PAUSE = 1.0
# What is under way when it is told to stop has so many seconds.
GRACE = 20.0
MOST_TRIES = 12
AT_ONCE = 8
MOST = 10_000
LATER = timedelta(hours=1)

CLAIM_MAIL = """
update directory.mail set tries = tries + 1, due_at = now() + interval '5 minutes'
where id = (select id from directory.mail where due_at <= now() or $1 and tries = 0
            order by due_at for update skip locked limit 1)
returning id, kind, recipient, locale, payload, tries
"""
SENT = "delete from directory.mail where id = $1"
AGAIN = "update directory.mail set due_at = now() + make_interval(secs => $2) where id = $1"
CLAIM_CHORES = """
update directory.chore set due_at = now() + interval '5 minutes'
where organisation_id in (select organisation_id from directory.chore where due_at <= now() or $1
                          order by due_at for update skip locked limit $2)
returning organisation_id, due_at
"""
# Whose books were not compared with the store's for a day: some at a time, so that the store is asked all day long.
COMPARE = """
insert into directory.chore (organisation_id)
select t.organisation_id from directory.tenant t left join directory.usage u using (organisation_id)
where t.state in ('live', 'read_only') and (u.reconciled_at is null or u.reconciled_at < now() - interval '1 day')
limit 20 on conflict do nothing
"""
COMPARE_SECONDS = 60.0
DONE = "delete from directory.chore where organisation_id = $1 and due_at = $2"
POSTPONE = "update directory.chore set due_at = $3 where organisation_id = $1 and due_at = $2"

log = logs.get("tenant_app.worker")


class Mail(msgspec.Struct, frozen=True):
    """A mail of the outbox, held for five minutes."""

    id: UUID
    kind: str
    recipient: str
    locale: str
    payload: dict[str, Any]
    tries: int


class Worker:
    """One process; looks after every database of its cell."""

    def __init__(self, settings: CellWorkerSettings, directory: Directory) -> None:
        self.settings = settings
        self.directory = directory
        self.stores = Stores()
        self._compared_at: dict[str, float] = {}

    async def send_mails(self, pool: TenantPool, *, all_of_them: bool = False) -> int:
        """Send what is due; tells how many left."""
        sent = 0
        while True:
            async with pool.shared() as conn:
                row = await conn.fetchrow(CLAIM_MAIL, all_of_them)
            if row is None:
                return sent
            sent += await self._send(pool, Mail(*row))

    async def _send(self, pool: TenantPool, mail: Mail) -> bool:
        try:
            drawn = letter(str(mail.id), mail.kind, mail.recipient, mail.locale, mail.payload)
            message = build(drawn, self.settings.mail_from)
            await to_thread.run_sync(partial(send, self.settings.smtp_url, message, _unmarked))
        except Unavailable as error:
            if mail.tries < MOST_TRIES:
                async with pool.shared() as conn:
                    await conn.execute(AGAIN, mail.id, float(min(3600, 5 * 2**mail.tries)))
                log.warning("mail waits", mail=str(mail.id), kind=mail.kind, tries=mail.tries, error=str(error))
                return False
            log.error("mail given up", mail=str(mail.id), kind=mail.kind, error=str(error))  # noqa: TRY400 - no bug
        except Refusal as error:
            log.error("mail refused", mail=str(mail.id), kind=mail.kind, error=str(error))  # noqa: TRY400 - no bug
        else:
            log.info("mail sent", mail=str(mail.id), kind=mail.kind)
        async with pool.shared() as conn:
            await conn.execute(SENT, mail.id)
        return True

    async def do_chores(self, pool: TenantPool, *, all_of_them: bool = False) -> int:
        """Tidy the workspaces that asked for it, some at a time; tells how many."""
        async with pool.shared() as conn:
            held = await conn.fetch(CLAIM_CHORES, all_of_them, MOST if all_of_them else AT_ONCE)
        side_by_side = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._tidy(pool, side_by_side, *row) for row in held))
        return len(held)

    async def _tidy(
        self, pool: TenantPool, side_by_side: asyncio.Semaphore, organisation_id: UUID, held_until: datetime
    ) -> None:
        async with side_by_side:
            await self._tidy_one(pool, organisation_id, held_until)

    async def _tidy_one(self, pool: TenantPool, organisation_id: UUID, held_until: datetime) -> None:
        record = self.directory.record(organisation_id)
        again: datetime | None = datetime.now(UTC) + LATER
        try:
            if record is not None and record.state in {"live", "read_only"}:
                again = await self._work(pool, record)
        except (Refusal, Unavailable) as error:
            log.warning("chore waits", organisation_id=str(organisation_id), error=str(error))
            again = datetime.now(UTC) + timedelta(minutes=1)
        except Exception:
            # One broken workspace must not keep the others waiting.
            log.exception("a chore failed", organisation_id=str(organisation_id))
        async with pool.shared() as conn:
            # Whoever touched the workspace meanwhile has set another time: then neither of these finds the row.
            if again is None:
                await conn.execute(DONE, organisation_id, held_until)
            else:
                await conn.execute(POSTPONE, organisation_id, held_until, again + timedelta(seconds=1))

    async def _work(self, pool: TenantPool, record: TenantRecord) -> datetime | None:
        # What needs no store comes first, so that a store that is away keeps nobody from his mail.
        await forget_sign_ins(pool, record)
        directory = await follow_up(pool, record)
        bucket = self.stores.bucket(self.directory.cell, record)
        files = await tidy(pool, record, bucket, orphan_age=timedelta(seconds=self.settings.orphan_seconds))
        return min((at for at in (directory, files) if at is not None), default=None)

    async def round(self, *, all_of_them: bool = False) -> int:
        """One look at every database; tells how much was done. A database that is away delays no other."""
        done = await asyncio.gather(*(self._look(name, all_of_them) for name in self.directory.databases))
        return sum(done)

    async def _look(self, database: str, all_of_them: bool) -> int:
        work: list[Callable[..., Awaitable[int]]] = [self.send_mails, self.do_chores]
        now = monotonic()
        try:
            pool = self.directory.pool_named(database)
            if now - self._compared_at.get(database, 0.0) > COMPARE_SECONDS and not all_of_them:
                self._compared_at[database] = now
                async with pool.shared() as conn:
                    await conn.execute(COMPARE)
            return sum([await one(pool, all_of_them=all_of_them) for one in work])
        except Unavailable as error:
            log.warning("database away", database=database, error=str(error))
            return 0


def _unmarked() -> None:
    """A mail that may have arrived is sent again after a crash: the same Message-ID shows that it is the same."""


async def run(settings: CellWorkerSettings, *, once: bool) -> None:
    """Until told to stop, or one round."""
    directory = Directory(settings.cell.cell_file, kind="worker")
    await directory.start()
    stop = asyncio.Event()
    for sent in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sent, stop.set)
    worker = Worker(settings, directory)
    try:
        if once:
            await worker.round(all_of_them=True)
            return
        await _come_round(worker, stop)
    finally:
        await worker.stores.close()
        await directory.close()


async def _come_round(worker: Worker, stop: asyncio.Event) -> None:
    """Round after round until told to stop; the one under way has GRACE seconds then, and what it held comes back."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        under_way = asyncio.create_task(worker.round())
        await asyncio.wait([under_way, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not under_way.done() and (await asyncio.wait([under_way], timeout=GRACE))[1]:
            log.warning("a round was broken off")
            under_way.cancel()
            await asyncio.wait([under_way])
            return
        if under_way.result() < AT_ONCE:
            await asyncio.wait([stopping], timeout=PAUSE)


def main(arguments: list[str]) -> int:
    """Run it; 2 for a wrong command or setting."""
    if arguments not in ([], ["--once"]):
        sys.stderr.write("usage: python -m tenant_app.worker [--once]\n")
        return 2
    try:
        settings = CellWorkerSettings.from_env()
        logs.configure(settings.cell.log_level, process="tenant-worker")
        asyncio.run(run(settings, once=bool(arguments)))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
