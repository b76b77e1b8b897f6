"""The quota under many uploads at once, uploads that break, and what is left of them: nothing."""

import socket
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tenant_app.contract import TenantRecord
from tests.drive.books import store_object
from tests.workspace.houses import House, Person, together

MB = 1_000_000


def many_uploads(owner: Person, space: str, count: int, size: int) -> list[int]:
    token = owner.token()
    clients = [owner.client() for _ in range(count)]
    answers = together(
        [
            lambda c=c, n=n: c.put(
                f"/drive/{space}/files",
                params={"name": f"file {n}"},
                content=b"x" * size,
                headers={"X-CSRF-Token": token, "Accept": "application/json"},
            )
            for n, c in enumerate(clients)
        ]
    )
    refused = [a for a in answers if a.status_code != 201]
    assert all(a.json()["code"] == "over_quota" for a in refused)
    return [a.status_code for a in answers]


def test_twenty_uploads_at_once_never_pass_the_quota(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": 5 * MB})
    owner = house.owner(record)
    space = owner.space()
    statuses = many_uploads(owner, space, 20, MB)
    assert sorted(statuses) == [201] * 5 + [413] * 15
    assert house.tally(record) == (5 * MB, 0)
    house.sweep()
    assert sum(house.objects(record).values()) == 5 * MB


def test_looking_before_storing_without_the_lock_passes_the_quota(house: House) -> None:
    """The control: the same limit, read and then added to without the tally's lock."""
    record = house.workspace()
    gate = threading.Barrier(20)

    def naive() -> None:
        with psycopg.connect(house.cell.admin_url) as connection:
            connection.execute(f"set search_path = {record.slot}".encode())
            [used] = connection.execute("select sum(value) from tally").fetchone()
            gate.wait()
            if used + MB <= 5 * MB:
                connection.execute("update tally set value = value + %s where key = 'storage_reserved'", [MB])

    threads = [threading.Thread(target=naive) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.tally(record)[1] > 5 * MB


def test_over_quota_and_too_large_say_the_amounts_and_store_nothing(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": 3 * MB, "file_bytes": 2 * MB})
    owner = house.owner(record)
    space = owner.space()
    owner.put(space, "first", b"x" * 2 * MB)
    over = owner.upload(space, "second", b"x" * 1_500_000, headers={"Accept": "application/json"})
    assert over.status_code == 413
    assert over.json()["detail"] == (
        "There is not enough storage: this needs 1.5 MB, and 1 MB of 3 MB are free. Nothing was stored."
    ).replace(" MB", "\u00a0MB")
    large = owner.upload(space, "third", b"x" * (2 * MB + 1), headers={"Accept": "application/json"})
    assert large.status_code == 413
    assert large.json()["code"] == "file_too_large"
    assert house.tally(record) == (2 * MB, 0)
    assert len(house.objects(record)) == 1


def test_the_refusal_speaks_french(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": MB})
    owner = house.owner(record)
    space = owner.space()
    owner.http.cookies.set("lang", "fr")
    token = owner.token()
    answer = owner.http.post(
        f"/drive/{space}/files", data={"csrf": token}, files={"files": ("gros.bin", b"x" * 2 * MB)}
    )
    assert answer.status_code == 413
    assert "Rien n’a été enregistré" in answer.text
    assert "2\u00a0Mo" in answer.text


def test_a_plain_form_uploads_several_files_and_needs_its_token_first(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    files = [("files", ("a.txt", b"aaa")), ("files", ("dir\\b é.txt", b"bbbb")), ("files", ("empty.txt", b""))]
    answer = owner.http.post(f"/drive/{space}/files", data={"csrf": owner.token()}, files=files)
    assert answer.url.path == f"/drive/{space}"
    names = house.rows(record, "select name, size from node where kind = 'f' order by name")
    assert names == [("a.txt", 3), ("b é.txt", 4), ("empty.txt", 0)]
    assert house.tally(record) == (7, 0)
    for data in ({}, {"csrf": "forged"}):
        refused = owner.http.post(f"/drive/{space}/files", data=data, files=files)
        assert refused.status_code == 403
    nothing = owner.http.post(f"/drive/{space}/files", data={"csrf": owner.token()}, files={"x": ("", b"")})
    assert nothing.status_code == 422
    assert house.tally(record) == (7, 0)


def test_a_form_of_several_files_fits_exactly_or_stores_only_what_fits(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": 3 * MB})
    owner = house.owner(record)
    space = owner.space()
    files = [("files", (f"{n}.bin", b"x" * MB)) for n in range(4)]
    answer = owner.http.post(f"/drive/{space}/files", data={"csrf": owner.token()}, files=files)
    assert answer.status_code == 413
    used, reserved = house.tally(record)
    assert used <= 3 * MB
    assert reserved == 0


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_without_a_length_or_shorter_than_said_leaves_nothing(house: House, chunked: bool) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    if chunked:

        def pieces() -> Iterator[bytes]:
            yield b"x"

        answer = owner.upload(space, "a", pieces())
        assert answer.status_code == 411
    else:
        with socket.create_connection(("127.0.0.1", house.port)) as line:
            line.sendall(slow_head(owner, space, "a", b"x" * 50000, 100000))
            wait_until(lambda: house.tally(record)[1] == 100000)
            line.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: house.tally(record) == (0, 0))
    house.sweep()
    assert house.tally(record) == (0, 0)
    assert house.objects(record) == {}
    assert house.rows(record, "select count(*) from upload")[0][0] == 0


def slow_head(owner: Person, space: str, name: str, first: bytes, length: int) -> bytes:
    """An upload that says `length` and sends only its first bytes."""
    lines = [
        f"PUT /drive/{space}/files?name={name} HTTP/1.1",
        f"Host: {owner.record.hosts[0]}:{owner.house.port}",
        "Connection: close",
        "Accept: application/json",
        f"Cookie: parvis={owner.http.cookies['parvis']}",
        f"X-CSRF-Token: {owner.token()}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + first


def wait_until(true: object, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def test_an_upload_whose_process_was_killed_leaves_nothing_after_the_sweep(house: House) -> None:
    """As kill -9 leaves it: the promise stands, part of the bytes are in the store, nobody comes back."""
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    blob = "0197f000-0000-7000-8000-000000000001"
    house.rows(
        record,
        "insert into upload (id, space_id, name, size, blob_id, created_by, expires_at)"
        " values (gen_random_uuid(), %s, 'lost.bin', 500, %s, %s, now() - interval '1 second')",
        space,
        blob,
        record.organisation_id,
    )
    house.rows(record, "update tally set value = 500 where key = 'storage_reserved'")
    store_object(house, record, blob, b"x" * 500)
    house.cell.sql("insert into directory.chore values (%s) on conflict do nothing", record.organisation_id)
    house.sweep()
    assert house.tally(record) == (0, 0)
    # A sender that is only slow has time to notice before its blob goes.
    house.rows(record, "update discard set due_at = now()")
    house.sweep()
    assert house.objects(record) == {}


def age_trash(house: House, record: TenantRecord, days: int) -> None:
    """What is in the trash has been there for so many days."""
    house.rows(
        record,
        "update node set deleted_at = now() - make_interval(days => %s) where deleted_at is not null",
        days,
    )
    house.cell.sql(
        "insert into directory.chore values (%s) on conflict (organisation_id) do update set due_at = now()",
        record.organisation_id,
    )
    house.sweep()


def test_the_trash_is_emptied_when_the_days_of_the_offer_are_over_and_not_before(house: House) -> None:
    record = house.workspace(entitlements={"retention_days": 30})
    owner = house.owner(record)
    space = owner.space()
    folder = owner.folder(space, "old")
    owner.put(folder, "a.txt", b"a" * 100)
    kept = owner.put(space, "kept.txt", b"k" * 50)
    owner.post(f"/drive/{space}/trash", {"of": folder})
    age_trash(house, record, 29)
    assert house.tally(record) == (150, 0)
    age_trash(house, record, 31)
    assert house.tally(record) == (50, 0)
    assert list(house.objects(record).values()) == [50]
    assert owner.get(f"/drive/{kept}/content").content == b"k" * 50


def test_a_slow_upload_that_was_given_up_is_refused_at_its_end(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    with socket.create_connection(("127.0.0.1", house.port)) as line:
        line.sendall(slow_head(owner, space, "slow", b"12345", 10))
        wait_until(lambda: house.tally(record)[1] == 10)
        house.rows(record, "update upload set expires_at = now() - interval '1 second'")
        house.sweep()
        assert house.tally(record) == (0, 0)
        line.sendall(b"67890")
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert b"409 Conflict" in answer
    assert b"upload_ended" in answer
    house.rows(record, "update discard set due_at = now()")
    house.cell.sql("insert into directory.chore values (%s) on conflict do nothing", record.organisation_id)
    house.sweep()
    assert house.objects(record) == {}
    assert house.rows(record, "select count(*) from node")[0][0] == 0


def test_who_loses_his_session_during_an_upload_stores_nothing(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    with socket.create_connection(("127.0.0.1", house.port)) as line:
        line.sendall(slow_head(owner, space, "late", b"12345", 10))
        wait_until(lambda: house.tally(record)[1] == 10)
        house.rows(record, "delete from session")
        line.sendall(b"67890")
        answer = line.recv(65536)
    assert b"401" in answer.split(b"\r\n")[0]
    house.sweep()
    assert house.tally(record) == (0, 0)
    assert house.objects(record) == {}


def test_a_big_file_passes_through_with_flat_memory(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    owner.put(space, "warm", b"x" * MB)
    size = 64 * 1024 * 1024
    most = [0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            most[0] = max(most[0], house.memory())
            time.sleep(0.02)

    before = house.memory()
    watcher = threading.Thread(target=watch)
    watcher.start()

    def pieces() -> Iterator[bytes]:
        for n in range(64):
            yield bytes([n]) * 1024 * 1024

    file = owner.put(space, "big.bin", pieces(), headers={"Content-Length": str(size)})
    got = 0
    with owner.http.stream("GET", f"/drive/{file}/content") as answer:
        for piece in answer.iter_bytes(1024 * 1024):
            assert piece[:1] == bytes([got // (1024 * 1024)])
            got += len(piece)
    stop.set()
    watcher.join()
    assert got == size
    assert most[0] - before < 32 * 1024 * 1024
    assert house.tally(record) == (size + MB, 0)


def test_the_worker_reports_what_the_workspace_uses(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    house.add(record, 0, email="g@example.org")
    owner.put(owner.space(), "a", b"x" * 123)
    house.sweep()
    usage = house.cell.database.usage([record.organisation_id])[record.organisation_id]
    assert (usage.storage_bytes, usage.members, usage.guests, usage.spaces) == (123, 1, 1, 1)
    assert usage.seen_at is not None
    [(waiting,)] = house.cell.sql(
        "select count(*) from directory.chore where organisation_id = %s", record.organisation_id
    )
    assert waiting == 0
