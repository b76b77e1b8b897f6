"""Who may what: every route of the portal is declared here, and a role meets exactly what is declared."""

import re

import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient

from control_plane.identity import Permission, Role, allows
from control_plane.portal import controllers, signing_out
from control_plane.portal.desk import Requires
from control_plane.portal.routing import ROOMS
from tests.portal.pages import token_in
from tests.world.house import House
from tests.world.staff_door import Door

P = Permission
ANY = None
DOOR = "door"
DECLARED: dict[str, object] = {
    "GET /sign-in": DOOR,
    "POST /sign-in": DOOR,
    "GET /sign-in/next": DOOR,
    "GET /sign-in/oidc": DOOR,
    "GET /sign-in/oidc/callback": DOOR,
    "POST /sign-in/code": DOOR,
    "POST /sign-in/passkey": DOOR,
    "POST /sign-in/passkey/options": DOOR,
    "POST /sign-in/set-up/codes": DOOR,
    "POST /sign-in/set-up/passkey": DOOR,
    "POST /sign-in/set-up/passkey/options": DOOR,
    "POST /sign-out": DOOR,
    "GET /signed-out": DOOR,
    "POST /sign-in/oidc/logout": DOOR,
    "GET /": ANY,
    "GET /account": ANY,
    "GET /account/codes": ANY,
    "POST /account/codes": ANY,
    "POST /account/codes/remove": ANY,
    "POST /account/language": ANY,
    "POST /account/passkeys": ANY,
    "POST /account/passkeys/options": ANY,
    "POST /account/passkeys/{passkey_id:uuid}/remove": ANY,
    "POST /account/password": ANY,
    "POST /account/sessions/end-others": ANY,
    "POST /account/sessions/{public_id:str}/end": ANY,
    "GET /organisations": P.ORGANISATIONS_READ,
    "GET /palette": P.ORGANISATIONS_READ,
    "GET /organisations/new": P.ORGANISATIONS_CREATE,
    "POST /organisations": P.ORGANISATIONS_CREATE,
    "GET /organisations/{reference:str}": P.ORGANISATIONS_READ,
    "GET /organisations/{reference:str}/operations": P.ORGANISATIONS_READ,
    "GET /organisations/{reference:str}/journal": P.AUDIT_READ,
    "GET /organisations/{reference:str}/keys": P.ORGANISATIONS_READ,
    "POST /organisations/{reference:str}/keys": P.STORAGE_ACT,
    "POST /organisations/{reference:str}/storage/compare": P.OPERATIONS_ACT,
    "POST /organisations/{reference:str}/storage/mirror": P.STORAGE_ACT,
    "POST /organisations/{reference:str}/storage/verify-mirror": P.STORAGE_ACT,
    "GET /organisations/{reference:str}/support": P.SUPPORT,
    "POST /organisations/{reference:str}/support": P.SUPPORT,
    "POST /organisations/{reference:str}/support/{access_id:uuid}/end": P.SUPPORT,
    "POST /organisations/{reference:str}/support/{access_id:uuid}/entry": P.SUPPORT,
    "POST /organisations/{reference:str}/verify": P.OPERATIONS_ACT,
    "POST /organisations/{reference:str}/retry": P.OPERATIONS_ACT,
    **{
        f"{method} /organisations/{{reference:str}}/{path}": permission
        for method in ("GET", "POST")
        for path, permission in {
            "suspend": P.ORGANISATIONS_SUSPEND,
            "read-only": P.ORGANISATIONS_SUSPEND,
            "resume": P.ORGANISATIONS_SUSPEND,
            "close": P.ORGANISATIONS_CLOSE,
            "reopen": P.ORGANISATIONS_CLOSE,
            "erase": P.ORGANISATIONS_ERASE,
            "offer": P.ORGANISATIONS_CHANGE,
            "trial": P.ORGANISATIONS_CHANGE,
        }.items()
    },
    "GET /operations": P.OPERATIONS_READ,
    "GET /operations/{operation_id:uuid}": P.OPERATIONS_READ,
    "GET /operations/{operation_id:uuid}/events": P.OPERATIONS_READ,
    "POST /operations/{operation_id:uuid}/cancel": P.OPERATIONS_ACT,
    "POST /operations/{operation_id:uuid}/roll-back": P.OPERATIONS_ACT,
    "GET /offers": P.OFFERS_READ,
    "GET /offers/{code:str}": P.OFFERS_READ,
    "GET /offers/new": P.OFFERS_PUBLISH,
    "GET /offers/{code:str}/publish": P.OFFERS_PUBLISH,
    "POST /offers": P.OFFERS_PUBLISH,
    "GET /cells": P.CELLS_READ,
    "GET /cells/{name:str}": P.CELLS_READ,
    "POST /cells/{name:str}/verify": P.CELLS_VERIFY,
    "GET /cells/{name:str}/store": P.STORAGE_ACT,
    "POST /cells/{name:str}/store": P.STORAGE_ACT,
    "POST /cells/{name:str}/store/key": P.STORAGE_ACT,
    "GET /audit": P.AUDIT_READ,
    "POST /audit/verify": P.AUDIT_VERIFY,
    "GET /tokens": P.TOKENS,
    "GET /staff": P.STAFF,
    "POST /staff": P.STAFF,
    "POST /staff/{staff_id:uuid}/reset": P.STAFF,
    "POST /staff/{staff_id:uuid}/disable": P.STAFF,
    "POST /staff/{staff_id:uuid}/emergency": P.STAFF,
    "POST /staff/{staff_id:uuid}/emergency/removal": P.STAFF,
    "POST /tokens": P.TOKENS,
    "POST /tokens/{token_id:uuid}/revoke": P.TOKENS,
    "POST /tokens/{token_id:uuid}/rotate": P.TOKENS,
    "POST /tokens/{token_id:uuid}/owner": P.TOKENS,
}


def guarded(handlers: list[object]) -> dict[str, object]:
    """Route → the last permission that its guards ask for, or DOOR where it has no guard."""
    found: dict[str, object] = {}
    for handler in handlers:
        asked = [guard.permission for guard in handler.guards or () if isinstance(guard, Requires)]  # type: ignore[attr-defined]
        for path in handler.paths:  # type: ignore[attr-defined]
            for method in handler.http_methods:  # type: ignore[attr-defined]
                found[f"{method} {path}"] = asked[-1] if asked else DOOR
    return found


def test_every_route_is_declared_with_its_permission() -> None:
    rooms = [handler for room in ROOMS for handler in room.handlers]
    assert guarded([*rooms, *signing_out.foreign]) == DECLARED


def test_a_route_whose_guard_was_forgotten_is_seen() -> None:
    from litestar import get

    @get("/cells", sync_to_thread=False)
    def forgotten() -> str:
        return ""

    assert guarded([forgotten]) != {"GET /cells": DECLARED["GET /cells"]}


@pytest.fixture(scope="module")
def example(house: House) -> dict[str, str]:
    """What stands for the places of a route."""
    organisation_id = house.live(address="guarded", offer="public-sector")
    return {
        "reference:str": str(organisation_id),
        "operation_id:uuid": str(house.last_operation(organisation_id).id),
        "code:str": "team",
        "name:str": "local",
        "public_id:str": "0" * 24,
        "passkey_id:uuid": str(organisation_id),
        "token_id:uuid": str(organisation_id),
        "staff_id:uuid": str(organisation_id),
        "access_id:uuid": str(organisation_id),
    }


def filled(path: str, example: dict[str, str]) -> str:
    return re.sub(r"\{([^}]+)\}", lambda match: example[match[1]], path)


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("role", list(Role))
def test_each_page_shows_for_whom_it_is_and_for_nobody_else(
    door: Door, example: dict[str, str], role: Role, locale: str
) -> None:
    with door.client(role, locale=locale) as client:
        for route, permission in DECLARED.items():
            method, path = route.split(" ")
            if method != "GET" or permission == DOOR or path.endswith("/events"):
                continue
            answer = client.get(filled(path, example))
            permitted = permission is ANY or allows(role, permission)  # type: ignore[arg-type]
            # The page of codes sends who has codes back to the account.
            assert answer.status_code in ({200, 303} if permitted else {404}), f"{role} {path}"
            if answer.status_code == 200 and path != "/palette":
                assert f'<html lang="{locale}">' in answer.text, path


@pytest.mark.parametrize("role", list(Role))
def test_no_write_is_carried_out_for_a_role_that_may_not(door: Door, example: dict[str, str], role: Role) -> None:
    with door.client(role) as client:
        csrf = token_in(client.get("/account"))
        for route, permission in DECLARED.items():
            method, path = route.split(" ")
            if method != "POST" or permission in {DOOR, ANY} or allows(role, permission):  # type: ignore[arg-type]
                continue
            assert client.post(filled(path, example), data={"csrf": csrf}).status_code == 404, f"{role} {path}"


def test_nobody_gets_anything_but_the_door(door: Door, example: dict[str, str]) -> None:
    with door.anybody() as client:
        for route, permission in DECLARED.items():
            method, path = route.split(" ")
            if permission == DOOR:
                continue
            answer = client.request(method, filled(path, example), headers={"Sec-Fetch-Site": "same-origin"})
            assert answer.status_code in {303, 401, 404}, route
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/sign-in"), route


def test_what_a_person_may_not_do_is_not_shown(door: Door, example: dict[str, str]) -> None:
    page = f"/organisations/{example['reference:str']}"
    shown: dict[str, set[str]] = {}
    for role in Role:
        with door.client(role) as client:
            shown[role] = set(re.findall(rf'href="{page}/([a-z-]+)"', client.get(page).text))
    assert shown["auditor"] == {"operations", "keys", "journal"}
    assert shown["sales"] == {"operations", "keys", "offer", "trial", "read-only", "suspend", "close"}
    assert shown["support"] == {"operations", "keys", "support", "journal", "read-only", "suspend"}
    everything = {"operations", "keys", "support", "journal", "offer", "trial", "read-only", "suspend", "close"}
    assert shown["operator"] == everything


FORGERIES: list[dict[str, dict[str, str]]] = [
    {"headers": {}, "data": {}},
    {"headers": {}, "data": {"csrf": "AAAA"}},
    {"headers": {"Origin": "https://evil.example"}, "data": {"csrf": "{right}"}},
    {"headers": {"Sec-Fetch-Site": "cross-site"}, "data": {"csrf": "{right}"}},
    {"headers": {"Sec-Fetch-Site": "same-site"}, "data": {"csrf": "{right}"}},
    {"headers": {"Origin": "null"}, "data": {"csrf": "{right}"}},
    {"headers": {}, "data": {"csrf": "{other}"}},
]


def locale_after(client: object, forgery: dict[str, dict[str, str]], tokens: dict[str, str]) -> int:
    data = {name: value.format(**tokens) for name, value in forgery["data"].items()}
    return client.post("/account/language", data={"locale": "en", **data}, headers=forgery["headers"]).status_code  # type: ignore[attr-defined]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_write_is_refused(door: Door, forgery: dict[str, dict[str, str]]) -> None:
    with door.client("sales") as client, door.client("support") as other:
        tokens = {"right": token_in(client.get("/account")), "other": token_in(other.get("/account"))}
        assert locale_after(client, forgery, tokens) == 403
        # The same with this session's own token and no foreign origin is carried out.
        assert client.post("/account/language", data={"locale": "fr", "csrf": tokens["right"]}).status_code == 303


def test_without_the_check_every_forgery_would_be_carried_out(door: Door) -> None:
    """The control: the same routes, their CSRF check taken away."""
    from litestar import Router

    whole = controllers[0]
    careless = Router(
        path="/",
        route_handlers=[handler for room in ROOMS for handler in room.handlers],
        dependencies=whole.dependencies,
        exception_handlers=whole.exception_handlers,
    )
    app = Litestar([careless], state=State({"engine": door.house.engine}), openapi_config=None, logging_config=None)
    session = door.session_of(door.staff("sales"))
    with TestClient(app, base_url="http://portal.parvis.localhost:8080") as client:
        client.cookies.set("portal", session, domain="portal.parvis.localhost")
        client.follow_redirects = False
        answers = {locale_after(client, forgery, {"right": "", "other": ""}) for forgery in FORGERIES}
    assert answers == {303}
