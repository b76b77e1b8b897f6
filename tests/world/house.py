"""A control plane in process: its database, a cell with its store, the loop, and an oracle that compares all worlds."""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import Engine, text

from control_plane import audit, catalogue, identity, organisations, placement, provisioning, storage
from control_plane.audit import SYSTEM
from control_plane.organisations import NewOrganisation, Organisation
from control_plane.placement import Databases
from control_plane.provisioning import Loop, Mail, Operation, Pace, StepSpec, World
from control_plane.provisioning.loop import Watch
from control_plane.storage import BucketWish
from kit.db import open_engine, transaction
from kit.vault import Vault
from tenant_app.contract import CellDatabase
from tests.world.servers import create_database, drop_database

CELL = "local"
QUICK = Pace(
    lease=timedelta(seconds=0.25),
    attempts=8,
    first_retry=timedelta(milliseconds=10),
    last_retry=timedelta(milliseconds=100),
)
_numbers = itertools.count(1)


class Killed(BaseException):
    """The worker dies here, as by kill -9: nothing of its own runs any more."""


@dataclass(frozen=True)
class Inventory:
    """How much of one organisation exists, in every world."""

    slots: int = 0
    schemas: int = 0
    roles: int = 0
    owners: int = 0
    records: int = 0
    hosts: int = 0
    accounts: int = 0
    buckets: int = 0
    placements: int = 0
    addresses: int = 0
    ready_mails: int = 0


WHOLE = Inventory(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
NOTHING = Inventory()


@dataclass
class House:
    """Everything of a control plane but its faces."""

    control_url: str
    cell_url: str
    store_root: Path
    vault: Vault
    engine: Engine
    world: World
    pace: Pace = QUICK
    sent: list[Mail] = field(default_factory=list)
    steps: Mapping[str, StepSpec] | None = None

    def loop(self, watch: Watch | None = None, steps: Mapping[str, StepSpec] | None = None, **options: Any) -> Loop:
        pace = options.get("pace", self.pace)
        world = options.get("world", self.world)
        return Loop(self.engine, world, organisations.settled, pace=pace, steps=steps or self.steps, watch=watch)

    @property
    def cell(self) -> CellDatabase:
        with transaction(self.engine) as session:
            return self.world.databases.get(session, placement.cell(session, CELL).databases[0].id)

    def order(self, address: str | None = None, offer: str = "team", **options: Any) -> UUID:
        number = next(_numbers)
        asked = {
            "name": f"Mairie de Sèvres {number}",
            "address": address or f"sevres-{os.getpid()}-{number}",
            "offer": offer,
            "admin_email": f"jeanne{number}@sevres.example",
            "admin_name": "Jeanne Martin",
        }
        with transaction(self.engine) as session:
            return organisations.order(session, NewOrganisation(**(asked | options)), SYSTEM).id

    def stored(self, organisation: UUID) -> storage.Usage:
        """What the object store itself says of the organisation."""
        name = f"org-{organisation.hex}"
        usage = self.store.usage(name, name)
        assert usage is not None
        return usage

    def live(self, **options: Any) -> UUID:
        """An organisation that is up."""
        organisation_id = self.order(**options)
        assert self.loop().run(organisation_id)
        assert self.state(organisation_id) == "live"
        return organisation_id

    def get(self, organisation_id: UUID) -> Organisation:
        with transaction(self.engine) as session:
            return organisations.get(session, organisation_id)

    def state(self, organisation_id: UUID) -> str:
        return self.get(organisation_id).state

    def last_operation(self, organisation_id: UUID) -> Operation:
        with transaction(self.engine) as session:
            return provisioning.operations(session, organisation_id).items[0]

    def close_and_erase_now(self, organisation_id: UUID) -> None:
        """Close it, or erase it if it is closing or never lived; refused in any other state."""
        with transaction(self.engine) as session:
            row = organisations.get(session, organisation_id)
            if row.state in {"live", "read_only", "suspended"}:
                organisations.close(session, organisation_id, reason="they leave", actor=SYSTEM)
                return
            options = {"confirm_address": row.address, "force": True, "reason": "they asked"}
            organisations.erase(session, organisation_id, actor=SYSTEM, **options)

    def close_and_erase(self, organisation_id: UUID) -> None:
        """Ask for its removal in whatever state it is."""
        with transaction(self.engine) as session:
            row = organisations.get(session, organisation_id)
            if row.state in {"live", "read_only", "suspended"}:
                organisations.close(session, organisation_id, reason="they leave", actor=SYSTEM)
        if row.state in {"live", "read_only", "suspended"}:
            self.settle(organisation_id)
        with transaction(self.engine) as session:
            organisations.erase(
                session,
                organisation_id,
                actor=SYSTEM,
                confirm_address=row.address,
                force=True,
                reason="they asked",
            )

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def wake(self, organisation_id: UUID) -> None:
        """Time passes: its next look is due now."""
        self.sql("update provisioning set wake_at = now() where organisation_id = :id", id=organisation_id)

    def settle(self, *organisation_ids: UUID, within: float = 90.0) -> float:
        """Sweep until these organisations are settled; the seconds it took."""
        began = time.monotonic()
        waiting = set(organisation_ids)
        while waiting:
            assert time.monotonic() - began < within, f"not settled: {self._stuck(waiting)}"
            self.loop().run_due()
            rows = self.sql(
                "select organisation_id from provisioning where generation = settled_generation"
                " and (lease_until is null or lease_until <= now())"
            )
            waiting -= {row[0] for row in rows}
            if waiting:
                time.sleep(0.02)
        self.post()
        return time.monotonic() - began

    def settle_for_good(self, *organisation_ids: UUID, within: float = 90.0) -> None:
        """Settle, and let the second look at what was removed come round too."""
        self.settle(*organisation_ids, within=within)
        for _ in range(3):
            waiting = self.sql(
                "update provisioning set wake_at = now() where desired = 'absent' and wake_at is not null"
                " and organisation_id = any(:ids) returning organisation_id",
                ids=list(organisation_ids),
            )
            self.settle(*organisation_ids, within=within)
            for row in waiting:
                self.loop().run(row[0])

    def _stuck(self, waiting: set[UUID]) -> list[Any]:
        return self.sql(
            "select organisation_id, desired, attempts, lease_until, wake_at, now() from provisioning"
            " where organisation_id = any(:ids)",
            ids=list(waiting),
        )

    def post(self) -> None:
        """Let the mails that are due leave."""

        def deliver(mail: Mail, mark: Any) -> None:
            mark()
            self.sent.append(mail)

        provisioning.deliver_due(self.engine, deliver, limit=10_000)

    def inventory(self, organisation_id: UUID) -> Inventory:
        """Look at every world."""
        cell = self.cell.inventory()
        slots = [slot for slot, owner in cell.slots.items() if owner == organisation_id]
        accounts, buckets = self.store.inventory()
        row = self.get(organisation_id)
        return Inventory(
            slots=len(slots),
            schemas=sum(slot in cell.schemas for slot in slots),
            roles=sum(slot in cell.roles for slot in slots),
            owners=sum(self._owners(slot) for slot in slots),
            records=sum(one == organisation_id for one in cell.tenants),
            hosts=sum(one == organisation_id for one in cell.hosts.values()),
            accounts=sum(name == storage.account_name(organisation_id) for name in accounts),
            buckets=sum(name == storage.bucket_name(organisation_id) for name in buckets),
            placements=len(self.sql("select 1 from placement where organisation_id = :id", id=organisation_id)),
            addresses=len(self.sql("select 1 from address_claim where organisation_id = :id", id=organisation_id)),
            ready_mails=sum(mail.key == f"ready:{row.id}" for mail in self.sent),
        )

    @property
    def store(self) -> storage.ObjectStore:
        with transaction(self.engine) as session:
            return self.world.store_of(placement.cell(session, CELL))

    def keyring(self, organisation_id: UUID) -> storage.Keyring:
        """The organisation's keys as they are; none are made."""
        with transaction(self.engine) as session:
            return storage.leaving(session, self.vault, organisation_id)

    def keys(self, organisation_id: UUID) -> storage.KeysView:
        """What people see of them."""
        with transaction(self.engine) as session:
            return storage.keys_of(session, organisation_id)

    def publish_offer(self, code: str, **entitlements: Any) -> str:
        """An offer like `team`, with other entitlements."""
        with transaction(self.engine) as session:
            team = catalogue.current(session, "team")
            catalogue.publish(
                session,
                code,
                names=team.names,
                entitlements=msgspec.structs.replace(team.entitlements, **entitlements),
                terms=team.terms,
                actor=SYSTEM,
            )
        return code

    def served(self, version: int | None, process: str = "one", seconds_ago: int = 0) -> None:
        """A process of the tenant app tells which version of the directory it serves."""
        with psycopg.connect(self.cell_url) as connection:
            connection.execute(
                "insert into directory.heartbeat (process, seen_at, version)"
                " values (%s, now() - make_interval(secs => %s), %s) on conflict (process) do update"
                " set seen_at = excluded.seen_at, version = excluded.version",
                [process, seconds_ago, version],
            )

    def nobody_serves(self) -> None:
        with psycopg.connect(self.cell_url) as connection:
            connection.execute("delete from directory.heartbeat")

    def set_quota_by_hand(self, organisation_id: UUID, quota_bytes: int) -> None:
        """Somebody sets a quota by hand."""
        name, key = f"org-{organisation_id.hex}", self.keyring(organisation_id).current
        self.store.ensure_bucket(name, name, key, BucketWish(quota_bytes), 1)

    def remove_by_hand(self, organisation_id: UUID) -> None:
        """Somebody removes account and bucket by hand."""
        name, key = f"org-{organisation_id.hex}", self.keyring(organisation_id).current
        self.store.remove(name, name, key, 1)

    def _owners(self, slot: str) -> int:
        with psycopg.connect(self.cell_url) as connection:
            row = connection.execute(f"select count(*) from {slot}.principal where role = 3".encode()).fetchone()
            return int(row[0]) if row else 0

    def complaints(self, *organisation_ids: UUID, mails: bool = True) -> list[str]:
        """The oracle: what is not as it must be, in any world. An empty list is the only good answer.

        Without `mails` where another process sends them.
        """
        if mails:
            self.post()
        found = [str(orphan) for orphan in provisioning.orphans(self.engine, self.world)]
        for organisation_id in organisation_ids:
            found += self._complaints(organisation_id, mails)
        return found + self._mails_twice() + self._audit()

    def _complaints(self, organisation_id: UUID, mails: bool) -> list[str]:
        row, seen = self.get(organisation_id), self.inventory(organisation_id)
        wanted = {"live": WHOLE, "suspended": WHOLE, "read_only": WHOLE, "closing": WHOLE}.get(row.state, NOTHING)
        if row.state == "failed":
            # Its address and, until the second look, its place are kept for another try.
            seen = Inventory(**{**vars(seen), "addresses": 0})
        if not mails:
            seen = Inventory(**{**vars(seen), "ready_mails": wanted.ready_mails})
        elif row.state == "erased":
            # Erased before its mail left: then it never leaves.
            seen = Inventory(**{**vars(seen), "ready_mails": 0})
        problems = [] if seen == wanted else [f"{row.address} is {row.state}: {seen}"]
        if row.state in {"ordered", "provisioning"}:
            problems.append(f"{row.address} is still {row.state}")
        if row.state == "failed" and not row.failure:
            problems.append(f"{row.address} failed without a reason")
        return problems + (self._key_complaints(organisation_id) if seen == WHOLE else [])

    def _key_complaints(self, organisation_id: UUID) -> list[str]:
        """The store holds exactly the keys that are not gone, and the one that is published among them."""
        wanted = {key.key_id for key in self.keys(organisation_id).store if key.state != "gone"}
        record, held = self.cell.inspect(organisation_id).record, self.stored(organisation_id).key_ids
        published = record.store.get("key_id") if record else None
        return (
            []
            if held == wanted and published in held
            else [f"keys {held} held, {wanted} wanted, {published} published"]
        )

    def _mails_twice(self) -> list[str]:
        keys = [mail.key for mail in self.sent]
        return [f"sent twice: {key}" for key in set(keys) if keys.count(key) > 1]

    def _audit(self) -> list[str]:
        with transaction(self.engine) as session:
            expected = [row[0] for row in session.execute(text("select id from organisation"))]
            report = audit.verify(session, audit.audit_key(session), expected=expected)
        return [str(finding) for finding in report.findings]


@contextmanager
def open_house(
    postgres: str, template: str, vault: Vault, *, spares: int = 0, store: dict[str, Any] | None = None
) -> Iterator[House]:
    """A house with one cell `local`; its spare slots are built at once. `store` are the settings of its store."""
    number = f"{os.getpid()}_{next(_numbers)}"
    control, cell = f"house_{number}", f"house_cell_{number}"
    folder = Path(tempfile.mkdtemp(prefix="parvis-store-"))
    control_url = create_database(postgres, control, template)
    engine = open_engine(control_url, vault=vault, pool_size=12)
    databases = Databases(vault)
    try:
        cell_url = create_database(postgres, cell)
        with transaction(engine) as session:
            catalogue.seed(session)
            placement.add_cell(session, CELL, "fr-par", [], store or {"kind": "files", "root": str(folder)}, SYSTEM)
            placement.add_database(session, vault, CELL, cell_url, 2000, spares, SYSTEM)
        world = World(vault, databases, ".parvis.localhost", "http://parvis.localhost:8080", identity.published)
        house = House(control_url, cell_url, folder, vault, engine, world)
        house.cell.build_slots(spares)
        yield house
    finally:
        databases.close()
        engine.dispose()
        drop_database(postgres, control)
        drop_database(postgres, cell)
        shutil.rmtree(folder, ignore_errors=True)
