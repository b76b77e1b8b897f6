"""Each route of a workspace, asked by each of eight principals, in the running product."""

import httpx
import pytest

from tests.matrix.declared import WORKSPACE
from tests.matrix.workspaces import RANKS, Workspace, open_workspace
from tests.world.product import Product


@pytest.fixture(scope="module")
def workspace(product: Product) -> Workspace:
    made = open_workspace(product, "matrix-own")
    made.tokens = {role: made.page_token(made.cookies[role]) for role in RANKS}
    return made


@pytest.fixture(scope="module")
def neighbour(product: Product) -> Workspace:
    return open_workspace(product, "matrix-other")


@pytest.mark.parametrize("route", [name for name, access in WORKSPACE.items() if access in RANKS])
def test_a_route_of_a_workspace_lets_in_its_role_and_those_above(
    workspace: Workspace, neighbour: Workspace, route: str
) -> None:
    strangers = {
        "none": workspace.ask(route, None),
        "expired": workspace.ask(route, workspace.cookies["expired"]),
        "other tenant's member": workspace.ask(route, neighbour.cookies["member"]),
        "other tenant's admin": workspace.ask(route, neighbour.cookies["administrator"]),
    }
    least = RANKS[WORKSPACE[route]]
    own = {role: workspace.ask(route, workspace.cookies[role], workspace.tokens[role]) for role in RANKS}
    if route.startswith(("GET", "HEAD")):
        assert {status for status, _ in strangers.values()} == {401}, strangers
    else:
        # A stranger's cookie makes a write want a page's token, which nobody else's page has given.
        assert {status for status, _ in strangers.values()} <= {401, 403}, strangers
    for role, (status, code) in own.items():
        if RANKS[role] < least:
            assert (status, code or "not_allowed") == (403, "not_allowed"), (role, status, code)
        else:
            assert status not in {401, 405, 500}, (role, status, code)
            assert code not in {"not_allowed", "stale_page"}, (role, status, code)


def test_a_neighbour_s_cookie_opens_its_own_workspace_only(workspace: Workspace, neighbour: Workspace) -> None:
    """The broken control: the same cookie is good where it belongs."""
    assert neighbour.ask("GET /members", neighbour.cookies["administrator"])[0] == 200
    assert workspace.ask("GET /members", neighbour.cookies["administrator"])[0] == 401


def test_a_lost_connection_is_not_an_answer(product: Product) -> None:
    with product.client("matrix-nobody") as client:
        answer: httpx.Response = client.get("/")
    assert answer.status_code == 404
