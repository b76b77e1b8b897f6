"""Files that go straight to the store from a real Chromium: progress, lost networks, reloads, both stores."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.workspace.houses import House, Person
from tests.world.chromium import Browser, until

pytestmark = pytest.mark.browser

BIG = os.urandom(40 * 1024 * 1024)


def opened(browser: Browser, house: House, person: Person, space: str, **options: Any) -> Any:
    page = browser.page(**options)
    cookies = [{"name": c.name, "value": c.value, "url": house.url(person.record)} for c in person.http.cookies.jar]
    page.context.add_cookies([one for one in cookies if one["name"] != "lang"])
    page.goto(f"{house.url(person.record)}/drive/{space}?lang={options.get('lang', 'en')}")
    return page


def choose(page: Any, *files: Path) -> None:
    page.locator("#files").set_input_files([str(one) for one in files])
    page.locator("[data-upload-form]").evaluate("form => form.requestSubmit()")


@contextmanager
def slowed(page: Any, bytes_a_second: int) -> Iterator[Any]:
    """The page's line, slowed; the session can cut it."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    line(session, upload=bytes_a_second)
    yield session
    session.detach()


def line(session: Any, *, upload: int = -1, offline: bool = False) -> None:
    limits = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
    session.send("Network.emulateNetworkConditions", limits)


def leave_half_way(page: Any, big: Path) -> None:
    """Load the page again once a part has arrived at the store, while the others are held back."""
    arrived: list[str] = []
    let_through: list[Route] = []

    def only_the_first(route: Route) -> None:
        if not let_through:
            let_through.append(route)
            route.continue_()

    page.on("requestfinished", lambda one: arrived.append(one.url) if one.method == "PUT" else None)
    page.route(re.compile("partNumber="), only_the_first)
    choose(page, big)
    until(page, lambda: bool(arrived))
    page.reload()
    page.unroute(re.compile("partNumber="), only_the_first)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    made = tmp_path / "film.mp4"
    made.write_bytes(BIG)
    return made


def test_no_byte_of_a_file_passes_through_the_workspace(house: House, browser: Browser, big: Path) -> None:
    owner = house.owner(house.workspace())
    page = opened(browser, house, owner, owner.space())
    requests: list[Any] = []
    # Playwright knows how long a body is only where each request is shown to it.
    page.route("**/*", lambda route: route.continue_())
    page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    choose(page, big)
    page.get_by_text("All uploaded: 1").wait_for()
    sent: dict[str, int] = {}
    for request in requests:
        host = request.url.split("/")[2]
        sent[host] = sent.get(host, 0) + request.sizes()["requestBodySize"]
    [store] = [host for host in sent if host.startswith("parvis-files.")]
    assert sent[store] == len(BIG)
    # Room and the calls for all five parts; and at the end, what arrived.
    assert sorted(url.rpartition("/")[2] for url in asked_of(requests)) == ["completion", "uploads"]
    assert sum(count for host, count in sent.items() if host != store) < 10_000
    with page.expect_download() as saved:
        page.get_by_role("button", name="Actions on film.mp4").click()
        page.get_by_role("link", name="Download").click()
    assert sha256(Path(saved.value.path()).read_bytes()).digest() == sha256(BIG).digest()
    assert browser.complaints == []


def asked_of(requests: list[Any]) -> list[str]:
    """What the script asked of the workspace about uploads."""
    return [one.url for one in requests if "/drive/" in one.url and one.method == "POST"]


def test_a_file_of_more_parts_than_come_at_once_arrives_whole(house: House, browser: Browser, tmp_path: Path) -> None:
    owner = house.owner(house.workspace())
    page = opened(browser, house, owner, owner.space())
    long, body = tmp_path / "long.mp4", os.urandom(11 * 8 * 1024 * 1024 + 5)
    long.write_bytes(body)
    requests: list[Any] = []
    page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    choose(page, long)
    page.get_by_text("All uploaded: 1").wait_for(timeout=120_000)
    # Twelve parts: eight with the room, the others in one more question.
    assert sorted(url.rpartition("/")[2] for url in asked_of(requests)) == ["completion", "parts", "uploads"]
    assert len([one for one in requests if one.method == "PUT"]) == 12
    [(file,)] = house.rows(owner.record, "select id::text from node where kind = 'f'")
    assert sha256(owner.get(f"/drive/{file}/content").content).digest() == sha256(body).digest()
    assert browser.complaints == []


def test_hundreds_of_small_files_arrive_together(house: House, browser: Browser, tmp_path: Path) -> None:
    owner = house.owner(house.workspace())
    page = opened(browser, house, owner, owner.space())
    files = [tmp_path / f"note {n:03}.txt" for n in range(130)]
    for n, one in enumerate(files):
        one.write_bytes(f"note {n}".encode())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/drive/" in request.url else None)
    choose(page, *files)
    page.get_by_text("All uploaded: 130").wait_for()
    assert house.rows(owner.record, "select count(*) from node where kind = 'f'")[0][0] == 130
    assert len([url for url in asked if url.endswith(("/uploads", "/completion"))]) == 6
    assert browser.complaints == []


def test_an_upload_survives_a_network_that_goes_away(house: House, browser: Browser, big: Path) -> None:
    owner = house.owner(house.workspace())
    page = opened(browser, house, owner, owner.space())
    # So slow that it has a long way to go when the line is cut.
    with slowed(page, 2_000_000) as session:
        choose(page, big)
        until(page, lambda: page.locator("#uploads progress").evaluate("bar => bar.value") > 10)
        line(session, offline=True)
        page.wait_for_timeout(1500)
        assert house.tally(owner.record) == (0, len(BIG))
        line(session)
        page.get_by_text("All uploaded: 1").wait_for()
    [(key, size)] = house.objects(owner.record).items()
    assert size == len(BIG)
    assert house.unfinished(owner.record) == []
    assert house.rows(owner.record, "select blob_id::text from version") == [(key,)]


def test_after_a_reload_the_same_file_goes_on_where_it_stopped(house: House, browser: Browser, big: Path) -> None:
    owner = house.owner(house.workspace())
    space = owner.space()
    page = opened(browser, house, owner, space, lang="fr")
    page.on("dialog", lambda dialog: dialog.accept())
    leave_half_way(page, big)
    page.get_by_text("Choisissez de nouveau ce fichier pour continuer").wait_for()
    [key] = house.unfinished(owner.record)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "partNumber" in request.url else None)
    choose(page, big)
    page.get_by_text("Tout est envoyé : 1").wait_for()
    # Five parts; at least one of them had arrived before the reload.
    assert 0 < len({url for url in sent if "X-Amz" in url}) < 5
    assert list(house.objects(owner.record)) == [key]
    assert page.get_by_text("Choisissez de nouveau").count() == 0
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_a_file_that_changed_since_is_sent_anew(house: House, browser: Browser, big: Path) -> None:
    owner = house.owner(house.workspace())
    space = owner.space()
    page = opened(browser, house, owner, space)
    page.on("dialog", lambda dialog: dialog.accept())
    stamp = big.stat().st_mtime_ns
    leave_half_way(page, big)
    other = bytes(reversed(BIG))
    big.write_bytes(other)
    # Same name, size and date: only its content tells.
    os.utime(big, ns=(stamp, stamp))
    choose(page, big)
    page.get_by_text("All uploaded: 1").wait_for(timeout=60_000)
    [(file,)] = house.rows(owner.record, "select id::text from node where kind = 'f'")
    assert sha256(owner.get(f"/drive/{file}/content").content).digest() == sha256(other).digest()
    assert house.tally(owner.record) == (len(BIG), 0)
    assert house.unfinished(owner.record) == []


def test_an_interrupted_upload_can_be_given_up(house: House, browser: Browser, big: Path) -> None:
    owner = house.owner(house.workspace())
    page = opened(browser, house, owner, owner.space())
    page.on("dialog", lambda dialog: dialog.accept())
    leave_half_way(page, big)
    page.get_by_text("Interrupted uploads").wait_for()
    page.get_by_role("button", name="Cancel the upload of film.mp4").click()
    until(page, lambda: not page.locator("#uploads").is_visible())
    until(page, lambda: house.unfinished(owner.record) == [] and house.tally(owner.record) == (0, 0))
