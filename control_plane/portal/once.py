"""Showing a secret once, after a redirect: sealed for one person in a cookie of two minutes, so reloading is safe."""

from litestar.response import Redirect

from control_plane.portal.desk import Desk, go
from kit.credentials import clear_cookie, cookie_name, session_cookie
from kit.db import vault_of
from kit.errors import Unavailable

SECONDS = 120


def show_once(desk: Desk, name: str, secret: str, path: str) -> Redirect:
    """To the page that shows it."""
    sealed = vault_of(desk.session).seal(secret, f"{name}:{desk.staff.id}")
    return go(path, cookies=[session_cookie(desk.request.scope["scheme"], name, sealed, max_age=SECONDS)])


def shown_once(desk: Desk, name: str) -> str | None:
    """The secret that waits for this person, if any; it waits no more."""
    scheme = desk.request.scope["scheme"]
    sealed = desk.request.cookies.get(cookie_name(scheme, name))
    if not sealed:
        return None
    desk.cookies.append(clear_cookie(scheme, name))
    try:
        return vault_of(desk.session).open(sealed, f"{name}:{desk.staff.id}")
    except (Unavailable, ValueError):
        return None
