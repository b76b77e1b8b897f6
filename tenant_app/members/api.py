"""Pages about the people of a workspace, and the page that an invitation leads to."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from kit.errors import Refusal, Refusals
from kit.interface import locale_of
from tenant_app.accounts import (
    AnyRequest,
    Desk,
    Room,
    Way,
    by_id,
    connection,
    csrf,
    desk,
    enforcing,
    fields,
    origin,
    outside,
    refused_form,
    signed_in,
    sso_admins,
    to_provider,
    told,
)
from tenant_app.interface import Role, show
from tenant_app.members import invitations, service
from tenant_app.spaces import identifier, managed_by

NOTHING = Refusals([])


async def members_page(desk: Desk, form: Any = None, status: int = 200) -> Response[Any]:
    """Everybody, open invitations, and the form to invite."""
    people = await service.everybody(desk.conn)
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        "members/members.html",
        csrf=csrf.token(desk.request),
        status=status,
        current="members",
        people=people,
        sso_admins=await sso_admins(desk.conn) if desk.viewer.role >= Role.ADMINISTRATOR else set(),
        invitations=await invitations.open_invitations(desk.conn) if desk.viewer.role >= Role.ADMINISTRATOR else [],
        invitable_pairs=[(one.id, one.name) for one in await managed_by(desk.conn, desk.viewer.id)],
        form=form or refused_form(desk.request, NOTHING, {}),
    )


def role_in(sent: dict[str, str]) -> int:
    """The role that a form names; anything else is no role."""
    value = sent.get("role", "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) == 1 else -1


class Members(Room):
    """For members to see, for administrators to change."""

    opt = {"support": "read"}  # noqa: RUF012 - Litestar's way

    @get("/members", admits=Role.MEMBER)
    async def members(self, request: AnyRequest) -> Response[Any]:
        """The list."""
        async with desk(request) as d:
            return await members_page(d)

    @post("/members/invitations", admits=Role.ADMINISTRATOR, status_code=200)
    async def invite(self, request: AnyRequest) -> Response[Any]:
        """Invite several at once."""
        sent = await fields(request)
        wanted = sent.get("space", "")
        async with desk(request) as d:
            await d.conn.execute("SAVEPOINT before")
            try:
                space_id = identifier(wanted) if wanted else None
                invited = await invitations.invite(d, sent.get("emails", ""), role_in(sent), space_id, origin(request))
            except Refusal as refusal:
                if refusal.field is None:
                    raise
                await d.conn.execute("ROLLBACK TO SAVEPOINT before")
                return await members_page(d, refused_form(request, refusal, sent, d.viewer.locale), refusal.status)
            return told("/members", "invited", n=len(invited))

    @post("/members/invitations/{invitation:uuid}/resending", admits=Role.ADMINISTRATOR, status_code=303)
    async def resend(self, request: AnyRequest, invitation: FromPath[UUID]) -> Response[Any]:
        """A fresh link."""
        async with desk(request) as d:
            await invitations.resend(d, invitation, origin(request))
            return told("/members", "invited", n=1)

    @post("/members/invitations/{invitation:uuid}/revocation", admits=Role.ADMINISTRATOR, status_code=303)
    async def revoke(self, request: AnyRequest, invitation: FromPath[UUID]) -> Response[Any]:
        """Withdraw it."""
        async with desk(request) as d:
            await invitations.revoke(d, invitation)
            return told("/members", "invitation_revoked")

    @post("/members/{person:uuid}/role", admits=Role.ADMINISTRATOR, status_code=303)
    async def change_role(self, request: AnyRequest, person: FromPath[UUID]) -> Response[Any]:
        """Another role."""
        sent = await fields(request)
        async with desk(request) as d:
            await service.change_role(d, person, role_in(sent))
            return told("/members", "saved")

    @post("/members/{person:uuid}/sso-admin", admits=Role.OWNER, status_code=303)
    async def let_set_up_sign_in(self, request: AnyRequest, person: FromPath[UUID]) -> Response[Any]:
        """An administrator may set up sign-in, too."""
        async with desk(request) as d:
            await service.set_sso_admin(d, person, wanted=True)
            return told("/members", "saved")

    @post("/members/{person:uuid}/sso-admin/removal", admits=Role.OWNER, status_code=303)
    async def let_no_more_set_up_sign_in(self, request: AnyRequest, person: FromPath[UUID]) -> Response[Any]:
        """He administers, and sets up sign-in no more."""
        async with desk(request) as d:
            await service.set_sso_admin(d, person, wanted=False)
            return told("/members", "saved")

    @post("/members/{person:uuid}/deactivation", admits=Role.ADMINISTRATOR, status_code=303)
    async def deactivate(self, request: AnyRequest, person: FromPath[UUID]) -> Response[Any]:
        """No longer let in."""
        async with desk(request) as d:
            await service.deactivate(d, person)
            return told("/members", "deactivated")

    @post("/members/{person:uuid}/deactivation/removal", admits=Role.ADMINISTRATOR, status_code=303)
    async def reactivate(self, request: AnyRequest, person: FromPath[UUID]) -> Response[Any]:
        """Let in again."""
        async with desk(request) as d:
            await service.reactivate(d, person)
            return told("/members", "reactivated")


class Joining(Room):
    """Public: where an invitation leads."""

    opt = {"public": True}  # noqa: RUF012 - Litestar's way

    @get("/join")
    async def join_page(self, request: AnyRequest, token: FromQuery[str] = "") -> Response[Any]:
        """Who invites, and a name to give."""
        async with connection(request) as (_, conn):
            try:
                found = await invitations.by_token(conn, token)
            except Refusal as refusal:
                return outside(request, "members/invitation_void.html", status=refusal.status)
            inviter = await by_id(conn, found.invited_by)
        return outside(
            request,
            "members/join.html",
            form=refused_form(request, NOTHING, {}),
            token=token,
            email=found.email,
            inviter=inviter.name if inviter else None,
        )

    @post("/join", status_code=200)
    async def join(self, request: AnyRequest) -> Response[Any]:
        """Come in, and choose how to sign in next."""
        sent = await fields(request)
        token = sent.get("token", "")
        try:
            async with connection(request) as (record, conn):
                made = await invitations.accept(
                    conn, record, token, sent.get("name", ""), locale_of(request, record.locale)
                )
                person = await by_id(conn, made)
                assert person is not None
                # Whom his organisation's identity provider answers for is here now, and comes in by that.
                provider = enforcing(record, person.email or "")
                if provider is not None:
                    return to_provider(provider, "/")
                return await signed_in(request, conn, person, "/welcome", way=Way.LINK)
        except Refusal as refusal:
            if refusal.field is None:
                return outside(request, "members/invitation_void.html", status=refusal.status)
            form = refused_form(request, refusal, sent)
            return outside(request, "members/join.html", status=422, form=form, token=token, email="", inviter=None)
