"""Storage in the portal: the card of an organisation, its keys, its mirror, and the store of a cell."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import psycopg
import pytest
from playwright.sync_api import expect

from control_plane import placement, storage
from control_plane.audit import SYSTEM
from control_plane.portal.storage_looks import LAG_RULE, lag_look
from kit.db import transaction
from tests.journeys.looking import overflow, violations
from tests.portal.pages import enter, send, signed_in, words
from tests.world.chromium import Browser
from tests.world.house import House
from tests.world.staff_door import Door

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

GB = 10**9


@pytest.fixture
def client(door: Door) -> Iterator[httpx.Client]:
    """An operator who reads English."""
    with door.client("operator", locale="en") as made:
        yield made


def report(house: House, organisation: UUID, **found: Any) -> None:
    """The workspace's worker has compared both sides."""
    told = {"reconciled_at": "now", "store_bytes": 0, "store_objects": 0, "orphans": 0, "missing": 0, **found}
    with psycopg.connect(house.cell_url) as connection:
        connection.execute("delete from directory.usage where organisation_id = %s", [organisation])
        connection.execute(
            f"insert into directory.usage (organisation_id, {', '.join(told)})"
            f" values (%s, {', '.join(['%s'] * len(told))})".encode(),
            [organisation, *told.values()],
        )


def card(client: httpx.Client, organisation: UUID) -> str:
    """The card of storage as one reads it."""
    page = words(client.get(f"/organisations/{organisation}"))
    found = re.search(r'<section class="card"[^>]*id="storage".*?</section>', page, re.DOTALL)
    assert found, "the page has no card of storage"
    return re.sub(r"<[^>]+>", " ", found[0])


def test_the_card_tells_what_both_sides_count(client: httpx.Client, house: House) -> None:
    made = house.live(address="stockage-vu", offer="public-sector")
    report(house, made, storage_bytes=0)
    shown = card(client, made)
    for part in ("Both sides agree", "of 100 GB sold", "The store counts 0 B in 0 objects", "the store's own key"):
        assert part in shown, part
    assert "Compared file by file just now: nothing missing, no orphan." in re.sub(r"\s+", " ", shown)
    assert "none: the cell's store is not mirrored" in shown


def test_what_is_wrong_is_told_with_its_cure_and_stands_under_health(client: httpx.Client, house: House) -> None:
    made = house.live(address="stockage-abime")
    report(house, made, storage_bytes=2 * GB, missing=3)
    shown = card(client, made)
    assert "Both sides differ" in shown
    assert "Restore them from the mirror" in shown
    assert "3 files without content" in shown
    health = re.search(r'id="health".*?</section>', client.get(f"/organisations/{made}").text, re.DOTALL)
    assert health
    assert "Content is missing" in health[0]


def test_it_is_told_in_french(door: Door, house: House) -> None:
    made = house.live(address="stockage-francais")
    report(house, made, storage_bytes=0)
    with door.client("auditor", locale="fr") as client:
        assert "Les deux côtés concordent" in card(client, made)
        assert "Clés d’accès au stockage" in words(client.get(f"/organisations/{made}/keys"))


def test_a_key_is_replaced_from_its_page_and_the_page_shows_both(client: httpx.Client, house: House) -> None:
    made = house.live(address="cle-remplacee")
    assert "Replace the key" in client.get(f"/organisations/{made}/keys").text
    answer = send(client, f"/organisations/{made}/keys", kind="store")
    assert answer.status_code == 303
    busy = send(client, f"/organisations/{made}/keys", kind="data")
    assert (busy.status_code, "under way already" in busy.text) == (422, True)
    house.settle(made)
    page = words(client.get(f"/organisations/{made}/keys"))
    assert "Being replaced" in page
    assert "once every process uses the newer one" in page
    assert house.keyring(made).current.key_id in page
    assert house.keyring(made).current.secret not in page
    assert "1 older one goes once nobody uses it" in card(client, made)
    wrong = send(client, f"/organisations/{made}/keys", kind="house")
    assert (wrong.status_code, 'href="#kind-store"' in wrong.text) == (422, True)


def test_who_may_not_replace_keys_reads_them(door: Door, house: House) -> None:
    made = house.live(address="cle-lue")
    for role in ("sales", "support", "auditor"):
        with door.client(role, locale="en") as reader:
            page = reader.get(f"/organisations/{made}/keys")
            assert (page.status_code, "Replace the key" in page.text) == (200, False)


def test_a_comparison_is_asked_for_by_support_and_only_offered_where_it_can_be(door: Door, house: House) -> None:
    made = house.live(address="stockage-compare")
    report(house, made, storage_bytes=0)
    with door.client("support", locale="en") as support, door.client("sales", locale="en") as sales:
        assert "Compare both sides" in card(support, made)
        assert "Compare both sides" not in card(sales, made)
        assert send(support, f"/organisations/{made}/storage/compare").status_code == 303
        assert "Being compared now" in card(support, made)
        assert "Compare both sides" not in card(support, made)


@pytest.mark.parametrize(
    ("seconds", "tone"), [(0, "ok"), (3600, "ok"), (3601, "warn"), (86_400, "warn"), (86_401, "bad")]
)
def test_the_colour_of_a_lag_follows_its_rule(seconds: float, tone: str) -> None:
    assert lag_look(seconds).tone == tone
    assert all(colour in LAG_RULE for colour in ("Green", "amber", "red"))


@pytest.fixture
def mirrored(house: House, ceph: "RunningCeph") -> Iterator[House]:
    """The house, its cell's store being mirrored to a Ceph. No worker copies anything."""
    target = {"endpoint": ceph.endpoint, "key_id": ceph.admin_key_id, "secret": ceph.admin_secret}
    with transaction(house.engine) as session:
        before = placement.cell(session, "local").store
        placement.set_store(session, "local", {**before, "mirror": target}, SYSTEM)
    yield house
    house.sql("delete from mirror")
    with transaction(house.engine) as session:
        placement.set_store(session, "local", before, SYSTEM)


def behind(house: House, organisation: UUID, hours: float, **others: Any) -> None:
    """Its mirror was whole so many hours ago."""
    values = {"state": "whole", "objects": 4, "bytes": 4000, **others}
    sets = ", ".join(f"{name} = :{name}" for name in values)
    with transaction(house.engine) as session:
        storage.mirror_now(session, organisation, SYSTEM)
    house.sql(
        f"update mirror set target = null, whole_at = now() - make_interval(secs => :lag), {sets}"
        " where organisation_id = :id",
        lag=hours * 3600,
        id=organisation,
        **values,
    )


def test_the_mirror_is_shown_by_how_far_it_is_behind_and_by_its_trouble(client: httpx.Client, mirrored: House) -> None:
    made = mirrored.live(address="miroir-vu")
    assert "First copy to come" in card(client, made)
    for hours, look in ((0.5, "Up to date"), (3, "Behind"), (30, "Far behind")):
        behind(mirrored, made, hours)
        shown = card(client, made)
        assert look in shown
        assert LAG_RULE in shown
    behind(mirrored, made, 0.5, state="failing", error="The mirror does not answer")
    assert "Copying fails" in card(client, made)
    assert "The mirror does not answer" in card(client, made)
    behind(mirrored, made, 0.5, mismatches=2, verified_objects=4)
    assert "Not the same" in card(client, made)
    assert "The mirror is not the same as the store" in client.get(f"/organisations/{made}").text


def test_a_copy_and_a_verification_are_asked_for_by_operators_only(
    client: httpx.Client, door: Door, mirrored: House
) -> None:
    made = mirrored.live(address="miroir-demande")
    assert "Copy to the mirror now" in card(client, made)
    with door.client("support", locale="en") as support:
        assert "Copy to the mirror now" not in card(support, made)
    assert send(client, f"/organisations/{made}/storage/mirror").status_code == 303
    assert send(client, f"/organisations/{made}/storage/verify-mirror").status_code == 303
    assert "Verification: 0 of" in card(client, made)
    assert send(client, f"/organisations/{made}/storage/verify-mirror").status_code == 409


def test_a_cell_s_page_shows_its_store_s_checks_and_its_mirror(client: httpx.Client, mirrored: House) -> None:
    behind(mirrored, mirrored.live(address="miroir-cellule"), 30)
    page = words(client.get("/cells/local"))
    for part in ("the folder can be used", "the key of the mirror works", "Far behind", "the furthest behind"):
        assert part in page, part


def test_a_cell_without_a_mirror_says_so(client: httpx.Client) -> None:
    assert "Its files have no second copy" in words(client.get("/cells/local"))


@pytest.mark.browser
def test_the_card_follows_a_comparison_without_reloading(browser: Browser, door: Door, house: House) -> None:
    made = house.live(address="carte-suivie")
    report(house, made, storage_bytes=0)
    page = signed_in(browser, door)
    page.goto(f"{door.url}/organisations/{made}")
    page.get_by_role("button", name="Compare both sides").click()
    expect(page.locator("#storage").get_by_text("Being compared now")).to_be_visible()
    assert violations(page) == []
    page.evaluate("window.sameDocument = true")
    report(house, made, storage_bytes=0, orphans=2)
    expect(page.locator("#storage").get_by_text("2 orphans removed")).to_be_visible()
    expect(page.locator("[data-pending]")).to_have_count(0)
    assert page.evaluate("window.sameDocument") is True
    assert browser.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("look", [{"lang": "fr"}, {"lang": "en", "dark": True, "phone": True}])
def test_what_is_wrong_is_accessible_in_both_lights(
    browser: Browser, door: Door, mirrored: House, look: dict[str, Any]
) -> None:
    made = mirrored.live()
    report(mirrored, made, storage_bytes=2 * GB, missing=3)
    behind(mirrored, made, 30, mismatches=2, verified_objects=4)
    context = browser.context(bypass_csp=True, **look)
    enter(context, door, "operator", look["lang"])
    page = context.new_page()
    for path in (f"/organisations/{made}", f"/organisations/{made}/keys", "/cells/local"):
        page.goto(door.url + path)
        assert violations(page) == [], path
        assert overflow(page) <= 0, path
