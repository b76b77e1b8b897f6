"""Who is let in: each refusal stands beside the same call as it should be, which is let in."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import botocore.auth
import pytest
import requests

from kit.s3 import Signer
from tests.filestore.tenants import DIGEST, Tenant, new_key, said, send, sha256

BODY = b"bonjour"


@pytest.fixture
def key(tenant: Tenant) -> str:
    return tenant.put(body=BODY)


@contextmanager
def clock(seconds: float) -> Iterator[None]:
    """The signer's clock goes wrong by so much."""
    now = botocore.auth.get_current_datetime

    def wrong(*given: object, **named: object) -> dt.datetime:
        return now(*given, **named) + dt.timedelta(seconds=seconds)

    with patch("botocore.auth.get_current_datetime", wrong):
        yield


def address(tenant: Tenant, method: str, key: str, **options: object) -> str:
    return tenant.signer.url(method, tenant.path(key), **options)  # type: ignore[arg-type]


def flipped(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def test_a_signed_call_and_a_signed_address_are_let_in(tenant: Tenant, key: str) -> None:
    assert tenant.get(key).content == BODY
    assert send("GET", address(tenant, "GET", key)).content == BODY


def test_nobody_reads_without_a_key(tenant: Tenant, key: str) -> None:
    assert said(send("GET", tenant.gateway.url + tenant.path(key))) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ({"secret": "t" * 40}, "SignatureDoesNotMatch"),
        ({"secret": ""}, "SignatureDoesNotMatch"),
        ({"key_id": "PVNOBODY"}, "InvalidAccessKeyId"),
        ({"key_id": "../../accounts/x"}, "InvalidAccessKeyId"),
    ],
)
def test_a_wrong_key_is_refused(tenant: Tenant, key: str, who: dict[str, str], code: str) -> None:
    stranger = replace(tenant, **who)  # type: ignore[arg-type]
    if "/" not in stranger.key_id:
        assert said(stranger.get(key)) == (403, code)
        assert said(send("GET", address(stranger, "GET", key))) == (403, code)
    else:
        # Such a name is no credential at all.
        assert stranger.get(key).status_code in {400, 403}
    assert stranger.call("PUT", key, body=b"other").status_code in {400, 403}
    assert tenant.get(key).content == BODY


def test_another_tenants_key_opens_nothing(tenant: Tenant, key: str, new: Callable[..., Tenant]) -> None:
    other = new()
    thief = replace(tenant, key_id=other.key_id)
    for answer in (
        thief.get(key),
        thief.call("PUT", key, body=b"mine now"),
        thief.call("DELETE", key),
        thief.call("GET", "", {"list-type": "2"}),
        thief.call("POST", key, {"uploads": ""}),
        send("GET", address(thief, "GET", key)),
    ):
        assert said(answer) == (403, "AccessDenied")
    assert tenant.get(key).content == BODY
    assert other.call("GET", "", {"list-type": "2"}).status_code == 200


def test_a_key_that_was_taken_away_opens_nothing_from_the_next_request_on(tenant: Tenant, key: str) -> None:
    url = address(tenant, "GET", key)
    assert send("GET", url).status_code == 200
    tenant.store.ensure_account(tenant.name, {"PVNEXT" + tenant.key_id: "n" * 40})
    assert said(send("GET", url)) == (403, "InvalidAccessKeyId")
    assert replace(tenant, key_id="PVNEXT" + tenant.key_id, secret="n" * 40).get(key).status_code == 200


def test_two_keys_open_the_same_bucket_while_they_overlap(tenant: Tenant, key: str) -> None:
    second = replace(tenant, key_id="PVTWO" + tenant.key_id, secret="n" * 40)
    assert said(second.get(key)) == (403, "InvalidAccessKeyId")
    tenant.store.ensure_account(tenant.name, {tenant.key_id: tenant.secret, second.key_id: second.secret})
    assert (second.get(key).status_code, tenant.get(key).status_code) == (200, 200)


def test_frozen_accounts_read_but_do_not_write_and_suspended_ones_do_neither(tenant: Tenant, key: str) -> None:
    upload = tenant.begin(other := new_key())
    read, write = address(tenant, "GET", key), address(tenant, "PUT", new_key())
    tenant.store.ensure_mode(tenant.name, "read_only")
    assert (tenant.get(key).status_code, send("GET", read).status_code) == (200, 200)
    for answer in (
        tenant.call("PUT", new_key(), body=b"x"),
        tenant.call("DELETE", key),
        tenant.call("POST", new_key(), {"uploads": ""}),
        tenant.part(other, upload, 1, b"x"),
        tenant.complete(other, upload, [(1, "0" * 32)]),
        tenant.call("DELETE", other, {"uploadId": upload}),
        tenant.call("POST", "", {"delete": ""}, b"<Delete><Object><Key>x</Key></Object></Delete>"),
        send("PUT", write, body=b"x"),
    ):
        assert said(answer) == (403, "AccessDenied")
    tenant.store.ensure_mode(tenant.name, "suspended")
    assert said(tenant.get(key)) == (403, "UserSuspended")
    assert said(send("GET", read)) == (403, "UserSuspended")
    assert said(send("PUT", write, body=b"x")) == (403, "UserSuspended")
    tenant.store.ensure_mode(tenant.name, "open")
    assert (send("GET", read).status_code, send("PUT", write, body=b"x").status_code) == (200, 200)


def test_an_altered_address_is_refused(tenant: Tenant, key: str) -> None:
    other = tenant.put(body=b"another")
    url = address(tenant, "GET", key, seconds=30)
    altered = [
        flipped(url),
        url.replace(key, other),
        url.replace("Expires=30", "Expires=60000"),
        url.replace(tenant.key_id, tenant.key_id[:-1]),
        url.replace("default", "elsewhere"),
        url + "&response-content-type=text/html",
        url.replace("SignedHeaders=host", "SignedHeaders="),
        url.replace("127.0.0.1", "localhost"),
    ]
    assert send("GET", url).content == BODY
    assert [send("GET", one).status_code for one in altered] == [403] * len(altered)


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "POST"])
def test_an_address_is_good_for_its_method_only(tenant: Tenant, key: str, method: str) -> None:
    url = address(tenant, "GET", key)
    assert send(method, url, body=b"x" if method == "PUT" else b"").status_code in {403, 501}
    assert send("GET", url).content == BODY


def test_a_parameter_that_comes_twice_is_refused(tenant: Tenant, key: str) -> None:
    url = address(tenant, "GET", key, params={"response-content-type": "text/plain"})
    assert send("GET", url).headers["content-type"] == "text/plain"
    assert said(send("GET", url + "&response-content-type=text/html")) == (400, "InvalidArgument")
    assert said(send("GET", url + "&X-Amz-Expires=60")) == (400, "InvalidArgument")


def test_an_address_expires(tenant: Tenant, key: str) -> None:
    with clock(-300):
        assert send("GET", address(tenant, "GET", key, seconds=600)).status_code == 200
    with clock(-605):
        assert said(send("GET", address(tenant, "GET", key, seconds=600))) == (403, "AccessDenied")


def test_an_address_lives_a_week_at_most(tenant: Tenant, key: str) -> None:
    week = 7 * 24 * 3600
    assert send("GET", address(tenant, "GET", key, seconds=week)).status_code == 200
    for seconds in (week + 1, 0, 10**9):
        assert said(send("GET", address(tenant, "GET", key, seconds=seconds))) == (403, "AccessDenied")


@pytest.mark.parametrize(("seconds", "status"), [(-800, 200), (800, 200), (-1000, 403), (1000, 403)])
def test_clocks_may_differ_by_a_quarter_of_an_hour(tenant: Tenant, key: str, seconds: int, status: int) -> None:
    with clock(seconds):
        answer = tenant.get(key)
        later = send("GET", address(tenant, "GET", key, seconds=3600))
    assert said(answer) == (status, "RequestTimeTooSkewed" if status == 403 else "")
    assert later.status_code == (403 if seconds > 900 else 200)


def test_an_altered_header_or_body_is_refused(tenant: Tenant) -> None:
    key = new_key()
    url, headers = tenant.signer.call("PUT", tenant.path(key), payload=sha256(BODY))
    by_name = {name.lower(): value for name, value in headers.items()}
    day = by_name["x-amz-date"][:8]
    for altered in (
        {DIGEST: sha256(b"other")},
        {DIGEST: "UNSIGNED-PAYLOAD"},
        {"x-amz-date": f"{day}T000000Z"},
        {"host": "elsewhere.example"},
        {"authorization": flipped(by_name["authorization"])},
    ):
        assert send("PUT", url, {**by_name, **altered}, BODY).status_code == 403, altered
    assert said(send("PUT", url, headers, b"bonsoir")) == (400, "XAmzContentSHA256Mismatch")
    assert tenant.get(key).status_code == 404
    assert send("PUT", url, headers, BODY).status_code == 200
    assert tenant.get(key).content == BODY


def test_what_amazon_headers_say_must_be_signed(tenant: Tenant, key: str) -> None:
    url = address(tenant, "GET", key)
    assert said(send("GET", url, {"x-amz-date": "20200101T000000Z"})) == (403, "AccessDenied")
    put = address(tenant, "PUT", key)
    assert said(send("PUT", put, {DIGEST: sha256(b"x")}, b"x")) == (403, "AccessDenied")
    signed = address(tenant, "PUT", key, headers={DIGEST: sha256(b"x")})
    assert send("PUT", signed, {DIGEST: sha256(b"x")}, b"x").status_code == 200


def test_an_address_that_signs_digest_and_length_takes_only_those_bytes(tenant: Tenant) -> None:
    key = new_key()
    headers = {DIGEST: sha256(BODY)}
    url = address(tenant, "PUT", key, headers={**headers, "content-length": str(len(BODY))})
    assert said(send("PUT", url, headers, BODY + b"!")) == (403, "SignatureDoesNotMatch")
    assert said(send("PUT", url, headers, BODY[:-1])) == (403, "SignatureDoesNotMatch")
    assert said(send("PUT", url, headers, BODY[:-1] + b"x")) == (400, "XAmzContentSHA256Mismatch")
    assert said(send("PUT", url, {}, BODY)) == (403, "SignatureDoesNotMatch")
    assert tenant.get(key).status_code == 404
    assert send("PUT", url, headers, BODY).status_code == 200
    assert tenant.get(key).content == BODY


def test_the_host_that_was_signed_may_be_the_one_that_browsers_see(tenant: Tenant, key: str) -> None:
    url = tenant.signer.url("GET", tenant.path(key), at="https://files.example")
    here = url.replace("https://files.example", tenant.gateway.url)
    assert send("GET", here, {"host": "files.example"}).content == BODY
    assert said(send("GET", here)) == (403, "SignatureDoesNotMatch")


def test_two_ways_of_signing_at_once_are_refused(tenant: Tenant, key: str) -> None:
    _, headers = tenant.signer.call("GET", tenant.path(key))
    assert said(send("GET", address(tenant, "GET", key), headers)) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer x", "AWS KEY:signature", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"],
)
def test_another_kind_of_signature_is_refused(tenant: Tenant, key: str, header: str) -> None:
    url = tenant.gateway.url + tenant.path(key)
    assert said(send("GET", url, {"authorization": header})) == (400, "InvalidArgument")


@pytest.mark.parametrize("part", ["s3/aws4_request", "AWS4-HMAC-SHA256", "X-Amz-Expires=60&"])
def test_an_address_without_all_of_its_parts_is_refused(tenant: Tenant, key: str, part: str) -> None:
    url = address(tenant, "GET", key).replace("%2F", "/")
    assert send("GET", url).status_code == 200
    assert said(send("GET", url.replace(part, ""))) == (403, "AccessDenied")


def test_a_bucket_that_is_not_there_is_named_to_who_has_a_key_only(tenant: Tenant) -> None:
    nowhere = replace(tenant, name="org-nowhere")
    assert said(nowhere.get(new_key())) == (404, "NoSuchBucket")
    assert said(send("GET", f"{tenant.gateway.url}/org-nowhere/{new_key()}")) == (403, "AccessDenied")


def test_a_foreign_signer_is_understood(tenant: Tenant) -> None:
    """obstore signs by itself: nothing of what signs here is ours."""
    import obstore

    key = new_key()
    url = obstore.sign(tenant.rust, "PUT", key, dt.timedelta(seconds=60))
    assert send("PUT", url, body=BODY).status_code == 200
    assert bytes(tenant.rust.get(key).bytes()) == BODY
    assert requests.get(obstore.sign(tenant.rust, "GET", key, dt.timedelta(seconds=60)), timeout=60).content == BODY
    assert said(send("GET", url)) == (403, "SignatureDoesNotMatch")


def test_no_region_is_preferred(tenant: Tenant, key: str) -> None:
    elsewhere = Signer(tenant.gateway.url, tenant.key_id, tenant.secret, "eu-west-3")
    assert send("GET", elsewhere.url("GET", tenant.path(key))).content == BODY
