"""Enforcement on trial where no control plane tells how it went: the workspace looks into its own traces."""

import datetime as dt

import msgspec
import pytest

from tenant_app.contract import TenantRecord
from tests.sso.providers import DOMAIN, Paper, by_password, paper, sign_in, signed_in
from tests.workspace.houses import House, Person

EVERYBODY = (DOMAIN, "example.org")
AGED = "update sso_trace set created_at = created_at - interval '{}'"
ROLES = {"admins": "administrator", "staff": "member"}


def passed_by(house: House, provider: Paper, *groups: str, then: str = "") -> tuple[TenantRecord, Person]:
    """A workspace whose provider's hour of trial is over: somebody of these groups has come in, if any."""
    record = house.workspace(identity=Paper(msgspec.structs.replace(provider.connection, stage="pilot")).identity())
    owner = house.owner(record)
    enforced = provider.identity()
    record = house.change(record, identity=enforced)
    if groups:
        assert sign_in(house.stranger(record), provider, groups=groups).url.path == "/"
    if then:
        house.rows(record, then)
    over = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    reverting = msgspec.structs.replace(provider.connection, reverts_at=over)
    return house.change(record, identity=Paper(reverting).identity()), owner


def opens(house: House, record: TenantRecord, owner: Person) -> bool:
    """Whether a password lets in, which enforcement does not."""
    return by_password(house.stranger(record), owner.email).url.path == "/"


def test_enforcement_holds_where_an_administrator_came_in_by_it_within_its_hour(house: House) -> None:
    provider = paper(domains=EVERYBODY, roles=ROLES)
    record, owner = passed_by(house, provider, "admins", then=AGED.format("30 minutes"))
    assert not opens(house, record, owner)
    assert not signed_in(owner)
    led = house.stranger(record).http.post("/sign-in", data={"email": owner.email}, follow_redirects=False)
    assert led.headers["location"] == f"/sign-in/with/{provider.connection.id}"
    # Enforced, it asks for no pilot.
    assert sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}", groups=["staff"]).url.path == "/"


@pytest.mark.parametrize(
    ("groups", "aged"),
    [((), "0 minutes"), (("staff",), "30 minutes"), (("admins",), "2 hours"), (("admins",), "-1 hour")],
)
def test_it_reverts_where_only_others_came_in_or_administrators_at_other_times(
    house: House, groups: tuple[str, ...], aged: str
) -> None:
    provider = paper(domains=EVERYBODY, roles=ROLES)
    record, owner = passed_by(house, provider, *groups, then=AGED.format(aged))
    assert opens(house, record, owner)
    # In the pilot stage that follows, nobody is named.
    refused = sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}", groups=["staff"])
    assert "is not open to bob@acme.test yet" in refused.text


@pytest.mark.parametrize(
    "change",
    [
        "update sso_trace set purpose = 'test'",
        "update sso_trace set outcome = 'sso_no_role'",
        f"update principal set disabled_at = now() where email = 'alice@{DOMAIN}'",
    ],
)
def test_test_runs_refusals_and_administrators_who_have_gone_hold_nothing(house: House, change: str) -> None:
    provider = paper(domains=EVERYBODY, roles=ROLES)
    record, owner = passed_by(house, provider, "admins", then=change)
    assert opens(house, record, owner)
