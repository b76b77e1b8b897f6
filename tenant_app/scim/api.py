"""SCIM 2.0 (RFC 7643, 7644, 9865) at `/scim/v2`, for directories with a token of this workspace."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, HttpMethod, Response, delete, get, patch, post, put, route
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from kit.errors import Refusal, Refusals, Unavailable, not_found
from tenant_app.accounts import AnyRequest
from tenant_app.scim import answers, bulk, listing, schema
from tenant_app.scim.answers import Wish
from tenant_app.scim.listing import Query
from tenant_app.scim.pushing import base_of, directory, pushing
from tenant_app.scim.schema import BASE, CONFIG, MOST_BYTES, RESOURCE_TYPES, SCHEMAS
from tenant_app.scim.verbs import Asked, carry_out, identifier
from tenant_app.scim.versions import unchanged


async def body_of(request: AnyRequest) -> Any:
    """The body, whatever its declared type: directories call it `application/scim+json` and `application/json`."""
    raw = await request.body()
    if len(raw) > MOST_BYTES:
        raise Refusal("scim_body_large", "A body can have {most} bytes at most.", status=413, most=MOST_BYTES)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Refusal("scim_json_invalid", "This is no JSON.", status=400, scim="invalidSyntax") from error


def asked_of(request: AnyRequest) -> Query:
    """What the address asks for."""
    return Query(dict(request.query_params.items()))


async def _searched(request: AnyRequest) -> Query:
    body = await body_of(request)
    if not isinstance(body, dict):
        raise Refusal("scim_body_missing", "An object is expected as the body.", status=400, scim="invalidSyntax")
    return Query(body)


async def _shown(request: AnyRequest, kind: str, of: str) -> Response[Any]:
    wish = asked_of(request).wish
    async with pushing(request, writes=False) as push:
        whole = await listing.one(push, kind, identifier(of, kind), wish)
    version = whole["meta"]["version"]
    if unchanged(request, version):
        return Response(None, status_code=304, headers={"ETag": version})
    return answers.resource(whole, wish.of(kind, whole))


async def _listed(request: AnyRequest, kind: str, query: Query) -> Response[Any]:
    async with pushing(request, writes=False) as push:
        return answers.answer(await listing.page(push, kind, query))


async def _written(request: AnyRequest, kind: str, of: str | None = None) -> Response[Any]:
    body = await body_of(request) if request.method != "DELETE" else None
    wish: Wish = asked_of(request).wish
    status, whole = await carry_out(
        request, Asked(request.method, kind, of, body, request.headers.get("if-match")), wish
    )
    if whole is None:
        return Response(None, status_code=status)
    return answers.resource(whole, wish.of(kind, whole), status)


class Provisioning(Controller):
    """Routes of the directory. None is open: even what can be done here is told only to who has a token."""

    path = BASE
    guards = [directory]  # noqa: RUF012 - Litestar's way
    opt = {"directory": True}  # noqa: RUF012
    include_in_schema = False
    request_max_body_size = MOST_BYTES
    exception_handlers = {  # noqa: RUF012
        Refusal: answers.refused,
        Refusals: answers.refused_first,
        Unavailable: answers.unavailable,
        HTTPException: answers.unexpected,
        Exception: answers.unexpected,
    }

    @get("/ServiceProviderConfig")
    async def config(self, request: AnyRequest) -> Response[Any]:
        """What this service can do."""
        return answers.answer(schema.located(CONFIG, base_of(request), "ServiceProviderConfig"))

    @get("/ResourceTypes")
    async def resource_types(self, request: AnyRequest) -> Response[Any]:
        """Users and groups."""
        return _documents(request, RESOURCE_TYPES, "ResourceType")

    @get("/ResourceTypes/{name:str}")
    async def resource_type(self, request: AnyRequest, name: FromPath[str]) -> Response[Any]:
        """One of them."""
        return _document(request, RESOURCE_TYPES, name, "ResourceType")

    @get("/Schemas")
    async def schemas(self, request: AnyRequest) -> Response[Any]:
        """Every attribute."""
        return _documents(request, SCHEMAS, "Schema")

    @get("/Schemas/{name:str}")
    async def one_schema(self, request: AnyRequest, name: FromPath[str]) -> Response[Any]:
        """One schema."""
        return _document(request, SCHEMAS, name, "Schema")

    @get("/Users")
    async def users(self, request: AnyRequest) -> Response[Any]:
        """A page of users."""
        return await _listed(request, "User", asked_of(request))

    @post("/Users", status_code=201)
    async def create_user(self, request: AnyRequest) -> Response[Any]:
        """A person more."""
        return await _written(request, "User")

    @post("/Users/.search", status_code=200)
    async def search_users(self, request: AnyRequest) -> Response[Any]:
        """The same list, asked for by a body."""
        return await _listed(request, "User", await _searched(request))

    @get("/Users/{of:str}")
    async def user(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """One user."""
        return await _shown(request, "User", of)

    @put("/Users/{of:str}")
    async def replace_user(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """All of him anew."""
        return await _written(request, "User", of)

    @patch("/Users/{of:str}")
    async def change_user(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """Some of him."""
        return await _written(request, "User", of)

    @delete("/Users/{of:str}", status_code=200)
    async def delete_user(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """He is not let in any more. Nothing is erased."""
        return await _written(request, "User", of)

    @get("/Groups")
    async def groups(self, request: AnyRequest) -> Response[Any]:
        """A page of groups."""
        return await _listed(request, "Group", asked_of(request))

    @post("/Groups", status_code=201)
    async def create_group(self, request: AnyRequest) -> Response[Any]:
        """A group more."""
        return await _written(request, "Group")

    @post("/Groups/.search", status_code=200)
    async def search_groups(self, request: AnyRequest) -> Response[Any]:
        """The same list, asked for by a body."""
        return await _listed(request, "Group", await _searched(request))

    @get("/Groups/{of:str}")
    async def group(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """One group."""
        return await _shown(request, "Group", of)

    @put("/Groups/{of:str}")
    async def replace_group(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """All of it anew."""
        return await _written(request, "Group", of)

    @patch("/Groups/{of:str}")
    async def change_group(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """Some of it."""
        return await _written(request, "Group", of)

    @delete("/Groups/{of:str}", status_code=200)
    async def delete_group(self, request: AnyRequest, of: FromPath[str]) -> Response[Any]:
        """The group is gone; its people stay."""
        return await _written(request, "Group", of)

    @post("/.search", status_code=200)
    async def search(self, request: AnyRequest) -> Response[Any]:
        """Users and groups at once."""
        query = await _searched(request)
        async with pushing(request, writes=False) as push:
            return answers.answer(await listing.everything(push, query))

    @post("/Bulk", status_code=200)
    async def bulk(self, request: AnyRequest) -> Response[Any]:
        """Many operations at once."""
        return answers.answer(await bulk.run(request, await body_of(request)))

    @route("/Me", http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE])
    async def me(self) -> Response[Any]:
        """A token is no person."""
        words = "A token of a directory is no person: there is no /Me."
        raise Refusal("scim_no_me", words, status=HTTPStatus.NOT_IMPLEMENTED)

    @get("/{rest:path}")
    async def nothing(self, rest: FromPath[str]) -> Response[Any]:
        """An address that leads nowhere, in SCIM's own words."""
        del rest
        raise not_found()


def _documents(request: AnyRequest, known: dict[str, dict[str, Any]], kind: str) -> Response[Any]:
    if "filter" in request.query_params:
        # RFC 7644, 4: what can be discovered is not filtered.
        raise Refusal("scim_no_filter", "These documents cannot be filtered.", status=403)
    base = base_of(request)
    found = [schema.located(one, base, kind) for one in known.values()]
    return answers.answer(answers.listed(found, len(found), startIndex=1))


def _document(request: AnyRequest, known: dict[str, dict[str, Any]], name: str, kind: str) -> Response[Any]:
    if name not in known:
        raise not_found(kind)
    return answers.answer(schema.located(known[name], base_of(request), kind))
