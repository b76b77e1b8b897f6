"""What both sides exchange: plain immutable values, no behaviour beyond their own validity."""

import re
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from kit.errors import Refusal
from tenant_app.contract.identity import Identity
from tenant_app.contract.values import Value

SLOT_NAME = re.compile(r"slot_[0-9]{6}")
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

State = Literal["live", "read_only", "suspended", "closing"]


class TenantRecord(Value, frozen=True, kw_only=True):
    """Everything the tenant app needs to serve one organisation.

    `hosts` are exact names without a port. `store` is what the object store's client needs, its secret still sealed.
    `generation` counts the wishes of the control plane and `fence` its leases: an older one never overwrites a newer.
    `identity` is how its people sign in. `database` names the cell database of the slot; the reader fills it in.
    """

    organisation_id: UUID
    slot: str
    state: State
    name: str
    address: str
    hosts: tuple[str, ...]
    site_url: str
    offer: str
    locale: str = "fr"
    entitlements: dict[str, Any] = msgspec.field(default_factory=dict)
    store: dict[str, Any] = msgspec.field(default_factory=dict)
    trial_ends_at: datetime | None = None
    notice: str | None = None
    identity: Identity = Identity()
    generation: int = 1
    fence: int = 0
    database: str = ""


class Owner(Value, frozen=True, kw_only=True):
    """The first person of a workspace. The control plane chose `id`, so that a login ticket can name it."""

    id: UUID
    email: str
    name: str
    locale: str = "fr"


class Usage(Value, frozen=True, kw_only=True):
    """What one workspace uses, as its own worker last counted it.

    The last five are what it found in the object store at `reconciled_at`: `orphans` are objects without a row,
    `missing` are rows without an object.
    """

    organisation_id: UUID
    storage_bytes: int
    members: int
    guests: int
    spaces: int
    seen_at: datetime | None
    measured_at: datetime
    store_bytes: int | None = None
    store_objects: int | None = None
    orphans: int = 0
    missing: int = 0
    reconciled_at: datetime | None = None


class Check(Value, frozen=True, kw_only=True):
    """One thing that `verify` tried, and whether it held."""

    name: str
    ok: bool
    detail: str = ""


class Inspection(Value, frozen=True, kw_only=True):
    """What exists of one organisation in a cell database, and in `drift` what is not as its version should be."""

    slot: str | None
    schema: bool
    role: bool
    schema_version: str | None
    record: TenantRecord | None
    drift: tuple[str, ...]

    @property
    def grants_ok(self) -> bool:
        """Whether the slot's rights are exactly those of its blueprint."""
        return self.slot is not None and not self.drift


class Inventory(Value, frozen=True, kw_only=True):
    """All that one cell database holds, for the sweep that looks for what has no owner."""

    slots: dict[str, UUID | None]
    schemas: frozenset[str]
    roles: frozenset[str]
    tenants: dict[UUID, str]
    hosts: dict[str, UUID]

    @property
    def orphans(self) -> frozenset[str]:
        """Schemas and roles that no slot accounts for."""
        return (self.schemas | self.roles) - self.slots.keys()


class Health(Value, frozen=True, kw_only=True):
    """The figures by which a cell database is watched.

    `schema_version` is what every slot has at least; `slots_behind` wait for this release's own.
    """

    server_version: int
    slots: int
    spares: int
    tenants: int
    directory_version: int
    schema_version: str
    slots_behind: int = 0


class Upgraded(Value, frozen=True, kw_only=True):
    """What a round of upgrades did: `locked` slots were in use and come next time, `failed` ones say why by name.

    `behind` slots are still at an older version than `version`.
    """

    version: str
    upgraded: int
    locked: int
    failed: dict[str, str]
    behind: int


def slot_name(name: str) -> str:
    """Return `name` if it may stand in SQL text; anything else is a bug of ours or an attack."""
    if not SLOT_NAME.fullmatch(name):
        msg = f"not a slot: {name!r}"
        raise ValueError(msg)
    return name


def checked_hosts(hosts: tuple[str, ...]) -> list[str]:
    """Return the hosts, sorted; refuse what is not an exact lower-case name."""
    for host in hosts:
        if not HOST_NAME.fullmatch(host):
            raise Refusal("host_invalid", "“{host}” is not a host name.", field="hosts", host=host)
    return sorted(set(hosts))
