"""What pages of a workspace may do with its bucket from a browser, and pages of others may not."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.filestore.tenants import DIGEST, Tenant, new_key, said, send, sha256
from tests.world.chromium import Browser

OURS, THEIRS = "http://acme.parvis.localhost:8080", "http://evil.parvis.localhost:8080"
ASKING = {"access-control-request-method": "PUT", "access-control-request-headers": f"content-type,{DIGEST}"}


@pytest.fixture
def tenant(new: Callable[..., Tenant]) -> Tenant:
    return new(origins=("https://other.example", OURS))


def preflight(tenant: Tenant, **headers: str) -> Any:
    return send("OPTIONS", tenant.gateway.url + tenant.path(new_key()), headers)


def test_a_page_of_the_workspace_may_write_and_read(tenant: Tenant) -> None:
    answer = preflight(tenant, origin=OURS, **ASKING)
    allowed = {name: answer.headers[f"access-control-{name}"] for name in ("allow-origin", "max-age", "allow-headers")}
    assert answer.status_code == 200
    assert allowed == {"allow-origin": OURS, "max-age": "3600", "allow-headers": f"content-type, {DIGEST}"}
    assert {"PUT", "GET", "HEAD"} == set(answer.headers["access-control-allow-methods"].split(", "))
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "change",
    [
        {"origin": THEIRS},
        {"origin": "null"},
        {"origin": OURS + "0"},
        {"origin": OURS.upper()},
        {"access-control-request-method": "DELETE"},
        {"access-control-request-headers": "x-amz-acl"},
        {"access-control-request-headers": "authorization"},
    ],
)
def test_any_other_call_is_refused(tenant: Tenant, change: dict[str, str]) -> None:
    answer = preflight(tenant, **{"origin": OURS, **ASKING, **change})
    assert said(answer) == (403, "AccessDenied")
    assert "access-control-allow-methods" not in answer.headers


def test_headers_of_encryption_are_allowed_as_the_store_of_production_takes_them(tenant: Tenant) -> None:
    asked = f"{DIGEST}, x-amz-server-side-encryption, x-amz-server-side-encryption-aws-kms-key-id"
    answer = preflight(tenant, origin=OURS, **{**ASKING, "access-control-request-headers": asked})
    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (200, asked)


def test_a_preflight_says_who_asks_and_for_what(tenant: Tenant) -> None:
    assert said(preflight(tenant)) == said(preflight(tenant, origin=OURS)) == (400, "InvalidArgument")
    nowhere = send("OPTIONS", f"{tenant.gateway.url}/org-nowhere/x", {"origin": OURS, **ASKING})
    assert said(nowhere) == (404, "NoSuchBucket")


def test_an_answer_is_shown_to_pages_of_the_workspace_only(tenant: Tenant) -> None:
    key = tenant.put()
    for answer in (tenant.get(key, origin=OURS), tenant.get(new_key(), origin=OURS)):
        assert answer.headers["access-control-allow-origin"] == OURS
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
    for answer in (tenant.get(key, origin=THEIRS), tenant.get(key)):
        assert "access-control-allow-origin" not in answer.headers


def test_origins_that_change_hold_from_the_next_request_on(tenant: Tenant) -> None:
    assert preflight(tenant, origin=THEIRS, **ASKING).status_code == 403
    tenant.store.ensure_bucket(tenant.name, tenant.name, None, [THEIRS])
    assert preflight(tenant, origin=THEIRS, **ASKING).status_code == 200
    assert preflight(tenant, origin=OURS, **ASKING).status_code == 403


class Blank(BaseHTTPRequestHandler):
    """An empty page at any name."""

    def do_GET(self) -> None:
        page = b"<!doctype html><title>page</title>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Any]:
    # A context of its own: where Playwright intercepts requests, it answers preflights itself.
    context = browser.chromium.new_context()
    yield context.new_page()
    context.close()


WRITE = """async ([url, headers, body]) => {
  try {
    const answer = await fetch(url, {method: "PUT", headers, body: new Blob([body], {type: "text/plain"})});
    return [answer.status, answer.headers.get("etag")];
  } catch (error) { return [0, error.name]; }
}"""
READ = """async (url) => {
  try {
    const answer = await fetch(url, {headers: {range: "bytes=1-3"}});
    return [answer.status, await answer.text(), answer.headers.get("content-range")];
  } catch (error) { return [0, error.name]; }
}"""


def test_chromium_writes_and_reads_from_pages_of_the_workspace_only(
    new: Callable[..., Tenant], site: int, page: Any
) -> None:
    ours, theirs = f"http://acme.localhost:{site}", f"http://evil.localhost:{site}"
    tenant, key, body = new(origins=(ours,)), new_key(), b"bonjour"
    headers = {DIGEST: sha256(body)}
    url = tenant.signer.url("PUT", tenant.path(key), {}, {**headers, "content-length": str(len(body))})
    read = tenant.signer.url("GET", tenant.path(key))
    page.goto(theirs)
    assert page.evaluate(WRITE, [url, headers, "bonjour"]) == [0, "TypeError"]
    assert tenant.get(key).status_code == 404
    page.goto(ours)
    assert page.evaluate(WRITE, [url, headers, "bonjour!"])[0] == 403
    status, etag = page.evaluate(WRITE, [url, headers, "bonjour"])
    assert (status, etag) == (200, tenant.call("HEAD", key).headers["etag"])
    assert page.evaluate(READ, read) == [206, "onj", "bytes 1-3/7"]
    page.goto(theirs)
    assert page.evaluate(READ, read) == [0, "TypeError"]


def test_chromium_hears_a_refusal_while_it_still_sends(new: Callable[..., Tenant], site: int, page: Any) -> None:
    ours = f"http://acme.localhost:{site}"
    tenant = new(origins=(ours,), quota=1000)
    url = tenant.signer.url("PUT", tenant.path(new_key()), {}, {DIGEST: "UNSIGNED-PAYLOAD"})
    page.goto(ours)
    assert page.evaluate(WRITE, [url, {DIGEST: "UNSIGNED-PAYLOAD"}, "x" * 16_000_000]) == [403, None]
    assert tenant.left() == []
