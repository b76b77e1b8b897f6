"""Pages for what cannot be shown: each says why, and its cure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response

from kit.errors import Refusal
from kit.interface.i18n import N_, locale_of, translator
from kit.interface.pages import page
from kit.web import request_id

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class ErrorWords:
    """Title, what happened, and what to do about it."""

    icon: str
    tone: str
    title: str
    text: str
    cure: str


NOT_FOUND = ErrorWords(
    "search",
    "plain",
    N_("This page does not exist"),
    N_("The address may have been mistyped, or the page was moved, deleted, or is kept for other people."),
    N_("To protect organisations, we answer the same in all these cases."),
)
INCIDENT = ErrorWords(
    "triangle-alert",
    "bad",
    N_("Something on our side keeps us from answering"),
    N_("Your request was not carried out. Nothing that was already saved is lost, and we have been told."),
    N_("Try again in a minute. If it goes on, give this number to support:"),
)
WORDS = {
    403: ErrorWords(
        "lock",
        "warn",
        N_("This is not open to you"),
        N_("This page or action is kept for other people, or the form was sent from a page that is too old."),
        N_("Go back, reload the page and try again. If you should have access, ask an administrator."),
    ),
    404: NOT_FOUND,
    410: ErrorWords(
        "clock",
        "plain",
        N_("This link no longer works"),
        N_("It has already been used, or its time has passed."),
        N_("Ask for a new one from the page where you asked for this one."),
    ),
    429: ErrorWords(
        "hourglass",
        "warn",
        N_("Too many requests"),
        N_("More requests came from you than we take in so short a time."),
        N_("Wait a little, then try again. Nothing was lost."),
    ),
    500: INCIDENT,
    503: ErrorWords(
        "retry",
        "warn",
        N_("A part of the service does not answer just now"),
        N_("Your request was not carried out, and nothing was lost."),
        N_("Please try again in a few seconds. If it goes on, give this number to support:"),
    ),
}
REFUSED = ErrorWords(
    "circle-x",
    "warn",
    N_("This cannot be done"),
    N_("The request was refused, and nothing was changed."),
    N_("Go back, correct what is named above and try again."),
)
ALIKE = frozenset({401, 404, 405})
OWN_WORDS = frozenset({"foreign_origin", "stale_page"})


def words_of(status: int) -> ErrorWords:
    """The words for a status."""
    if status in ALIKE:
        return NOT_FOUND
    return WORDS.get(status) or (INCIDENT if status >= 500 else REFUSED)


def error_page(request: AnyRequest, status: int, refusal: Refusal | None = None) -> Response[str]:
    """The page for a failure: plain words, the refusal's own where it has some, the request's number for support."""
    words = words_of(status)
    detail = None
    if refusal is not None and status < 500 and words is not NOT_FOUND:
        detail = translator(locale_of(request)).words(refusal)
    return page(
        request,
        "errors/error.html",
        status=status,
        error=words,
        detail=detail,
        status_code=status,
        number=request_id(request) if status >= 500 else None,
        retry=status in {429, 503} or status >= 500,
    )


def workspace_state_page(
    request: AnyRequest,
    state: str,
    *,
    name: str,
    since: datetime | None = None,
    until: datetime | None = None,
    site_url: str = "/",
    locale: str | None = None,
) -> Response[str]:
    """What a workspace shows that is `suspended` or `closing` (403), or refuses a write while `read_only` (403)."""
    return page(
        request,
        "errors/workspace_state.html",
        status=403,
        locale=locale,
        state=state,
        name=name,
        since=since,
        until=until,
        site_url=site_url,
    )
