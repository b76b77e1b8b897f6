"""Pages and streams of the drive. A folder's address is its id; the top of a space answers to the space's own."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import HttpMethod, Response, get, post, put, route
from litestar.params import FromPath, FromQuery

from kit.errors import Refusal, Refusals, not_found
from kit.pages import Page
from tenant_app.accounts import AnyRequest, Desk, Room, csrf, desk, fields, refused_form, told
from tenant_app.drive import arriving, changes, download, intake, listing, quota
from tenant_app.drive.names import kind_of
from tenant_app.drive.reach import Place, folder, must_change, reach
from tenant_app.interface import Role, show
from tenant_app.spaces import identifier

NOTHING = Refusals([])
MOST_CHOSEN = 500


async def page(desk: Desk, template: str, place: Place, *, status: int = 200, **context: Any) -> Response[Any]:
    """A page of the drive at this place."""
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        template,
        csrf=csrf.token(desk.request),
        status=status,
        current="drive",
        here=place.space_id,
        place=place,
        kind_of=kind_of,
        **{"form": refused_form(desk.request, NOTHING, {}), **context},
    )


async def folder_page(
    desk: Desk, place: Place, *, sort: str = "name", cursor: str | None = None, status: int = 200, form: Any = None
) -> Response[Any]:
    """What lies in a folder."""
    sort = sort if sort in listing.SORTS else "name"
    found: Page[listing.Item] = await listing.items(desk.conn, place.id, sort=sort, cursor=cursor)
    more = f"/drive/{place.id}?sort={sort}&cursor={quote(found.next_cursor)}" if found.next_cursor else None
    return await page(
        desk,
        "drive/folder.html",
        place,
        status=status,
        items=found.items,
        more=more,
        first=cursor is None,
        sort=sort,
        room=await quota.use(desk.conn, desk.tenant),
        largest=quota.limit_of(desk.tenant, "file_bytes"),
        **({"form": form} if form else {}),
    )


def above(place: Place) -> UUID:
    """The folder that holds this node."""
    return place.way[-2].id if len(place.way) > 1 else place.space_id


async def chosen(desk: Desk, ids: list[str]) -> list[Place]:
    """The places that a form names, each within the viewer's reach."""
    if not ids or len(ids) > MOST_CHOSEN:
        raise Refusal("nothing_chosen", "Choose between 1 and {most} things.", status=409, most=MOST_CHOSEN)
    return [must_change(await reach(desk.conn, desk.viewer, identifier(one))) for one in dict.fromkeys(ids)]


class Drive(Room):
    """Whoever is in the space reads and adds; its members change."""

    opt = {"support": "write"}  # noqa: RUF012 - Litestar's way

    @get("/drive/{where:uuid}", admits=Role.GUEST)
    async def look(
        self,
        request: AnyRequest,
        where: FromPath[UUID],
        sort: FromQuery[str] = "name",
        cursor: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """A folder's things, or a file's versions."""
        async with desk(request) as d:
            place = await reach(d.conn, d.viewer, where)
            if place.is_folder:
                return await folder_page(d, place, sort=sort, cursor=cursor)
            found = await listing.versions(d.conn, place.id)
            return await page(d, "drive/file.html", place, versions=found, above=above(place))

    @post("/drive/{where:uuid}/folders", admits=Role.GUEST, status_code=200)
    async def make_folder(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """A new folder here."""
        sent = await fields(request)
        async with desk(request) as d:
            place = folder(must_change(await reach(d.conn, d.viewer, where)))
            try:
                await changes.make_folder(d, place, sent.get("name", ""))
            except Refusal as refusal:
                form = refused_form(request, refusal, sent, d.viewer.locale)
                return await folder_page(d, place, status=refusal.status, form=form)
            return told(f"/drive/{where}", "folder_made")

    @put("/drive/{where:uuid}/files", admits=Role.GUEST, status_code=201, request_max_body_size=None)
    async def upload(
        self, request: AnyRequest, where: FromPath[UUID], name: FromQuery[str] = "", path: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """The body becomes the file `name` (in the folders of `path`), or a new version of the one that is there."""
        arrived = await intake.one_file(request, where, name, path)
        return {"id": str(arrived.id), "name": arrived.name, "version": arrived.version, "size": arrived.size}

    # The token comes as the form's first field, and is checked there before the first file.
    @post("/drive/{where:uuid}/files", admits=Role.GUEST, status_code=303, request_max_body_size=None,
          before_request=lambda _: None)  # fmt: skip
    async def upload_form(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """Files sent by a plain form."""
        arrived = await intake.form(request, where)
        return told(f"/drive/{where}", "uploaded", n=len(arrived))

    @route("/drive/{where:uuid}/content", http_method=[HttpMethod.GET, HttpMethod.HEAD], admits=Role.GUEST,
           hands_out=True)  # fmt: skip
    async def content(
        self, request: AnyRequest, where: FromPath[UUID], version: FromQuery[int | None] = None
    ) -> Response[Any]:
        """The file itself."""
        return await download.send(request, where, version)

    @post("/drive/{where:uuid}/versions/{n:int}/restoration", admits=Role.MEMBER, status_code=303)
    async def restore_version(self, request: AnyRequest, where: FromPath[UUID], n: FromPath[int]) -> Response[Any]:
        """An old version becomes the newest."""
        async with desk(request) as d:
            place = must_change(await reach(d.conn, d.viewer, where))
            await arriving.restore_version(d, place, n)
            return told(f"/drive/{where}", "version_restored", n=n)

    @get("/drive/{where:uuid}/name", admits=Role.MEMBER)
    async def name_page(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """A form with the name."""
        async with desk(request) as d:
            place = must_change(await reach(d.conn, d.viewer, where))
            return await page(d, "drive/rename.html", place, above=above(place))

    @post("/drive/{where:uuid}/name", admits=Role.MEMBER, status_code=200)
    async def rename(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """Another name."""
        sent = await fields(request)
        async with desk(request) as d:
            place = must_change(await reach(d.conn, d.viewer, where))
            try:
                await changes.rename(d, place, sent.get("name", ""))
            except Refusal as refusal:
                if refusal.field is None:
                    raise
                form = refused_form(request, refusal, sent, d.viewer.locale)
                return await page(d, "drive/rename.html", place, status=refusal.status, form=form, above=above(place))
            return told(f"/drive/{above(place)}", "renamed")

    @get("/drive/{where:uuid}/moving", admits=Role.MEMBER)
    async def moving_page(
        self, request: AnyRequest, where: FromPath[UUID], of: FromQuery[list[str] | None] = None
    ) -> Response[Any]:
        """Choose a folder for what was chosen (`of`); `where` is the folder that is looked into."""
        async with desk(request) as d:
            return await self._moving(d, where, of or [])

    async def _moving(self, d: Desk, where: UUID, of: list[str], refusal: Refusal | None = None) -> Response[Any]:
        place = folder(must_change(await reach(d.conn, d.viewer, where)))
        moved = [one for one in await chosen(d, of) if one.node is not None]
        form = refused_form(d.request, refusal or NOTHING, {}, d.viewer.locale)
        return await page(
            d,
            "drive/moving.html",
            place,
            status=refusal.status if refusal else 200,
            form=form,
            moved=moved,
            folders=await listing.folders(d.conn, place.id),
            query="&".join(f"of={one.id}" for one in moved),
        )

    @post("/drive/{where:uuid}/moving", admits=Role.MEMBER, status_code=200)
    async def move(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """Move what was chosen into `where`: all of it or nothing."""
        of = [str(one) for one in (await request.form()).getall("of", [])]
        async with desk(request) as d:
            target = folder(must_change(await reach(d.conn, d.viewer, where)))
            await d.conn.execute("SAVEPOINT before")
            try:
                for place in await chosen(d, of):
                    await changes.move(d, place, target)
            except Refusal as refusal:
                if refusal.status == 404:
                    raise
                await d.conn.execute("ROLLBACK TO SAVEPOINT before")
                return await self._moving(d, where, of, refusal)
            return told(f"/drive/{where}", "moved", n=len(of))

    @post("/drive/{where:uuid}/trash", admits=Role.MEMBER, status_code=303)
    async def trash(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """Put what was chosen (`of`) in the trash; `where` is the folder to come back to."""
        of = [str(one) for one in (await request.form()).getall("of", [])]
        async with desk(request) as d:
            back = await reach(d.conn, d.viewer, where)
            for place in await chosen(d, of):
                await changes.trash(d, place)
            more = {"of": of[0]} if len(of) == 1 else {"n": len(of)}
            return told(f"/drive/{back.id}", "trashed", **more)


class Trash(Room):
    """What was put away: brought back, or removed for good."""

    opt = {"support": "write"}  # noqa: RUF012 - Litestar's way

    @get("/spaces/{space_id:uuid}/trash", admits=Role.GUEST)
    async def trash_page(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """What lies in it."""
        async with desk(request) as d:
            place = await reach(d.conn, d.viewer, space_id)
            if place.way:
                raise not_found()
            return await page(d, "drive/trash.html", place, items=await listing.trash(d.conn, space_id))

    @post("/drive/{where:uuid}/restoration", admits=Role.MEMBER, status_code=303)
    async def restore(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """Back to where it was, or to the top of the space if that is gone."""
        async with desk(request) as d:
            place = must_change(await reach(d.conn, d.viewer, where, trashed=True))
            try:
                home = await reach(d.conn, d.viewer, above(place))
            except Refusal:
                home = await reach(d.conn, d.viewer, place.space_id)
            await changes.restore(d, place, home)
            return told(f"/drive/{home.id}", "restored")

    @post("/drive/{where:uuid}/removal", admits=Role.MEMBER, support="read", status_code=303)
    async def remove(self, request: AnyRequest, where: FromPath[UUID]) -> Response[Any]:
        """For good."""
        async with desk(request) as d:
            place = must_change(await reach(d.conn, d.viewer, where, trashed=True))
            await changes.remove(d, place)
            return told(f"/spaces/{place.space_id}/trash", "removed")
