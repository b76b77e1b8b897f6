from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from control_plane import audit, identity
from control_plane.audit import SYSTEM
from control_plane.identity import ApiToken, Permission, Role, Scope, allows
from kit.db import transaction
from kit.errors import Refusal, Refusals

ALL = tuple(Scope)


def issue(engine: Engine, **options: object) -> tuple[ApiToken, str]:
    given: dict[str, object] = {"name": "ci", "scopes": ["organisations:read"], "expires_at": None, "networks": []}
    with transaction(engine) as session:
        return identity.issue_token(session, actor=SYSTEM, **(given | options))  # type: ignore[arg-type]


def code(engine: Engine, plaintext: str, ip: str = "192.0.2.1") -> str | None:
    with transaction(engine) as session:
        try:
            identity.authenticate_token(session, plaintext, ip)
        except Refusal as refusal:
            return refusal.code
    return None


def test_a_token_opens_once_issued_and_only_its_hash_is_kept(engine: Engine) -> None:
    token, plaintext = issue(engine)
    assert plaintext.startswith(f"pv_{token.prefix}_")
    assert code(engine, plaintext) is None
    with engine.connect() as connection:
        stored = str(connection.execute(text("select * from api_token")).all())
        events = str(connection.execute(text("select data from audit_event")).all())
    secret = plaintext.split("_", 2)[2]
    assert secret not in stored
    assert secret not in events


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "pv",
        "pv__",
        "pv_x_y",
        "xx_{prefix}_{secret}",
        "pv_{prefix}_",
        "pv_{prefix}_{secret}x",
        "pv_{prefix}\x00_{secret}",
        "pv_é_é",
    ],
)
def test_anything_else_is_unknown(engine: Engine, wrong: str) -> None:
    _, plaintext = issue(engine)
    _, prefix, secret = plaintext.split("_", 2)
    assert code(engine, wrong.format(prefix=prefix, secret=secret)) == "token_unknown"


def test_only_who_has_the_secret_learns_that_a_token_has_ended(engine: Engine) -> None:
    token, plaintext = issue(engine)
    with transaction(engine) as session:
        identity.revoke_token(session, token.id, SYSTEM)
    assert code(engine, plaintext) == "token_revoked"
    assert code(engine, f"pv_{token.prefix}_guess") == "token_unknown"


def test_an_expired_token_is_refused(engine: Engine) -> None:
    _, plaintext = issue(engine, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert code(engine, plaintext) is None
    with engine.begin() as connection:
        connection.execute(text("update api_token set expires_at = now() - interval '1 second'"))
    assert code(engine, plaintext) == "token_expired"


@pytest.mark.parametrize(
    ("ip", "answer"),
    [
        ("192.0.2.9", None),
        ("198.51.100.9", "token_network"),
        ("::ffff:192.0.2.9", None),
        ("2001:db8::9", None),
        ("", "token_network"),
    ],
)
def test_a_token_works_from_its_networks_only(engine: Engine, ip: str, answer: str | None) -> None:
    _, plaintext = issue(engine, networks=["192.0.2.0/24", "2001:db8::/32"])
    assert code(engine, plaintext, ip) == answer


def test_the_last_use_is_noted(engine: Engine) -> None:
    token, plaintext = issue(engine)
    assert code(engine, plaintext, "192.0.2.44") is None
    with transaction(engine) as session:
        seen = identity.token(session, token.id)
        assert seen.used_from == "192.0.2.44"
        assert seen.used_at is not None


def test_rotation_lets_both_work_for_a_while(engine: Engine) -> None:
    token, plaintext = issue(engine, scopes=["audit:read", "cells:read"], networks=["192.0.2.0/24"])
    with transaction(engine) as session:
        fresh, new = identity.rotate_token(session, token.id, SYSTEM, overlap=timedelta(hours=2))
    assert code(engine, plaintext) is None
    assert code(engine, new) is None
    assert (fresh.scopes, fresh.networks, fresh.replaces_id) == (token.scopes, token.networks, token.id)
    with engine.begin() as connection:
        connection.execute(text("update api_token set expires_at = expires_at - interval '2 hours'"))
    assert code(engine, plaintext) == "token_expired"
    assert code(engine, new) is None
    with transaction(engine) as session, pytest.raises(Refusal, match="ended"):
        identity.rotate_token(session, token.id, SYSTEM)


def test_a_token_makes_none_that_may_more_than_itself(engine: Engine) -> None:
    small, _ = issue(engine, scopes=["tokens:write"])
    with pytest.raises(Refusals) as refused:
        issue(engine, scopes=["audit:read", "tokens:write"], asking=small)
    assert refused.value.refusals[0].code == "scope_beyond"
    # The control: without a token that asks the same is issued.
    assert issue(engine, scopes=["audit:read", "tokens:write"])


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_stored(engine: Engine) -> None:
    with pytest.raises(Refusals) as refused:
        issue(
            engine, name=" ", scopes=["all"], expires_at=datetime.now(UTC) - timedelta(days=1), networks=["everywhere"]
        )
    assert {one.field for one in refused.value.refusals} == {"name", "scopes", "expires_at", "networks"}
    with transaction(engine) as session:
        assert identity.tokens(session) == []


def test_what_happens_to_tokens_is_recorded(engine: Engine) -> None:
    token, _ = issue(engine)
    with transaction(engine) as session:
        fresh, _ = identity.rotate_token(session, token.id, SYSTEM)
        identity.revoke_token(session, fresh.id, SYSTEM)
        identity.revoke_token(session, fresh.id, SYSTEM)
        verbs = [event.verb for event in audit.events(session).items]
    assert verbs == ["token.revoked", "token.rotated", "token.issued"]


def test_an_auditor_changes_nothing_and_an_operator_may_all() -> None:
    changing = set(Permission) - {one for one in Permission if one.value.endswith((":read", "audit:verify"))}
    assert not any(allows(Role.AUDITOR, one) for one in changing)
    assert all(allows(Role.OPERATOR, one) for one in Permission)
    assert not any(allows("owner", one) for one in Permission)


def test_only_an_operator_erases_publishes_and_makes_tokens() -> None:
    for permission in (Permission.ORGANISATIONS_ERASE, Permission.OFFERS_PUBLISH, Permission.TOKENS, Permission.STAFF):
        assert [role for role in Role if allows(role, permission)] == [Role.OPERATOR]
