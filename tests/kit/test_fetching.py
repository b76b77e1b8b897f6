"""Fetching what administrators name: from real servers that are slow, huge, broken, hostile, or inside our networks."""

import asyncio
import ipaddress
import itertools
import json
import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence

import pytest

from kit.errors import Refusal
from kit.fetching import Fetcher, is_public, run_now, shown, without_query
from kit.fetching.addresses import parsed
from tests.kit.talking import Talk, says, server
from tests.world.authority import Authority

OWN = Fetcher(allow_private=True, seconds=60)
HASTY = Fetcher(allow_private=True, seconds=0.5)
FINE = b"HTTP/1.1 200 OK\r\nX-Kind: fine\r\nContent-Length: 5\r\n\r\nhello"


def refused(fetcher: Fetcher, url: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asyncio.run(fetcher.get(url, field="metadata_url"))
    assert caught.value.field == "metadata_url"
    return caught.value


def test_what_stands_at_an_address_is_fetched() -> None:
    with server(says(FINE)) as port:
        fetched = asyncio.run(OWN.get(f"http://127.0.0.1:{port}/a?b=c"))
        assert (fetched.status, fetched.headers["x-kind"], fetched.body) == (200, "fine", b"hello")
        assert OWN.get_now(f"http://localhost:{port}/").body == b"hello"


def test_it_is_asked_plainly_without_compression_and_under_its_own_name() -> None:
    asked: list[bytes] = []

    def talk(taken: socket.socket) -> None:
        taken.sendall(FINE)

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def serve() -> None:
        taken, _ = listening.accept()
        asked.append(taken.recv(65536))
        talk(taken)
        taken.close()

    thread = threading.Thread(target=serve)
    thread.start()
    asyncio.run(OWN.get(f"http://localhost:{port}/metadata?tenant=a", "application/samlmetadata+xml"))
    thread.join()
    listening.close()
    head = asked[0].decode().lower()
    assert head.startswith("get /metadata?tenant=a http/1.1\r\n")
    assert f"host: localhost:{port}\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "accept: application/samlmetadata+xml\r\n" in head
    assert "cookie" not in head


def silence(taken: socket.socket) -> None:
    """Until whoever asked hangs up; the others end so, too."""
    taken.recv(1)


def drop_by_drop(taken: socket.socket) -> None:
    taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        taken.sendall(b"a")
        time.sleep(0.05)


def head_by_drops(taken: socket.socket) -> None:
    taken.sendall(b"HTTP/1.1 200 OK\r\n")
    for n in itertools.count():
        taken.sendall(b"X-%d: a\r\n" % n)
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [drop_by_drop, head_by_drops, silence])
def test_an_answer_that_takes_its_time_is_given_up_however_it_is_drawn_out(talk: Talk) -> None:
    with server(talk) as port:
        refusal = refused(HASTY, f"http://127.0.0.1:{port}/")
        assert refusal.code == "too_slow"
        assert "0.5 seconds" in str(refusal)


def test_the_control_a_timeout_of_each_read_waits_for_the_drops() -> None:
    began = time.monotonic()
    with server(drop_by_drop) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        for _ in range(20):
            assert answer.read(1) == b"a"
        assert time.monotonic() - began > HASTY.seconds


def chunks(taken: socket.socket) -> None:
    taken.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64):
        taken.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")


@pytest.mark.parametrize(
    "talk",
    [
        chunks,
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n"),
        lambda taken: [taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), taken.sendall(b"a" * 2_000_000)],
    ],
)
def test_an_answer_without_end_is_given_up_at_a_mebibyte(talk: Talk) -> None:
    with server(talk) as port:
        assert refused(OWN, f"http://127.0.0.1:{port}/").code == "too_large"


def test_a_mebibyte_is_still_taken() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + b"a" * 1048576
    with server(says(whole)) as port:
        assert len(OWN.get_now(f"http://127.0.0.1:{port}/").body) == 1048576


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n", "redirected"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", "redirected"),
        (b"HTTP/1.1 307 Again\r\nLocation: https://a.test/?token=s3cret\r\nContent-Length: 0\r\n\r\n", "redirected"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status_unexpected"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "status_unexpected"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "status_unexpected"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", "not_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "not_http"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", "not_http"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", "not_http"),
        (b"220 mail.test ESMTP\r\n", "not_http"),
        (b"", "not_http"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_its_reason(answer: bytes, code: str) -> None:
    with server(says(answer)) as port:
        refusal = refused(OWN, f"http://127.0.0.1:{port}/metadata?key=s3cret")
        assert refusal.code == code
        assert "s3cret" not in str(refusal)


def test_a_server_that_is_not_there_is_told_apart_from_one_that_is_wrong() -> None:
    with server(says(FINE)) as port:
        pass
    refusal = refused(OWN, f"http://127.0.0.1:{port}/")
    assert refusal.code == "unreachable"
    assert "Connection refused" in str(refusal)
    assert refused(OWN, "https://no-such-host.invalid/").code == "unreachable"


INSIDE = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"),  # noqa: S104
    *("203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "100::1"),
    *("2001:db8::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "3fff::1", "5f00::1"),
]
OUTSIDE = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
]


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_inside_a_network_is_known_in_each_of_its_forms(text: str) -> None:
    assert not is_public(parsed(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_an_address_of_the_internet_is_known_too(text: str) -> None:
    assert is_public(parsed(text))


def test_the_control_python_s_own_question_lets_several_through() -> None:
    assert [text for text in INSIDE if ipaddress.ip_address(text.partition("%")[0]).is_global]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]"),
        *("169.254.169.254", "[::ffff:a9fe:a9fe]", "0.0.0.0", "[::]", "10.1.2.3", "[fd00::1]", "acme.localhost"),  # noqa: S104
    ],
)
def test_nothing_inside_is_fetched_however_it_is_written(host: str) -> None:
    with server(says(FINE)) as port:
        refusal = refused(Fetcher(), f"https://{host}:{port}/")
        assert refusal.code == "address_private", refusal


def test_the_control_the_writings_lead_inside_indeed() -> None:
    with server(says(FINE)) as port:
        for host in ("127.1", "2130706433", "0x7f000001", "localhost"):
            with socket.create_connection((host, port), timeout=60):
                pass


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://0.0.0.0/", "http://224.0.0.1/", "http://[::]/"]
)
def test_cloud_metadata_is_not_fetched_even_where_private_addresses_are_admitted(url: str) -> None:
    assert refused(OWN, url).code == "address_private"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://idp.test/metadata", "not_https"),
        ("ftp://idp.test/metadata", "address_malformed"),
        ("file:///etc/passwd", "address_malformed"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "address_malformed"),
        ("idp.test/metadata", "address_malformed"),
        ("https://", "address_malformed"),
        ("https:///metadata", "address_malformed"),
        ("https://user:s3cret@idp.test/", "address_malformed"),
        ("https://idp.test/\r\nHost: other", "address_malformed"),
        ("https://idp.test:99999/", "address_malformed"),
        ("https://[::1/", "address_malformed"),
        ("https://0177.0.0.1/", "address_malformed"),
        ("https://idp.test/" + "a" * 3000, "address_malformed"),
        ("", "address_malformed"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused_at_once(url: str, code: str) -> None:
    refusal = refused(Fetcher(), url)
    assert refusal.code == code
    assert "s3cret" not in str(refusal)


def names(*answers: Sequence[str]) -> tuple[list[str], Callable[[str, int], object]]:
    """A name server that gives other addresses each time."""
    asked: list[str] = []

    async def look_up(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, look_up


def test_a_name_that_changes_its_address_in_between_is_met_at_the_one_that_was_judged() -> None:
    asked, look_up = names(["127.0.0.1"], ["169.254.169.254"])
    with server(says(FINE)) as port:
        fetcher = Fetcher(allow_private=True, seconds=60, look_up=look_up)  # type: ignore[arg-type]
        assert asyncio.run(fetcher.get(f"http://rebinding.test:{port}/")).body == b"hello"
    assert asked == ["rebinding.test"]


def test_the_control_who_judges_first_and_connects_by_name_is_led_inside() -> None:
    asked, look_up = names(["93.184.215.14"], ["127.0.0.1"])

    async def judged_then_connected(port: int) -> bytes:
        assert all(is_public(parsed(text)) for text in await look_up("rebinding.test", port))  # type: ignore[attr-defined]
        (address,) = await look_up("rebinding.test", port)  # type: ignore[misc]
        return await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://{address}:{port}/").read())

    with server(says(FINE)) as port:
        assert asyncio.run(judged_then_connected(port)) == b"hello"
    assert len(asked) == 2


def test_one_private_address_among_public_ones_is_refused() -> None:
    _, look_up = names(["93.184.215.14", "10.0.0.1"])
    assert refused(Fetcher(look_up=look_up), "https://mixed.test/").code == "address_private"  # type: ignore[arg-type]


def test_an_address_that_does_not_answer_is_passed_over_for_the_next() -> None:
    _, look_up = names(["127.0.0.2", "127.0.0.1"])
    with server(says(FINE)) as port:
        fetcher = Fetcher(allow_private=True, seconds=60, look_up=look_up)  # type: ignore[arg-type]
        assert fetcher.get_now(f"http://two.test:{port}/").body == b"hello"


def test_a_name_server_that_sleeps_does_not_keep_us_waiting() -> None:
    async def look_up(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    assert refused(Fetcher(seconds=0.3, look_up=look_up), "https://slow.test/").code == "too_slow"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_the_certificate_must_be_of_the_name_although_the_connection_goes_to_an_address(authority: Authority) -> None:
    _, look_up = names(["127.0.0.1"])
    fetcher = Fetcher(allow_private=True, seconds=60, ca_file=authority.file, look_up=look_up)  # type: ignore[arg-type]
    with server(says(FINE), authority.tls("idp.test")) as port:
        assert fetcher.get_now(f"https://idp.test:{port}/").body == b"hello"
        refusal = refused(fetcher, f"https://other.test:{port}/")
        assert refusal.code == "tls_failed"
        assert "other.test" in str(refusal)


def test_a_certificate_that_ended_or_that_nobody_vouches_for_is_refused(authority: Authority) -> None:
    _, look_up = names(["127.0.0.1"])
    trusting = Fetcher(allow_private=True, seconds=60, ca_file=authority.file, look_up=look_up)  # type: ignore[arg-type]
    with server(says(FINE), authority.tls("idp.test", days=-1)) as port:
        refusal = refused(trusting, f"https://idp.test:{port}/")
        assert refusal.code == "tls_failed"
        assert "expired" in str(refusal)
    strange = Fetcher(allow_private=True, seconds=60, look_up=look_up)  # type: ignore[arg-type]
    with server(says(FINE), authority.tls("idp.test")) as port:
        assert refused(strange, f"https://idp.test:{port}/").code == "tls_failed"
    with server(says(FINE)) as port:
        assert refused(trusting, f"https://idp.test:{port}/").code == "tls_failed"


def test_logs_hold_no_query_and_no_token(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with server(says(FINE)) as port, caplog.at_level(logging.INFO):
        asyncio.run(OWN.get(f"http://127.0.0.1:{port}/end?id_token_hint=s3cret"))
        asyncio.run(OWN.get_as(f"http://127.0.0.1:{port}/userinfo", "s3cret"))
    out = "".join(capfd.readouterr()) + caplog.text
    assert "/end" in out
    assert "s3cret" not in out


def test_what_others_sent_is_shown_short_and_harmless() -> None:
    assert shown("a\r\nb\x1b[31m\u202e") == "a\ufffd\ufffdb\ufffd[31m\ufffd"
    assert len(shown("a" * 10_000)) < 130
    assert without_query("https://u:p@a.test/x?token=1#y") == "https://a.test/x"


def test_synchronous_callers_may_come_from_many_threads_at_once() -> None:
    found: list[bytes] = []
    with server(says(FINE)) as port:
        threads = [
            threading.Thread(target=lambda: found.append(OWN.get_now(f"http://127.0.0.1:{port}/").body))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == [b"hello"] * 20


def test_a_refusal_reaches_synchronous_callers_too() -> None:
    async def refusing() -> None:
        raise Refusal("too_slow", "x")

    with pytest.raises(Refusal):
        run_now(refusing())


def test_the_code_and_its_refusals_speak_json_and_both_languages() -> None:
    from kit.interface import translator

    refusal = refused(Fetcher(), "https://127.0.0.1/")
    assert json.dumps(refusal.params)
    assert "127.0.0.1" in translator("fr").words(refusal)
    assert translator("fr").words(refusal) != str(refusal)
