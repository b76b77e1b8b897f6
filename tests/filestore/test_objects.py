"""Objects through the gateway: whole or absent, exactly what was sent, read in ranges and under conditions."""

import base64
import hashlib
import os
import random
import re
import socket
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import pytest
import requests
from obstore.exceptions import NotModifiedError, PreconditionError

from kit.filestore import objects, shelves
from tests.filestore.tenants import Tenant, md5, new_key, said, send, sha256

BODY = b"bonjour"
# Larger than what passes in one piece, and no multiple of it.
LARGE = os.urandom(5 * 1024 * 1024 + 17)


@pytest.fixture
def key(tenant: Tenant) -> str:
    return tenant.put(body=BODY)


@pytest.mark.parametrize("body", [b"", b"x", BODY, LARGE], ids=["empty", "a byte", "small", "large"])
def test_what_was_put_is_read_back(tenant: Tenant, body: bytes) -> None:
    key = new_key()
    tenant.rust.put(key, body, use_multipart=False)
    assert bytes(tenant.rust.get(key).bytes()) == body == tenant.get(key).content
    seen = tenant.rust.head(key)
    assert (seen["size"], seen["e_tag"]) == (len(body), md5(body))
    head = tenant.call("HEAD", key)
    assert (head.headers["content-length"], head.headers["etag"], head.content) == (str(len(body)), md5(body), b"")
    assert tenant.store.used(tenant.name) == len(body) == tenant.store.recount(tenant.name)
    assert tenant.left() == []


def test_an_object_is_replaced_whole_and_its_room_given_back(tenant: Tenant, key: str) -> None:
    tenant.put(key, LARGE)
    assert tenant.get(key).content == LARGE
    tenant.put(key, b"short")
    assert tenant.get(key).content == b"short"
    assert tenant.store.used(tenant.name) == 5
    assert tenant.left() == []


def test_a_deleted_object_is_gone_and_may_be_deleted_again(tenant: Tenant, key: str) -> None:
    tenant.rust.delete(key)
    assert tenant.call("DELETE", key).status_code == 204
    with pytest.raises(FileNotFoundError):
        tenant.rust.get(key)
    assert said(tenant.get(key)) == (404, "NoSuchKey")
    assert tenant.call("HEAD", key).status_code == 404
    assert (tenant.store.used(tenant.name), tenant.left()) == (0, [])


def test_many_objects_are_deleted_at_once(tenant: Tenant) -> None:
    keys = [tenant.put() for _ in range(5)]
    tenant.rust.delete([*keys[:4], new_key()])
    assert tenant.store.objects(tenant.name) == 1
    assert said(tenant.call("POST", "", {"delete": ""}, b"<Delete/>")) == (400, "MalformedXML")


@pytest.mark.parametrize("size", [7, len(LARGE)], ids=["small", "large"])
def test_a_body_of_another_digest_is_refused_and_leaves_nothing(tenant: Tenant, size: int) -> None:
    body = LARGE[:size]
    key = tenant.put(body=BODY)
    wrong = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    right = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    checksum = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for answer, code in (
        (tenant.call("PUT", key, body=body, payload=sha256(b"other")), "XAmzContentSHA256Mismatch"),
        (tenant.call("PUT", key, body=body, payload="0" * 63), "XAmzContentSHA256Mismatch"),
        (tenant.call("PUT", key, body=body, signed={"content-md5": wrong}), "BadDigest"),
        (tenant.call("PUT", key, body=body, signed={"content-md5": "zz"}), "InvalidDigest"),
        (tenant.call("PUT", key, body=body, signed={"x-amz-checksum-sha256": checksum}), "BadDigest"),
    ):
        assert said(answer) == (400, code)
    assert tenant.get(key).content == BODY
    assert (tenant.store.used(tenant.name), tenant.left()) == (len(BODY), [])
    assert tenant.call("PUT", key, body=body, signed={"content-md5": right}).status_code == 200
    assert tenant.call("PUT", key, body=body, payload="UNSIGNED-PAYLOAD").status_code == 200
    assert tenant.get(key).content == body


def test_a_body_of_unknown_length_is_refused(tenant: Tenant, key: str) -> None:
    url = tenant.signer.url("PUT", tenant.path(key))
    answer = requests.put(url, data=iter([b"abc"]), timeout=60)
    assert said(answer) == (411, "MissingContentLength")
    assert send("PUT", url, body=b"abc").status_code == 200


def test_a_body_of_more_than_one_object_may_have_is_refused(tenant: Tenant) -> None:
    parts = urlsplit(tenant.signer.url("PUT", tenant.path(new_key())))
    with socket.create_connection(("127.0.0.1", tenant.gateway.port)) as raw:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        raw.sendall(f"{head}Content-Length: {5 * 1024**3 + 1}\r\n\r\n".encode())
        told = raw.recv(4096)
    assert b" 400 " in told
    assert b"EntityTooLarge" in told
    assert tenant.left() == []


def test_a_refusal_is_heard_by_who_still_sends(tenant: Tenant) -> None:
    url = tenant.signer.url("PUT", tenant.path(new_key()), seconds=60)
    answer = send("PUT", url.replace("Expires=60", "Expires=61"), body=LARGE * 6)
    assert said(answer) == (403, "SignatureDoesNotMatch")


def test_who_hangs_up_midway_leaves_nothing(tenant: Tenant) -> None:
    parts = urlsplit(tenant.signer.url("PUT", tenant.path(new_key())))
    with socket.create_connection(("127.0.0.1", tenant.gateway.port)) as raw:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        raw.sendall(f"{head}Content-Length: {len(LARGE)}\r\n\r\n".encode() + LARGE[:-1])
        wait_for(lambda: bool(tenant.left()))
    wait_for(lambda: not tenant.left())
    assert (tenant.store.used(tenant.name), tenant.store.objects(tenant.name)) == (0, 0)


def wait_for(holds: object, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


RANGES = [
    ("bytes=0-0", 206, b"b", "bytes 0-0/7"),
    ("bytes=2-4", 206, b"njo", "bytes 2-4/7"),
    ("bytes=2-", 206, b"njour", "bytes 2-6/7"),
    ("bytes=-3", 206, b"our", "bytes 4-6/7"),
    ("bytes=-100", 206, b"bonjour", "bytes 0-6/7"),
    ("bytes=6-1000", 206, b"r", "bytes 6-6/7"),
    ("bytes=7-", 416, None, "bytes */7"),
    ("bytes=-0", 416, None, "bytes */7"),
    # What is no single range is no range: HTTP has it ignored.
    ("bytes=5-2", 200, b"bonjour", None),
    ("bytes=0-1,3-4", 200, b"bonjour", None),
    ("bytes=-", 200, b"bonjour", None),
    ("lines=1-2", 200, b"bonjour", None),
]


@pytest.mark.parametrize(("asked", "status", "body", "told"), RANGES)
def test_a_range_is_answered_with_its_bytes(
    tenant: Tenant, asked: str, status: int, body: bytes | None, told: str | None
) -> None:
    key = tenant.put(body=BODY)
    answer = tenant.get(key, range=asked)
    assert answer.status_code == status
    assert answer.headers.get("content-range") == told
    if body is None:
        assert said(answer)[1] == "InvalidRange"
    else:
        assert answer.content == body


def test_an_empty_object_has_no_range(tenant: Tenant) -> None:
    key = tenant.put(body=b"")
    assert said(tenant.get(key, range="bytes=0-")) == (416, "InvalidRange")
    assert tenant.get(key).status_code == 200


def test_ranges_of_a_large_object_are_exact(tenant: Tenant) -> None:
    key = tenant.put(body=LARGE)
    for start, end in ((0, 1), (1024 * 1024 - 3, 3 * 1024 * 1024 + 5), (len(LARGE) - 9, len(LARGE))):
        assert bytes(tenant.rust.get_range(key, start=start, end=end)) == LARGE[start:end]


def test_a_range_holds_only_for_the_object_that_was_meant(tenant: Tenant, key: str) -> None:
    meant = {"range": "bytes=0-1", "if-range": md5(BODY)}
    assert tenant.get(key, **meant).status_code == 206
    assert tenant.get(key, **meant | {"if-range": '"other"'}).content == BODY


def test_conditions_on_the_entity_tag(tenant: Tenant, key: str) -> None:
    tag, other = md5(BODY), '"other"'
    assert tenant.get(key, **{"if-match": tag}).status_code == 200
    assert tenant.get(key, **{"if-match": f"{other}, {tag}"}).status_code == 200
    assert said(tenant.get(key, **{"if-match": other})) == (412, "PreconditionFailed")
    assert tenant.get(key, **{"if-none-match": other}).status_code == 200
    unchanged = tenant.get(key, **{"if-none-match": tag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    assert tenant.get(key, **{"if-none-match": f"W/{tag}"}).status_code == 304
    with pytest.raises(NotModifiedError):
        tenant.rust.get(key, options={"if_none_match": tag})
    with pytest.raises(PreconditionError):
        tenant.rust.get(key, options={"if_match": other})


def test_conditions_on_the_date(tenant: Tenant, key: str) -> None:
    before, after = formatdate(time.time() - 100, usegmt=True), formatdate(time.time() + 100, usegmt=True)
    assert tenant.get(key, **{"if-modified-since": before}).status_code == 200
    assert tenant.get(key, **{"if-modified-since": after}).status_code == 304
    assert tenant.get(key, **{"if-unmodified-since": after}).status_code == 200
    assert said(tenant.get(key, **{"if-unmodified-since": before})) == (412, "PreconditionFailed")
    assert tenant.get(key, **{"if-modified-since": "yesterday"}).status_code == 200


def test_the_signer_says_how_a_browser_shall_take_an_object(tenant: Tenant, key: str) -> None:
    wanted = {
        "response-content-disposition": "attachment; filename=\"a.txt\"; filename*=UTF-8''%C3%A9%20+.txt",
        "response-content-type": "text/plain; charset=utf-8",
        "response-cache-control": "private, no-store",
    }
    answers = (tenant.get(key, wanted), send("GET", tenant.signer.url("GET", tenant.path(key), wanted)))
    for answer in answers:
        shown = {
            f"response-{name}": answer.headers[name]
            for name in ("content-disposition", "content-type", "cache-control")
        }
        assert (answer.status_code, shown) == (200, wanted)
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert tenant.get(key).headers["content-type"] == "application/octet-stream"


def test_no_header_is_smuggled_in_by_a_parameter(tenant: Tenant, key: str) -> None:
    smuggled = {"response-content-type": "text/plain\r\nset-cookie: a=b"}
    answer = tenant.get(key, smuggled)
    assert said(answer) == (400, "InvalidArgument")
    assert "set-cookie" not in answer.headers


ODD = ["a", "..", "%2e%2e/%2e%2e/bucket.json", "0" * 36, new_key().upper(), f"{new_key()}/x", f"{new_key()}%0A"]


@pytest.mark.parametrize("key", ODD, ids=range(len(ODD)))
def test_a_name_that_is_no_id_touches_no_file(tenant: Tenant, key: str) -> None:
    before = sorted(tenant.gateway.root.rglob("*"))
    url = f"{tenant.gateway.url}{tenant.path(key)}"
    assert send("GET", url).status_code in {403, 501}
    for method in ("PUT", "GET", "DELETE"):
        answer = send(method, tenant.signer.url(method, tenant.path(key)), body=b"x" if method == "PUT" else b"")
        assert answer.status_code in {400, 403, 404, 501}
    assert sorted(tenant.gateway.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("method", "key", "params", "headers"),
    [
        ("GET", True, {"acl": ""}, {}),
        ("PUT", True, {"tagging": ""}, {}),
        ("GET", True, {"versionId": "1"}, {}),
        ("PUT", True, {}, {"x-amz-copy-source": "/a/b"}),
        ("PUT", True, {}, {"x-amz-meta-a": "b"}),
        ("PUT", True, {}, {"if-none-match": "*"}),
        ("PUT", False, {}, {}),
        ("DELETE", False, {}, {}),
        ("GET", False, {"policy": ""}, {}),
        ("GET", False, {}, {}),
        ("PATCH", True, {}, {}),
    ],
)
def test_what_is_not_built_says_so(
    tenant: Tenant, method: str, key: bool, params: dict[str, str], headers: dict[str, str]
) -> None:
    answer = tenant.call(method, new_key() if key else "", params, signed=headers)
    assert said(answer) == (501, "NotImplemented")
    assert tenant.store.objects(tenant.name) == 0


def test_bodies_in_signed_chunks_are_not_taken(tenant: Tenant, key: str) -> None:
    streaming = tenant.call("PUT", key, body=b"x", payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    chunked = tenant.call("PUT", key, body=b"x", signed={"content-encoding": "aws-chunked"})
    assert said(streaming) == said(chunked) == (501, "NotImplemented")
    assert tenant.get(key).content == BODY


def test_encryption_by_a_tenants_key_is_refused_in_clear_words(tenant: Tenant, key: str) -> None:
    for params in ({}, {"uploads": ""}):
        answer = tenant.call(
            "POST" if params else "PUT", key, params, signed={"x-amz-server-side-encryption": "aws:kms"}
        )
        assert said(answer) == (501, "NotImplemented")
        assert "no tenant keys" in answer.text
    assert tenant.get(key).content == BODY


def test_a_list_has_every_object_in_order_and_in_pages(tenant: Tenant) -> None:
    keys = sorted(tenant.put(body=str(n).encode() * n) for n in range(25))
    assert [one["path"] for page in tenant.rust.list() for one in page] == keys
    behind = [one["path"] for page in tenant.rust.list(offset=keys[9]) for one in page]
    assert behind == keys[10:]
    found, params = [], {"list-type": "2", "max-keys": "7"}
    while True:
        text = tenant.call("GET", "", params).text
        found.append(between(text, "Key"))
        if "<IsTruncated>true" not in text:
            break
        params = {**params, "continuation-token": between(text, "NextContinuationToken")[0]}
    assert [len(page) for page in found] == [7, 7, 7, 4]
    assert [key for page in found for key in page] == keys
    by_prefix = between(tenant.call("GET", "", {"list-type": "2", "prefix": keys[3][:6]}).text, "Key")
    assert by_prefix == [key for key in keys if key.startswith(keys[3][:6])]


def test_a_list_misses_nothing_that_came_or_went_a_moment_ago(tenant: Tenant) -> None:
    there: set[str] = set()
    for n in range(30):
        there.add(tenant.put())
        if n % 3 == 2:
            there.remove(gone := min(there))
            tenant.call("DELETE", gone)
        assert set(between(tenant.call("GET", "", {"list-type": "2"}).text, "Key")) == there


def test_any_page_is_what_sorting_all_keys_would_give(tmp_path: Path) -> None:
    keys = sorted(new_key()[: random.randint(0, 2)].ljust(2, "a") + new_key()[2:] for _ in range(400))
    for key in keys:
        path = objects.path_of(tmp_path, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for _ in range(300):
        after, prefix = random.choice(["", "a", *keys]), random.choice(["", "a", random.choice(keys)[:3], "zz"])
        limit = random.choice([0, 1, 7, 1000])
        expected = [key for key in keys if key > after and key.startswith(prefix)][:limit]
        assert shelves.page(tmp_path, after, prefix, limit) == expected, (after, prefix, limit)


def between(text: str, name: str) -> list[str]:
    return re.findall(f"<{name}>(.*?)</{name}>", text)


def test_a_list_tells_sizes_and_entity_tags(tenant: Tenant, key: str) -> None:
    (one,) = [one for page in tenant.rust.list() for one in page]
    assert (one["path"], one["size"], one["e_tag"]) == (key, 7, md5(BODY))
    assert abs(one["last_modified"].timestamp() - time.time()) < 60


def test_a_bucket_is_looked_at(tenant: Tenant) -> None:
    assert tenant.call("HEAD").status_code == 200
    assert tenant.call("GET", "", {"list-type": "2", "max-keys": "many"}).status_code == 400
    assert tenant.call("GET", "", {"list-type": "1"}).status_code == 400


def test_a_file_of_an_older_installation_is_read(tenant: Tenant) -> None:
    key = new_key()
    shelf = tenant.folder / "objects" / key[-2:]
    shelf.mkdir(exist_ok=True)
    (shelf / key).write_bytes(BODY)
    assert tenant.get(key).content == BODY
    tag = tenant.call("HEAD", key).headers["etag"]
    assert tag == tenant.call("HEAD", key).headers["etag"]
    assert tag.endswith('-1"'), "nobody must take it for an MD5"
    assert tenant.get(key, **{"if-none-match": tag}).status_code == 304


def test_it_says_that_it_lives(tenant: Tenant) -> None:
    for path in ("/healthz", "/readyz"):
        assert requests.get(tenant.gateway.url + path, timeout=60).json() == {"status": "ok"}


def test_large_objects_do_not_pile_up_in_memory(tenant: Tenant) -> None:
    import psutil

    workers = psutil.Process(tenant.gateway.process.pid).children(recursive=True)
    key, body = new_key(), LARGE * 30
    tenant.rust.put(key, body, use_multipart=False)
    before = sum(one.memory_info().rss for one in workers)
    for _ in range(3):
        tenant.rust.put(key, body, use_multipart=False)
        assert len(obstore.get(tenant.rust, key).bytes()) == len(body)
    assert sum(one.memory_info().rss for one in workers) - before < 60_000_000
