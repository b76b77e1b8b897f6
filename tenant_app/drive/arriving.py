"""Bytes that are stored become files: new ones, or new versions of what has their name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal, not_found
from kit.ids import new_id
from tenant_app.accounts import Desk, chore_later, note, notes
from tenant_app.drive import changes, names, promises, quota
from tenant_app.drive.models import node, upload, version
from tenant_app.drive.promises import Promise
from tenant_app.drive.reach import FILE, FOLDER, Place, file, must_add, reach
from tenant_app.drive.store import Stored
from tenant_app.tenancy import Q

NOW = func.now()


class Kept(msgspec.Struct, frozen=True):
    """The blob behind one version."""

    blob_id: UUID
    size: int
    sha256: str | None
    part_bytes: int | None


class Present(msgspec.Struct, frozen=True):
    """What has this name in the folder already."""

    id: UUID
    kind: str
    version: int


class Ended(msgspec.Struct, frozen=True):
    """A promise that was still there, and has ended now."""

    id: UUID


@dataclass(frozen=True)
class Arrived:
    """A file that is stored now."""

    id: UUID
    name: str
    version: int
    size: int


_same_name = (
    func.coalesce(node.c.parent_id, node.c.space_id) == bindparam("folder"),
    func.lower(node.c.name) == func.lower(bindparam("name")),
    node.c.deleted_at.is_(None),
)
PRESENT = Q(select(node.c.id, node.c.kind, node.c.version).where(*_same_name).with_for_update(), Present)
PEEK = Q(select(node.c.id, node.c.kind, node.c.version).where(*_same_name), Present)
LOCK_NODE = Q(
    select(node.c.id, node.c.kind, node.c.version).where(node.c.id == bindparam("of")).with_for_update(), Present
)
KEPT = Q(
    select(version.c.blob_id, version.c.size, version.c.sha256, version.c.part_bytes).where(
        version.c.node_id == bindparam("of"), version.c.n == bindparam("n")
    ),
    Kept,
)
END = Q(delete(upload).where(upload.c.id == func.any(bindparam("ids"))).returning(upload.c.id), Ended)
ADD_VERSION = Q(
    insert(version).values(
        node_id=bindparam("node_id"),
        n=bindparam("n"),
        blob_id=bindparam("blob_id"),
        size=bindparam("size"),
        sha256=bindparam("sha256"),
        part_bytes=bindparam("part_bytes"),
        author_id=bindparam("author_id"),
        label=None,
        created_at=NOW,
    )
)
SHOW_VERSION = Q(
    update(node)
    .where(node.c.id == bindparam("of"))
    .values(
        version=bindparam("n"),
        size=bindparam("size"),
        mime=bindparam("mime"),
        updated_at=NOW,
        updated_by=bindparam("by"),
        etag=bindparam("etag"),
    )
)


def is_folder_there(name: str) -> Refusal:
    """A file cannot become a new version of a folder."""
    return Refusal(
        "name_is_folder", "A folder is called “{name}” here. Rename one of them.", field="name", status=409, name=name
    )


class Arrivals:
    """Files that arrive together: one transaction, few round trips; one that is refused keeps no other back."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.versions: list[dict[str, object]] = []
        self.told: list[tuple[str, UUID, dict[str, object]]] = []
        self.reserved = 0
        self.stored = 0

    async def take(self, waiting: Sequence[tuple[Promise, Stored]]) -> list[Arrived | Refusal]:
        """Each promise's file, or why there is none; a refused one's bytes are given up."""
        conn = self.desk.conn
        for space_id in sorted({promise.space_id for promise, _ in waiting}):
            await changes.SHARE_SPACE.one(conn, of=space_id)
        ended: list[Ended] = await END.all(conn, ids=[promise.id for promise, _ in waiting])
        there = {one.id for one in ended}
        places: dict[UUID, Place | Refusal] = {}
        found = [await self._one(promise, stored, promise.id in there, places) for promise, stored in waiting]
        await ADD_VERSION.each(conn, self.versions)
        await notes(self.desk, self.told)
        await quota.settle(conn, reserved=self.reserved, stored=self.stored)
        await chore_later(conn, self.desk.tenant)
        return found

    async def _one(
        self, promise: Promise, stored: Stored, promised: bool, places: dict[UUID, Place | Refusal]
    ) -> Arrived | Refusal:
        if not promised:
            return promises.given_up()
        self.reserved += promise.size
        try:
            arrived = await self._show(await self._place(promise.folder_id, places), promise, stored)
        except Refusal as refusal:
            await promises.DISCARD.run(self.desk.conn, blob_id=promise.blob_id)
            return refusal
        self.stored += stored.size
        self.told.append(
            ("file.uploaded", arrived.id, {"name": arrived.name, "version": arrived.version, "size": stored.size})
        )
        return arrived

    async def _place(self, folder_id: UUID, known: dict[UUID, Place | Refusal]) -> Place:
        """Asked again: it may be in the trash, archived or closed to him since the bytes set out."""
        if folder_id not in known:
            try:
                known[folder_id] = must_add(await reach(self.desk.conn, self.desk.viewer, folder_id))
            except Refusal as refusal:
                known[folder_id] = refusal
        place = known[folder_id]
        if isinstance(place, Refusal):
            raise place
        return place

    async def _show(self, place: Place, promise: Promise, stored: Stored) -> Arrived:
        name, by = promise.name, self.desk.viewer.hand
        node_id, n = new_id(), 1
        made = await changes.MAKE.one(
            self.desk.conn,
            id=node_id,
            space_id=place.space_id,
            parent_id=changes.parent_of(place),
            space=place.space_id,
            kind=FILE,
            name=name,
            mime=names.media_type(name),
            size=stored.size,
            version=1,
            created_by=by,
            by=by,
            etag=new_id(),
        )
        if made is None:
            node_id, n = await self._newer(place, name, stored.size)
        blob = Kept(promise.blob_id, stored.size, stored.sha256, stored.part_bytes)
        self.versions.append(_version(node_id, n, blob, by))
        return Arrived(node_id, name, n, stored.size)

    async def _newer(self, place: Place, name: str, size: int) -> tuple[UUID, int]:
        """What has this name shows a newer version from now on."""
        present: Present | None = await PRESENT.one(self.desk.conn, folder=place.id, name=name)
        if present is None:
            raise Refusal("upload_crossed", "The folder changed meanwhile. Send the file again.", status=409)
        if present.kind == FOLDER:
            raise is_folder_there(name)
        await _show_version(self.desk, present.id, present.version + 1, size, name)
        return present.id, present.version + 1


def _version(node_id: UUID, n: int, blob: Kept, author: UUID | None) -> dict[str, object]:
    return {
        "node_id": node_id,
        "n": n,
        "blob_id": blob.blob_id,
        "size": blob.size,
        "sha256": blob.sha256,
        "part_bytes": blob.part_bytes,
        "author_id": author,
    }


async def _show_version(desk: Desk, of: UUID, n: int, size: int, name: str) -> None:
    await SHOW_VERSION.run(
        desk.conn, of=of, n=n, size=size, mime=names.media_type(name), by=desk.viewer.hand, etag=new_id()
    )


async def restore_version(desk: Desk, place: Place, n: int) -> Arrived:
    """An old state becomes the newest one. No byte is copied: both versions share the blob."""
    this = file(place)
    await changes.SHARE_SPACE.one(desk.conn, of=place.space_id)
    old: Kept | None = await KEPT.one(desk.conn, of=this.id, n=n)
    present: Present | None = await LOCK_NODE.one(desk.conn, of=this.id)
    if old is None or present is None:
        raise not_found()
    newest = present.version + 1
    await ADD_VERSION.run(desk.conn, **_version(this.id, newest, old, desk.viewer.hand))
    await _show_version(desk, this.id, newest, old.size, this.name)
    await note(desk, "file.version_restored", this.id, name=this.name, version=n)
    return Arrived(this.id, this.name, newest, old.size)
