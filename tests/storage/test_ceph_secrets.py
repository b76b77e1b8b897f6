"""No key of anybody in a message, a log line or the words of an object, whatever goes wrong."""

import logging
import traceback
from collections.abc import Callable

import pytest
import requests

from control_plane.storage import AccessKey, CephObjectStore
from control_plane.storage.gateway import WithoutQuery
from kit.errors import Refusal, Unavailable
from tests.storage.between import Fate, standing_between
from tests.storage.stands import CephStand, Org, new_key, settle

ADMIN_SECRET = "the-secret-of-the-administrator"


def told_by(act: Callable[[], object]) -> str:
    """Everything that a failing call leaves: the exception with all that hangs on it."""
    with pytest.raises((Unavailable, Refusal)) as failed:
        act()
    words, error = [], failed.value
    seen: list[BaseException | None] = [error]
    while seen:
        one = seen.pop()
        if one is not None:
            words += [repr(one), str(one), repr(vars(one)), *traceback.format_exception(one)]
            seen += [one.__cause__, one.__context__]
    return "\n".join(words)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


FATES: list[Fate] = ["lose the call", "lose the answer", "unknown error", "hang"]


@pytest.mark.parametrize("fate", FATES)
def test_a_call_that_carries_a_key_fails_without_telling_it(
    on_ceph: CephStand, org: Org, log: pytest.LogCaptureFixture, fate: Fate
) -> None:
    settle(on_ceph.store, org)
    key = new_key()
    with standing_between(on_ceph.endpoint) as between:
        store = CephObjectStore.at(between.endpoint, on_ceph.admin_key)

        def fated(_number: int, method: str, _path: str) -> Fate:
            if method == "PUT":
                return fate
            if fate == "hang":
                # From the next call on: this one is answered as soon as a busy gateway can.
                store.gateway.read_seconds = 0.5
            return "pass"

        between.fate = fated
        told = told_by(lambda: store.ensure_account(org.name, [key, org.key], 1))
        store.close()
    assert between.calls.count("PUT /admin/user") == (1 if fate == "hang" else 3)
    assert "PUT /admin/user" in told
    for secret in (key.secret, org.key.secret, on_ceph.admin_key.secret):
        assert secret not in told + log.text


@pytest.mark.parametrize("admin", ["wrong secret", "unknown key", "no rights"])
def test_a_wrong_administrator_is_told_apart_without_his_secret(
    on_ceph: CephStand, org: Org, log: pytest.LogCaptureFixture, admin: str
) -> None:
    settle(on_ceph.store, org)
    key = {
        "wrong secret": AccessKey(on_ceph.admin_key.key_id, ADMIN_SECRET),
        "unknown key": AccessKey("NOBODY", ADMIN_SECRET),
        "no rights": org.key,
    }[admin]
    store = CephObjectStore.at(on_ceph.endpoint, key)
    told = told_by(lambda: store.ensure_account(org.name, [new_key()], 1))
    code = {"wrong secret": "SignatureDoesNotMatch", "unknown key": "InvalidAccessKeyId", "no rights": "AccessDenied"}
    assert f"403 {code[admin]}" in told
    (refused,) = [check for check in store.check() if not check.ok]
    assert code[admin] in refused.detail
    assert key.secret not in told + log.text + repr(store) + repr(store.gateway) + repr(key)


def test_an_answer_that_cannot_be_read_is_not_repeated_in_words(org: Org, log: pytest.LogCaptureFixture) -> None:
    import http.server
    import threading

    class Chatty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'{{"user_id": 7, "keys": [{{"access_key": "A", "secret_key": "{ADMIN_SECRET}"}}]}}'.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chatty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store = CephObjectStore.at(f"http://127.0.0.1:{server.server_address[1]}", new_key())
    told = told_by(lambda: store.ensure_account(org.name, org.keys, 1))
    store.close()
    server.shutdown()
    server.server_close()
    assert "store_unreadable" in told
    assert ADMIN_SECRET not in told + log.text


def test_the_control_the_libraries_tell_whole_addresses(
    on_ceph: CephStand, org: Org, log: pytest.LogCaptureFixture
) -> None:
    """Without what this room does, the exception and the log line hold the new key."""
    secret = new_key().secret
    with pytest.raises(requests.ConnectionError, match=secret):
        requests.put(f"http://127.0.0.1:9/admin/user?secret-key={secret}", timeout=1)
    loggers = [logging.getLogger(name) for name in ("urllib3.connectionpool", "botocore.auth")]
    ours = [(one, each) for one in loggers for each in one.filters if isinstance(each, WithoutQuery)]
    for one, each in ours:
        one.removeFilter(each)
    try:
        on_ceph.admin("GET", "user", secret_key=secret)
    finally:
        for one, each in ours:
            one.addFilter(each)
    assert [line.name for line in log.records if secret in line.getMessage()] == ["botocore.auth", loggers[0].name]
    log.clear()
    on_ceph.admin("GET", "user", secret_key=secret)
    assert {line.name for line in log.records} >= {"botocore.auth", loggers[0].name}
    assert secret not in log.text
