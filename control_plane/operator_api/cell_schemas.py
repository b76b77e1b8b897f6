"""What scripts read of cells: databases without their addresses, stores without their secrets."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from control_plane.operator_api.schemas import View


class DatabaseView(View, kw_only=True):
    """A database of a cell. Its address is never shown."""

    id: UUID
    name: str
    capacity: int
    tenants: int
    spares_wanted: int
    spares_seen: int
    seen_at: datetime | None
    trouble: str | None
    schema_version: str | None


class MirrorSettingsView(View, kw_only=True):
    """Where a cell's store is mirrored, without any secret."""

    endpoint: str
    key_id: str
    region: str
    ca_file: str | None
    retention_days: Annotated[int, Meta(description="How long it keeps what was deleted.")]
    tenant_keys: Annotated[bool, Meta(description="Whether it encrypts by organisations' own keys.")]


class StoreSettingsView(View, kw_only=True):
    """Where a cell keeps its files, without any secret."""

    kind: Annotated[str, Meta(description="files or ceph.")]
    endpoint: Annotated[str | None, Meta(description="Where Parvis reaches it.")]
    public_endpoint: Annotated[str | None, Meta(description="Where browsers reach it; null is the same.")]
    region: str
    root: Annotated[str | None, Meta(description="The folder of a store of files.")]
    admin_key_id: Annotated[str | None, Meta(description="Whose key administers a Ceph.")]
    admin_key_since: Annotated[datetime | None, Meta(description="When that key was given; null for the first.")]
    admin_keys_retiring: Annotated[list[str], Meta(description="Keys before it; each goes 10 minutes after its end.")]
    ca_file: str | None
    tenant_keys: Annotated[bool, Meta(description="Whether it encrypts by organisations' own keys.")]
    mirror: Annotated[MirrorSettingsView | None, Meta(description="Null where it is not mirrored.")]


class CellView(View, kw_only=True):
    """A cell with its databases and its store."""

    id: UUID
    name: str
    region: str
    qualities: list[str]
    open: Annotated[bool, Meta(description="Whether it takes new organisations.")]
    capacity: int
    tenants: int
    spares: int
    store: StoreSettingsView
    databases: list[DatabaseView]


class CellList(View, kw_only=True):
    """The cells."""

    items: list[CellView]


class CheckView(View, kw_only=True):
    """One thing that was checked in a database of a cell."""

    database: str
    name: str
    ok: bool
    detail: str


class Verification(View, kw_only=True):
    """What a verification found."""

    ok: bool
    checks: list[CheckView]
