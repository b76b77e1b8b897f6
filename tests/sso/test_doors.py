"""Enforcement stands at every door: ticket, code, passkey, mailed link, invitation. The control is always the pilot."""

from collections.abc import Callable

import msgspec
import pyotp
import pytest
from playwright.sync_api import Route

from kit.vault import Vault
from tenant_app.contract import SignInPolicy, TenantRecord
from tests.sso.providers import DOMAIN, Paper, by_password, paper, signed_in
from tests.workspace.houses import CELL_KEY, House, Person
from tests.world.chromium import Browser, authenticator, until

Come = Callable[[Person], None]


def governed(house: House) -> tuple[TenantRecord, Paper, Person]:
    """A workspace whose owner's domain a provider will answer for: it is in its pilot."""
    pilot = paper(stage="pilot", domains=(DOMAIN, "example.org"))
    record = house.workspace(identity=pilot.identity())
    return record, Paper(msgspec.structs.replace(pilot.connection, stage="enforced")), house.owner(record)


def by_ticket(house: House, record: TenantRecord, _owner: Person) -> Come:
    def come(person: Person) -> None:
        person.get("/enter", params={"ticket": house.ticket(record)})

    return come


def by_code(house: House, record: TenantRecord, owner: Person) -> Come:
    """The password was given before; the code comes after."""
    secret = pyotp.random_base32()
    sealed = Vault(CELL_KEY).seal(secret, f"codes:{record.organisation_id}")
    codes = "insert into credential (id, principal_id, kind, secret) values (gen_random_uuid(), %s, 't', %s)"
    house.rows(record, codes, record.organisation_id, sealed)
    waiting = [house.stranger(record) for _ in range(2)]
    for one in waiting:
        assert by_password(one, owner.email).url.path == "/sign-in/code"

    def come(person: Person) -> None:
        person.http.cookies.set("parvis", waiting.pop().http.cookies["parvis"], domain=record.hosts[0])
        house.rows(record, "update credential set used_at = null, sign_count = 0 where kind = 't'")
        person.post("/sign-in/code", {"code": pyotp.TOTP(secret).now()}, csrf=person.token("/sign-in/code"))

    return come


def by_link(house: House, record: TenantRecord, owner: Person) -> Come:
    links: list[str] = []
    house.stranger(record).http.post("/forgotten", data={"email": owner.email})
    links += [payload["url"].split("token=")[1] for kind, _, payload in house.mails(record) if kind == "password_reset"]

    def come(person: Person) -> None:
        fresh = "Violon-Brume-Escale-42"
        person.http.post("/reset", data={"token": links[-1], "password": fresh, "repeated": fresh})

    return come


@pytest.mark.parametrize("door", [by_ticket, by_code, by_link])
def test_who_must_come_by_the_provider_comes_by_no_other_door(
    house: House, door: Callable[[House, TenantRecord, Person], Come]
) -> None:
    record, enforced, owner = governed(house)
    come = door(house, record, owner)
    house.change(record, identity=enforced.identity())
    person = house.stranger(record)
    come(person)
    assert not signed_in(person)
    # The control: before it is enforced, the same opens.
    other, _, owner = governed(house)
    come = door(house, other, owner)
    person = house.stranger(other)
    come(person)
    assert signed_in(person)


def test_an_invitation_opens_no_door_beside_the_provider(house: House) -> None:
    for stage, opens in (("enforced", False), ("pilot", True)):
        provider = paper(stage=stage)
        record = house.workspace(identity=provider.identity())
        house.owner(record).post("/members/invitations", {"emails": f"alice@{DOMAIN}", "role": "2"})
        [(_, _, payload)] = house.mails(record)
        person = house.stranger(record)
        person.http.post("/join", data={"token": payload["url"].split("token=")[1], "name": "Alice"})
        found = house.rows(record, "select count(*) from session s join principal p on p.id = s.principal_id"
                           " where p.email = %s", f"alice@{DOMAIN}")  # fmt: skip
        assert found == [(int(opens),)], stage


@pytest.mark.browser
def test_a_passkey_opens_for_break_glass_accounts_only(house: House, browser: Browser) -> None:
    record, enforced, owner = governed(house)
    page = browser.page()
    authenticator(page)
    asked: list[Route] = []

    def ask_once(route: Route) -> None:
        """The device answers by itself, even the quiet request of the e-mail field: each page would send it again."""
        asked.append(route)
        if len(asked) == 1:
            route.continue_()
        else:
            route.abort()

    page.goto(f"{house.url(record)}/enter?ticket={house.ticket(record)}")
    page.goto(f"{house.url(record)}/account?lang=en")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/account?told=passkey")
    page.context.clear_cookies()
    record = house.change(record, identity=enforced.identity())
    page.route("**/sign-in/passkey/options", ask_once)
    # What the page sends by itself may come before it has loaded.
    page.goto(f"{house.url(record)}/sign-in?lang=en", wait_until="commit")
    page.get_by_text("Addresses of this domain sign in with Acme ID").first.wait_for()
    until(page, lambda: len(asked) == 2)
    page.goto(f"{house.url(record)}/account")
    assert "/sign-in" in page.url
    until(page, lambda: len(asked) == 3)
    page.unroute("**/sign-in/passkey/options")
    # The control: the same passkey of a break-glass account.
    glass = SignInPolicy(break_glass=(record.organisation_id,))
    house.change(record, identity=enforced.identity(policy=glass))
    page.goto(f"{house.url(record)}/sign-in?lang=en", wait_until="commit")
    page.wait_for_url(f"{house.url(record)}/")
    assert browser.complaints == []
    assert owner.email
