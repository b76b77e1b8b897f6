"""Pages of spaces."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from kit.errors import Refusal, Refusals, not_found
from tenant_app.accounts import AnyRequest, Desk, Room, csrf, desk, fields, refused_form, told
from tenant_app.interface import Role, show
from tenant_app.spaces import service

NOTHING = Refusals([])


async def spaces_page(desk: Desk, form: Any = None, status: int = 200) -> Response[Any]:
    """The spaces he is in, and a form for a new one."""
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        "spaces/spaces.html",
        csrf=csrf.token(desk.request),
        status=status,
        current="spaces",
        mine=await service.mine(desk),
        form=form or refused_form(desk.request, NOTHING, {}),
    )


async def space_page(desk: Desk, space_id: UUID, form: Any = None, status: int = 200) -> Response[Any]:
    """A space's settings: its name, its people."""
    space = await service.one(desk, space_id)
    candidates = await service.candidates(desk, space_id) if space.manages else []
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        "spaces/space.html",
        csrf=csrf.token(desk.request),
        status=status,
        current="space",
        here=space_id,
        space=space,
        people=await service.participants(desk, space_id),
        candidates=candidates,
        candidate_pairs=[(one.id, f"{one.name} ({one.email})") for one in candidates],
        form=form or refused_form(desk.request, NOTHING, {}),
    )


def identifier(text: str) -> UUID:
    """An id from a form; anything else names nothing."""
    try:
        return UUID(text)
    except ValueError as error:
        raise not_found() from error


class Spaces(Room):
    """For members; what is inside a space is decided by one's role there."""

    opt = {"support": "write"}  # noqa: RUF012 - Litestar's way

    @get("/spaces", admits=Role.GUEST)
    async def spaces(self, request: AnyRequest) -> Response[Any]:
        """The list."""
        async with desk(request) as d:
            return await spaces_page(d)

    @post("/spaces", admits=Role.MEMBER, status_code=200)
    async def create(self, request: AnyRequest) -> Response[Any]:
        """A new one."""
        sent = await fields(request)
        async with desk(request) as d:
            try:
                made = await service.create(d, sent.get("name", ""))
            except Refusal as refusal:
                form = refused_form(request, refusal, sent, d.viewer.locale)
                return await spaces_page(d, form, refusal.status)
            return Redirect(f"/drive/{made}", status_code=303)

    @get("/spaces/{space_id:uuid}", admits=Role.GUEST)
    async def space(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """Its name and people."""
        async with desk(request) as d:
            return await space_page(d, space_id)

    @post("/spaces/{space_id:uuid}", admits=Role.MEMBER, status_code=200)
    async def rename(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """Another name."""
        sent = await fields(request)
        async with desk(request) as d:
            try:
                await service.rename(d, space_id, sent.get("name", ""))
            except Refusal as refusal:
                if refusal.field is None:
                    raise
                return await space_page(d, space_id, refused_form(request, refusal, sent, d.viewer.locale), 422)
            return told(f"/spaces/{space_id}", "saved")

    @post("/spaces/{space_id:uuid}/archive", admits=Role.MEMBER, status_code=303)
    async def archive(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """Out of the way, still readable."""
        async with desk(request) as d:
            await service.archive(d, space_id)
            return told("/spaces", "archived")

    @post("/spaces/{space_id:uuid}/archive/removal", admits=Role.MEMBER, status_code=303)
    async def open_again(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """Back in use."""
        async with desk(request) as d:
            await service.open_again(d, space_id)
            return told(f"/spaces/{space_id}", "opened_again")

    @post("/spaces/{space_id:uuid}/people", admits=Role.MEMBER, support="read", status_code=200)
    async def let_in(self, request: AnyRequest, space_id: FromPath[UUID]) -> Response[Any]:
        """Add somebody, or change what he may do."""
        sent = await fields(request)
        role = sent.get("role", "")
        async with desk(request) as d:
            try:
                await service.let_in(
                    d, space_id, identifier(sent.get("person", "")), int(role) if role.isdecimal() else -1
                )
            except Refusal as refusal:
                if refusal.field is None:
                    raise
                return await space_page(d, space_id, refused_form(request, refusal, sent, d.viewer.locale), 422)
            return told(f"/spaces/{space_id}", "saved")

    @post("/spaces/{space_id:uuid}/people/{person_id:uuid}/removal", admits=Role.GUEST, support="read", status_code=303)
    async def let_out(self, request: AnyRequest, space_id: FromPath[UUID], person_id: FromPath[UUID]) -> Response[Any]:
        """Take somebody out, or leave."""
        async with desk(request) as d:
            await service.let_out(d, space_id, person_id)
            return told("/spaces" if person_id == d.viewer.id else f"/spaces/{space_id}", "let_out")
