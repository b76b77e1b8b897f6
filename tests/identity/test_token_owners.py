"""Who answers for a script's token: it stops with whoever does, and goes on with whoever takes it over."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from control_plane import audit, identity
from control_plane.audit import SYSTEM
from control_plane.identity import ApiToken, Scope, Staff
from kit.db import transaction, vault_of
from kit.errors import Refusal
from kit.openid import Claims
from kit.settings import StaffOidc
from tests.identity.conftest import HERE

ISSUER = "https://id.provider.example"
OIDC = StaffOidc(ISSUER, "portal", "secret", roles=(("ops", "operator"), ("help", "support")))


def operator(engine: Engine, email: str) -> Staff:
    with transaction(engine) as session:
        return identity.create_staff(
            session, vault_of(session), email, email.split("@", maxsplit=1)[0], "operator", None
        )


def issue(engine: Engine, staff: Staff | None, asking: ApiToken | None = None) -> tuple[ApiToken, str]:
    actor = identity.actor_of(staff) if staff else SYSTEM
    with transaction(engine) as session:
        return identity.issue_token(session, "import", [Scope.OFFERS_READ], None, (), actor, asking=asking)


def works(engine: Engine, plaintext: str) -> str | None:
    """None, or why the token does not work."""
    with transaction(engine) as session:
        try:
            identity.require_answered(session, identity.authenticate_token(session, plaintext, "192.0.2.1"))
        except Refusal as refusal:
            return refusal.code
    return None


def arrives(engine: Engine, email: str, groups: list[str]) -> object:
    told = {"email": email, "email_verified": True, "groups": groups}
    with transaction(engine) as session:
        return identity.sign_in_by_claims(session, OIDC, Claims(email, ISSUER, told, ""), HERE)


def disabled(engine: Engine, staff: Staff) -> None:
    with transaction(engine) as session:
        identity.disable_staff(session, staff.id, actor=SYSTEM)


def demoted(engine: Engine, staff: Staff) -> None:
    with transaction(engine) as session:
        identity.change_role(session, staff.id, "support", actor=SYSTEM)


def refused_by_the_provider(engine: Engine, staff: Staff) -> None:
    arrives(engine, staff.email, ["ops"])
    assert isinstance(arrives(engine, staff.email, []), Refusal)


@pytest.mark.parametrize("leaves", [disabled, demoted, refused_by_the_provider])
def test_a_token_stops_with_whoever_answers_for_it_and_goes_on_with_another(
    engine: Engine, leaves: Callable[[Engine, Staff], None]
) -> None:
    ines, marc = operator(engine, "ines@parvis.example"), operator(engine, "marc@parvis.example")
    token, secret = issue(engine, ines)
    _, made_by_it = issue(engine, None, asking=token)
    with transaction(engine) as session:
        fresh, rotated = identity.rotate_token(session, token.id, identity.actor_of(marc))
    _, another = issue(engine, marc)
    _, installation = issue(engine, None)
    assert [works(engine, one) for one in (secret, made_by_it, rotated)] == [None] * 3
    leaves(engine, ines)
    assert [works(engine, one) for one in (secret, made_by_it, rotated)] == ["token_owner_gone"] * 3
    # The controls: those of others, and of nobody.
    assert [works(engine, one) for one in (another, installation)] == [None, None]
    with transaction(engine) as session:
        assert [one.answers for one in identity.owners(session).values()].count(False) == 1
        identity.hand_over(session, fresh.id, marc.email, actor=identity.actor_of(marc))
    assert [works(engine, one) for one in (secret, rotated)] == ["token_owner_gone", None]
    with transaction(engine) as session:
        [event] = [one for one in audit.events(session).items if one.verb == "token.handed_over"]
    assert (event.data["before"], event.data["after"]) == (str(ines.id), str(marc.id))
    assert event.actor["name"] == "marc"


def test_whose_role_comes_back_answers_again(engine: Engine) -> None:
    ines = operator(engine, "ines@parvis.example")
    arrives(engine, ines.email, ["ops"])
    _, secret = issue(engine, ines)
    assert isinstance(arrives(engine, ines.email, []), Refusal)
    assert works(engine, secret) == "token_owner_gone"
    arrives(engine, ines.email, ["ops"])
    assert works(engine, secret) is None
    arrives(engine, ines.email, ["help"])
    assert works(engine, secret) == "token_owner_gone"


def test_only_an_operator_answers_for_a_token_and_only_for_a_living_one(engine: Engine) -> None:
    ines, gone = operator(engine, "ines@parvis.example"), operator(engine, "gone@parvis.example")
    token, _ = issue(engine, ines)
    disabled(engine, gone)
    demote = operator(engine, "help@parvis.example")
    demoted(engine, demote)
    for email in (gone.email, demote.email, "nobody@parvis.example"):
        with pytest.raises(Refusal, match="is no operator"), transaction(engine) as session:
            identity.hand_over(session, token.id, email, actor=SYSTEM)
    with transaction(engine) as session:
        assert [one.id for one in identity.tokens_of(session, ines.id)] == [token.id]
        identity.revoke_token(session, token.id, SYSTEM)
        assert identity.tokens_of(session, ines.id) == []
    with pytest.raises(Refusal, match="has ended"), transaction(engine) as session:
        identity.hand_over(session, token.id, ines.email, actor=SYSTEM)


def test_the_record_of_who_is_disabled_names_the_tokens_that_stop(engine: Engine) -> None:
    ines = operator(engine, "ines@parvis.example")
    token, _ = issue(engine, ines)
    disabled(engine, ines)
    with transaction(engine) as session:
        [event] = [one for one in audit.events(session).items if one.verb == "staff.disabled"]
    assert event.data["tokens_stopped"] == [token.prefix]
