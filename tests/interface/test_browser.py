"""The browser of the tests itself: it cannot leave the machine, and a page's scripts never wait for the test."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Error

from tests.world.chromium import Browser, awake
from tests.world.waiting import eventually

pytestmark = pytest.mark.browser

PAGES = {
    "/": b"<title>first</title><a href='/second'>second</a>",
    "/second": b"<title>second</title><script type='module' src='/begin.js'></script><h1>second</h1>",
    "/begin.js": b"import './listen.js';",
    "/listen.js": b"document.addEventListener('keydown', (event) => { document.title = event.key; });",
}


class Site(BaseHTTPRequestHandler):
    """Pages whose script comes when the test lets it."""

    asked: list[str]
    let: threading.Event

    def do_GET(self) -> None:
        kind = "text/javascript" if self.path.endswith(".js") else "text/html"
        self.asked.append(self.path)
        if self.path == "/listen.js":
            self.let.wait()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(PAGES.get(self.path, b""))

    def log_message(self, *_: object) -> None:
        return


@dataclass
class Running:
    """Where it is, what was asked of it, and whether its script may come."""

    url: str
    asked: list[str]
    let: threading.Event


@pytest.fixture
def site() -> Iterator[Running]:
    asked: list[str] = []
    let = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHere", (Site,), {"asked": asked, "let": let}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Running(f"http://127.0.0.1:{server.server_port}", asked, let)
    let.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_key_is_heard_once_the_page_is_awake(browser: Browser, site: Running) -> None:
    page = browser.page()
    page.goto(site.url)
    page.get_by_role("link").click()
    page.get_by_role("heading").wait_for()
    # The control: seen is not yet awake.
    page.keyboard.press("k")
    assert page.title() == "second"
    site.let.set()
    awake(page).keyboard.press("k")
    eventually(lambda: page.title() == "k")


def test_a_page_s_scripts_come_while_its_test_is_at_work_elsewhere(browser: Browser, site: Running) -> None:
    page = browser.page()
    page.goto(site.url)
    page.get_by_role("link").click()
    # No word with Playwright meanwhile.
    eventually(lambda: "/listen.js" in site.asked)


@pytest.mark.parametrize("address", ["http://192.0.2.1/", "http://elsewhere.example/", "http://127.0.0.2/"])
def test_what_is_elsewhere_is_not_found_and_remembered(browser: Browser, address: str) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        browser.page().goto(address)
    assert browser.left == [address]
    browser.left.clear()
