import pyotp
import pytest
from sqlalchemy import Engine

from control_plane import identity
from control_plane.identity import Opened, Staff
from kit.db import transaction
from kit.errors import Refusal
from kit.vault import Vault
from tests.identity.conftest import HERE, PASSWORD, Person


@pytest.fixture
def newcomer(engine: Engine, vault: Vault) -> str:
    """Somebody without any second factor, with the password shown: the token of that stage."""
    with transaction(engine) as session:
        identity.create_staff(session, vault, "new@parvis.example", "New Person", "sales", PASSWORD)
    with transaction(engine) as session:
        opened = identity.sign_in_by_password(session, "new@parvis.example", PASSWORD, HERE)
        assert isinstance(opened, Opened)
        return opened.token


def test_the_first_factor_is_set_up_half_way(engine: Engine, newcomer: str) -> None:
    with transaction(engine) as session:
        signed = identity.authenticate(session, newcomer)
        assert signed is not None
        secret, sealed = identity.offer_codes(session, signed.staff)
        assert secret not in sealed
        identity.set_up_codes(session, signed, sealed, pyotp.TOTP(secret).now())
        assert identity.has_second_factor(session, signed.staff)


def test_with_a_password_alone_nobody_adds_a_factor_beside_the_one_that_is(person: Person) -> None:
    first = person.password()
    assert isinstance(first, Opened)
    with transaction(person.engine) as session:
        signed = identity.authenticate(session, first.token)
        assert signed is not None
        secret, sealed = identity.offer_codes(session, signed.staff)
        with pytest.raises(Refusal, match="finish"):
            identity.set_up_codes(session, signed, sealed, pyotp.TOTP(secret).now())
        with pytest.raises(Refusal, match="finish"):
            identity.begin_new_passkey(session, signed, rp_id="portal.parvis.localhost")
    # The control: the same call by a full session is let through.
    with transaction(person.engine) as session:
        signed = identity.authenticate(session, person.signed_in())
        assert signed is not None
        assert identity.begin_new_passkey(session, signed, rp_id="portal.parvis.localhost").challenge


def test_a_wrong_first_code_turns_nothing_on(engine: Engine, newcomer: str) -> None:
    with transaction(engine) as session:
        signed = identity.authenticate(session, newcomer)
        assert signed is not None
        secret, sealed = identity.offer_codes(session, signed.staff)
        wrong = f"{(int(pyotp.TOTP(secret).now()) + 1) % 1_000_000:06}"
        with pytest.raises(Refusal, match="fit"):
            identity.set_up_codes(session, signed, sealed, wrong)
        assert not identity.has_second_factor(session, signed.staff)


def test_an_offer_made_for_somebody_else_is_refused(engine: Engine, newcomer: str, person: Person) -> None:
    with transaction(engine) as session:
        _, sealed = identity.offer_codes(session, session.get_one(Staff, person.staff.id))
        signed = identity.authenticate(session, newcomer)
        assert signed is not None
        for foreign in (sealed, "", "garbage"):
            with pytest.raises(Refusal, match="old"):
                identity.offered_secret(session, signed.staff, foreign)


def test_the_last_factor_cannot_be_taken_away(person: Person) -> None:
    with transaction(person.engine) as session, pytest.raises(Refusal, match="only second factor"):
        identity.remove_codes(session, person.staff.id)


def test_a_passkey_challenge_is_used_once_and_belongs_to_its_session(person: Person) -> None:
    token = person.signed_in()
    with transaction(person.engine) as session:
        signed = identity.authenticate(session, token)
        assert signed is not None
        identity.begin_new_passkey(session, signed, rp_id="portal.parvis.localhost")

    def answer() -> str:
        with transaction(person.engine) as session:
            signed = identity.authenticate(session, token)
            assert signed is not None
            with pytest.raises(Refusal) as refused:
                identity.add_passkey(
                    session,
                    signed,
                    "{}",
                    "Key",
                    origin="http://portal.parvis.localhost",
                    rp_id="portal.parvis.localhost",
                )
            return refused.value.code

    assert answer() == "passkey_refused"
    assert answer() == "passkey_late"


def test_a_passkey_sign_in_needs_the_browser_that_asked(engine: Engine) -> None:
    with transaction(engine) as session:
        token, _ = identity.begin_passkey(session, rp_id="portal.parvis.localhost")

    def code(ceremony: str | None) -> str:
        with transaction(engine) as session:
            answer = identity.sign_in_by_passkey(
                session,
                '{"rawId": "AAAA", "response": {}}',
                HERE,
                ceremony=ceremony,
                origin="http://portal.parvis.localhost",
                rp_id="portal.parvis.localhost",
            )
            assert isinstance(answer, Refusal)
            return answer.code

    assert code(None) == "passkey_late"
    assert code("another") == "passkey_late"
    assert code(token) == "passkey_unknown"
    assert code(token) == "passkey_late"
