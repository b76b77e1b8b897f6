"""Directories that push: a token, a client, and the shapes they send."""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from kit.credentials import new_token
from tenant_app.contract import Identity, ScimToken, SignInConnection, TenantRecord
from tests.workspace.houses import House

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
DOMAIN = "sevres.example"


def a_token(secret: str, **fields: Any) -> ScimToken:
    """What the record knows of a token."""
    return ScimToken(id=fields.pop("id", uuid4()), sha256=hashlib.sha256(secret.encode()).hexdigest(), **fields)


def mapped(roles: dict[str, str], otherwise: str | None = "member") -> SignInConnection:
    """A connection that gives groups a role."""
    return SignInConnection(
        id=uuid4(), kind="oidc", name="Keycloak", stage="pilot", domains=(DOMAIN,), roles=roles, otherwise=otherwise
    )


@dataclass
class Directory:
    """A directory with a token of one workspace."""

    house: House
    record: TenantRecord
    secret: str
    http: httpx.Client
    made: list[UUID] = field(default_factory=list)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.http.post(path, json=body, **options)

    def put(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.http.put(path, json=body, **options)

    def patch(self, path: str, *operations: dict[str, Any], **options: Any) -> httpx.Response:
        return self.http.patch(path, json={"schemas": [PATCH], "Operations": list(operations)}, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.http.delete(path, **options)

    def user(self, name: str = "", **more: Any) -> dict[str, Any]:
        """Push somebody; the answer's body."""
        answer = self.post("/Users", a_user(name, **more))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def group(self, name: str = "", members: list[str] | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"schemas": [GROUP], "displayName": name or f"Group {uuid4().hex[:8]}"}
        if members is not None:
            body["members"] = [{"value": one} for one in members]
        answer = self.post("/Groups", body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def names(self, **asked: Any) -> list[str]:
        """The users that a search finds, in its order."""
        answer = self.get("/Users", params=asked)
        assert answer.status_code == 200, answer.text
        return [one["userName"] for one in answer.json()["Resources"]]

    def members(self, group: str) -> list[str]:
        answer = self.get(f"/Groups/{group}")
        assert answer.status_code == 200, answer.text
        return sorted(one["value"] for one in answer.json().get("members", []))

    def person(self, of: str) -> tuple[str, str | None, int, bool]:
        """Name, e-mail, role, and whether he is let in."""
        [row] = self.house.rows(
            self.record, "select name, email, role, disabled_at is null from principal where id = %s", UUID(of)
        )
        return row

    def events(self, verb: str = "%") -> list[tuple[str, Any]]:
        return self.house.rows(
            self.record, "select verb, object_id from scim_event where verb like %s order by id", verb
        )


def a_user(name: str = "", **more: Any) -> dict[str, Any]:
    """A user as a plain directory sends him."""
    name = name or f"p{uuid4().hex[:10]}"
    email = f"{name}@{DOMAIN}"
    return {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": name.title(), "familyName": "Martin"},
        "displayName": f"{name.title()} Martin",
        "emails": [{"value": email, "type": "work", "primary": True}],
        "active": True,
        **more,
    }


def client_of(house: House, record: TenantRecord, secret: str | None) -> httpx.Client:
    made = house.client(record)
    made.base_url = httpx.URL(f"{house.url(record)}/scim/v2/")
    made.cookies.clear()
    made.headers["Accept"] = "application/scim+json"
    if secret is not None:
        made.headers["Authorization"] = f"Bearer {secret}"
    return made


def opened(
    house: House,
    *,
    domains: tuple[str, ...] = (DOMAIN,),
    brake: int = 100,
    connection: SignInConnection | None = None,
    **options: Any,
) -> Directory:
    """A workspace with a directory that may push into it."""
    secret = new_token()
    identity = Identity(
        connections=(connection,) if connection else (),
        domains=domains,
        scim_tokens=(a_token(secret, connection_id=connection.id if connection else None),),
        brake_percent=brake,
    )
    record = house.workspace(identity=identity, **options)
    return Directory(house, record, secret, client_of(house, record, secret))
