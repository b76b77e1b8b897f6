"""Files that go straight to the store, where there is no room for them or the workspace is closed to them."""

import threading
import time

from tests.drive.sending import Sender, digest
from tests.workspace.houses import House

MB = 1_000_000


def test_twenty_direct_uploads_at_once_never_pass_the_quota(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": 5 * MB}, hard_quota=6 * MB)
    person = house.owner(record)
    space = person.space()
    sender = Sender.of(person)
    gate = threading.Barrier(20)
    outcomes: list[str] = []

    def one(n: int) -> None:
        mine = Sender(person, sender.token, sender.store)
        gate.wait()
        client, body = person.client(), bytes([n]) * MB
        wanted = {"files": [{"name": f"{n}.bin", "size": MB, "digest": digest(body)}]}
        headers = {"X-CSRF-Token": sender.token}
        [begun] = client.post(f"/drive/{space}/uploads", json=wanted, headers=headers).json()["uploads"]
        if "error" in begun:
            outcomes.append(begun["error"]["code"])
            return
        assert mine.put(begun["call"], body).status_code == 200
        [file] = client.post("/drive/uploads/completion", json={"uploads": [begun["id"]]}, headers=headers).json()[
            "files"
        ]
        outcomes.append("stored" if "id" in file else file["error"]["code"])

    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["over_quota"] * 15 + ["stored"] * 5
    assert house.tally(record) == (5 * MB, 0)
    assert sum(house.objects(record).values()) == 5 * MB


def test_the_refusal_of_one_file_speaks_the_readers_language(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": MB}, locale="fr")
    person = house.owner(record)
    person.http.cookies.set("lang", "fr")
    person.http.headers["Accept-Language"] = "fr"
    house.rows(record, "update principal set locale = 'fr'")
    [refused] = Sender.of(person).begin(person.space(), ("a.bin", b"x" * (MB + 1)))
    assert "stockage" in refused["error"]["detail"]


def test_the_gateways_own_limit_has_the_last_word_and_says_so(house: House) -> None:
    """The workspace believes that there is room; the gateway knows better."""
    record = house.workspace(hard_quota=2 * MB)
    person = house.owner(record)
    space, sender = person.space(), Sender.of(person)
    sender.send(space, "a.bin", b"a" * 1_500_000)
    [begun] = sender.begin(space, ("b.bin", b"b" * 1_500_000))
    answer = sender.put(begun["call"], b"b" * 1_500_000)
    assert (answer.status_code, "QuotaExceeded" in answer.text) == (403, True)
    through = person.upload(space, "c.bin", b"c" * 1_500_000, headers={"Accept": "application/json"})
    assert (through.status_code, through.json()["code"]) == (413, "over_quota")
    assert "upload_incomplete" in sender.complete(begun["id"])[0]["error"]["code"]


def test_a_frozen_workspace_stores_nothing_and_a_suspended_one_shows_nothing(house: House) -> None:
    record = house.workspace()
    person = house.owner(record)
    space, sender = person.space(), Sender.of(person)
    file = sender.send(space, "a.txt", b"content")
    [begun] = sender.begin(space, ("b.txt", b"later"))
    url = person.http.get(f"/drive/{file['id']}/content", follow_redirects=False).headers["location"]
    house.store.mode(record.store["bucket"], "read_only")
    deadline = time.monotonic() + 90
    while sender.put(begun["call"], b"later").status_code != 403:
        assert time.monotonic() < deadline
    assert sender.store.get(url).content == b"content"
    house.store.mode(record.store["bucket"], "suspended")
    while sender.store.get(url).status_code != 403:
        assert time.monotonic() < deadline
    house.store.mode(record.store["bucket"], "open")
    assert sender.store.get(url).content == b"content"
    assert sender.put(begun["call"], b"later").status_code == 200
