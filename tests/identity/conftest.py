import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import Engine

from control_plane import identity
from control_plane.identity import Client, Opened, Staff
from kit.db import transaction
from kit.errors import Refusal
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.identity.organisations import Setting
from tests.world.house import House, open_house
from tests.world.names import NameServer, name_server

PASSWORD = "tondeuse nuage bleu 41"
HERE = Client("192.0.2.7", "Firefox on Linux")


@dataclass
class Person:
    """A member of staff and their authenticator application. Each call is a request of its own."""

    engine: Engine
    staff: Staff
    secret: str

    def password(
        self, password: str = PASSWORD, *, replaces: str | None = None, client: Client = HERE
    ) -> Opened | Refusal:
        with transaction(self.engine) as session:
            return identity.sign_in_by_password(session, self.staff.email, password, client, replaces=replaces)

    def code(self, token: str, code: str) -> Opened | Refusal:
        with transaction(self.engine) as session:
            signed = identity.authenticate(session, token)
            assert signed is not None
            return identity.sign_in_by_code(session, signed, code, HERE, token=token)

    def now(self) -> str:
        return pyotp.TOTP(self.secret).now()

    def signed_in(self) -> str:
        """The token of a full session, by both factors."""
        first = self.password()
        assert isinstance(first, Opened)
        with transaction(self.engine) as session:
            # Codes work once: another sign-in within the same half minute needs the next one.
            session.get_one(Staff, self.staff.id).totp_step = 0
        second = self.code(first.token, self.now())
        assert isinstance(second, Opened), second
        return second.token

    def who(self, token: str | None) -> identity.SignedIn | None:
        with transaction(self.engine) as session:
            return identity.authenticate(session, token)


@pytest.fixture
def person(engine: Engine, vault: Vault) -> Person:
    secret = pyotp.random_base32()
    with transaction(engine) as session:
        staff = identity.create_staff(
            session, vault, "ines@parvis.example", "Inès Bakkali", "support", PASSWORD, totp_secret=secret
        )
    return Person(engine, staff, secret)


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Shared by a module: each test sets up organisations of its own."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture
def servers() -> Iterator[list[NameServer]]:
    """Three name servers."""
    with name_server() as one, name_server() as two, name_server() as three:
        yield [one, two, three]


@pytest.fixture
def settings(tmp_path: Path, servers: list[NameServer]) -> ControlPlaneSettings:
    key = tmp_path / "master"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    read = ControlPlaneSettings.from_env(
        {
            "PARVIS_DATABASE_URL": "postgresql://127.0.0.1/parvis",
            "PARVIS_BROKER_URL": "redis://127.0.0.1:1/0",
            "PARVIS_MASTER_KEY_FILE": str(key),
            "PARVIS_ALLOW_PRIVATE_FETCH": "1",
        }
    )
    return dataclasses.replace(read, dns_resolvers=tuple(one.resolver for one in servers))


@pytest.fixture
def acme(house: House, settings: ControlPlaneSettings, servers: list[NameServer]) -> Setting:
    """A live organisation that has set up nothing yet."""
    return Setting(house, settings, servers, house.live())


@pytest.fixture
def rival(house: House, settings: ControlPlaneSettings, servers: list[NameServer]) -> Setting:
    """Another one."""
    return Setting(house, settings, servers, house.live())
