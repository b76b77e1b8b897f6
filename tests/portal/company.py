"""Portals of one house whose staff come in by a real provider, npm's oidc-provider."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select, update

from control_plane.embedded import ports
from control_plane.identity import StaffSession
from kit.credentials import token_hash
from kit.db import transaction
from tests.world.house import House
from tests.world.openid import OpenIDProvider, User, Visitor, client, openid_provider
from tests.world.staff_door import Door, open_door

BEGIN = "/sign-in/oidc"
CALLBACK = "/sign-in/oidc/callback"
LOGOUT = "/sign-in/oidc/logout"
SIGNED_OUT = "/signed-out"
SECRET = "a-secret-of-the-portal"
ROLES = "parvis-operators=operator,parvis-support=support"


@contextmanager
def open_doors(
    house: House, folder: Path, users: Sequence[User], settings: Sequence[dict[str, str]], **more: Any
) -> Iterator[tuple[OpenIDProvider, list[Door]]]:
    """A portal for each of the settings, and the provider that all of them know; `more` is told to the provider."""
    numbers = [ports.free_port() for _ in settings]
    kept = folder / "client-secret"
    kept.write_text(SECRET)
    clients = []
    for one in numbers:
        portal = f"http://portal.parvis.localhost:{one}"
        back = {"post_logout_redirect_uris": [f"{portal}{SIGNED_OUT}"], **more}
        clients.append(client(f"portal-{one}", SECRET, f"{portal}{CALLBACK}", **back))
    with ExitStack() as stack:
        provider = stack.enter_context(openid_provider(folder / "provider", clients, users))
        told = {
            "ALLOW_PRIVATE_FETCH": "1",
            "STAFF_OIDC_ISSUER": provider.issuer,
            "STAFF_OIDC_CLIENT_SECRET_FILE": str(kept),
            "STAFF_OIDC_SCOPES": "openid email profile groups",
            "STAFF_OIDC_ROLES": ROLES,
        }
        doors = []
        for port, own in zip(numbers, settings, strict=True):
            place = folder / str(port)
            place.mkdir()
            whole = told | {"STAFF_OIDC_CLIENT_ID": f"portal-{port}"} | own
            doors.append(stack.enter_context(open_door(house, place, port, **whole)))
        yield provider, doors


def there_and_back(door: Door, visitor: Visitor, begun: httpx.Response, user: User, *, allow: str = "yes") -> str:
    """From our redirect through the provider's pages: the address that it sends the browser back to."""
    assert begun.status_code == 303, begun.text
    return visitor.sign_in(begun.headers["location"], user, f"{door.url}{CALLBACK}", allow=allow)


def way_back(door: Door, browser: httpx.Client, user: User, next_path: str = "", *, allow: str = "yes") -> str:
    """The same from the button, by a visitor who is new to the provider."""
    begun = browser.get(BEGIN, params={"next": next_path} if next_path else {})
    with Visitor() as visitor:
        return there_and_back(door, visitor, begun, user, allow=allow)


def inside(browser: httpx.Client) -> bool:
    return browser.get("/account").status_code == 200


def of(door: Door, token: str) -> StaffSession | None:
    with transaction(door.house.engine) as session:
        return session.scalar(select(StaffSession).where(StaffSession.token_hash == token_hash(token)))


def set_back(door: Door, token: str, **values: Any) -> None:
    with transaction(door.house.engine) as session:
        session.execute(update(StaffSession).where(StaffSession.token_hash == token_hash(token)).values(**values))


def make_due(door: Door, token: str) -> None:
    now = datetime.now(UTC)
    set_back(door, token, ask_at=now - timedelta(seconds=1), expires_at=now + timedelta(minutes=20))


def minutes_left(door: Door, token: str) -> float:
    found = of(door, token)
    assert found is not None
    return (found.expires_at - datetime.now(UTC)).total_seconds() / 60
