"""Uploads that go straight to the store: parts, resuming, digests, refusals, and what is left of them: nothing."""

import asyncio
import os
import re
import threading
from hashlib import sha256
from typing import Any

import httpx
import pytest

from kit.s3 import Bucket, Failure
from tests.drive.sending import PART, Sender, digest, part
from tests.workspace.houses import House, Person
from tests.world import stores

BIG = os.urandom(2 * PART + 12345)
MB = 1_000_000


@pytest.fixture
def owner(house: House) -> Person:
    return house.owner(house.workspace())


@pytest.fixture
def sender(owner: Person) -> Sender:
    return Sender.of(owner)


@pytest.mark.parametrize("body", [b"", b"x", b"y" * PART, BIG], ids=["empty", "one byte", "one part", "three parts"])
def test_a_file_goes_to_the_store_and_comes_back_as_it_was(sender: Sender, body: bytes) -> None:
    space = sender.person.space()
    file = sender.send(space, "été 日本.bin", body)
    assert (file["name"], file["version"], file["size"]) == ("été 日本.bin", 1, len(body))
    answer = sender.person.get(f"/drive/{file['id']}/content")
    assert answer.content == body
    house, record = sender.person.house, sender.person.record
    assert house.tally(record) == (len(body), 0)
    assert list(house.objects(record).values()) == [len(body)]
    assert house.unfinished(record) == []
    [(kept, cut)] = house.rows(record, "select sha256, part_bytes from version")
    pieces = [body[at : at + PART] for at in range(0, len(body), PART)] or [b""]
    whole = sha256(b"".join(sha256(one).digest() for one in pieces)).hexdigest() if len(pieces) > 1 else digest(body)
    assert (kept, cut) == (whole, PART if len(pieces) > 1 else None)


def test_many_small_files_are_promised_and_made_in_two_questions(sender: Sender) -> None:
    space = sender.person.space()
    files = [(f"note {n}.txt", f"content {n}".encode()) for n in range(100)]
    begun = sender.begin(space, *files, path="inbox/2026")
    for one, (_, body) in zip(begun, files, strict=True):
        assert sender.put(one["call"], body).status_code == 200
    made = sender.complete(*(one["id"] for one in begun))
    assert [one["name"] for one in made] == [name for name, _ in files]
    house, record = sender.person.house, sender.person.record
    assert house.tally(record) == (sum(len(body) for _, body in files), 0)
    assert len(house.objects(record)) == 100
    assert house.rows(record, "select name from node where kind = 'd' order by id") == [("inbox",), ("2026",)]


def test_a_second_upload_of_a_name_is_its_second_version_even_in_one_batch(sender: Sender) -> None:
    space = sender.person.space()
    begun = sender.begin(space, ("a.txt", b"one"), ("A.TXT", b"two"))
    for one, body in zip(begun, (b"one", b"two"), strict=True):
        sender.put(one["call"], body)
    made = sender.complete(*(one["id"] for one in begun))
    assert {one["id"] for one in made} == {made[0]["id"]}
    assert [one["version"] for one in made] == [1, 2]
    assert sender.person.get(f"/drive/{made[0]['id']}/content").content == b"two"


def test_an_upload_goes_on_after_a_reload_where_it_stopped(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("film.mp4", BIG))
    sender.send_parts(begun["id"], BIG, 2)
    # Another page of the same person, later: it knows the upload's id and nothing else.
    later = Sender.of(sender.person)
    found = later.ask(f"uploads/{begun['id']}", None, "GET").json()
    assert found["arrived"] == [{"n": 2, "digest": digest(BIG[PART : 2 * PART])}]
    assert (found["parts"], found["part_bytes"]) == (3, PART)
    [early] = later.complete(begun["id"])
    assert early["error"]["code"] == "upload_incomplete"
    later.send_parts(begun["id"], BIG, 1, 3)
    [file] = later.complete(begun["id"])
    assert later.person.get(f"/drive/{file['id']}/content").content == BIG


def test_first_parts_may_be_sent_by_what_the_first_answer_allows(sender: Sender) -> None:
    space, body = sender.person.space(), os.urandom(2 * PART + 9)
    begun = sender.begin_with(space, "three parts.bin", body, [digest(part(body, n)) for n in (1, 2)])
    assert (begun["call"], [call["n"] for call in begun["calls"]]) == (None, [1, 2])
    for call in begun["calls"]:
        assert sender.put(call, part(body, 3)).status_code in {400, 403}, "another body went through"
        assert sender.put(call, part(body, call["n"])).status_code == 200
    [ended] = sender.complete(begun["id"])
    assert ended["error"]["code"] == "upload_incomplete"
    wish = {"parts": [{"n": 1, "digest": digest(b"another file")}]}
    assert sender.ask(f"uploads/{begun['id']}/parts", wish).json()["code"] == "file_changed"
    sender.send_parts(begun["id"], body, 3)
    [file] = sender.complete(begun["id"])
    assert sender.person.get(f"/drive/{file['id']}/content").content == body
    assert sender.person.house.unfinished(sender.person.record) == []


def test_digests_of_parts_of_another_size_allow_nothing_yet_and_too_many_are_refused(sender: Sender) -> None:
    space, wanted = sender.person.space(), {"name": "x.bin", "size": 2 * PART, "digests": [digest(b"first")]}
    [begun] = sender.promised(space, {**wanted, "part_bytes": PART // 2})
    assert begun["calls"] == []
    # Nothing was noted: what is said now binds.
    assert sender.allow(begun["id"], b"x" * 2 * PART, 1)
    [refused] = sender.promised(space, {**wanted, "part_bytes": PART, "digests": [digest(b"first")] * 3})
    assert refused["error"]["code"] == "part_unknown"
    [malformed] = sender.promised(space, {**wanted, "part_bytes": PART, "digests": ["00"]})
    assert malformed["error"]["code"] == "digest_malformed"


def test_completing_twice_makes_one_file(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("film.mp4", BIG))
    sender.send_parts(begun["id"], BIG, 1, 2, 3)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(_complete(sender, begun["id"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [one for one in answers if "id" in one]
    assert len(made) == 1
    assert {one["error"]["code"] for one in answers if "error" in one} == {"upload_ended"}
    assert sender.person.house.rows(sender.person.record, "select count(*) from version")[0][0] == 1
    assert sender.person.house.tally(sender.person.record) == (len(BIG), 0)


def _complete(sender: Sender, upload: str) -> dict[str, Any]:
    headers = {"X-CSRF-Token": sender.token}
    client = sender.person.client()
    answer = client.post("/drive/uploads/completion", json={"uploads": [upload]}, headers=headers)
    return dict(answer.json()["files"][0])


def test_the_store_takes_exactly_what_was_said(sender: Sender) -> None:
    """Each refusal stands beside what is accepted, so that it is the difference that is refused."""
    space = sender.person.space()
    body = b"exactly this"
    [begun] = sender.begin(space, ("a.txt", body))
    call = begun["call"]
    cases = {
        "other bytes": lambda: sender.put(call, b"exactly that"),
        "longer": lambda: sender.put(call, body + b"!"),
        "shorter": lambda: sender.put(call, body[:-1]),
        "another digest": lambda: sender.put(
            call, b"exactly that", **{"x-amz-content-sha256": digest(b"exactly that")}
        ),
        "no digest": lambda: sender.store.put(call["url"], content=body),
        "another object": lambda: sender.store.put(_elsewhere(call["url"]), content=body, headers=call["headers"]),
        "a wrong method": lambda: sender.store.get(call["url"], headers=call["headers"]),
        "to delete": lambda: sender.store.delete(call["url"], headers=call["headers"]),
        "a later expiry": lambda: sender.store.put(
            call["url"].replace("X-Amz-Expires=60", "X-Amz-Expires=600"), content=body, headers=call["headers"]
        ),
    }
    for name, attempt in cases.items():
        assert attempt().status_code in {400, 403, 405}, name
        assert sender.person.house.objects(sender.person.record) == {}, name
    assert sender.put(call, body).status_code == 200
    assert "id" in sender.complete(begun["id"])[0]


def _elsewhere(url: str) -> str:
    head, _, query = url.partition("?")
    return f"{head[:-1]}{'0' if head[-1] != '0' else '1'}?{query}"


def test_an_address_of_yesterday_is_refused(sender: Sender) -> None:
    space = sender.person.space()
    file = sender.send(space, "a.txt", b"content")
    answer = sender.person.http.get(f"/drive/{file['id']}/content", follow_redirects=False)
    assert answer.status_code == 302
    url = answer.headers["location"]
    assert "X-Amz-Expires=60" in url
    assert answer.headers["cache-control"] == "no-store"
    assert sender.store.get(url).content == b"content"
    earlier = re.sub("X-Amz-Date=([0-9]{4})", lambda found: f"X-Amz-Date={int(found[1]) - 1}", url)
    assert sender.store.get(earlier).status_code == 403
    assert sender.store.put(url, content=b"mine now").status_code in {403, 501}
    assert sender.store.get(_elsewhere(url)).status_code == 403


def test_another_tenants_key_opens_nothing_here(house: House) -> None:
    mine, theirs = Sender.of(house.owner(house.workspace())), Sender.of(house.owner(house.workspace()))
    file = mine.send(mine.person.space(), "secret.txt", b"canary")
    theirs.send(theirs.person.space(), "own.txt", b"own")
    url = mine.person.http.get(f"/drive/{file['id']}/content", follow_redirects=False).headers["location"]
    own = theirs.person.record.store["bucket"]
    crossed = url.replace(mine.person.record.store["bucket"], own)
    assert mine.store.get(url).content == b"canary"
    assert mine.store.get(crossed).status_code == 403
    # Signed by the other tenant's own key, for a bucket that is not his.
    [key] = house.objects(mine.person.record)

    async def reach() -> str:
        opened = stores.bucket(house.store, own, theirs.person.record.store["key_id"])
        foreign = Bucket(opened.client, opened.signer, mine.person.record.store["bucket"])
        assert [one.key async for one in opened.listing()] != []
        try:
            async with foreign.read(key) as chunks:
                return "".join([chunk.decode() async for chunk in chunks])
        except Failure as failed:
            return failed.code
        finally:
            await opened.client.close()

    assert asyncio.run(reach()) == "AccessDenied"


def test_the_digest_that_was_said_first_binds(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("film.mp4", BIG))
    sender.allow(begun["id"], BIG, 1)
    changed = sender.ask(f"uploads/{begun['id']}/parts", {"parts": [{"n": 1, "digest": digest(b"other")}]})
    assert (changed.status_code, changed.json()["code"]) == (409, "file_changed")
    assert len(sender.allow(begun["id"], BIG, 1, 2)) == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"parts": []}, 422, "parts"),
        ({"parts": [{"n": 9, "digest": "0" * 64}]}, 422, "n"),
        ({"parts": [{"n": 0, "digest": "0" * 64}]}, 422, "n"),
        ({"parts": [{"n": 1, "digest": "xyz"}]}, 422, "digest"),
        ({"parts": [{"n": "one", "digest": "0" * 64}]}, 400, None),
        ({}, 400, None),
    ],
)
def test_malformed_wishes_name_the_field(sender: Sender, body: Any, status: int, field: str | None) -> None:
    [begun] = sender.begin(sender.person.space(), ("film.mp4", BIG))
    answer = sender.ask(f"uploads/{begun['id']}/parts", body)
    assert answer.status_code == status, answer.text
    if field:
        assert [one["field"] for one in answer.json()["errors"]] == [field]


def test_one_refused_name_keeps_no_other_back(sender: Sender) -> None:
    space = sender.person.space()
    good, bad, folder = sender.begin(space, ("a.txt", b"a"), ("a/b", b"b"), ("..", b"c"))
    assert bad["error"]["code"] == "name_slash"
    assert folder["error"]["code"] == "name_reserved"
    sender.put(good["call"], b"a")
    assert sender.complete(good["id"])[0]["name"] == "a.txt"
    assert sender.person.house.tally(sender.person.record) == (1, 0)


def test_an_upload_is_its_senders_own(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("a.txt", b"a"))
    other, _ = sender.person.house.add(sender.person.record)
    stranger = Sender.of(other)
    for method, path, body in (
        ("GET", f"uploads/{begun['id']}", None),
        ("POST", f"uploads/{begun['id']}/parts", {"parts": [{"n": 1, "digest": digest(b"a")}]}),
        ("DELETE", f"uploads/{begun['id']}", None),
    ):
        assert stranger.ask(path, body, method).status_code in {404, 409}
    assert stranger.complete(begun["id"])[0]["error"]["code"] == "upload_ended"
    assert sender.put(begun["call"], b"a").status_code == 200
    assert "id" in sender.complete(begun["id"])[0]


def test_without_the_pages_token_nothing_begins(sender: Sender) -> None:
    space = sender.person.space()
    wanted = {"files": [{"name": "a", "size": 1}]}
    assert sender.ask(f"{space}/uploads", wanted, **{"X-CSRF-Token": "forged"}).status_code == 403
    assert sender.ask(f"{space}/uploads", wanted, Origin="http://evil.example").status_code == 403
    assert sender.ask(f"{space}/uploads", wanted).status_code == 201


def test_what_is_cancelled_frees_its_room_and_leaves_nothing(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("film.mp4", BIG))
    sender.send_parts(begun["id"], BIG, 1)
    house, record = sender.person.house, sender.person.record
    assert house.tally(record) == (0, len(BIG))
    assert len(house.unfinished(record)) == 1
    assert sender.ask(f"uploads/{begun['id']}", None, "DELETE").status_code == 204
    assert sender.ask(f"uploads/{begun['id']}", None, "DELETE").status_code == 404
    assert house.tally(record) == (0, 0)
    assert house.unfinished(record) == []


def test_an_upload_that_nobody_finishes_is_swept_with_its_parts(sender: Sender) -> None:
    space = sender.person.space()
    [begun] = sender.begin(space, ("film.mp4", BIG))
    sender.send_parts(begun["id"], BIG, 1, 2)
    house, record = sender.person.house, sender.person.record
    house.rows(record, "update upload set expires_at = now() - interval '1 second'")
    house.cell.sql("update directory.chore set due_at = now() where organisation_id = %s", record.organisation_id)
    house.sweep()
    assert house.tally(record) == (0, 0)
    assert house.unfinished(record) == []
    assert sender.complete(begun["id"])[0]["error"]["code"] == "upload_ended"


def test_a_page_lets_its_script_reach_the_store_and_nobody_else(sender: Sender) -> None:
    policy = sender.person.get("/").headers["content-security-policy"]
    [connect] = [one for one in policy.split("; ") if one.startswith("connect-src")]
    endpoint = sender.person.house.store.endpoint.replace("127.0.0.1", "parvis-files.localhost")
    assert connect.split(" ")[1:] == ["'self'", endpoint]


def test_a_page_of_another_workspace_may_not_send_here(sender: Sender) -> None:
    """CORS, as the store answers a browser's question before the upload."""
    [begun] = sender.begin(sender.person.space(), ("a.txt", b"a"))
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-amz-content-sha256"}
    own = sender.person.house.url(sender.person.record)
    fine = sender.store.options(begun["call"]["url"], headers={"Origin": own, **asked})
    assert fine.status_code == 200
    assert fine.headers["access-control-allow-origin"] == own
    foreign: httpx.Response = sender.store.options(
        begun["call"]["url"], headers={"Origin": "http://evil.parvis.localhost", **asked}
    )
    assert "access-control-allow-origin" not in foreign.headers
