"""The contract as OpenAPI 3.1, built from the handlers themselves: what they take, answer, want and refuse."""

import functools
import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from control_plane.operator_api import bodies, identity_bodies, support_bodies
from control_plane.operator_api.examples import EXAMPLES
from control_plane.operator_api.guards import Requires
from control_plane.operator_api.parameters import Given, function_of, parameters
from control_plane.operator_api.problems import FieldError, Problem
from control_plane.operator_api.router import PROVIDERS, router

METHODS = "GET POST PATCH PUT DELETE"
REF = "#/components/schemas/{name}"
PROBLEMS = {
    400: ("Malformed", "The request cannot be read, or has a parameter that does not exist."),
    401: ("Unauthenticated", "No token, or one that is unknown, expired or revoked."),
    403: ("Forbidden", "The token lacks the scope that `detail` names, or may not be used from here."),
    404: ("NotFound", "It does not exist, or is not yours to see."),
    409: ("Conflict", "Its present state does not allow this."),
    412: ("Stale", "It changed since you read it; the ETag is its present version."),
    413: ("TooLarge", "The body is too large."),
    415: ("NotJson", "The body is not JSON."),
    422: ("Invalid", "Some fields need another look; `errors` names each."),
    428: ("VersionWanted", "Send If-Match with the ETag that you read."),
    429: ("TooMany", "The token has used up its requests; see Retry-After."),
    503: ("Unavailable", "Something behind the API is away; asking again may help."),
}
DESCRIPTION = """\
What the provider's scripts, and the `parvis` command, may do.

- Send `Authorization: Bearer pv_…`. Each operation names the one scope it wants.
- Reads of one thing carry an `ETag`; writes to it want it back as `If-Match` (428 without, 412 when stale).
- A POST may carry an `Idempotency-Key`: asked again, it is answered again and not done again.
- Refusals are problem details (RFC 9457) in English or French, by `Accept-Language`, with a stable `code`.
- `RateLimit-Limit`, `-Remaining` and `-Reset` tell what is left to the token.
"""
RATE = {
    name: {"description": text, "schema": {"type": "integer", "minimum": 0}}
    for name, text in (
        ("RateLimit-Limit", "Requests that the token may have saved up."),
        ("RateLimit-Remaining", "Requests that are left."),
        ("RateLimit-Reset", "Seconds until all are back."),
    )
}
HEADERS = {
    "ETag": ("The version; wanted by the next write.", {"type": "string", "pattern": '^"\\d+"$'}),
    "Location": ("Where to look next.", {"type": "string", "pattern": "^/api/v1/"}),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("What is wanted.", {"type": "string"}),
}
_KINDS = [*vars(bodies).values(), *vars(identity_bodies).values(), *vars(support_bodies).values()]
SENT = frozenset(kind for kind in _KINDS if isinstance(kind, type) and issubclass(kind, msgspec.Struct))
ETAGGED = ("{reference}", "{code}", "{connection_id}", "/sign-in-policy")


@functools.cache
def document() -> dict[str, Any]:
    """The whole document."""
    app = Litestar([router()], openapi_config=None)
    handlers = list(_handlers(app))
    made = {
        "openapi": "3.1.0",
        "info": {"title": "Parvis operator API", "version": "1", "description": DESCRIPTION, "license": _licence()},
        "servers": [{"url": "/", "description": "The portal's host"}],
        "security": [{"token": []}],
        "tags": _tags(handlers),
        "paths": _paths(handlers),
        "components": {
            "schemas": _components(handlers),
            "responses": {name: _problem_response(status, text) for status, (name, text) in PROBLEMS.items()},
            "headers": {
                **RATE,
                **{name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()},
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the form pv_<prefix>_<secret>.",
                }
            },
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return plain


def encoded() -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document())


def _licence() -> dict[str, str]:
    return {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"}


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Path, method and handler of every route, in the order of the controllers."""
    routes = sorted((route for route in app.routes if isinstance(route, HTTPRoute)), key=lambda one: one.path_format)
    for route in routes:
        for method, (handler, _) in sorted(route.route_handler_map.items(), key=lambda item: METHODS.find(item[0])):
            if method not in {"OPTIONS", "HEAD"}:
                yield route.path_format, str(method), handler


def _tags(handlers: list[tuple[str, str, HTTPRouteHandler]]) -> list[dict[str, str]]:
    owners = {tag: handler.owner for _, _, handler in handlers for tag in handler.resolve_tags()}
    return [{"name": tag, "description": inspect.getdoc(type(owner)) or tag} for tag, owner in owners.items()]


def _paths(handlers: list[tuple[str, str, HTTPRouteHandler]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for path, method, handler in handlers:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler)
    return paths


def _operation(path: str, method: str, handler: HTTPRouteHandler) -> dict[str, Any]:
    fn = function_of(handler.fn)
    text = inspect.getdoc(fn) or ""
    scope = next((guard.scope for guard in _guards(handler) if isinstance(guard, Requires)), None)
    made: dict[str, Any] = {
        "operationId": fn.__name__,
        "summary": text.partition(". ")[0].partition("\n")[0].rstrip("."),
        "description": text + (f"\n\nScope: `{scope}`." if scope else ""),
        "tags": handler.resolve_tags() or ["Contract"],
        "parameters": _parameters(path, handler),
        "responses": _responses(path, method, handler),
    }
    body = get_type_hints(fn).get("data")
    if body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if handler.opt.get("public"):
        made["security"] = []
    return made


def _guards(handler: HTTPRouteHandler) -> list[Any]:
    return [getattr(guard, "func", guard) for guard in handler.resolve_guards()]


def _parameters(path: str, handler: HTTPRouteHandler) -> list[dict[str, Any]]:
    in_path = frozenset(name for name in handler.parsed_fn_signature.parameters if f"{{{name}}}" in path)
    placed = [_in_path(name) for name in PATHS if f"{{{name}}}" in path]
    fn = function_of(handler.fn)
    seen: dict[str, dict[str, Any]] = {}
    for given in parameters(fn, PROVIDERS, in_path | set(PATHS)):
        seen[given.name] = _given(given)
    return placed + list(seen.values())


PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "reference": ("An organisation's id or address.", {"type": "string", "minLength": 1, "examples": ["sevres"]}),
    "operation_id": ("An operation's id.", {"type": "string", "format": "uuid"}),
    "run_id": ("The id of a verification or a restoration.", {"type": "string", "format": "uuid"}),
    "domain_id": ("A domain's id.", {"type": "string", "format": "uuid"}),
    "connection_id": ("A connection's id.", {"type": "string", "format": "uuid"}),
    "scim_token_id": ("The id of a directory's token.", {"type": "string", "format": "uuid"}),
    "link_id": ("A set-up link's id.", {"type": "string", "format": "uuid"}),
    "access_id": ("The id of a support access.", {"type": "string", "format": "uuid"}),
    "token_id": ("A token's id.", {"type": "string", "format": "uuid"}),
    "code": ("An offer's code.", {"type": "string", "minLength": 1, "examples": ["team"]}),
    "name": ("A cell's name.", {"type": "string", "minLength": 1, "examples": ["fr-par-1"]}),
}


def _in_path(name: str) -> dict[str, Any]:
    text, schema = PATHS[name]
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def _given(given: Given) -> dict[str, Any]:
    known = given.known
    (schema,), _ = msgspec.json.schema_components([_without_none(given.hint)], ref_template=REF)
    for name, word in (
        ("max_length", "maxLength"),
        ("min_length", "minLength"),
        ("pattern", "pattern"),
        ("ge", "minimum"),
        ("le", "maximum"),
    ):
        if known is not None and getattr(known, name) is not None:
            schema[word] = getattr(known, name)
    if given.default not in (None, inspect.Parameter.empty):
        schema["default"] = given.default
    made = {"name": given.name, "in": given.place, "required": False, "schema": schema}
    if known is not None and known.description:
        made["description"] = known.description
    return made


def _without_none(hint: Any) -> Any:
    """A parameter that is left out is not null: there is no null in a query."""
    inner = get_args(hint)[0] if getattr(hint, "__metadata__", None) else hint
    kept = [one for one in get_args(inner) if one is not type(None)]
    return kept[0] if len(kept) == 1 and type(None) in get_args(inner) else inner


def _responses(path: str, method: str, handler: HTTPRouteHandler) -> dict[str, Any]:
    fn = function_of(handler.fn)
    kinds = _answers(get_type_hints(fn).get("return"))
    made: dict[str, Any] = {}
    extra = {status: spec.data_container for status, spec in (handler.responses or {}).items()}
    status = handler.status_code
    main = [kind for kind in kinds if kind not in extra.values()]
    made[str(status)] = _answer(main[0] if main else None, _success(handler), _headers(path, method, status))
    for code, spec in (handler.responses or {}).items():
        made[str(code)] = _answer(spec.data_container, spec.description, [])
    for code in _refusals(path, method, handler):
        made[str(code)] = {"$ref": f"#/components/responses/{PROBLEMS[code][0]}"}
    return made


def _success(handler: HTTPRouteHandler) -> str:
    return {202: "Taken on; follow Location.", 201: "Made.", 204: "Done."}.get(handler.status_code, "As asked.")


def _headers(path: str, method: str, status: int) -> list[str]:
    made = ["Location"] if status in (201, 202) else []
    if method == "GET" and path.endswith(ETAGGED):
        made.append("ETag")
    return made


def _answers(hint: Any) -> list[Any]:
    """The structs that a return annotation names: `Response[A] | Response[B]` → A and B."""
    if hint is None or hint is type(None):
        return []
    if get_origin(hint) is Response:
        return list(get_args(hint))
    return [kind for one in get_args(hint) for kind in _answers(one)] if get_args(hint) else [hint]


def _answer(kind: Any, text: str, headers: list[str]) -> dict[str, Any]:
    names = [*RATE, *headers]
    made: dict[str, Any] = {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if kind is bytes:
        made["headers"] = {}
        made["content"] = {"application/json": {"schema": {"type": "object"}}}
    elif kind is not None:
        made["content"] = {"application/json": {"schema": _ref(kind)}}
    return made


def _refusals(path: str, method: str, handler: HTTPRouteHandler) -> list[int]:
    """What may go wrong follows from what the handler takes."""
    if handler.opt.get("public"):
        return [400]
    takes = set(inspect.signature(function_of(handler.fn)).parameters)
    found = {400, 401, 403, 429, 503}
    found |= {413, 415, 422} if "data" in takes else set()
    found |= {404} if "{" in path or "of" in takes else set()
    found |= {409} if method != "GET" else set()
    found |= {412, 428} if takes & {"revision", "if_match"} else set()
    found |= {422} if "once" in takes or method != "GET" else set()
    return sorted(found)


def _problem_response(status: int, text: str) -> dict[str, Any]:
    headers = {401: ["WWW-Authenticate"], 412: ["ETag"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    return {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/problem+json": {"schema": _ref(Problem)}},
    }


def _ref(kind: Any) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}


def _components(handlers: list[tuple[str, str, HTTPRouteHandler]]) -> dict[str, Any]:
    kinds: list[Any] = [Problem, FieldError]
    for _, _, handler in handlers:
        hints = get_type_hints(function_of(handler.fn))
        extra = [spec.data_container for spec in (handler.responses or {}).values()]
        kinds += [hints["data"]] if "data" in hints else []
        kinds += [kind for kind in (*_answers(hints.get("return")), *extra) if kind is not bytes]
    _, components = msgspec.json.schema_components(list(dict.fromkeys(kinds)), ref_template=REF)
    sent = {kind.__name__ for kind in SENT}
    for name, schema in components.items():
        schema.pop("title", None)
        if name in sent:
            # What a body does not know is refused, in the structs of other rooms too.
            schema["additionalProperties"] = False
    for kind, example in EXAMPLES.items():
        components[kind.__name__]["examples"] = [example]
    return dict(sorted(components.items()))
