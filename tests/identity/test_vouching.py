"""What a provider's word ends: the named session, or all of the subject; never another issuer's, nor a passkey's."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.identity import Opened
from control_plane.identity.vouching import LONGEST_HINT, Voucher, vouch
from kit.db import transaction, vault_of
from kit.errors import Refusal
from kit.ids import new_id
from kit.openid import Claims, LogoutToken
from kit.settings import StaffOidc
from tests.identity.conftest import HERE, Person

ISSUER = "https://id.provider.example"
OIDC = StaffOidc(ISSUER, "portal", "secret")


def arrive(session: Session, subject: str, sid: str | None) -> str:
    told = {"email": f"{subject}@parvis.example", "email_verified": True}
    answer = identity.sign_in_by_claims(session, OIDC, Claims(subject, ISSUER, told, "a token", sid), HERE)
    assert isinstance(answer, Opened), answer
    return answer.token


def told(subject: str | None, sid: str | None) -> LogoutToken:
    return LogoutToken(subject, sid, str(new_id()), datetime.now(UTC) + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("issuer", "token", "left"),
    [
        (ISSUER, told("ines", None), {"passkey", "tom"}),
        (ISSUER, told("ines", "one"), {"two", "passkey", "tom"}),
        (ISSUER, told(None, "one"), {"two", "nameless", "passkey", "tom"}),
        (ISSUER, told("tom", "one"), {"one", "two", "nameless", "passkey", "tom"}),
        (ISSUER, told("nobody", None), {"one", "two", "nameless", "passkey", "tom"}),
        ("https://other.example", told("ines", None), {"one", "two", "nameless", "passkey", "tom"}),
        ("https://other.example", told(None, "one"), {"one", "two", "nameless", "passkey", "tom"}),
    ],
)
def test_a_logout_token_ends_what_it_names(person: Person, issuer: str, token: LogoutToken, left: set[str]) -> None:
    with transaction(person.engine) as session:
        identity.create_staff(session, vault_of(session), "tom@parvis.example", "Tom", "sales", None)
        tokens = {
            "one": arrive(session, "ines", "one"),
            "two": arrive(session, "ines", "two"),
            "nameless": arrive(session, "ines", None),
            "tom": arrive(session, "tom", "of tom"),
            "passkey": identity.complete(session, person.staff, HERE, "passkey", replaces=None).token,
        }
    with transaction(person.engine) as session:
        assert identity.end_by_provider(session, issuer, token) == len(tokens) - len(left)
    assert {name for name, one in tokens.items() if person.who(one)} == left
    with transaction(person.engine) as session, pytest.raises(Refusal, match="has been used"):
        identity.end_by_provider(session, issuer, token)


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_HINT, True), (LONGEST_HINT + 1, False), (0, False)])
def test_an_id_token_is_kept_sealed_unless_no_address_takes_it(
    person: Person, engine: Engine, length: int, kept: bool
) -> None:
    hint = "t" * length
    with transaction(engine) as session:
        token = identity.complete(session, person.staff, HERE, "oidc", replaces=None).token
        assert vouch(session, person.staff, token, Voucher(60, None, hint))
        found = identity.sessions(session, person.staff)[0]
        session.refresh(found)
        assert "ttt" not in (found.id_token_sealed or "")
        assert identity.leave(session, token) == identity.Left(hint if kept else None)
        assert identity.leave(session, token) is None
