"""Uploads in parts: whole or absent, resumed after a crash, complete without touching a byte."""

import os
import re
import time
from pathlib import Path

import pytest

from tests.filestore.gateway import running_gateway
from tests.filestore.tenants import Tenant, md5, new_key, new_tenant, said, send, sha256

MIB = 1024 * 1024
PARTS = [os.urandom(5 * MIB + 1), b"", os.urandom(3 * MIB), b"the end"]


def upload(tenant: Tenant, key: str, bodies: list[bytes]) -> tuple[str, list[tuple[int, str]]]:
    begun = tenant.begin(key)
    parts = []
    for n, body in enumerate(bodies, 1):
        answer = tenant.part(key, begun, n, body)
        assert answer.status_code == 200, answer.text
        parts.append((n, answer.headers["etag"]))
    return begun, parts


def test_an_object_comes_in_parts(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, PARTS)
    assert [etag for _, etag in parts] == [md5(body) for body in PARTS]
    assert tenant.get(key).status_code == 404
    assert tenant.store.used(tenant.name) == sum(map(len, PARTS))
    answer = tenant.complete(key, begun, parts)
    assert answer.status_code == 200, answer.text
    whole = b"".join(PARTS)
    assert tenant.get(key).content == whole == bytes(tenant.rust.get(key).bytes())
    assert re.fullmatch('"[0-9a-f]{32}-4"', tenant.call("HEAD", key).headers["etag"])
    assert tenant.store.used(tenant.name) == len(whole) == tenant.store.recount(tenant.name)
    assert tenant.left() == []


def test_ranges_walk_over_the_seams_of_parts(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, PARTS)
    tenant.complete(key, begun, parts)
    whole, seams = b"".join(PARTS), (len(PARTS[0]), len(PARTS[0]) + len(PARTS[2]), sum(map(len, PARTS)))
    for seam in seams:
        for start, end in ((seam - 1, seam), (seam - 4, min(len(whole), seam + 4)), (0, seam)):
            answer = tenant.get(key, range=f"bytes={start}-{end - 1}")
            assert answer.content == whole[start:end]
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"


def test_a_foreign_client_uploads_in_parallel_parts(tenant: Tenant) -> None:
    key, body = new_key(), os.urandom(21 * MIB)
    tenant.rust.put(key, body, use_multipart=True, chunk_size=5 * MIB, max_concurrency=4)
    assert bytes(tenant.rust.get(key).bytes()) == body
    assert tenant.left() == []


def test_completing_takes_no_longer_for_more_bytes(tenant: Tenant) -> None:
    """No byte is copied: the parts of the object are the files that arrived."""
    key = new_key()
    begun, parts = upload(tenant, key, [os.urandom(8 * MIB)] * 4)
    before = {path.stat().st_ino for path in (tenant.folder / "incoming").rglob("0000[1-4].*")}
    tenant.complete(key, begun, parts)
    after = {path.stat().st_ino for path in (tenant.folder / "objects").rglob("0000[1-4].*")}
    assert len(before) == 4
    assert before == after


def test_parts_are_checked(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, [b"one", b"two"])
    for wrong, code in (
        ([(1, md5(b"other")), parts[1]], "InvalidPart"),
        ([parts[0], (3, md5(b"three"))], "InvalidPart"),
        ([(1, "nothing")], "InvalidPart"),
        ([parts[1], parts[0]], "InvalidPartOrder"),
        ([parts[0], parts[0]], "InvalidPartOrder"),
        ([], "MalformedXML"),
    ):
        assert said(tenant.complete(key, begun, wrong)) == (400, code)
    for garbage in (b"", b"<a", b"<!DOCTYPE a><a/>"):
        assert said(tenant.call("POST", key, {"uploadId": begun}, garbage)) == (400, "MalformedXML")
    assert tenant.get(key).status_code == 404
    assert tenant.complete(key, begun, parts).status_code == 200
    assert tenant.get(key).content == b"onetwo"


def test_a_part_of_another_digest_is_refused_and_leaves_nothing(tenant: Tenant) -> None:
    key = new_key()
    begun = tenant.begin(key)
    params = {"partNumber": "1", "uploadId": begun}
    for body in (b"part", os.urandom(2 * MIB)):
        answer = tenant.call("PUT", key, params, body, payload=sha256(b"other"))
        assert said(answer) == (400, "XAmzContentSHA256Mismatch")
    assert tenant.store.used(tenant.name) == 0
    assert tenant.left() == [f"{key}.{begun}"]
    assert tenant.call("PUT", key, params, b"part").status_code == 200


@pytest.mark.parametrize("n", ["0", "10001", "-1", "x", "1.5", "", "٣"])
def test_parts_are_numbered_from_one_to_ten_thousand(tenant: Tenant, n: str) -> None:
    key = new_key()
    begun = tenant.begin(key)
    assert said(tenant.call("PUT", key, {"partNumber": n, "uploadId": begun}, b"x")) == (400, "InvalidArgument")
    assert tenant.part(key, begun, 10_000, b"x").status_code == 200


def test_a_part_may_come_again_and_the_last_one_counts(tenant: Tenant) -> None:
    key = new_key()
    begun, _ = upload(tenant, key, [b"first", b"second"])
    again = tenant.part(key, begun, 1, b"another").headers["etag"]
    assert tenant.part(key, begun, 1, b"another").headers["etag"] == again
    assert tenant.store.used(tenant.name) == len(b"anothersecond") == tenant.store.recount(tenant.name)
    assert said(tenant.complete(key, begun, [(1, md5(b"first"))])) == (400, "InvalidPart")
    assert tenant.complete(key, begun, [(1, again), (2, md5(b"second"))]).status_code == 200
    assert tenant.get(key).content == b"anothersecond"


def test_parts_that_are_not_asked_for_are_given_back(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, [b"one", b"two", b"three"])
    assert tenant.complete(key, begun, [parts[0], parts[2]]).status_code == 200
    assert tenant.get(key).content == b"onethree"
    assert tenant.store.used(tenant.name) == len(b"onethree") == tenant.store.recount(tenant.name)


def test_completing_again_succeeds_again(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, [b"one", b"two"])
    first, second = tenant.complete(key, begun, parts), tenant.complete(key, begun, parts)
    assert (first.status_code, second.status_code, second.text) == (200, 200, first.text)
    assert said(tenant.complete(key, begun, parts[:1])) == (404, "NoSuchUpload")
    tenant.call("DELETE", key)
    assert said(tenant.complete(key, begun, parts)) == (404, "NoSuchUpload")


@pytest.mark.parametrize("before", ["file", "parts"])
@pytest.mark.parametrize("after", ["file", "parts"])
def test_an_object_of_either_kind_replaces_one_of_either_kind(tenant: Tenant, before: str, after: str) -> None:
    key = new_key()
    for kind, bodies in ((before, [b"old", b"er"]), (after, [b"ne", b"wer!"])):
        if kind == "file":
            tenant.put(key, b"".join(bodies))
        else:
            begun, parts = upload(tenant, key, bodies)
            assert tenant.complete(key, begun, parts).status_code == 200
    assert tenant.get(key).content == b"newer!"
    assert tenant.store.used(tenant.name) == 6 == tenant.store.recount(tenant.name)
    assert (tenant.left(), tenant.store.objects(tenant.name)) == ([], 1)
    tenant.call("DELETE", key)
    assert (tenant.store.used(tenant.name), tenant.left(), tenant.store.objects(tenant.name)) == (0, [], 0)


def test_an_aborted_upload_is_gone_and_given_back(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, [b"one", b"two"])
    assert tenant.call("DELETE", key, {"uploadId": begun}).status_code == 204
    assert (tenant.store.used(tenant.name), tenant.left()) == (0, [])
    for answer in (
        tenant.call("DELETE", key, {"uploadId": begun}),
        tenant.part(key, begun, 1, b"x"),
        tenant.part(key, begun, 1, os.urandom(2 * MIB)),
        tenant.complete(key, begun, parts),
        tenant.call("GET", key, {"uploadId": begun}),
    ):
        assert said(answer) == (404, "NoSuchUpload")
    assert tenant.left() == []


@pytest.mark.parametrize("upload_id", ["", "x", "../..", "00000000-0000-0000-0000-000000000000"])
def test_an_upload_that_never_was_is_not_there(tenant: Tenant, upload_id: str) -> None:
    key = new_key()
    assert said(tenant.part(key, upload_id, 1, b"x")) == (404, "NoSuchUpload")
    assert said(tenant.call("GET", key, {"uploadId": upload_id})) == (404, "NoSuchUpload")


def test_an_upload_is_its_keys_only(tenant: Tenant) -> None:
    key, other = new_key(), new_key()
    begun, parts = upload(tenant, key, [b"one"])
    assert said(tenant.part(other, begun, 1, b"x")) == (404, "NoSuchUpload")
    assert said(tenant.complete(other, begun, parts)) == (404, "NoSuchUpload")
    assert tenant.complete(key, begun, parts).status_code == 200


def test_parts_are_listed_in_pages(tenant: Tenant) -> None:
    key = new_key()
    begun, parts = upload(tenant, key, [bytes([n]) * n for n in range(1, 8)])
    found, params = [], {"uploadId": begun, "max-parts": "3"}
    while True:
        text = tenant.call("GET", key, params).text
        page = re.findall("<PartNumber>(.*?)</PartNumber>.*?<ETag>(.*?)</ETag><Size>(.*?)</Size>", text)
        found.append([(int(n), etag, int(size)) for n, etag, size in page])
        if "<IsTruncated>true" not in text:
            break
        params["part-number-marker"] = re.findall("<NextPartNumberMarker>(.*?)<", text)[0]
    assert [len(page) for page in found] == [3, 3, 1]
    assert [one for page in found for one in page] == [(n, etag, n) for n, etag in parts]


def test_unfinished_uploads_are_listed_in_pages_with_their_beginning(tenant: Tenant) -> None:
    keys = sorted(new_key() for _ in range(3))
    before = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
    begun = [(key, tenant.begin(key)) for key in keys for _ in range(2)]
    after = time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
    found, params = [], {"uploads": "", "max-uploads": "4"}
    while True:
        text = tenant.call("GET", "", params).text
        found.append(re.findall("<Key>(.*?)</Key><UploadId>(.*?)</UploadId><Initiated>(.*?)</Initiated>", text))
        if "<IsTruncated>true" not in text:
            break
        for name, given in (("key-marker", "NextKeyMarker"), ("upload-id-marker", "NextUploadIdMarker")):
            params[name] = re.findall(f"<{given}>(.*?)<", text)[0]
    assert [len(page) for page in found] == [4, 2]
    assert [(key, one) for page in found for key, one, _ in page] == sorted(begun)
    assert all(before <= moment[:16] <= after for page in found for *_, moment in page)
    behind = tenant.call("GET", "", {"uploads": "", "key-marker": keys[0]}).text
    assert re.findall("<Key>(.*?)</Key>", behind) == [keys[1], keys[1], keys[2], keys[2]]


def test_a_signed_address_takes_one_part_of_these_bytes_only(tenant: Tenant) -> None:
    key, body = new_key(), b"from a browser"
    begun = tenant.begin(key)
    headers = {"x-amz-content-sha256": sha256(body)}
    params = {"partNumber": "1", "uploadId": begun}
    url = tenant.signer.url("PUT", tenant.path(key), params, {**headers, "content-length": str(len(body))})
    assert said(send("PUT", url.replace("partNumber=1", "partNumber=2"), headers, body))[0] == 403
    assert said(send("PUT", url, headers, body[::-1])) == (400, "XAmzContentSHA256Mismatch")
    assert said(send("PUT", url, headers, body * 2)) == (403, "SignatureDoesNotMatch")
    assert send("PUT", url, headers, body).headers["etag"] == md5(body)


def test_an_upload_goes_on_after_the_gateway_was_killed(tmp_path: Path) -> None:
    with running_gateway(tmp_path / "store") as gateway:
        tenant, key = new_tenant(gateway), new_key()
        begun, parts = upload(tenant, key, PARTS[:2])
        gateway.kill()
        gateway.start()
        text = tenant.call("GET", key, {"uploadId": begun}).text
        assert re.findall("<ETag>(.*?)</ETag>", text) == [etag for _, etag in parts]
        rest = [(n, tenant.part(key, begun, n, PARTS[n - 1]).headers["etag"]) for n in (3, 4)]
        assert tenant.complete(key, begun, [*parts, *rest]).status_code == 200
        gateway.kill()
        gateway.start()
        assert tenant.get(key).content == b"".join(PARTS)
        assert tenant.store.used(tenant.name) == sum(map(len, PARTS)) == tenant.store.recount(tenant.name)
