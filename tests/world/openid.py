"""A real identity provider for OpenID Connect: npm's oidc-provider, on loopback, ended with its test."""

import html.parser
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin

import httpx2

from control_plane.embedded import ports
from tests.peers import node, require
from tests.world.servers import stop

PASSWORD = "pw-of-{name}"


@dataclass(frozen=True)
class User:
    """A person of the provider. `login` is what is typed, `subject` what applications are told."""

    login: str
    groups: tuple[str, ...] = ("staff",)
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.login.partition("@")[0]

    @property
    def subject(self) -> str:
        return f"subject-{self.name}"

    @property
    def password(self) -> str:
        return PASSWORD.format(name=self.name)

    def told(self) -> dict[str, Any]:
        """A claim given as None is not sent."""
        whole = {
            "email": self.login,
            "email_verified": True,
            "name": self.name.title(),
            "groups": list(self.groups),
            **self.claims,
        }
        return {name: value for name, value in whole.items() if value is not None}


ALICE = User("alice@acme.test", ("staff", "admins"))
BOB = User("bob@acme.test")


def client(client_id: str, secret: str | None, callback: str, **more: Any) -> dict[str, Any]:
    """An application as the provider registers it. `backchannel_logout_uri=…`, `post_logout_redirect_uris=[…]`."""
    return {
        "client_id": client_id,
        "redirect_uris": [callback],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": "openid email profile groups offline_access",
        "backchannel_logout_session_required": True,
        **({"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}),
        **more,
    }


@dataclass
class OpenIDProvider:
    """The running provider."""

    issuer: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def said(self, line: str, seconds: float = 90) -> bool:
        """Whether the provider came to print this line: `told the-app`, after it called the back channel."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if line in self.log.read_text().splitlines():
                return True
            time.sleep(0.05)
        return False


@contextmanager
def openid_provider(
    folder: Path, clients: Sequence[Mapping[str, Any]], users: Sequence[User] = (ALICE, BOB), *, conform: bool = False
) -> Iterator[OpenIDProvider]:
    """A provider that knows these applications and people. With `conform`, claims come by userinfo only."""
    where = require()
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.free_port()
    people = {user.subject: {"login": user.login, "password": user.password, "claims": user.told()} for user in users}
    settings = folder / "openid.json"
    settings.write_text(json.dumps({"port": port, "clients": list(clients), "users": people, "conform": conform}))
    log = folder / "openid.log"
    with log.open("wb") as out:
        process = subprocess.Popen([node(), "openid.mjs", str(settings)], cwd=where, stdout=out, stderr=out)
    running = OpenIDProvider(f"http://127.0.0.1:{port}", process, log)
    try:
        if not running.said("ready"):
            raise RuntimeError(f"oidc-provider did not start: {log.read_text()[-2000:]}")
        yield running
    finally:
        stop(process)


class _Forms(html.parser.HTMLParser):
    """The forms of a page: action, method and fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "form":
            self.forms.append({"action": named.get("action") or "", "fields": {}})
        elif tag == "input" and self.forms and named.get("name"):
            self.forms[-1]["fields"][named["name"]] = named.get("value") or ""


class Visitor:
    """A person's browser at the provider, without JavaScript: follows redirects up to the application's address."""

    def __init__(self) -> None:
        self.http = httpx2.Client(trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def follow(self, answer: httpx2.Response, until: str) -> tuple[str | None, httpx2.Response]:
        """The address beginning with `until` that it was sent to, or else the page it came to."""
        for _ in range(12):
            if not answer.is_redirect:
                return None, answer
            target = urljoin(str(answer.url), answer.headers["location"])
            if target.startswith(until):
                return target, answer
            answer = self.http.get(target)
        raise AssertionError("redirects without end")

    def submit(self, page: httpx2.Response, until: str, **fields: str) -> tuple[str | None, httpx2.Response]:
        """Fill in the page's first form and send it."""
        reader = _Forms()
        reader.feed(page.text)
        form = reader.forms[0]
        target = urljoin(str(page.url), form["action"]) if form["action"] else str(page.url)
        return self.follow(self.http.post(target, data={**form["fields"], **fields}), until)

    def sign_in(self, url: str, user: User, until: str, *, allow: str = "yes") -> str:
        """From our redirect to the provider, through its pages, to the address it sends back to."""
        found, page = self.follow(self.http.get(url), until)
        if found is None and 'name="password"' in page.text:
            found, page = self.submit(page, until, email=user.login, password=user.password)
        if found is None:
            found, page = self.submit(page, until, allow=allow)
        assert found is not None, page.text
        return found

    def sign_out(self, url: str, until: str) -> str:
        """From our redirect to the provider's end of session, to the address it sends back to."""
        _, page = self.follow(self.http.get(url), until)
        found, page = self.submit(page, until, logout="yes")
        assert found is not None, page.text
        return found
