"""From the workspace to the organisation console: administrators, with a second factor shown lately, by one ticket."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from kit.errors import Refusal
from kit.vault import Vault
from tenant_app.contract import check, console_key
from tests.sso.places import with_codes
from tests.sso.providers import paper, sign_in
from tests.workspace.houses import CELL_KEY, House


def test_an_administrator_crosses_after_a_fresh_second_factor(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    assert "/console" in owner.get("/").text
    led = owner.get("/console")
    assert led.url.path == "/confirm"
    secret = with_codes(house, record)
    token = owner.token("/confirm")
    sent = owner.post("/confirm/code", {"code": pyotp.TOTP(secret).now(), "next": "/console"}, csrf=token)
    assert sent.url.path == "/console"
    assert "form-action 'self' http://parvis.localhost:8080" in sent.headers["content-security-policy"]
    answer = owner.post("/console", follow_redirects=False)
    assert answer.status_code == 303
    to = urlsplit(answer.headers["location"])
    assert (to.hostname, to.path) == ("parvis.localhost", "/console/enter")
    ticket = parse_qs(to.query)["ticket"][0]
    key = console_key(Vault(CELL_KEY))
    said = check(ticket, {key.kid: key.public}, "parvis.localhost", record.organisation_id)
    assert (said.purpose, said.principal_id) == ("console", record.organisation_id)
    # No other cell's key signed it, and it is no way into the workspace.
    other = console_key(Vault(bytes(32)))
    with pytest.raises(Refusal):
        check(ticket, {other.kid: other.public}, "parvis.localhost", record.organisation_id)
    assert house.stranger(record).get("/enter", params={"ticket": ticket}).status_code == 410
    # After a quarter of an hour it is asked again.
    house.rows(record, "update session set verified_at = now() - interval '16 minutes'")
    assert owner.post("/console", follow_redirects=False).headers["location"].startswith("/confirm")


def test_members_do_not_see_the_way_and_cannot_go_it(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    member = house.stranger(record)
    sign_in(member, provider)
    assert "/console" not in member.get("/").text
    assert member.get("/console").status_code == 403
    assert member.post("/console", follow_redirects=False).status_code == 403
    # The control: an administrator who came by the provider goes straight on.
    house.rows(record, "update principal set role = 2 where email = 'alice@acme.test'")
    assert member.post("/console", follow_redirects=False).status_code == 303


def test_what_counts_is_when_the_provider_itself_asked(house: House) -> None:
    """Its session of this morning lets in silently: that is no fresh proof, and the way to the console asks for one."""
    provider = paper(roles={"staff": "administrator"})
    record = house.workspace(identity=provider.identity())
    administrator = house.stranger(record)
    issued = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20)
    assert sign_in(administrator, provider, issued=issued.strftime("%Y-%m-%dT%H:%M:%SZ")).url.path == "/"
    asked = administrator.get("/console")
    assert asked.url.path == "/confirm"
    assert f"/sso/{provider.connection.id}?again=1" in asked.text
    # The control: asked just now, he goes on.
    assert sign_in(administrator, provider).url.path == "/"
    assert administrator.get("/console").url.path == "/console"


def test_a_password_makes_itself_no_second_factor_beside_one_that_is_there(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    with_codes(house, record)
    secret = pyotp.random_base32()
    page = {"secret": secret, "code": pyotp.TOTP(secret).now()}
    assert owner.post("/account/codes", page).url.path == "/account"
    assert owner.get("/console").url.path == "/confirm"
    # The control: where none was there, setting one up is showing it.
    other = house.workspace()
    owner = house.owner(other)
    page = {"secret": secret, "code": pyotp.TOTP(secret).now()}
    assert owner.post("/account/codes", page).url.path == "/account"
    assert owner.get("/console").url.path == "/console"
