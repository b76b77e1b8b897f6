"""One operation on one resource, as a request or as a part of a bulk: a transaction, and the resource after it."""

from typing import Any, NamedTuple
from uuid import UUID

from kit.errors import Refusal, not_found
from tenant_app.accounts import AnyRequest
from tenant_app.scim import answers, groups, listing, users
from tenant_app.scim.answers import Wish
from tenant_app.scim.pushing import Push, pushing

# Beyond so many, an answer to a change leaves the members out: the directory knows whom it has just named.
MANY = 1000
WHOLE = Wish((), ())
ROOMS: dict[str, Any] = {"User": users, "Group": groups}


class Asked(NamedTuple):
    """What to do: method, kind, the id as it was sent, the body, and the version that must be there."""

    method: str
    kind: str
    of: str | None
    body: Any = None
    match: str | None = None


def identifier(text: str, kind: str) -> UUID:
    """An id; what is none of ours is of nobody."""
    try:
        return UUID(text)
    except ValueError as error:
        raise not_found(kind) from error


async def carry_out(request: AnyRequest, asked: Asked, wish: Wish = WHOLE) -> tuple[int, dict[str, Any] | None]:
    """The status, and the resource unless there is none to show."""
    async with pushing(request, writes=True) as push:
        if asked.method == "POST":
            return 201, await _create(push, asked, wish)
        of = identifier(asked.of or "", asked.kind)
        room = ROOMS[asked.kind]
        if asked.method == "DELETE":
            await room.delete_one(push, of, asked.match)
            return 204, None
        verb = room.replace if asked.method == "PUT" else room.change
        await verb(push, of, asked.body, asked.match)
        if await _too_large(push, asked, of, wish):
            return 204, None
        return 200, await listing.one(push, asked.kind, of, wish)


async def _create(push: Push, asked: Asked, wish: Wish) -> dict[str, Any]:
    if not isinstance(asked.body, dict):
        raise Refusal("scim_body_missing", "An object is expected as the body.", status=400, scim="invalidSyntax")
    made = await ROOMS[asked.kind].create(push, asked.body)
    if isinstance(made, UUID):
        return await listing.one(push, asked.kind, made, wish)
    return answers.user(made, push.base)


async def _too_large(push: Push, asked: Asked, of: UUID, wish: Wish) -> bool:
    wanted = asked.kind == "Group" and asked.method == "PATCH" and not wish.leaves_out("members")
    return wanted and await listing.members_count(push, of) > MANY
