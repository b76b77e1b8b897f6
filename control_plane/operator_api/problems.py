"""Failures as problem details (RFC 9457), in the caller's language, with every wrong field named by its path."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from control_plane.operator_api.reading import explained
from kit import logs
from kit.errors import Refusal, Refusals, Unavailable
from kit.interface import N_, locale_of, translator
from kit.web import request_id

MEDIA_TYPE = "application/problem+json"
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
WORDS = {
    400: N_("This request cannot be read; see the documentation."),
    404: N_("This does not exist, or is kept for other people."),
    405: N_("This address does not take that method."),
    413: N_("This request is too large."),
}

log = logs.get("operator_api")


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field: its path (`admin.email`), a stable code, and words."""

    field: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused. `code` is stable; `detail` is for people, in their language."""

    title: str
    status: int
    code: str
    detail: str
    request_id: str
    type: str = "about:blank"
    errors: list[FieldError] = []


class _Told(msgspec.Struct, frozen=True):
    whole: Refusal
    fields: list[Refusal]
    headers: dict[str, str] = {}


def answer(request: Request[Any, Any, Any], told: _Told) -> Response[bytes]:
    """The problem as a response."""
    locale = locale_of(request)
    words = translator(locale).words
    whole = told.whole
    problem = Problem(
        title=HTTPStatus(whole.status).phrase,
        status=whole.status,
        code=whole.code,
        detail=words(whole),
        request_id=request_id(request),
        errors=[FieldError(str(one.field), one.code, words(one)) for one in told.fields],
    )
    body = msgspec.to_builtins(problem) | {"type": problem.type}
    headers = told.headers | {"Content-Language": locale} | _for_refusal(whole)
    return Response(msgspec.json.encode(body), status_code=whole.status, media_type=MEDIA_TYPE, headers=headers)


def _for_refusal(whole: Refusal) -> dict[str, str]:
    headers = {}
    if whole.status == 401:
        error = "" if whole.code == "token_missing" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="parvis"{error}'
    if whole.status == 403 and "scope" in whole.params:
        headers["WWW-Authenticate"] = (
            f'Bearer realm="parvis", error="insufficient_scope", scope="{whole.params["scope"]}"'
        )
    if whole.status == 412 and "current" in whole.params:
        headers["ETag"] = f'"{whole.params["current"]}"'
    return headers


def refusal(request: Request[Any, Any, Any], error: Refusal) -> Response[bytes]:
    """One reason."""
    return answer(request, _Told(error, [error] if error.field else []))


def refusals(request: Request[Any, Any, Any], error: Refusals) -> Response[bytes]:
    """Several fields at once. One alone speaks for itself."""
    if len(error.refusals) == 1:
        return refusal(request, error.refusals[0])
    whole = Refusal("invalid_input", "Some fields need another look.", status=error.status)
    return answer(request, _Told(whole, [one for one in error.refusals if one.field]))


def validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """A query or a header that has the wrong type."""
    items = error.extra if isinstance(error.extra, list) else []
    found = [explained(str(item.get("message", "")), _on_the_wire(request, str(item.get("key", "")))) for item in items]
    whole = Refusal("invalid_parameter", "Some parameters need another look.", status=400)
    return answer(request, _Told(whole, found))


def _on_the_wire(request: Request[Any, Any, Any], key: str) -> str:
    """The name that the caller knows, where the handler's own differs."""
    field = request.route_handler.parsed_fn_signature.parameters.get(key)
    definition = field.kwarg_definition if field else None
    return str(getattr(definition, "name", None) or key or "query")


def http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses by itself."""
    if error.status_code >= 500:
        return unexpected(request, error)
    status = error.status_code
    whole = Refusal(CODES.get(status, "refused"), WORDS.get(status, N_("This request was refused.")), status=status)
    kept = {name: value for name, value in (error.headers or {}).items() if name.lower() in {"allow", "retry-after"}}
    return answer(request, _Told(whole, [], kept))


def unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Something behind us is away: asking again may help, and details stay in the log."""
    code = error.code if isinstance(error, Unavailable) else "database_unavailable"
    log.warning("unavailable", code=code, error=str(error))
    whole = Refusal(code, "This does not answer just now. Please try again in a moment.", status=503)
    return answer(request, _Told(whole, [], {"Retry-After": "5"}))


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug of ours: loud in the log, quiet on the wire."""
    log.error("unexpected failure", path=request.url.path, exc_info=error)
    whole = Refusal("unexpected", "Something went wrong on our side. We have been told.", status=500)
    return answer(request, _Told(whole, []))


exception_handlers: dict[Any, Any] = {
    Refusal: refusal,
    Refusals: refusals,
    Unavailable: unavailable,
    OperationalError: unavailable,
    PoolTimeout: unavailable,
    ValidationException: validation,
    HTTPException: http,
    Exception: unexpected,
}
