"""The frame around a request, failures on the wire, and writes that another site forged."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath, JSONBody
from sqlalchemy.exc import OperationalError

from kit.errors import Refusal, Refusals, Unavailable
from kit.web import Csrf, Frame, client_ip, exception_handlers, health_routes, request_id

KEY = bytes(32)
csrf = Csrf(KEY, lambda request: request.cookies.get("sid"))


@dataclass
class Order:
    name: str
    seats: int


class BugError(Exception):
    pass


FAILURES: dict[str, Exception] = {
    "refusal": Refusal("address_taken", "{address} is taken.", field="address", status=409, address="acme"),
    "refusals": Refusals([Refusal("a", "A.", field="name"), Refusal("b", "B.", field="admin.email")]),
    "unavailable": Unavailable("store_unavailable", "secret detail"),
    "database": OperationalError("select secret", {}, Exception("secret detail")),
    "bug": BugError("secret detail"),
    "slow": Refusal("too_many", "Wait.", status=429, retry_after=7),
}


@get("/fail/{kind:str}", sync_to_thread=False)
def fail(kind: FromPath[str]) -> None:
    raise FAILURES[kind]


@post("/orders", sync_to_thread=False)
def order(data: JSONBody[Order]) -> dict[str, str]:
    return {"name": data.name}


@get("/who", sync_to_thread=False)
def who(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"ip": client_ip(request), "id": request_id(request), "scheme": request.scope["scheme"]}


@get("/form", sync_to_thread=False)
def form(request: Request[Any, Any, Any]) -> str:
    return csrf.token(request)


@post("/write", before_request=csrf.check)
async def write(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"note": (await request.form()).get("note", "")}


def page(_request: Request[Any, Any, Any], status: int, refusal: Refusal | None) -> Response[str]:
    return Response(f"<h1>{status} {refusal}</h1>", status_code=status, media_type="text/html")


def away() -> None:
    raise ConnectionError("secret detail")


def client(*, edges: frozenset[str] = frozenset(), checks: dict[str, Any] | None = None) -> httpx.Client:
    app = Litestar(
        [fail, order, who, form, write, *health_routes(checks or {})],
        exception_handlers=exception_handlers(page),
        logging_config=None,
        openapi_config=None,
    )
    return Bridge(Frame(app, trusted_edges=edges))


class Bridge:
    """Sends requests straight into the application, each in a loop of its own."""

    def __init__(self, app: Frame) -> None:
        self.app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        import asyncio

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 9))  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://a.localhost:8080") as asking:
                return await asking.request(method, path, **options)

        return asyncio.run(ask())


def test_a_refusal_is_problem_details_with_code_and_field() -> None:
    answer = client().request("GET", "/fail/refusal")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["code"], told["detail"], told["status"]) == ("address_taken", "acme is taken.", 409)
    assert told["errors"] == [{"field": "address", "code": "address_taken", "message": "acme is taken."}]
    assert told["request_id"] == answer.headers["x-request-id"]


def test_several_refusals_name_every_field() -> None:
    told = client().request("GET", "/fail/refusals").json()
    assert [error["field"] for error in told["errors"]] == ["name", "admin.email"]


@pytest.mark.parametrize(("kind", "status"), [("unavailable", 503), ("database", 503), ("bug", 500)])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_details_of_a_failure_stay_inside(kind: str, status: int, accept: str) -> None:
    answer = client().request("GET", f"/fail/{kind}", headers={"accept": accept})
    assert answer.status_code == status
    assert "secret" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_limit_says_when_to_come_back() -> None:
    assert client().request("GET", "/fail/slow").headers["retry-after"] == "7"


def test_a_person_gets_a_page() -> None:
    answer = client().request("GET", "/fail/refusal", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.text == "<h1>409 acme is taken.</h1>"


def test_a_body_of_the_wrong_shape_names_the_field() -> None:
    answer = client().request("POST", "/orders", json={"name": "x", "seats": "many"})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["seats"]


@pytest.mark.parametrize(
    ("method", "path", "code"), [("GET", "/no", "not_found"), ("PUT", "/who", "method_not_allowed")]
)
def test_what_the_framework_refuses_is_problem_details_too(method: str, path: str, code: str) -> None:
    assert client().request(method, path).json()["code"] == code


def test_the_frame_protects_every_answer() -> None:
    for path in ("/who", "/no", "/fail/bug"):
        headers = client().request("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("given", "kept"), [("abcdefgh-1", True), ("x", False), ("bad id!!", False), ("a" * 65, False)]
)
def test_a_well_formed_request_id_is_kept_and_another_is_made(given: str, kept: bool) -> None:
    answer = client().request("GET", "/who", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) == kept
    assert answer.json()["id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("edges", "forwarded", "ip"),
    [
        (frozenset(), "6.6.6.6", "127.0.0.1"),
        (frozenset({"127.0.0.1"}), "6.6.6.6", "6.6.6.6"),
        (frozenset({"127.0.0.1"}), "1.2.3.4, 6.6.6.6", "6.6.6.6"),
        (frozenset({"127.0.0.1", "6.6.6.6"}), "1.2.3.4, 6.6.6.6", "1.2.3.4"),
        (frozenset({"127.0.0.1"}), "", "127.0.0.1"),
    ],
)
def test_the_client_s_address_is_believed_only_from_a_trusted_edge(
    edges: frozenset[str], forwarded: str, ip: str
) -> None:
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    told = client(edges=edges).request("GET", "/who", headers=headers).json()
    assert told["ip"] == ip
    assert told["scheme"] == ("https" if edges else "http")


def test_healthz_lives_and_readyz_names_what_is_away() -> None:
    made = client(checks={"database": away, "cell": lambda: None})
    assert made.request("GET", "/healthz").status_code == 200
    answer = made.request("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "failed", "cell": "ok"}
    assert "secret" not in answer.text
    assert client(checks={"cell": lambda: None}).request("GET", "/readyz").status_code == 200


OWN = {"origin": "http://a.localhost:8080", "sec-fetch-site": "same-origin", "cookie": "sid=s1"}


def token(session: str = "s1") -> str:
    return client().request("GET", "/form", headers={"cookie": f"sid={session}"}).text


def test_a_write_of_one_s_own_page_passes_by_field_and_by_header() -> None:
    answer = client().request("POST", "/write", data={"csrf": token(), "note": "n"}, headers=OWN)
    assert answer.json() == {"note": "n"}
    assert client().request("POST", "/write", headers={**OWN, "x-csrf-token": token()}).status_code == 201


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"origin": "http://evil.localhost:8080"}, "foreign_origin"),
        ({"origin": "http://a.localhost:8081"}, "foreign_origin"),
        ({"origin": "https://a.localhost:8080"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"sec-fetch-site": "same-site"}, "foreign_origin"),
        ({"sec-fetch-site": "cross-site"}, "foreign_origin"),
        ({"x-csrf-token": ""}, "stale_page"),
        ({"x-csrf-token": "AAAA"}, "stale_page"),
        ({"cookie": "sid=another"}, "stale_page"),
    ],
)
def test_a_forged_write_is_refused(headers: dict[str, str], code: str) -> None:
    answer = client().request("POST", "/write", headers={**OWN, "x-csrf-token": token(), **headers})
    assert answer.status_code == 403
    assert answer.json()["code"] == code


def test_without_a_session_the_origin_alone_counts() -> None:
    assert client().request("POST", "/write", headers={"origin": "http://a.localhost:8080"}).status_code == 201
    assert client().request("POST", "/write", headers={"origin": "http://evil.localhost"}).status_code == 403


def test_two_tokens_of_a_session_differ_and_both_count() -> None:
    one, other = token(), token()
    assert one != other
    assert csrf.matches(one, "s1")
    assert csrf.matches(other, "s1")
    assert not csrf.matches(one, "s2")
    assert json.dumps(one).isascii()
