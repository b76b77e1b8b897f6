"""A real Chromium that cannot leave the machine: what it tries to fetch elsewhere is blocked and fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, CDPSession, Page, Request, Route, expect, sync_playwright

from tests.world.waiting import eventually

ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    # Chromium itself finds no other host. Were Playwright to judge each request, a page's scripts would wait for a test
    # that is at work elsewhere, and nothing would be cached.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
# A page that comes late on a busy machine is no failure of ours: whoever waits, waits for what comes.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


def missing() -> str | None:
    """Why there is no browser here, in words that name the cure."""
    if shutil.which("chromium"):
        return None
    return "NOT TESTED: Chromium is not installed, so nothing was tried in a browser (apt-get install chromium)"


def require() -> str:
    """The browser's path. Without one a test skips with the reason, and fails where CI=true."""
    reason = missing()
    if reason is None:
        return str(shutil.which("chromium"))
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def stays_here(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme in {"data", "blob", "about"}:
        return True
    host = parts.hostname or ""
    return host in {"127.0.0.1", "localhost"} or host.endswith(".localhost")


@dataclass
class Browser:
    """Opens pages in contexts of their own; remembers what tried to leave and what the pages complained about."""

    chromium: Chromium
    left: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def context(self, *, lang: str = "en", dark: bool = False, phone: bool = False, **options: Any) -> BrowserContext:
        made = self.chromium.new_context(
            locale=lang,
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            accept_downloads=True,
            **options,
        )
        made.set_default_timeout(PATIENCE_MS)
        made.on("request", self._note)
        made.on("weberror", lambda error: self.complaints.append(str(error.error)))
        made.on("console", self._listen)
        self._contexts.append(made)
        return made

    def page(self, **options: Any) -> Page:
        """A page with cookies of its own: `lang="fr"`, `dark=True`, `phone=True`."""
        return self.context(**options).new_page()

    def _note(self, request: Request) -> None:
        if not stays_here(request.url):
            self.left.append(request.url)

    def _listen(self, message: Any) -> None:
        # Chromium also logs each answer of 4xx as an error: those are the pages' own business.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


@contextmanager
def chromium() -> Iterator[Chromium]:
    path = require()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def awake(page: Page) -> Page:
    """The page, once its scripts have run: what is seen before them hears no key, and a button may do less.

    `goto`, `reload` and `wait_for_url` wait for them; a click that leads to another page does not.
    """
    page.wait_for_load_state()
    return page


def until(page: Page, true: Callable[[], object]) -> None:
    """Wait until it is true, while the page goes on and tells of what it does."""

    def look() -> object:
        page.wait_for_timeout(20)
        return true()

    eventually(look)


def held(page: Page, pattern: str) -> list[Route]:
    """The page's requests of this pattern from now on, each kept until the test lets it go (`continue_`)."""
    kept: list[Route] = []

    def keep(route: Route) -> None:
        kept.append(route)

    page.route(pattern, keep)
    return kept


def authenticator(page: Page, *, verifies: bool = True) -> tuple[CDPSession, str]:
    """A virtual device that keeps the page's passkeys and, if told so, verifies its person; and its id."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    made = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return device, str(made["authenticatorId"])
