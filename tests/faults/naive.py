"""As one writes it in an afternoon: no ledger, no lease, no fence, names made on the spot, the mail sent at once."""

from uuid import UUID

from sqlalchemy import text

from control_plane.provisioning import Mail
from control_plane.storage import AccessKey, BucketWish
from kit.ids import new_id
from tenant_app.contract import Owner, TenantRecord
from tests.faults.crashes import CrashPoint
from tests.world.house import House, Killed


class NaiveWorker:
    """Makes an organisation step by step; killed at a point, it begins again from the start, as a retried job does."""

    def __init__(self, house: House, crash: CrashPoint | None = None) -> None:
        self.house = house
        self.crash = crash

    def run(self, organisation_id: UUID) -> None:
        slot = self._step("slot", lambda: self.house.cell.take_slot(organisation_id, 0))
        account = self._step("storage", self._make_storage)
        self._step("owner", lambda: self._make_owner(organisation_id))
        self._step("route", lambda: self._open(organisation_id, slot, account))

    def _step(self, name: str, work):
        self._watch("before", name)
        made = work()
        self._watch("effect", name)
        self._watch("commit", name)
        return made

    def _watch(self, point: str, step: str) -> None:
        if self.crash and (step, point) == (self.crash.step, self.crash.point):
            raise Killed(str(self.crash))

    def _make_storage(self) -> str:
        name = f"org-{new_id().hex}"
        key = AccessKey(f"PVNAIVE{new_id().hex[-8:]}", "s" * 40)
        self.house.store.ensure_account(name, [key], 0)
        self.house.store.ensure_bucket(name, name, key, BucketWish(10**9), 0)
        return name

    def _make_owner(self, organisation_id: UUID) -> None:
        owner = Owner(id=new_id(), email=f"{new_id().hex}@sevres.example", name="Jeanne Martin")
        self.house.cell.ensure_owner(organisation_id, owner, 0)

    def _open(self, organisation_id: UUID, slot: str, account: str) -> None:
        row = self.house.get(organisation_id)
        self.house.cell.publish(
            TenantRecord(
                organisation_id=organisation_id,
                slot=slot,
                state="live",
                name=row.name,
                address=row.address,
                hosts=(f"{row.address}.parvis.localhost",),
                site_url="http://parvis.localhost:8080",
                offer=row.offer_code,
                store={"bucket": account},
            )
        )
        with self.house.engine.begin() as connection:
            for state in ("provisioning", "live"):
                connection.execute(
                    text("update organisation set state = :state, live_at = now() where id = :id and state <> 'live'"),
                    {"state": state, "id": organisation_id},
                )
            connection.execute(
                text("update provisioning set settled_generation = generation where organisation_id = :id"),
                {"id": organisation_id},
            )
        self.house.sent.append(Mail(new_id(), f"ready:{organisation_id}", organisation_id, "ready", {}))
