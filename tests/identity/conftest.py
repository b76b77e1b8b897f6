from dataclasses import dataclass

import pyotp
import pytest
from sqlalchemy import Engine

from control_plane import identity
from control_plane.identity import Client, Opened, Staff
from kit.db import transaction
from kit.errors import Refusal
from kit.vault import Vault

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
