"""Failures as a member sees them: a page, a way to sign in, or problem details for scripts, in his language."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.response import Redirect

from kit.errors import Refusal
from kit.interface import error_page, locale_of, workspace_state_page
from kit.interface.formats import size as size_words
from tenant_app.tenancy import tenant

AnyRequest = Request[Any, Any, Any]
SIGN_IN = "/sign-in"
SET_UP = "/welcome"
CONFIRM = "/confirm"
DOORS = {"sign_in_needed": SIGN_IN, "set_up_needed": SET_UP, "second_factor_needed": CONFIRM}


class Bytes(int):
    """An amount of storage in a refusal: a number to programs, `1.5 GB` to people."""

    def __format__(self, spec: str) -> str:
        """In English; `spoken` knows other languages."""
        return format(int(self), spec) if spec else size_words(int(self), "en")


def spoken(refusal: Refusal, locale: str) -> Refusal:
    """The same refusal with its amounts in the reader's units."""
    params = {
        name: size_words(int(value), locale) if isinstance(value, Bytes) else value
        for name, value in refusal.params.items()
    }
    return Refusal(refusal.code, refusal.message, field=refusal.field, status=refusal.status, **params)


def answer_failure(request: AnyRequest, status: int, refusal: Refusal | None = None) -> Response[Any]:
    """The page for a failure; who is not signed in is led to the door and back."""
    if refusal is not None and refusal.code in DOORS:
        return _to_the_door(request, DOORS[refusal.code])
    if refusal is not None and refusal.code == "read_only":
        record = tenant(request)
        return workspace_state_page(request, "read_only", name=record.name, site_url=record.site_url)
    return error_page(request, status, spoken(refusal, locale_of(request)) if refusal else None)


def _to_the_door(request: AnyRequest, door: str) -> Response[Any]:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?next={quote(wanted, safe='')}" if request.method == "GET" and wanted != "/" else ""
    return Redirect(door + back, status_code=303)
