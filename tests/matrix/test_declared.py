"""Every route of every face stands in the table by hand, and lets in whom the table says."""

import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler

from control_plane.operator_api import router
from tests.matrix.declared import API, CONSOLE, PORTAL, SITE, WORKSPACE
from tests.matrix.faces import Faces, access, differences, routes

DECLARED = {"site": SITE | CONSOLE, "portal": API | PORTAL, "workspace": WORKSPACE}
# Beside the door of sign-in: what nobody is asked a name for.
OPEN = {
    "portal": {
        *("GET /sign-in", "POST /sign-in", "POST /sign-in/code", "GET /sign-in/next", "POST /sign-in/passkey"),
        *("POST /sign-in/passkey/options", "POST /sign-in/set-up/codes", "POST /sign-in/set-up/passkey"),
        *("POST /sign-in/set-up/passkey/options", "POST /sign-out", "GET /api/v1/openapi.json"),
        *("GET /sign-in/oidc", "GET /sign-in/oidc/callback", "POST /sign-in/oidc/logout", "GET /signed-out"),
        *("GET /healthz", "GET /readyz", "MOUNT /static"),
    },
}


@pytest.mark.parametrize("face", DECLARED)
def test_every_route_is_declared_and_every_declaration_is_a_route(faces: Faces, face: str) -> None:
    actual = {name: access(handler) for name, handler in routes(getattr(faces, face)).items()}
    assert differences(actual, DECLARED[face]) == {}


def test_nothing_but_the_door_of_the_portal_is_open(faces: Faces) -> None:
    opened = {name for name, handler in routes(faces.portal).items() if access(handler) == "public"}
    assert opened == OPEN["portal"]


def test_nothing_but_its_doors_of_the_console_is_open(faces: Faces) -> None:
    inside = {name: handler for name, handler in routes(faces.site).items() if "/console" in name}
    opened = {name.partition("/console")[2] for name, handler in inside.items() if access(handler) == "public"}
    assert opened == {"/enter", "/set-up/{token}", "/leave", "/left"}


def test_what_a_workspace_opens_to_all_says_so_itself(faces: Faces) -> None:
    for name, handler in routes(faces.workspace).items():
        if isinstance(handler, HTTPRouteHandler) and access(handler) == "public":
            assert handler.opt.get("public") is True, name


def test_a_new_route_without_a_declaration_is_found() -> None:
    """The broken control: somebody adds a handler, and forgets the guard and the table."""

    @get("/api/v1/secrets", sync_to_thread=False)
    def secrets() -> str:
        return "all of them"

    app = Litestar([router(), secrets], openapi_config=None)
    actual = {name: access(handler) for name, handler in routes(app).items()}
    assert differences(actual, API) == {"GET /api/v1/secrets": ("public", None)}


def test_a_guard_that_was_dropped_is_found(faces: Faces) -> None:
    """The broken control: the route stands in the table, its guard has gone."""
    actual = {name: access(handler) for name, handler in routes(faces.portal).items()}
    changed = actual | {"GET /api/v1/tokens": "public", "GET /tokens": "staff"}
    assert differences(changed, API | PORTAL) == {
        "GET /api/v1/tokens": ("public", "tokens:read"),
        "GET /tokens": ("staff", "tokens"),
    }
