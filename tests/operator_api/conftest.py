"""The operator API in process, on a real database; cells are rows whose databases nobody needs to reach."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient
from sqlalchemy import Engine, text

from control_plane import catalogue, identity
from control_plane.audit import SYSTEM
from control_plane.identity import ApiToken, Scope
from control_plane.operator_api import Buckets, router
from control_plane.placement import add_cell
from control_plane.placement.databases import ADMIN, APP
from control_plane.placement.models import CellDatabase
from kit.db import transaction
from kit.ids import new_id
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from kit.web import Frame, exception_handlers
from tests.world.house import House, open_house

NOWHERE = "postgresql://nobody:secret@127.0.0.1:9/nowhere_1"
WAYS = {
    "live": ("provisioning", "live"),
    "provisioning": ("provisioning",),
    "failed": ("provisioning", "failed"),
    "read_only": ("provisioning", "live", "read_only"),
    "suspended": ("provisioning", "live", "suspended"),
    "closing": ("provisioning", "live", "closing"),
}


@dataclass
class Api:
    """Speaks to the API as one token."""

    client: TestClient[Any]
    engine: Engine
    secret: str
    token: ApiToken

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """`ask("PUT", "/organisations/a/offer", {...}, if_match='"1"')`; headers by their names with underscores."""
        sent = {"authorization": f"Bearer {self.secret}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        kept = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        if isinstance(body, bytes):
            sent.setdefault("content-type", "application/json")
        return self.client.request(method, f"/api/v1{path}", headers=sent, **kept)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, **headers)

    def as_(self, secret: str) -> "Api":
        return Api(self.client, self.engine, secret, self.token)

    def issue(self, *scopes: Scope, networks: tuple[str, ...] = (), expires_at: datetime | None = None) -> "Api":
        """The same API as a new token."""
        with transaction(self.engine) as session:
            token, secret = identity.issue_token(session, "test", scopes or tuple(Scope), expires_at, networks, SYSTEM)
        return Api(self.client, self.engine, secret, token)

    def order(self, address: str = "sevres", state: str | None = "live", **fields: Any) -> dict[str, Any]:
        """An organisation in a state, as if the loop had run; without a state as it was ordered."""
        answer = self.ask("POST", "/organisations", wish(address, **fields))
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        if state:
            self.settle(made["organisation"]["id"], state)
        return made

    def settle(self, organisation_id: str, state: str) -> None:
        with self.engine.begin() as connection:
            for step in WAYS[state]:
                connection.execute(
                    text("update organisation set state = :state where id = :id"),
                    {"state": step, "id": UUID(organisation_id)},
                )
            connection.execute(
                text("update operation set state = 'succeeded' where organisation_id = :id"),
                {"id": UUID(organisation_id)},
            )

    def etag(self, reference: str) -> str:
        return self.get(f"/organisations/{reference}").headers["etag"]

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


def wish(address: str = "sevres", **fields: Any) -> dict[str, Any]:
    """A body that orders an organisation."""
    return {
        "name": "Mairie de Sèvres",
        "address": address,
        "offer": "team",
        "admin": {"email": f"camille@{address}.example", "name": "Camille Martin"},
        **fields,
    }


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ControlPlaneSettings:
    key = Path(tmp_path_factory.mktemp("keys")) / "master"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    return ControlPlaneSettings.from_env(
        {
            "PARVIS_DATABASE_URL": "postgresql://127.0.0.1/parvis",
            "PARVIS_BROKER_URL": "redis://127.0.0.1:1/0",
            "PARVIS_MASTER_KEY_FILE": str(key),
        }
    )


@pytest.fixture
def furnished(engine: Engine, vault: Vault) -> Engine:
    """A control plane with the shipped offers and one cell that has room."""
    furnish(engine, vault)
    return engine


def furnish(engine: Engine, vault: Vault) -> None:
    # Under a file there is no folder, whoever asks: so this store never answers.
    store = {"kind": "files", "root": "/dev/null/nowhere"}
    with transaction(engine) as session:
        catalogue.seed(session)
        cell = add_cell(session, "fr-par-1", "fr-par", ["secnumcloud"], store, SYSTEM)
        session.add(
            CellDatabase(
                id=new_id(),
                cell_id=cell.id,
                name="nowhere_1",
                admin_url_sealed=vault.seal(NOWHERE, ADMIN),
                app_url_sealed=vault.seal(NOWHERE, APP),
            )
        )


def application(engine: Engine, settings: ControlPlaneSettings, buckets: Buckets | None = None) -> Litestar:
    return Litestar(
        [router(buckets)],
        state=State({"engine": engine, "settings": settings}),
        exception_handlers=exception_handlers(),
        openapi_config=None,
        logging_config=None,
    )


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """A control plane with a real cell and store, for `api_of`."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@contextmanager
def api_of(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    """The API of a house, whose cell and store are real, as a token of all scopes."""
    app: Any = Frame(application(house.engine, settings))
    with TestClient(app.app, raise_server_exceptions=False) as client:
        client.app = app
        with transaction(house.engine) as session:
            token, secret = identity.issue_token(session, "all", tuple(Scope), None, (), SYSTEM)
        yield Api(client, house.engine, secret, token)


Opened = Callable[..., Api]


@pytest.fixture
def open_api(furnished: Engine, settings: ControlPlaneSettings) -> Iterator[Opened]:
    """Opens the API, with buckets of one's own if wanted."""
    open_clients: list[TestClient[Any]] = []

    def open_(buckets: Buckets | None = None) -> Api:
        app: Any = Frame(application(furnished, settings, buckets))
        # A Frame wraps the whole; the client asks the application for little but its call.
        client: TestClient[Any] = TestClient(app.app, raise_server_exceptions=False)
        client.app = app
        client.__enter__()
        open_clients.append(client)
        with transaction(furnished) as session:
            token, secret = identity.issue_token(session, "all", tuple(Scope), None, (), SYSTEM)
        return Api(client, furnished, secret, token)

    yield open_
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(open_api: Opened) -> Api:
    """The API as a token of all scopes."""
    return open_api()
