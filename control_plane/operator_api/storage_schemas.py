"""What scripts read of storage: stores, figures of both sides, and keys. Never a secret."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from control_plane.operator_api.mirror_schemas import MirrorSummaryView, MirrorView
from control_plane.operator_api.schemas import View
from control_plane.organisations import Agreement, Finding

Moment = datetime | None


class StoreCheckView(View, kw_only=True):
    """One thing that was looked at in a store. What is ok may still carry a warning."""

    name: str
    ok: bool
    warning: bool
    detail: str


class StoreMirrorView(MirrorSummaryView, kw_only=True):
    """The second store that a cell's store is copied to, and how far the copies are."""

    checks: list[StoreCheckView]


class StoreView(View, kw_only=True):
    """A cell's object store, and whether it is well at this moment."""

    cell: str
    kind: Annotated[str, Meta(description="files or ceph.")]
    endpoint: Annotated[str | None, Meta(description="Where Parvis reaches it.")]
    public_endpoint: Annotated[str | None, Meta(description="Where browsers reach it.")]
    region: str
    own_keys: Annotated[bool, Meta(description="Whether it encrypts by organisations' own keys where an offer asks.")]
    well: bool
    checks: list[StoreCheckView]
    mirror: Annotated[StoreMirrorView | None, Meta(description="Null where it is not mirrored.")]


class StoreList(View, kw_only=True):
    """The cells' stores."""

    items: list[StoreView]


class WorkspaceCount(View, kw_only=True):
    """What the workspace counts: the figure that its limit is held to."""

    bytes: int
    measured_at: datetime


class StoreCount(View, kw_only=True):
    """What the store counts at this moment, uploads under way included, and how it holds the account."""

    bytes: int
    objects: int
    limit_bytes: Annotated[int | None, Meta(description="Its limit as it was sold; it admits a little more.")]
    mode: Literal["open", "read_only", "suspended"]


class ComparisonView(View, kw_only=True):
    """The last comparison of workspace and store, file by file."""

    pending: Annotated[bool, Meta(description="One is yet to come: asked for, or the first.")]
    at: Moment
    store_bytes: int | None
    store_objects: int | None
    orphans: Annotated[int, Meta(description="Objects that no file named; removed once they were a day old.")]
    missing: Annotated[int, Meta(description="Files whose content the store lacks, or has in another size.")]


class StoreKeyView(View, kw_only=True):
    """An access key to the store, without its secret. An old one goes once nobody can be using it."""

    version: int
    key_id: str
    state: Annotated[Literal["current", "retiring", "gone"], Meta(description="Retiring ones still open the store.")]
    created_at: datetime
    published_at: Annotated[Moment, Meta(description="Since then the workspace is told to use it.")]
    retired_at: Moment
    confirmed_at: Annotated[Moment, Meta(description="Since then every process of the cell uses a later one.")]
    last_use_ended_at: Annotated[Moment, Meta(description="Since then nobody can have used it.")]
    removed_at: Annotated[Moment, Meta(description="Since then the store has forgotten it.")]


class DataKeyView(View, kw_only=True):
    """A data key, without the key. An older one stays while files hang on it."""

    version: int
    name: Annotated[str, Meta(description="What a gateway asks for.")]
    state: Literal["current", "older", "destroyed"]
    created_at: datetime
    files_since: Annotated[Moment, Meta(description="Since then it encrypts new files.")]
    retired_at: Moment
    destroyed_at: Moment


class KeysView(View, kw_only=True):
    """All keys that an organisation has or had, the newest first."""

    store: list[StoreKeyView]
    data: list[DataKeyView]


class StorageView(View, kw_only=True):
    """An organisation's storage as each side sees it."""

    organisation_id: UUID
    cell: str | None
    sold_bytes: int
    encryption: Annotated[
        Literal["store", "tenant"], Meta(description="Whose key encrypts new files at rest: the store's, or its own.")
    ]
    workspace: Annotated[WorkspaceCount | None, Meta(description="Null while its cell has reported nothing.")]
    store: Annotated[StoreCount | None, Meta(description="Null where the store does not answer, or has nothing.")]
    store_trouble: Annotated[str | None, Meta(description="The code of why the store's count is missing.")]
    agreement: Agreement
    findings: Annotated[list[Finding], Meta(description="What is not as it must be, the gravest first.")]
    comparison: ComparisonView
    keys: KeysView
    mirror: Annotated[MirrorView | None, Meta(description="Null where its cell's store is not mirrored.")]
