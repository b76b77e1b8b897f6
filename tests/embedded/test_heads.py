"""What two readers could read in two ways is refused; what passes says nothing that only an edge may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.embedded.heads import BadHead, parse

GOOD = b"GET /a?b=c HTTP/1.1\r\nHost: acme.parvis.localhost:8080\r\nCookie: a=b\r\n\r\n"


def post(*fields: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a.localhost\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def test_a_plain_head_is_read() -> None:
    head = parse(GOOD)
    assert (head.method, head.target, head.host, head.length) == ("GET", b"/a?b=c", "acme.parvis.localhost", 0)


@pytest.mark.parametrize(
    "raw",
    [
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        post(b"Content-Length: 5", b"Content-Length: 6"),
        post(b"Content-Length: 5", b"Content-Length: 5"),
        post(b"Content-Length: 5, 5"),
        post(b"Content-Length: +5"),
        post(b"Content-Length: 0x5"),
        post(b"Content-Length: -1"),
        post(b"Content-Length:"),
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        post(b"Transfer-Encoding: identity, chunked"),
        post(b"Transfer-Encoding: xchunked"),
        post(b"Transfer-Encoding:\x0bchunked"),
        post(b"Transfer-Encoding : chunked"),
        post(b"X: a\r\n Transfer-Encoding: chunked"),
        post(b"X: a\nTransfer-Encoding: chunked"),
        post(b"X: a\rTransfer-Encoding: chunked"),
        post(b"X: a\x00b"),
        post(b": nothing"),
        post(b"no colon"),
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_an_ambiguous_head_is_refused(raw: bytes) -> None:
    with pytest.raises(BadHead):
        parse(raw)


def test_what_only_an_edge_may_say_is_said_by_the_edge() -> None:
    claims = [
        *(
            b"X-Forwarded-For: 6.6.6.6",
            b"x-forwarded-host: evil",
            b"X-FORWARDED-PROTO: https",
            b"Forwarded: for=6.6.6.6",
        ),
        *(b"X-Real-IP: 6.6.6.6", b"Connection: keep-alive, X-Parvis", b"Upgrade: h2c", b"TE: trailers", b"X-Kept: yes"),
    ]
    written = parse(post(*claims)).forwarded("127.0.0.1", "http")
    assert b"6.6.6.6" not in written
    assert b"evil" not in written
    assert b"h2c" not in written
    fields = parse(written).fields
    assert dict(fields)[b"X-Forwarded-For"] == b"127.0.0.1"
    assert dict(fields)[b"X-Forwarded-Proto"] == b"http"
    assert dict(fields)[b"X-Kept"] == b"yes"
    assert [value for name, value in fields if name.lower() == b"connection"] == [b"close"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    for raw in (noise + b"\r\n\r\n", GOOD.replace(b"a=b", noise)):
        try:
            head = parse(raw)
        except BadHead:
            continue
        # What passed reads the same a second time.
        again = parse(head.forwarded("::1", "http"))
        read = [(one.method, one.target, one.host, one.length) for one in (head, again)]
        assert read[0] == read[1]
