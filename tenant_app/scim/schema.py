"""What this workspace's SCIM knows: its attributes, and the documents by which directories discover them.

scim2-models holds the schemas of RFC 7643; here stands what we leave out of them, and a tree that is quick to walk.
"""

from typing import Any

import msgspec
from scim2_models import EnterpriseUser, Group, ResourceType, Schema, ServiceProviderConfig, User

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_ANSWER = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

BASE = "/scim/v2"
MOST_RESULTS = 1000
USUAL_RESULTS = 100
MOST_OPERATIONS = 1000
MOST_BYTES = 4 * 1024 * 1024

# People sign in by passkey, password or their identity provider: no directory sets a password here, or certificates.
LEFT_OUT = frozenset({"password", "x509Certificates"})


OF_MEMBERS: dict[str, Any] = {"$ref": {"referenceTypes": ["User"]}, "type": {"canonicalValues": ["User"]}}


class Attribute(msgspec.Struct, frozen=True):
    """One attribute as its schema describes it; `parts` are its sub-attributes by their name in lower case."""

    name: str
    kind: str
    many: bool = False
    read_only: bool = False
    exact: bool = False
    parts: "dict[str, Attribute]" = msgspec.field(default_factory=dict)


Tree = dict[str, Attribute]


def _tree(attributes: list[dict[str, Any]]) -> Tree:
    return {
        one["name"].lower(): Attribute(
            one["name"],
            one["type"],
            bool(one.get("multiValued")),
            one.get("mutability") == "readOnly",
            bool(one.get("caseExact")),
            _tree(one.get("subAttributes", [])),
        )
        for one in attributes
    }


def _core(model: Any) -> dict[str, Any]:
    kept: dict[str, Any] = model.to_schema().model_dump()
    kept["attributes"] = [one for one in kept["attributes"] if one["name"] not in LEFT_OUT]
    return kept


def _enterprise() -> dict[str, Any]:
    kept = _core(EnterpriseUser)
    for attribute in kept["attributes"]:
        for part in attribute.get("subAttributes", []):
            # Entra names a manager by his id alone.
            part["required"] = False
    return kept


def _group() -> dict[str, Any]:
    kept = _core(Group)
    for attribute in kept["attributes"]:
        if attribute["name"] == "displayName":
            attribute |= {"required": True, "uniqueness": "server"}
        if attribute["name"] == "members":
            # As RFC 7643, 8.7.1 has it; and a group in a group is none of ours.
            attribute["subAttributes"] = [one for one in attribute["subAttributes"] if one["name"] != "display"]
            for part in attribute["subAttributes"]:
                part.update(OF_MEMBERS.get(part["name"], {}))
    return kept


SCHEMAS: dict[str, dict[str, Any]] = {
    one["id"]: one for one in (_core(User), _enterprise(), _group(), *map(_core, (ResourceType, ServiceProviderConfig)))
}
SCHEMAS[_core(Schema)["id"]] = _core(Schema)

_COMMON: Tree = {
    "id": Attribute("id", "string", read_only=True, exact=True),
    "externalid": Attribute("externalId", "string", exact=True),
    "schemas": Attribute("schemas", "reference", many=True, read_only=True, exact=True),
    "meta": Attribute(
        "meta",
        "complex",
        read_only=True,
        parts={
            "resourcetype": Attribute("resourceType", "string", exact=True),
            "created": Attribute("created", "dateTime"),
            "lastmodified": Attribute("lastModified", "dateTime"),
            "location": Attribute("location", "reference", exact=True),
            "version": Attribute("version", "string", exact=True),
        },
    ),
}
_EXTENSION = Attribute(ENTERPRISE, "complex", parts=_tree(SCHEMAS[ENTERPRISE]["attributes"]))
USER_TREE: Tree = {**_COMMON, **_tree(SCHEMAS[USER]["attributes"]), ENTERPRISE.lower(): _EXTENSION}
GROUP_TREE: Tree = {**_COMMON, **_tree(SCHEMAS[GROUP]["attributes"])}
URNS = {"User": USER, "Group": GROUP}
TREES = {"User": USER_TREE, "Group": GROUP_TREE}

RESOURCE_TYPES: dict[str, dict[str, Any]] = {
    "User": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "People of the workspace",
        "schema": USER,
        "schemaExtensions": [{"schema": ENTERPRISE, "required": False}],
    },
    "Group": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "Group",
        "name": "Group",
        "endpoint": "/Groups",
        "description": "Groups of the directory, which the organisation may map to roles",
        "schema": GROUP,
    },
}

CONFIG: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    "patch": {"supported": True},
    "bulk": {"supported": True, "maxOperations": MOST_OPERATIONS, "maxPayloadSize": MOST_BYTES},
    "filter": {"supported": True, "maxResults": MOST_RESULTS},
    "changePassword": {"supported": False},
    "sort": {"supported": True},
    "etag": {"supported": True},
    "pagination": {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": USUAL_RESULTS,
        "maxPageSize": MOST_RESULTS,
    },
    "authenticationSchemes": [
        {
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token that an administrator makes in the organisation's console, shown there once.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": True,
        }
    ],
}


def located(document: dict[str, Any], base: str, kind: str) -> dict[str, Any]:
    """A discovery document with its own address."""
    tail = "/ServiceProviderConfig" if kind == "ServiceProviderConfig" else f"/{kind}s/{document['id']}"
    return {**document, "meta": {"resourceType": kind, "location": base + tail}}
