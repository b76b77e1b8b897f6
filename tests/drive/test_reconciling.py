"""The workspace's books and the store's: a random day of operations, orphans, what is missing, and notices."""

import random

from tenant_app.contract import TenantRecord
from tests.drive.books import compare, remove_object, store_object
from tests.drive.sending import PART, Sender
from tests.workspace.houses import House

MB = 1_000_000
STRANGE = "0197f000-0000-7000-8000-0000000000aa"


class Day:
    """What people do in a day, by lot."""

    def __init__(self, house: House, record: TenantRecord) -> None:
        self.owner = house.owner(record)
        self.space = self.owner.space()
        self.sender = Sender.of(self.owner)
        self.lot = random.Random(7)
        self.files: list[str] = []

    def turn(self, number: int) -> None:
        acts = [self.send, self.send, self.send, self.again, self.through, self.trash, self.remove]
        self.lot.choice([*acts, self.cancel, self.restore, self.leave])(f"{number}.bin")

    def body(self) -> bytes:
        return self.lot.randbytes(self.lot.choice([0, 1, 1000, 70_000, PART + 5]))

    def send(self, name: str) -> None:
        self.files.append(self.sender.send(self.space, name, self.body())["id"])

    def again(self, _name: str) -> None:
        self.send("same.bin")

    def through(self, name: str) -> None:
        self.files.append(self.owner.put(self.space, name, self.body()))

    def cancel(self, name: str) -> None:
        [begun] = self.sender.begin(self.space, (name, self.body()))
        self.sender.ask(f"uploads/{begun['id']}", None, "DELETE")

    def leave(self, name: str) -> None:
        body = b"x" * (PART + 1)
        [begun] = self.sender.begin(self.space, (name, body))
        self.sender.send_parts(begun["id"], body, 1)

    def restore(self, _name: str) -> None:
        for file in self.files[-1:]:
            self.owner.post(f"/drive/{file}/versions/1/restoration")

    def trash(self, _name: str) -> None:
        if self.files:
            self.owner.post(f"/drive/{self.space}/trash", {"of": self.files.pop(0)})

    def remove(self, _name: str) -> None:
        if self.files:
            file = self.files[0]
            self.trash(_name)
            self.owner.post(f"/drive/{file}/removal")


def test_figures_agree_after_a_random_day(house: House) -> None:
    record = house.workspace()
    day = Day(house, record)
    for number in range(40):
        day.turn(number)
    # What was only begun is given up; what was removed goes.
    house.rows(record, "update upload set expires_at = now() - interval '1 second'")
    compare(house, record)
    house.rows(record, "update discard set due_at = now()")
    usage = compare(house, record)
    used, reserved = house.tally(record)
    assert reserved == 0
    assert usage.storage_bytes == used == usage.store_bytes == sum(house.objects(record).values())
    assert usage.store_objects == len(house.objects(record)) > 5
    assert (usage.orphans, usage.missing) == (0, 0)
    assert house.unfinished(record) == []


def test_an_object_that_nobody_knows_goes_once_it_is_old(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    owner.put(space, "kept.txt", b"kept")
    [begun] = Sender.of(owner).begin(space, ("later.txt", b"later"))
    assert Sender.of(owner).put(begun["call"], b"later").status_code == 200
    store_object(house, record, STRANGE, b"strange")
    # The control: while it is young, it may belong to what is only just being written down.
    assert compare(house, record).orphans == 0
    assert len(house.objects(record)) == 3
    usage = compare(house, record, orphan_seconds=0)
    assert (usage.orphans, usage.missing) == (1, 0)
    # Not what an upload under way has sent.
    assert sorted(house.objects(record).values()) == [4, 5]
    assert "id" in Sender.of(owner).complete(begun["id"])[0]


def test_what_is_missing_or_cut_is_told_and_never_hidden(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    for name in ("a", "b", "c"):
        owner.put(space, name, name.encode() * 10)
    assert compare(house, record).missing == 0
    lost, cut, _ = sorted(house.objects(record))
    remove_object(house, record, lost)
    store_object(house, record, cut, b"cut")
    usage = compare(house, record)
    assert (usage.missing, usage.orphans) == (2, 0)
    assert house.tally(record) == (30, 0)


def test_a_tally_that_was_wrong_is_mended(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    owner.put(owner.space(), "a", b"x" * 100)
    house.rows(record, "update tally set value = value + 7 where key like 'storage_%%'")
    compare(house, record)
    assert house.tally(record) == (100, 0)


def test_in_read_only_the_books_are_compared_and_nothing_changes(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    owner.put(owner.space(), "a", b"x" * 100)
    store_object(house, record, STRANGE, b"strange")
    record = house.change(record, state="read_only")
    usage = compare(house, record, orphan_seconds=0)
    assert (usage.store_objects, usage.orphans) == (2, 0)
    assert len(house.objects(record)) == 2


def test_administrators_are_told_once_for_each_mark(house: House) -> None:
    record = house.workspace(entitlements={"storage_bytes": 10 * MB})
    owner = house.owner(record)
    house.add(record, 2, name="Inès Roy", email="ines@example.org")
    house.add(record, 1, name="Sam Petit", email="sam@example.org")
    space = owner.space()

    def told() -> list[tuple[str, int]]:
        house.cell.sql(
            "insert into directory.chore values (%s) on conflict (organisation_id) do update set due_at = now()",
            record.organisation_id,
        )
        house.sweep()
        return sorted((mail[1], mail[2]["mark"]) for mail in house.mails(record) if mail[0] == "storage_mark")

    file = owner.put(space, "half", b"x" * 5 * MB)
    assert told() == []
    owner.put(space, "more", b"x" * (3 * MB + 1000))
    first = [(f"{record.address}@example.org", 80), ("ines@example.org", 80)]
    assert told() == sorted(first)
    assert told() == sorted(first)
    owner.put(space, "rest", b"x" * (2 * MB - 1000))
    second = [(who, 100) for who, _ in first]
    assert told() == sorted(first + second)
    page = owner.get(f"/drive/{space}").text
    assert "The storage is full" in page or "Le stockage est plein" in page
    # Emptied well below the mark and filled again, it is told again.
    owner.post(f"/drive/{space}/trash", {"of": file})
    owner.post(f"/drive/{file}/removal")
    assert told() == sorted(first + second)
    owner.put(space, "again", b"x" * (3 * MB + 1000))
    assert told() == sorted(first + second + first)
