"""API tokens: listed, issued (shown once), rotated, revoked."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.identity import ApiToken, Permission, Scope
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.once import show_once, shown_once
from kit.errors import Refusal, Refusals
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

OPERATORS = [requires(Permission.TOKENS)]
SHOWN = "portal-token"


def _list(desk: Desk, *, shown: str | None = None, form: Form | None = None, status: int = 200) -> Response[str]:
    return desk.show(
        "portal/tokens.html",
        status=status,
        tokens=identity.tokens(desk.session),
        is_alive=identity.is_alive,
        owners=identity.owners(desk.session),
        shown=shown,
        form=form or Form(),
        scopes=list(Scope),
        chosen=set((form.values.get("scopes", "") if form else "").split()),
        now=datetime.now(UTC),
    )


@get("/tokens", guards=OPERATORS, sync_to_thread=True)
def list_tokens(desk: NamedDependency[Desk]) -> Response[str]:
    """All of them. A token that has just been made is shown once."""
    return _list(desk, shown=shown_once(desk, SHOWN))


@post("/tokens", guards=OPERATORS, sync_to_thread=True)
def issue_token(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """A new token."""
    networks = [part for part in entries.text("networks").replace(",", " ").split() if part]
    try:
        expires_at = entries.day_end("expires_at")
        with desk.session.begin_nested():
            _, plaintext = identity.issue_token(
                desk.session, entries.text("name"), entries.all("scopes"), expires_at, networks, desk.actor
            )
    except (Refusal, Refusals) as wrong:
        values = {**entries.values(), "scopes": " ".join(entries.all("scopes"))}
        form = Form(values, field_errors(wrong, locale_of(desk.request, desk.staff.locale)))
        return _list(desk, form=form, status=422)
    return show_once(desk, SHOWN, plaintext, "/tokens")


@post("/tokens/{token_id:uuid}/rotate", guards=OPERATORS, sync_to_thread=True)
def rotate_token(desk: NamedDependency[Desk], token_id: FromPath[UUID]) -> Redirect:
    """A successor; the old one works on for a day."""
    made: tuple[ApiToken, str] = identity.rotate_token(desk.session, token_id, desk.actor)
    return show_once(desk, SHOWN, made[1], "/tokens")


@post("/tokens/{token_id:uuid}/revoke", guards=OPERATORS, sync_to_thread=True)
def revoke_token(desk: NamedDependency[Desk], token_id: FromPath[UUID]) -> Redirect:
    """It ends now."""
    identity.revoke_token(desk.session, token_id, desk.actor)
    return go("/tokens", "revoked")


@post("/tokens/{token_id:uuid}/owner", guards=OPERATORS, sync_to_thread=True)
def take_token_over(desk: NamedDependency[Desk], token_id: FromPath[UUID]) -> Redirect:
    """Whoever asks answers for it from now on."""
    identity.hand_over(desk.session, token_id, desk.staff.email, actor=desk.actor)
    return go("/tokens", "token-taken-over")


handlers = [list_tokens, issue_token, rotate_token, revoke_token, take_token_over]
