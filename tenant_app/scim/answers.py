"""Resources as directories read them, with only the attributes they asked for; and failures in SCIM's own words."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from kit import logs
from kit.errors import Refusal, Refusals, Unavailable
from tenant_app.accounts import AnyRequest
from tenant_app.scim.schema import BASE, ENTERPRISE, ERROR, GROUP, LIST, TREES, URNS, USER

SCIM_JSON = "application/scim+json"
ALWAYS = frozenset({"schemas", "id"})
# 409 would make a directory look for somebody who has that name already.
STATUSES = {"seats_limit": 403}

log = logs.get("tenant_app.scim")


class UserRow(msgspec.Struct, frozen=True):
    """A user as he is read: his data, and what follows from other tables."""

    id: UUID
    data: dict[str, Any]
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime
    groups: list[dict[str, Any]]


class GroupRow(msgspec.Struct, frozen=True):
    """A group, with its members where they were asked for."""

    id: UUID
    data: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    members: list[dict[str, Any]]


def moment(when: datetime) -> str:
    """As SCIM writes a moment."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def etag(row: UserRow | GroupRow) -> str:
    """The version of a resource as HTTP carries it: another one as soon as anything else is shown.

    Whoever is let in or kept out by hand, and a group that takes him in or is renamed, leave his own row as it was. A
    group's members are its own affair, and counted in its row, for there may be tens of thousands of them.
    """
    if isinstance(row, GroupRow):
        return f'W/"{row.version}"'
    follows = msgspec.json.encode([row.active, row.groups])
    return f'W/"{row.version}-{hashlib.blake2b(follows, digest_size=6).hexdigest()}"'


def _meta(kind: str, row: UserRow | GroupRow, base: str) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "created": moment(row.created_at),
        "lastModified": moment(row.updated_at),
        "location": f"{base}/{kind}s/{row.id}",
        "version": etag(row),
    }


def user(row: UserRow, base: str) -> dict[str, Any]:
    """The whole user."""
    schemas = [USER, ENTERPRISE] if ENTERPRISE in row.data else [USER]
    whole = {"schemas": schemas, "id": str(row.id), **row.data}
    if "active" in row.data:
        whole["active"] = row.active
    if row.groups:
        whole["groups"] = [{**one, "$ref": f"{base}/Groups/{one['value']}", "type": "direct"} for one in row.groups]
    whole["meta"] = _meta("User", row, base)
    return whole


def group(row: GroupRow, base: str) -> dict[str, Any]:
    """The whole group."""
    whole = {"schemas": [GROUP], "id": str(row.id), **row.data}
    if row.members:
        whole["members"] = [{**one, "$ref": f"{base}/Users/{one['value']}", "type": "User"} for one in row.members]
    whole["meta"] = _meta("Group", row, base)
    return whole


class Wish:
    """Which attributes a request wants (`attributes`) or does not want (`excludedAttributes`)."""

    def __init__(self, wanted: Iterable[str], unwanted: Iterable[str]) -> None:
        self.wanted = _names(wanted)
        self.unwanted = _names(unwanted)

    def leaves_out(self, name: str) -> bool:
        """Whether nothing of this attribute is asked for."""
        low = name.lower()
        if self.wanted:
            return not any(one == low or one.startswith(low + ".") for one in self.wanted)
        return low in self.unwanted

    def of(self, kind: str, whole: dict[str, Any]) -> dict[str, Any]:
        """What remains of a resource."""
        if not self.wanted and not self.unwanted:
            return whole
        return {name: kept for name, value in whole.items() if (kept := self._kept(kind, name, value)) is not None}

    def _kept(self, kind: str, name: str, value: Any) -> Any:
        low = name.lower()
        if low in ALWAYS:
            return value
        named = self.wanted or self.unwanted
        parts = {one.removeprefix(low + ".") for one in named if one.startswith(low + ".")}
        if self.wanted:
            if low in self.wanted:
                return value
            return _parts(value, parts, keep=True) if parts and low in TREES[kind] else None
        if low in self.unwanted:
            return None
        return _parts(value, parts, keep=False) if parts else value


def _names(given: Iterable[str]) -> frozenset[str]:
    """`userName`, `name.familyName`, and the same behind their schema's name; an extension's own as its part."""
    found = set()
    for one in given:
        low = one.strip().lower()
        for urn in URNS.values():
            low = low.removeprefix(urn.lower() + ":")
        extension = ENTERPRISE.lower()
        found.add(f"{extension}.{low[len(extension) + 1 :]}" if low.startswith(extension + ":") else low)
    return frozenset(found - {""})


def _parts(value: Any, parts: set[str], *, keep: bool) -> Any:
    if isinstance(value, list):
        return [_parts(one, parts, keep=keep) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: one for name, one in value.items() if (name.lower() in parts) is keep}


def answer(body: Any, status: int = 200, **headers: str) -> Response[bytes]:
    """An answer of SCIM."""
    return Response(msgspec.json.encode(body), status_code=status, media_type=SCIM_JSON, headers=headers)


def resource(whole: dict[str, Any], shown: dict[str, Any], status: int = 200) -> Response[bytes]:
    """One resource, with its version and, if it was just made, its address."""
    headers = {"ETag": whole["meta"]["version"]}
    if status == 201:
        headers["Location"] = whole["meta"]["location"]
    return answer(shown, status, **headers)


def listed(resources: list[Any], total: int, **paging: Any) -> dict[str, Any]:
    """A list, as SCIM wraps it."""
    return {
        "schemas": [LIST],
        "totalResults": total,
        "itemsPerPage": len(resources),
        **paging,
        "Resources": resources,
    }


def error_body(refusal: Refusal) -> dict[str, Any]:
    """A refusal in SCIM's words."""
    status = STATUSES.get(refusal.code, refusal.status)
    body: dict[str, Any] = {"schemas": [ERROR], "status": str(status), "detail": str(refusal)}
    if "scim" in refusal.params:
        body["scimType"] = refusal.params["scim"]
    return body


def refused(request: AnyRequest, refusal: Refusal) -> Response[bytes]:
    """Its answer; Litestar calls it for what a handler raises."""
    del request
    body = error_body(refusal)
    headers = {}
    if body["status"] == "401":
        headers["WWW-Authenticate"] = 'Bearer realm="scim"'
    if "retry_after" in refusal.params:
        headers["Retry-After"] = str(refusal.params["retry_after"])
    return answer(body, int(body["status"]), **headers)


def wrong_method(otherwise: Any) -> Any:
    """The handler of an address that does not take a method, before any route is chosen; `otherwise` of other rooms."""

    def told(request: AnyRequest, error: HTTPException) -> Response[Any]:
        if not request.url.path.startswith(f"{BASE}/"):
            other: Response[Any] = otherwise(request, error)
            return other
        words = Refusal("method_not_allowed", "This address does not take that method.", status=405)
        response = refused(request, words)
        response.headers.update(
            {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        )
        return response

    return told


def refused_first(request: AnyRequest, refusals: Refusals) -> Response[bytes]:
    """Several at once: the first speaks."""
    return refused(request, refusals.refusals[0])


def unavailable(request: AnyRequest, error: Unavailable) -> Response[bytes]:
    """Asking again helps."""
    log.warning("unavailable", code=error.code, error=str(error))
    words = Refusal(
        "scim_unavailable", "This does not answer just now. Please try again in a moment.", status=503, retry_after=5
    )
    return refused(request, words)


def unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """A bug of ours; directories try again."""
    status = getattr(error, "status_code", 500)
    if 400 <= status < 500:
        words = Refusal("scim_refused", "This request cannot be served as it was sent.", status=status)
        return refused(request, words)
    log.error("unexpected failure", path=request.url.path, exc_info=error)
    return refused(request, Refusal("unexpected", "Something went wrong on our side. We have been told.", status=500))
