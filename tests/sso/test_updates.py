"""People change names and addresses, and some were invited before they came: what the provider's word changes here."""

import hashlib
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tenant_app.contract import Identity, ScimToken, SignInPolicy, TenantRecord
from tests.sso.providers import DOMAIN, Paper, begin, bring, paper, sign_in, signed_in, traces
from tests.workspace.houses import House

OLD, NEW = f"alice@{DOMAIN}", f"alice.married@{DOMAIN}"


def known(house: House, provider: Paper, **identity: Any) -> TenantRecord:
    """A workspace that Alice has come to by the provider."""
    record = house.workspace(identity=provider.identity(**identity))
    assert sign_in(house.stranger(record), provider, mail=OLD).url.path == "/"
    return record


def alice(house: House, record: TenantRecord) -> tuple[str, str]:
    [(name, email)] = house.rows(
        record, "select name, email from principal where id in (select principal_id from identity_link)"
    )
    return name, email


def again(house: House, record: TenantRecord, provider: Paper, mail: str, name: str = "Alice Martin") -> None:
    values = {"mail": [mail], "displayName": [name], "groups": ["staff"]}
    assert sign_in(house.stranger(record), provider, values=values).url.path == "/"


def checks(house: House, record: TenantRecord) -> list[str]:
    return [one["name"] for one in traces(house, record)[-1]["checks"]]


def test_a_new_name_and_a_new_address_are_taken_over_told_and_written_down(house: House) -> None:
    provider = paper()
    record = known(house, provider)
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice Martin", NEW)
    assert {"name_changed", "email_changed"} <= set(checks(house, record))
    [(data,)] = house.rows(record, "select data from journal where verb = 'account.updated'")
    assert (data["email_before"], data["email"]) == (OLD, NEW)
    assert (data["name_before"], data["name"]) == ("Alice", "Alice Martin")
    assert data["by"] == str(provider.connection.id)
    [(kind, to, payload)] = house.mails(record)
    assert (kind, to, payload["email"], payload["provider"]) == ("email_changed", OLD, NEW, "Acme ID")
    assert payload["url"] == f"{house.url(record)}/account"
    # The same again changes nothing, and tells nobody.
    again(house, record, provider, NEW)
    assert house.rows(record, "select count(*) from journal where verb = 'account.updated'") == [(1,)]
    assert len(house.mails(record)) == 1


def test_a_link_that_was_mailed_to_the_old_address_opens_nothing_any_more(house: House) -> None:
    pilot = paper(stage="pilot", pilot=(OLD, NEW))
    record = known(house, pilot)
    stranger = house.stranger(record)
    stranger.http.post("/forgotten", data={"email": OLD})
    token = house.mails(record)[0][2]["url"].split("token=")[1]
    assert stranger.get("/reset", params={"token": token}).status_code == 200, "the control: it opens before"
    again(house, record, pilot, NEW)
    assert stranger.get("/reset", params={"token": token}).status_code == 410


@pytest.mark.parametrize("mail", ["alice@elsewhere.test", f"bob@{DOMAIN}", f"@{DOMAIN}", "a" * 260 + f"@{DOMAIN}"])
def test_an_unproven_domain_somebody_else_s_address_or_none_is_not_taken_over(house: House, mail: str) -> None:
    provider = paper()
    record = known(house, provider)
    house.rows(
        record,
        "insert into principal (id, kind, name, email, role) values (gen_random_uuid(), 'm', 'Bob', %s, 1)",
        f"bob@{DOMAIN}",
    )
    again(house, record, provider, mail)
    # He is in all the same, by his subject, under his new name.
    assert alice(house, record) == ("Alice Martin", OLD)
    assert house.mails(record) == []
    assert ("email_kept" in checks(house, record)) == (mail in {"alice@elsewhere.test", f"bob@{DOMAIN}"})


def test_break_glass_accounts_and_the_pilot_keep_the_address_they_are_named_by(house: House) -> None:
    provider = paper()
    record = known(house, provider)
    [(who,)] = house.rows(record, "select principal_id from identity_link")
    record = house.change(record, identity=provider.identity(policy=SignInPolicy(break_glass=(who,))))
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice Martin", OLD)
    pilot = Paper(msgspec.structs.replace(provider.connection, stage="pilot", pilot=(OLD,)), provider.key)
    pilot.entity_id = provider.entity_id
    record = house.change(record, identity=pilot.identity())
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice Martin", OLD)
    # The control: once it is enforced, and she is nobody's last resort.
    house.change(record, identity=provider.identity())
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice Martin", NEW)


def test_whom_a_directory_pushes_is_left_to_the_directory(house: House) -> None:
    provider = paper()
    token = ScimToken(id=uuid4(), sha256=hashlib.sha256(b"a token").hexdigest())
    record = known(house, provider, scim_tokens=(token,))
    again(house, record, provider, OLD, "Alice M.")
    assert alice(house, record)[0] == "Alice M.", "the control: she is not pushed"
    pushed = "insert into scim_user (id, key, active, admitted, data, version)"
    house.rows(record, pushed + " select principal_id, 'alice', true, true, '{}', 1 from identity_link")
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice M.", OLD)
    # Without a token no directory speaks any more.
    house.change(record, identity=Identity(connections=(provider.connection,), domains=(DOMAIN,)))
    again(house, record, provider, NEW)
    assert alice(house, record) == ("Alice Martin", NEW)


def test_a_test_run_changes_no_name_and_writes_to_nobody(house: House) -> None:
    token = "a-token-of-the-console"
    settings = {"test_sha256": hashlib.sha256(token.encode()).hexdigest()}
    provider = paper(settings=settings)
    record = known(house, provider)
    person = house.stranger(record)
    asked = begin(person, provider, test=token)
    answer = bring(person, provider, provider.answer(house, record, asked, mail=NEW))
    assert answer.status_code == 200
    assert not signed_in(person)
    assert alice(house, record) == ("Alice", OLD)
    assert house.mails(record) == []
    assert "email_changed" in checks(house, record), "the console tells what would happen"
