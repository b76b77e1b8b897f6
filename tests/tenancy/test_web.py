"""The door of the tenant app: exact hosts, fitting pages, and not one query for a stranger."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.testing import TestClient

from kit.errors import Refusal
from kit.settings import CellSettings
from tenant_app.tenancy import Directory, TenantRecord, pool
from tenant_app.web import Doorkeeper, create_app
from tests.world.cells import Cell, run
from tests.world.waiting import eventually


@get("/whoami", sync_to_thread=False)
def whoami(tenant: NamedDependency[TenantRecord]) -> str:
    return tenant.name


@get("/people")
async def people(request: Request[Any, Any, Any], tenant: NamedDependency[TenantRecord]) -> list[str]:
    async with pool(request).transaction(tenant) as connection:
        return [row[0] for row in await connection.fetch("select name from principal")]


Client = Callable[..., Any]


def once_known(client: Client, record: TenantRecord) -> None:
    """What was published after the process started is served a moment later."""
    eventually(lambda: "There is no workspace" not in client(record.hosts[0], "/whoami").text)


@pytest.fixture
def client(cell: Cell, tmp_path: Path) -> Iterator[Client]:
    settings = CellSettings.from_env(
        {"PARVIS_CELL_FILE": str(cell.write_file(tmp_path / "cell.json")), "PARVIS_TRUSTED_EDGES": "127.0.0.9"}
    )
    with TestClient(create_app(settings, [whoami, people])) as made:

        def ask(host: str, path: str = "/", method: str = "GET", **headers: str) -> Any:
            return made.request(method, path, headers={"host": host} | headers)

        yield ask


@pytest.fixture(scope="module")
def acme(cell: Cell) -> TenantRecord:
    return cell.tenant("acme", name="Acme")


def test_a_host_leads_to_its_own_people(client: Client, cell: Cell, acme: TenantRecord) -> None:
    other = cell.tenant("other", name="Other")
    once_known(client, other)
    assert client(acme.hosts[0], "/whoami").text == "Acme"
    assert client(acme.hosts[0].upper() + ":8080", "/whoami").text == "Acme"
    assert client(acme.hosts[0], "/people").json() == ["Owner of acme"]
    assert client(other.hosts[0], "/people").json() == ["Owner of other"]


def sessions(cell: Cell) -> int:
    """How many the tenant app has at the database."""
    ours = "datname = %s and application_name = 'parvis tenant app'"
    return int(cell.sql(f"select count(*) from pg_stat_activity where {ours}", cell.name)[0][0])


def only_the_directory_s(cell: Cell) -> None:
    """Wait until the sessions of the test before have left the server."""
    eventually(lambda: sessions(cell) == 1)


@pytest.mark.parametrize(
    "host",
    ["nobody.parvis.localhost", "acme.parvis.localhost.evil.example", "xacme.parvis.localhost", "127.0.0.1", "a b"],
)
@pytest.mark.parametrize("path", ["/", "/whoami", "/people", "/api/v1/x", "/static/x.css"])
def test_a_stranger_gets_one_plain_page_and_costs_no_query(
    client: Client, cell: Cell, acme: TenantRecord, host: str, path: str
) -> None:
    only_the_directory_s(cell)
    answer = client(host, path)
    assert answer.status_code == 404
    assert "There is no workspace at this address." in answer.text
    assert "acme" not in answer.text.lower()
    # No pool was opened for a stranger.
    assert sessions(cell) == 1


def test_a_known_host_does_cost_a_session(client: Client, cell: Cell, acme: TenantRecord) -> None:
    """The control of the test above: it would have been seen."""
    only_the_directory_s(cell)
    assert client(acme.hosts[0], "/people").status_code == 200
    assert sessions(cell) == 2


@pytest.mark.parametrize("state", ["suspended", "closing"])
def test_a_closed_workspace_says_so_to_people_and_to_programs(cell: Cell, client: Client, state: str) -> None:
    record = cell.tenant(f"closed-{state}", state=state, name="Closed & Co")
    once_known(client, record)
    page = client(record.hosts[0], "/anything", accept="text/html")
    assert page.status_code == 403
    assert page.headers["content-type"].startswith("text/html")
    assert "Closed &amp; Co" in page.text
    for method in ("GET", "POST", "DELETE"):
        answer = client(record.hosts[0], "/people", method, accept="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, f"workspace_{state}")


class Room:
    """An ASGI application that notes who came."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        self.paths.append(scope["path"])


@pytest.mark.parametrize(
    ("client_address", "path", "let_in"),
    [
        ("127.0.0.1", "/healthz", True),
        ("::1", "/readyz", True),
        ("10.0.0.9", "/readyz", True),
        ("203.0.113.7", "/healthz", False),
        ("203.0.113.7", "/readyz", False),
        ("127.0.0.1", "/other", False),
    ],
)
def test_health_is_told_inside_only(tmp_path: Path, client_address: str, path: str, let_in: bool) -> None:
    rooms, sent = Room(), []
    door = Doorkeeper(rooms, Room(), Directory(tmp_path / "none"), frozenset({"10.0.0.9"}))

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "GET", "client": (client_address, 1), "headers": []}
    run(door(scope, None, send))  # type: ignore[arg-type]
    assert (rooms.paths == [path]) is let_in
    assert [message.get("status") for message in sent] == ([] if let_in else [404, None])


def test_a_request_without_a_tenant_is_answered_like_nothing() -> None:
    request = Request[Any, Any, Any]({"type": "http", "headers": [], "path": "/", "method": "GET"})  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refusal:
        pool(request)
    assert refusal.value.status == 404
