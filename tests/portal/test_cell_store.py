"""The portal's page of a cell's Ceph: another address, another administrator's key. On a real Ceph."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from control_plane import placement
from control_plane.audit import SYSTEM
from control_plane.storage import AccessKey
from kit.db import transaction
from kit.vault import Vault
from tests.journeys.looking import overflow, violations
from tests.portal.pages import enter, send, words
from tests.world.administrators import administrator, settings, works
from tests.world.chromium import Browser
from tests.world.house import CELL, House, open_house
from tests.world.staff_door import Door

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

PATH = f"/cells/{CELL}/store"


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault, ceph: "RunningCeph") -> Iterator[House]:
    """Its files are in a Ceph, whose administrator is its own."""
    with open_house(postgres, _template, vault, store=settings(ceph, administrator(ceph))) as opened:
        opened.live(address="portail-ceph")
        yield opened


@pytest.fixture
def client(door: Door) -> Iterator[httpx.Client]:
    """An operator who reads English."""
    with door.client("operator", locale="en") as made:
        yield made


@pytest.fixture
def admin(house: House, ceph: "RunningCeph") -> AccessKey:
    """The administrator whose key the cell has as each test begins."""
    key = administrator(ceph)
    with transaction(house.engine) as session:
        placement.set_store(session, CELL, settings(ceph, key), SYSTEM)
    return key


def kept(house: House) -> dict[str, Any]:
    with transaction(house.engine) as session:
        return placement.cell(session, CELL).store


def filled(house: House, **changes: str) -> dict[str, str]:
    """The form as the page shows it, but for these fields."""
    names = ("endpoint", "public_endpoint", "admin_key_id", "ca_file")
    return {name: kept(house).get(name) or "" for name in names} | changes


def test_an_address_is_changed_on_the_page_that_the_cell_s_leads_to(
    client: httpx.Client, house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    assert f'href="{PATH}"' in client.get(f"/cells/{CELL}").text
    form = filled(house, endpoint=ceph.endpoints[1], public_endpoint="https://files.example", admin_secret="")
    answer = send(client, PATH, **form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cells/{CELL}?done=store-changed")
    assert (kept(house)["endpoint"], kept(house)["public_endpoint"]) == (ceph.endpoints[1], "https://files.example")
    assert kept(house)["admin_key_id"] == admin.key_id
    page = words(client.get(answer.headers["location"]))
    assert "It was tried, and is used from now on" in page
    assert ceph.endpoints[1] in page
    assert send(client, PATH, **filled(house, public_endpoint="")).status_code == 303
    assert "public_endpoint" not in kept(house)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"endpoint": "http://127.0.0.1:9"}, "endpoint", "No Ceph gateway answers there"),
        ({"endpoint": ""}, "endpoint", "needs the setting"),
        ({"admin_key_id": "NOBODY"}, "admin_secret", "Give the secret of this key."),
        ({"admin_secret": "wrong-" * 6}, "admin_key_id", "was refused, or lacks rights"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file", "cannot be found here"),
    ],
)
@pytest.mark.usefixtures("admin")
def test_what_is_wrong_stands_at_its_field_and_nothing_is_stored(
    client: httpx.Client, house: House, changes: dict[str, str], field: str, sentence: str
) -> None:
    before = kept(house)
    answer = send(client, PATH, **filled(house, **changes))
    assert (answer.status_code, f'id="{field}-e"' in answer.text) == (422, True)
    assert sentence in words(answer)
    assert "wrong-" not in answer.text, "a secret that was typed is not shown again"
    assert kept(house) == before


def test_another_ceph_is_refused_at_the_field_of_its_address(
    door: Door, house: House, ceph_tls: "RunningCeph", admin: AccessKey
) -> None:
    other = administrator(ceph_tls)
    form = filled(house, endpoint=ceph_tls.endpoint, ca_file=str(ceph_tls.ca_file), admin_key_id=other.key_id)
    with door.client("operator", locale="fr") as french:
        answer = send(french, PATH, **form, admin_secret=other.secret)
    assert (answer.status_code, 'id="endpoint-e"' in answer.text) == (422, True)
    assert "C’est un autre stockage" in words(answer)
    assert other.secret not in answer.text
    assert kept(house)["admin_key_id"] == admin.key_id


def test_a_key_is_replaced_by_a_button_and_its_secret_seen_by_nobody(
    client: httpx.Client, house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    answer = send(client, f"{PATH}/key")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}?done=store-key")
    fresh = kept(house)
    secret = house.vault.open(fresh["admin_secret_sealed"], placement.admin_purpose(CELL))
    assert works(ceph, AccessKey(fresh["admin_key_id"], secret))
    page, journal = words(client.get(answer.headers["location"])), words(client.get("/audit"))
    assert fresh["admin_key_id"] in page
    assert admin.key_id in page, "the one before goes soon"
    assert "Administrator's key of a cell's store replaced" in journal.replace("&#39;", "'")
    assert not any(one in page + journal for one in (secret, admin.secret, fresh["admin_secret_sealed"]))


@pytest.mark.usefixtures("admin")
def test_only_operators_have_the_page(door: Door, house: House) -> None:
    before = kept(house)
    for role in ("sales", "support", "auditor"):
        with door.client(role, locale="en") as other:
            assert other.get(PATH).status_code == 404
            assert send(other, PATH, **filled(house)).status_code == 404
            assert send(other, f"{PATH}/key").status_code == 404
            assert PATH not in other.get(f"/cells/{CELL}").text
    assert kept(house) == before


@pytest.mark.usefixtures("admin")
def test_a_store_of_files_leads_back_to_its_cell(client: httpx.Client, house: House) -> None:
    with transaction(house.engine) as session:
        placement.add_cell(session, "files", "fr-par", [], {"kind": "files", "root": "/nowhere"}, SYSTEM)
    answer = client.get("/cells/files/store", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/cells/files")
    refused = send(client, "/cells/files/store/key")
    assert refused.status_code == 409
    assert "Only a Ceph has an administrator" in refused.text.replace("&#39;", "'")
    assert client.get("/cells/nowhere/store").status_code == 404
    assert "/cells/files/store" not in client.get("/cells/files").text


@pytest.mark.browser
@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("look", [{"lang": "fr"}, {"lang": "en", "dark": True, "phone": True}])
def test_the_page_is_accessible_in_both_lights(browser: Browser, door: Door, look: dict[str, Any]) -> None:
    context = browser.context(bypass_csp=True, **look)
    enter(context, door, "operator", look["lang"])
    page = context.new_page()
    page.goto(door.url + PATH)
    assert violations(page) == []
    assert overflow(page) <= 0
    page.locator("#endpoint").fill("http://127.0.0.1:9")
    page.locator("form[action$='/store'] button").click()
    page.locator("#errors").wait_for()
    assert violations(page) == []
    assert overflow(page) <= 0
