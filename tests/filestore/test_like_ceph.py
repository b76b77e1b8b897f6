"""The gateway says what a real Ceph says: the same calls at both have the same status and the same code."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.filestore.tenants import DIGEST, Tenant, completion, md5, new_key, said, send, sha256
from tests.world.stores import Ceph

BODY = b"bonjour"
ORIGIN = "http://acme.example"
Said = tuple[int, str]


@dataclass(frozen=True)
class Side:
    """A store with an open tenant, another tenant, and the administrator's switch of modes."""

    tenant: Tenant
    other: Tenant
    mode: Callable[[str], object]


@pytest.fixture
def files(new: Callable[..., Tenant]) -> Side:
    tenant = new(quota=100 * 1024, origins=(ORIGIN,))
    return Side(tenant, new(), lambda mode: tenant.store.ensure_mode(tenant.name, mode))  # type: ignore[arg-type]


@pytest.fixture
def cephs(ceph: Any, files: Side) -> Side:
    store = Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret)
    place: Any = SimpleNamespace(url=ceph.endpoint)

    def opened(of: Tenant, quota: int | None) -> Tenant:
        return replace(of, gateway=place, key_id=store.open(of.name, quota=quota, origin=ORIGIN))

    tenant = opened(files.tenant, 100 * 1024)
    return Side(tenant, opened(files.other, None), lambda mode: store.mode(tenant.name, mode))


def keys(side: Side) -> list[Said]:
    tenant, key = side.tenant, side.tenant.put(body=BODY)
    thief = replace(tenant, key_id=side.other.key_id)
    asked = [
        tenant.get(key),
        send("GET", tenant.gateway.url + tenant.path(key)),
        replace(tenant, secret="t" * 40).get(key),
        replace(tenant, key_id="NOBODYSKEY").get(key),
        thief.get(key),
        thief.call("PUT", key, body=b"x"),
        thief.call("GET", "", {"list-type": "2"}),
    ]
    return [said(answer) for answer in asked]


def absent(side: Side) -> list[Said]:
    tenant, nowhere = side.tenant, replace(side.tenant, name=f"{side.tenant.name}x")
    asked = [tenant.get(new_key()), tenant.call("HEAD", new_key()), tenant.call("DELETE", new_key())]
    asked += [nowhere.get(new_key()), nowhere.call("HEAD"), tenant.call("HEAD"), tenant.part(new_key(), "x", 1, b"x")]
    return [said(answer) for answer in asked]


def bodies(side: Side) -> list[Said]:
    tenant, key = side.tenant, new_key()
    asked = [
        tenant.call("PUT", key, body=BODY, payload=sha256(b"other")),
        tenant.call("PUT", key, body=BODY, payload="zz"),
        tenant.call("PUT", key, body=BODY, signed={"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
        tenant.call("PUT", key, body=BODY, signed={"content-md5": "zz"}),
        tenant.get(key),
        tenant.call("PUT", key, body=b"x" * 200_000),
        tenant.call("PUT", key, body=BODY),
    ]
    return [said(answer) for answer in asked]


def addresses(side: Side) -> list[Said]:
    tenant, key = side.tenant, side.tenant.put(body=BODY)
    good = tenant.signer.url("GET", tenant.path(key))
    asked = [
        send("GET", good),
        send("HEAD", good),
        send("DELETE", good),
        send("GET", good[:-1] + ("0" if good[-1] != "0" else "1")),
        send("GET", good.replace(key, new_key())),
        send("GET", good.replace("Expires=60", "Expires=61")),
        send("GET", good + "&response-content-type=text/html"),
        send("GET", tenant.signer.url("GET", tenant.path(key), seconds=604_801)),
        send("GET", tenant.signer.url("GET", tenant.path(key), seconds=604_800)),
    ]
    return [said(answer) for answer in asked]


def writing_addresses(side: Side) -> list[Said]:
    tenant, key, headers = side.tenant, new_key(), {DIGEST: sha256(BODY)}
    url = tenant.signer.url("PUT", tenant.path(key), {}, {**headers, "content-length": str(len(BODY))})
    asked = [
        send("PUT", url, headers, BODY + b"!"),
        send("PUT", url, headers, BODY[::-1]),
        send("PUT", url, {}, BODY),
        send("PUT", url, {DIGEST: sha256(BODY[::-1])}, BODY[::-1]),
        send("PUT", url, headers, BODY),
    ]
    return [said(answer) for answer in asked]


def ranges(side: Side) -> list[Any]:
    tenant, key = side.tenant, side.tenant.put(body=BODY)
    found: list[Any] = []
    for asked in ("bytes=0-0", "bytes=2-", "bytes=-3", "bytes=-100", "bytes=6-100", "bytes=7-"):
        answer = tenant.get(key, range=asked)
        found.append((said(answer), answer.status_code == 206 and (answer.content, answer.headers["content-range"])))
    conditions = {"if-match": '"x"'}, {"if-match": md5(BODY)}, {"if-none-match": md5(BODY)}, {"if-none-match": '"x"'}
    return found + [said(tenant.get(key, **one)) for one in conditions]


def uploads(side: Side) -> list[Said]:
    # The tenant without a limit: Ceph wants all parts but the last to have 5 MiB.
    tenant, key = side.other, new_key()
    begun, empty = tenant.begin(key), tenant.begin(key)
    first, second = [
        tenant.part(key, begun, n, body).headers["etag"] for n, body in ((1, bytes(5 * 1024**2)), (2, BODY))
    ]
    asked = [
        tenant.complete(key, begun, [(1, second)]),
        tenant.complete(key, begun, [(1, first), (3, second)]),
        tenant.call("POST", key, {"uploadId": begun}, completion([])),
        tenant.call("POST", key, {"uploadId": begun}, b"<a"),
        tenant.call("PUT", key, {"partNumber": "x", "uploadId": begun}, b"x"),
        tenant.complete(key, begun, [(1, first), (2, second)]),
        tenant.get(key),
        tenant.call("DELETE", key, {"uploadId": empty}),
        tenant.call("DELETE", key, {"uploadId": empty}),
        tenant.call("DELETE", key),
    ]
    return [said(answer) for answer in asked]


def modes(side: Side) -> list[Said]:
    tenant, key = side.tenant, side.tenant.put(body=BODY)
    found = []
    for mode in ("read_only", "suspended", "open"):
        side.mode(mode)
        asked = [tenant.get(key), tenant.call("PUT", new_key(), body=b"x"), tenant.call("DELETE", new_key())]
        asked += [tenant.call("POST", new_key(), {"uploads": ""}), replace(tenant, secret="t" * 40).get(key)]
        asked += [send("GET", tenant.signer.url("GET", tenant.path(key)))]
        found += [said(answer) for answer in asked]
    return found


def preflights(side: Side) -> list[Any]:
    url = side.tenant.gateway.url + side.tenant.path(new_key())
    good = {"origin": ORIGIN, "access-control-request-method": "PUT", "access-control-request-headers": DIGEST}
    asked = [good, {**good, "origin": "http://evil.example"}, {**good, "access-control-request-method": "DELETE"}]
    asked += [{"origin": ORIGIN}, {}]
    answers = [send("OPTIONS", url, headers) for headers in asked]
    # What is refused names an origin here and none there; a browser looks at neither.
    return [(said(one), one.ok and one.headers["access-control-allow-origin"]) for one in answers]


CASES = [keys, absent, bodies, addresses, writing_addresses, ranges, uploads, modes, preflights]


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_both_stores_say_the_same(files: Side, cephs: Side, case: Callable[[Side], list[Any]]) -> None:
    ours, theirs = case(files), case(cephs)
    assert ours == theirs
    # Both sides of a rule were tried.
    assert len({repr(one) for one in ours}) > 1
