"""Pages of the portal as a browser without script reads and sends them; and a way in for one with script."""

import re
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page

from tests.world.chromium import Browser
from tests.world.staff_door import PASSWORD, Door


def token_in(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, "the page carries no token"
    return found[1]


def password(client: httpx.Client, email: str, secret: str = PASSWORD, next_path: str = "/") -> httpx.Response:
    return client.post("/sign-in", data={"email": email, "password": secret, "next": next_path})


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    csrf = token_in(client.get("/account"))
    return client.post(path, data={"csrf": csrf, **{name.replace("__", "."): value for name, value in fields.items()}})


def words(answer: httpx.Response) -> str:
    """A page with plain spaces."""
    return answer.text.replace("\u00a0", " ").replace("\u202f", " ")


def enter(context: BrowserContext, door: Door, role: str, locale: str) -> None:
    token = door.session_of(door.staff(role, locale=locale))
    context.add_cookies([{"name": "portal", "value": token, "url": door.url, "httpOnly": True, "sameSite": "Lax"}])


def signed_in(browser: Browser, door: Door, role: str = "operator", *, locale: str = "en", **options: Any) -> Page:
    """A page whose browser has a full session."""
    context = browser.context(lang=locale, **options)
    enter(context, door, role, locale)
    return context.new_page()
