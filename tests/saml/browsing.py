"""A browser without scripts: it follows redirects and sends forms, and stops where a service of ours would begin."""

import html.parser
import urllib.parse
from dataclasses import dataclass, field
from typing import Self

import httpx


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag in {"input", "button"} and self.found and given.get("name"):
            self.found[-1].fields.setdefault(given["name"], given.get("value", ""))


@dataclass(frozen=True)
class Arrival:
    """What came to us: a GET with a raw query, or a POST with fields."""

    url: str
    query: str = ""
    form: dict[str, str] | None = None


class Browser:
    """Cookies, and the page it is on. `ours` is where our own addresses begin."""

    def __init__(self, ours: str) -> None:
        self.ours = ours
        self.client = httpx.Client(trust_env=False, timeout=60)
        self.page: httpx.Response | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def go(self, url: str) -> Arrival | None:
        """Open an address; None where a page of the provider waits for somebody."""
        if url.startswith(self.ours):
            return Arrival(url.partition("?")[0], query=url.partition("?")[2])
        return self._land(self.client.get(url))

    def send(self, *, action: str = "", **fields: str) -> Arrival | None:
        """Send the page's form (the one whose address ends with `action`), with these fields filled in."""
        assert self.page is not None
        parser = _Forms()
        parser.feed(self.page.text)
        form = next(form for form in parser.found if form.action.endswith(action))
        url = urllib.parse.urljoin(str(self.page.url), form.action or str(self.page.url))
        filled = {**form.fields, **fields}
        if form.method == "get":
            return self.go(f"{url}?{urllib.parse.urlencode(filled)}")
        if url.startswith(self.ours):
            return Arrival(url, form=filled)
        return self._land(self.client.post(url, data=filled))

    def _land(self, answer: httpx.Response) -> Arrival | None:
        if answer.is_redirect:
            return self.go(urllib.parse.urljoin(str(answer.url), answer.headers["location"]))
        self.page = answer.raise_for_status()
        return None

    def sign_in(self, url: str, **fields: str) -> Arrival:
        """Open the provider's page, fill in its form, and send on what it sends by scripts."""
        arrived = self.go(url) or self.send(**fields)
        return arrived or self._sent_on()

    def _sent_on(self) -> Arrival:
        arrived = self.send()
        assert arrived is not None, self.page and self.page.text[:2000]
        return arrived
