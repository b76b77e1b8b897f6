"""The public site in process, on a real database. The cell is a row whose database nobody needs to reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine, text

from control_plane import catalogue
from control_plane.audit import SYSTEM
from control_plane.placement import add_cell
from control_plane.placement.databases import ADMIN, APP
from control_plane.placement.models import CellDatabase
from control_plane.provisioning import Mail, Outbox
from control_plane.signup.letters import Words, Writer
from control_plane.signup.service import Wish
from control_plane.web import make_app
from kit.db import transaction
from kit.ids import new_id
from kit.settings import ControlPlaneSettings
from kit.vault import Vault

NOWHERE = "postgresql://nobody:secret@127.0.0.1:9/nowhere_1"
SITE = "http://parvis.localhost:8080"
GOOD = {
    "email": "claire.fontenay@saint-aubin.fr",
    "organisation": "Ville de Saint-Aubin",
    "address": "saint-aubin",
    "offer": "public-sector",
    "siret": "732 829 320 00074",
    "entity_kind": "commune",
    "terms": "yes",
}


def wish(**fields: Any) -> Wish:
    return Wish(**{**GOOD, "terms": True, **fields})


@pytest.fixture
def settings(control_url: str, tmp_path: Path, vault: Vault) -> ControlPlaneSettings:
    import base64

    key = tmp_path / "master-key"
    key.write_text(base64.b64encode(vault.master).decode())
    return ControlPlaneSettings.from_env(
        {
            "PARVIS_DATABASE_URL": control_url,
            "PARVIS_BROKER_URL": "redis://127.0.0.1:9/0",
            "PARVIS_MASTER_KEY_FILE": str(key),
            "PARVIS_SITE_URL": SITE,
            "PARVIS_TRUSTED_EDGES": "127.0.0.1",
        }
    )


@dataclass
class Site:
    """A visitor's browser without script; its cookies are kept."""

    app: Any
    engine: Engine
    settings: ControlPlaneSettings
    client: TestClient[Any]

    def get(self, path: str, lang: str = "en", **headers: str) -> httpx.Response:
        return self.client.get(f"{SITE}{path}", headers={"accept-language": lang, **headers}, follow_redirects=False)

    def post(self, path: str, data: dict[str, str] | None = None, lang: str = "en", **headers: str) -> httpx.Response:
        sent = {"accept-language": lang, "origin": SITE, "sec-fetch-site": "same-origin", **headers}
        return self.client.post(f"{SITE}{path}", data=data or {}, headers=sent, follow_redirects=False)

    def sign_up(self, lang: str = "en", ip: str = "192.0.2.7", **fields: str) -> httpx.Response:
        return self.post("/signup", {**GOOD, **fields}, lang, **{"x-forwarded-for": ip})

    def mails(self) -> list[Mail]:
        with transaction(self.engine) as session:
            rows = session.query(Outbox).order_by(Outbox.created_at, Outbox.id).all()
            return [Mail(row.id, row.key, row.organisation_id, row.kind, dict(row.payload)) for row in rows]

    def read(self, mail: Mail) -> Words:
        """The words of a mail, as they leave."""
        with transaction(self.engine) as session:
            return Writer(self.settings).write(session, mail)

    def link(self) -> str:
        """The path of the newest mail's link."""
        action = self.read(self.mails()[-1]).action
        assert action
        return action[1].removeprefix(SITE)

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as connection:
            done = connection.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []


def equip(engine: Engine, vault: Vault) -> None:
    """The shipped offers, and a cell with room."""
    with transaction(engine) as session:
        catalogue.seed(session)
        cell = add_cell(session, "local", "fr-par", [], {"kind": "files", "root": "/nowhere"}, SYSTEM)
        session.add(
            CellDatabase(
                id=new_id(),
                cell_id=cell.id,
                name="nowhere_1",
                admin_url_sealed=vault.seal(NOWHERE, ADMIN),
                app_url_sealed=vault.seal(NOWHERE, APP),
                capacity=100,
                spares_wanted=0,
            )
        )


@pytest.fixture
def equipped(engine: Engine, vault: Vault) -> Engine:
    equip(engine, vault)
    return engine


@pytest.fixture
def site(equipped: Engine, settings: ControlPlaneSettings) -> Iterator[Site]:
    inner = make_app(settings, equipped)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # The edge stands on this machine; it tells who asks.
        if scope["type"] == "http":
            scope["client"] = ("127.0.0.1", 1)
        await inner(scope, receive, send)

    with TestClient(app=app, base_url=SITE, raise_server_exceptions=False) as client:  # type: ignore[type-var]
        client.headers["accept"] = "text/html"
        yield Site(app, equipped, settings, client)
