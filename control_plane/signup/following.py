"""From the mailed link to the workspace: confirm, follow the steps, enter."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Stream
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from control_plane.signup import entering, service
from control_plane.signup.entering import Doors
from control_plane.signup.progress import Snapshot, snapshot
from kit import logs
from kit.credentials import cookie_name, session_cookie
from kit.db import after_commit, transaction
from kit.errors import Refusals, Unavailable
from kit.interface import locale_of, page, render, translator
from kit.settings import ControlPlaneSettings
from kit.web import Csrf, request_id

AnyRequest = Request[Any, Any, Any]
COOKIE = "follow"
FOLLOWED = "/signup/progress/"
KEPT_SECONDS = 7 * 24 * 3600
# The stream looks often while things move fast, then less; after its time the browser opens the next one.
QUICK, SLOW, QUICK_FOR, STREAM_FOR = 0.1, 1.0, 10.0, 55.0
OFTEN = 15.0

log = logs.get("control_plane.signup")


def secret_of(request: AnyRequest) -> str | None:
    """The secret of the sign-up that this browser follows."""
    return request.cookies.get(cookie_name(request.scope["scheme"], COOKIE)) or None


def authority_of(request: AnyRequest) -> str | None:
    """The cookie's secret where it authorises: elsewhere an unguessable link does, or nothing is to be borrowed."""
    return secret_of(request) if request.url.path.startswith(FOLLOWED) else None


@get("/signup/confirm/{token:str}", sync_to_thread=True)
def show_confirmation(
    request: AnyRequest,
    token: FromPath[str],
    session: NamedDependency[Session],
    csrf: NamedDependency[Csrf],
    settings: NamedDependency[ControlPlaneSettings],
) -> Response[Any]:
    """A page with a button: a mail scanner that opens links confirms nothing."""
    followed = service.used_link(session, token, secret_of(request))
    if followed:
        return Redirect(f"/signup/progress/{followed.id}", status_code=303)
    row = service.by_link(session, token)
    return page(
        request,
        "signup/confirm.html",
        row=row,
        host=_host(settings, row.address),
        token=token,
        csrf=csrf.token(request),
        problem=None,
    )


@post("/signup/confirm/{token:str}", sync_to_thread=True, status_code=200)
def confirm(  # noqa: PLR0917 - called by name
    request: AnyRequest,
    token: FromPath[str],
    session: NamedDependency[Session],
    csrf: NamedDependency[Csrf],
    settings: NamedDependency[ControlPlaneSettings],
    doors: NamedDependency[Doors],
) -> Response[Any]:
    """Order the organisation. A second press in the same browser leads to the same progress."""
    followed = service.used_link(session, token, secret_of(request))
    if followed:
        return Redirect(f"/signup/progress/{followed.id}", status_code=303)
    try:
        with session.begin_nested():
            row, secret = service.confirm(session, token, request_id(request))
    except Refusals as wrong:
        return _refused(request, session=session, settings=settings, csrf=csrf, token=token, wrong=wrong)
    engine = request.app.state.engine
    organisation_id = row.organisation_id
    assert organisation_id is not None

    def announce() -> None:
        with transaction(engine) as later:
            doors.announce(later, organisation_id)

    after_commit(session, _quietly(announce))
    cookie = session_cookie(request.scope["scheme"], COOKIE, secret, max_age=KEPT_SECONDS)
    return Redirect(f"/signup/progress/{row.id}", status_code=303, cookies=[cookie])


def _quietly(action: Callable[[], None]) -> Callable[[], None]:
    # Announcing the key early only saves time: entering does it again, and says so if it cannot.
    def run() -> None:
        try:
            action()
        except (Unavailable, SQLAlchemyError) as error:
            log.warning("the ticket key could not be announced yet", error=str(error))

    return run


def _refused(
    request: AnyRequest,
    *,
    session: Session,
    settings: ControlPlaneSettings,
    csrf: Csrf,
    token: str,
    wrong: Refusals,
) -> Response[str]:
    row = service.by_link(session, token)
    words = translator(locale_of(request)).words
    return page(
        request,
        "signup/confirm.html",
        status=wrong.status,
        row=row,
        host=_host(settings, row.address),
        token=token,
        csrf=csrf.token(request),
        problem=" ".join(words(refusal) for refusal in wrong.refusals),
    )


def _host(settings: ControlPlaneSettings, address: str) -> str:
    return settings.workspace_url(address).partition("://")[2]


def _look(
    session: Session, settings: ControlPlaneSettings, follow_id: UUID, secret: str | None, locale: str
) -> tuple[Snapshot, dict[str, Any]]:
    row, organisation = service.followed(session, follow_id, secret)
    now = snapshot(session, row, organisation, locale, _host(settings, organisation.address))
    assert row.confirmed_at is not None
    since = max(0, int((datetime.now(UTC) - row.confirmed_at).total_seconds()))
    return now, {"now": now, "organisation": organisation, "follow_id": row.id, "since": since}


@get("/signup/progress/{follow_id:uuid}", sync_to_thread=True)
def progress(
    request: AnyRequest,
    follow_id: FromPath[UUID],
    session: NamedDependency[Session],
    settings: NamedDependency[ControlPlaneSettings],
    csrf: NamedDependency[Csrf],
) -> Response[str]:
    """The steps as they are now; it may be closed and opened again. Without script it reloads itself."""
    _, context = _look(session, settings, follow_id, secret_of(request), locale_of(request))
    return page(request, "signup/progress.html", csrf=csrf.token(request), **context)


@get("/signup/progress/{follow_id:uuid}/events")
async def events(
    request: AnyRequest,
    follow_id: FromPath[UUID],
    state: State,
    settings: NamedDependency[ControlPlaneSettings],
    csrf: NamedDependency[Csrf],
) -> Stream:
    """The same as server-sent events. An event's id names what was shown, so a stream that resumes repeats nothing."""
    secret, locale = secret_of(request), locale_of(request)
    token = csrf.token(request)

    def look() -> tuple[Snapshot, dict[str, Any]]:
        with transaction(state.engine) as session:
            return _look(session, settings, follow_id, secret, locale)

    first = await to_thread.run_sync(look)
    seen = request.headers.get("last-event-id", "")
    return Stream(
        _events(look, first, seen, lambda context: render(locale, "signup/ledger.html", csrf=token, **context)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    look: Callable[[], tuple[Snapshot, dict[str, Any]]],
    first: tuple[Snapshot, dict[str, Any]],
    seen: str,
    draw: Callable[[dict[str, Any]], str],
) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    started = spoke = time.monotonic()
    now, context = first
    while True:
        if now.mark != seen:
            seen, spoke = now.mark, time.monotonic()
            body = msgspec.json.encode({"html": draw(context), "over": now.over})
            yield b"id: " + seen.encode() + b"\ndata: " + body + b"\n\n"
        elif time.monotonic() - spoke > OFTEN:
            spoke = time.monotonic()
            yield b": still here\n\n"
        age = time.monotonic() - started
        if now.over or age > STREAM_FOR:
            return
        await asyncio.sleep(QUICK if age < QUICK_FOR else SLOW)
        now, context = await to_thread.run_sync(look)


@post("/signup/progress/{follow_id:uuid}/enter", sync_to_thread=True, status_code=303)
def enter_followed(
    request: AnyRequest,
    follow_id: FromPath[UUID],
    session: NamedDependency[Session],
    doors: NamedDependency[Doors],
) -> Redirect:
    """Into the new workspace, by a ticket."""
    _, organisation = service.followed(session, follow_id, secret_of(request))
    return Redirect(doors.url(session, organisation, "sign_up"), status_code=303)


@get("/enter/{token:str}", sync_to_thread=True)
def show_entry(
    request: AnyRequest,
    token: FromPath[str],
    session: NamedDependency[Session],
    csrf: NamedDependency[Csrf],
    settings: NamedDependency[ControlPlaneSettings],
) -> Response[str]:
    """The mailed link of an organisation's first administrator: a page with a button."""
    _, organisation = entering.entry_of(session, token)
    host = _host(settings, organisation.address)
    return page(
        request, "signup/enter.html", organisation=organisation, host=host, token=token, csrf=csrf.token(request)
    )


@post("/enter/{token:str}", sync_to_thread=True, status_code=303)
def enter(token: FromPath[str], session: NamedDependency[Session], doors: NamedDependency[Doors]) -> Redirect:
    """Use the link up and go in."""
    return Redirect(entering.enter(session, doors, token), status_code=303)


follow_routes = [show_confirmation, confirm, progress, events, enter_followed, show_entry, enter]
