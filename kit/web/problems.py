"""Failures on the wire: problem details (RFC 9457) for programs, pages for people, and details for the log only."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, LitestarException, ValidationException
from litestar.types import ExceptionHandlersMap
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kit import logs
from kit.errors import Refusal, Refusals, Unavailable
from kit.web.frame import request_id

AnyRequest = Request[Any, Any, Any]
ErrorPage = Callable[[AnyRequest, int, Refusal | None], Response[Any]]

CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
RETRY_SECONDS = "5"

log = logs.get("kit.web")


def wants_page(request: AnyRequest) -> bool:
    """Whether the client would rather read HTML than JSON. The operator API always speaks JSON."""
    if request.url.path.startswith("/api/"):
        return False
    best = request.accept.best_match(["text/html", "application/problem+json", "application/json"], default=None)
    return best == "text/html" and "text/html" in request.headers.get("accept", "")


def problem(
    request: AnyRequest,
    refusal: Refusal,
    *,
    errors: list[Refusal] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """A refusal as problem details: stable `code`, words, request id, and the field paths at fault."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(refusal.status),
        "status": refusal.status,
        "code": refusal.code,
        "detail": str(refusal),
        "request_id": request_id(request),
    }
    fields = [item for item in (errors or [refusal]) if item.field]
    if fields:
        body["errors"] = [{"field": item.field, "code": item.code, "message": str(item)} for item in fields]
    return Response(
        content=msgspec.json.encode(body),
        status_code=refusal.status,
        media_type="application/problem+json",
        headers={**_retry_after(refusal), **(headers or {})},
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _retry_after(refusal: Refusal) -> dict[str, str]:
    seconds = refusal.params.get("retry_after")
    return {"Retry-After": str(seconds)} if seconds is not None else {}


def _plain(refusal: Refusal) -> Response[bytes]:
    return Response(f"{refusal.status} {refusal}\n".encode(), status_code=refusal.status, media_type=MediaType.TEXT)


class _Answers:
    """Turns each kind of failure into an answer; `error_page` draws the page where a person reads."""

    def __init__(self, error_page: ErrorPage | None) -> None:
        self.error_page = error_page

    def _answer(
        self,
        request: AnyRequest,
        refusal: Refusal,
        *,
        errors: list[Refusal] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response[Any]:
        if self.error_page is None or not wants_page(request):
            return problem(request, refusal, errors=errors, headers=headers)
        try:
            response = self.error_page(request, refusal.status, refusal)
        except Exception:
            log.exception("the error page itself failed")
            response = _plain(refusal)
        for name, value in {**_retry_after(refusal), **(headers or {})}.items():
            response.headers[name] = value
        return response

    def refusal(self, request: AnyRequest, error: Refusal) -> Response[Any]:
        return self._answer(request, error)

    def refusals(self, request: AnyRequest, error: Refusals) -> Response[Any]:
        if len(error.refusals) == 1:
            return self._answer(request, error.refusals[0])
        whole = Refusal("invalid_input", "Some fields need another look.", status=error.status)
        return self._answer(request, whole, errors=error.refusals)

    def unavailable(self, request: AnyRequest, error: Exception) -> Response[Any]:
        code = error.code if isinstance(error, Unavailable) else "database_unavailable"
        log.warning("unavailable", code=code, error=str(error))
        words = Refusal(code, "This does not answer just now. Please try again in a moment.", status=503)
        return self._answer(request, words, headers={"Retry-After": RETRY_SECONDS})

    def validation(self, request: AnyRequest, error: ValidationException) -> Response[Any]:
        found = error.extra if isinstance(error.extra, list) else []
        errors = [_field_error(item) for item in found if isinstance(item, dict)]
        whole = Refusal("invalid_input", "Some fields need another look.", status=400)
        return self._answer(request, whole, errors=errors)

    def http(self, request: AnyRequest, error: HTTPException) -> Response[Any]:
        if error.status_code >= 500:
            return self.unexpected(request, error)
        code = CODES.get(error.status_code, "refused")
        # Braces in the library's words are not places to fill: without params they stay as they are.
        words = Refusal(code, _words(error), status=error.status_code)
        kept = {
            name: value for name, value in (error.headers or {}).items() if name.lower() in {"allow", "retry-after"}
        }
        return self._answer(request, words, headers=kept)

    def unexpected(self, request: AnyRequest, error: Exception) -> Response[Any]:
        log.error("unexpected failure", path=request.url.path, exc_info=error)
        words = Refusal("unexpected", "Something went wrong on our side. We have been told.", status=500)
        return self._answer(request, words)


def _words(error: HTTPException) -> str:
    if error.status_code == 404:
        return "This does not exist, or is kept for other people."
    if error.status_code == 405:
        return "This address does not take that method."
    return error.detail


def _field_error(item: dict[str, Any]) -> Refusal:
    field = str(item.get("key") or item.get("source") or "body")
    return Refusal("invalid", str(item.get("message", "This value is not valid.")), field=field, status=400)


def exception_handlers(error_page: ErrorPage | None = None) -> ExceptionHandlersMap:
    """What an application passes to Litestar as `exception_handlers` (and `logging_config=None` beside it)."""
    answers = _Answers(error_page)
    handlers: Any = {
        Refusal: answers.refusal,
        Refusals: answers.refusals,
        Unavailable: answers.unavailable,
        OperationalError: answers.unavailable,
        PoolTimeout: answers.unavailable,
        ValidationException: answers.validation,
        HTTPException: answers.http,
        LitestarException: answers.unexpected,
        Exception: answers.unexpected,
    }
    made: ExceptionHandlersMap = handlers
    return made
