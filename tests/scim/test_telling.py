"""Who decides about held removals is told by mail: once a wave, in his language, and again while it waits."""

from typing import Any

import pytest

from tenant_app.interface import letter
from tests.scim.directories import DOMAIN, Directory, a_user, opened
from tests.workspace.houses import House

OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


@pytest.fixture
def town(house: House) -> tuple[Directory, list[str]]:
    """Twenty people and the owner: at 20 %, four may go within the hour."""
    push = opened(house, brake=20)
    return push, [push.user(f"t{n:02}")["id"] for n in range(20)]


def told(push: Directory) -> list[tuple[str, dict[str, Any]]]:
    """The worker looks now; whom it wrote to so far."""
    push.house.sweep(PARVIS_LOG_LEVEL="ERROR")
    return [(who, payload) for kind, who, payload in push.house.mails(push.record) if kind == "removals_wait"]


def later(push: Directory, interval: str) -> None:
    """Time passes."""
    push.house.rows(push.record, f"update scim_removal set asked_at = asked_at - interval '{interval}'")
    push.house.rows(
        push.record,
        f"update tally set value = value - 1000 * extract(epoch from interval '{interval}')"
        " where key = 'scim_removals_told'",
    )


def still_going_on(push: Directory) -> None:
    """The wave has not ended, however slow this machine is."""
    push.house.rows(push.record, "update scim_removal set asked_at = now() + interval '1 hour'")


def off(push: Directory, ids: list[str]) -> None:
    for one in ids:
        assert push.patch(f"/Users/{one}", OFF).status_code == 200


def test_who_runs_the_workspace_is_told_once_the_wave_has_ended(town: tuple[Directory, list[str]]) -> None:
    push, ids = town
    _, administrator = push.house.add(push.record, 2, email=f"ines@{DOMAIN}")
    push.house.add(push.record, 1, email=f"membre@{DOMAIN}")
    push.house.rows(push.record, "update principal set locale = 'en' where id = %s", administrator)
    off(push, ids[:9])
    still_going_on(push)
    # Nobody knows yet how many they will be.
    assert told(push) == []
    later(push, "61 minutes")
    mails = dict(told(push))
    assert set(mails) == {f"{push.record.address}@example.org", f"ines@{DOMAIN}"}
    told_her = mails[f"ines@{DOMAIN}"]
    assert (told_her["count"], told_her["percent"], told_her["again"]) == (5, 20, False)
    assert told_her["url"] == f"http://{push.record.hosts[0]}:8080/console?to=removals"
    languages = push.house.cell.sql(
        "select recipient, locale from directory.mail where organisation_id = %s", push.record.organisation_id
    )
    assert dict(languages)[f"ines@{DOMAIN}"] == "en"
    assert len(told(push)) == 2


def test_within_the_brake_nobody_is_told(town: tuple[Directory, list[str]]) -> None:
    """The control: removals that are done at once wait for nobody."""
    push, ids = town
    off(push, ids[:4])
    later(push, "1 minute")
    assert told(push) == []


def test_a_wave_without_an_end_is_told_of_nevertheless(town: tuple[Directory, list[str]]) -> None:
    push, ids = town
    off(push, ids[:6])
    push.house.rows(
        push.record,
        "update scim_removal set asked_at = asked_at - interval '6 minutes' where state = 'waiting'"
        " and principal_id = %s",
        ids[4],
    )
    assert [payload["count"] for _, payload in told(push)] == [2]


def test_who_has_a_mail_gets_none_about_more_within_the_hour_and_a_new_wave_has_its_own(
    town: tuple[Directory, list[str]],
) -> None:
    push, ids = town
    off(push, ids[:6])
    later(push, "2 minutes")
    assert len(told(push)) == 1
    off(push, ids[6:8])
    later(push, "2 minutes")
    assert len(told(push)) == 1
    later(push, "1 hour")
    assert [payload["count"] for _, payload in told(push)] == [2, 4]
    # Once those are decided, the next wave does not wait for an hour.
    push.house.cell.database.refuse_removals(push.record.organisation_id, None, push.record.organisation_id)
    off(push, ids[8:18])
    push.house.rows(push.record, "update scim_removal set asked_at = asked_at - interval '40 seconds'")
    push.house.rows(push.record, "update tally set value = value - 45000 where key = 'scim_removals_told'")
    assert len(told(push)) == 3


def test_what_still_waits_after_three_days_is_told_again(town: tuple[Directory, list[str]]) -> None:
    push, ids = town
    off(push, ids[:6])
    later(push, "1 minute")
    assert len(told(push)) == 1
    later(push, "2 days")
    assert len(told(push)) == 1
    later(push, "25 hours")
    assert [payload["again"] for _, payload in told(push)] == [False, True]
    assert len(told(push)) == 2


@pytest.mark.parametrize("way", ["decided", "withdrawn"])
def test_nobody_is_told_of_what_waits_no_more(town: tuple[Directory, list[str]], way: str) -> None:
    push, ids = town
    off(push, ids[:6])
    if way == "decided":
        push.house.cell.database.approve_removals(push.record.organisation_id, None, push.record.organisation_id)
    else:
        for one in ids[4:6]:
            push.patch(f"/Users/{one}", ON)
    later(push, "4 days")
    assert told(push) == []


def test_the_worker_comes_by_itself_when_it_is_time(town: tuple[Directory, list[str]]) -> None:
    push, ids = town
    off(push, ids[:6])
    still_going_on(push)
    assert told(push) == []
    [(due,)] = push.house.cell.sql(
        "select due_at between now() and now() + interval '62 minutes' from directory.chore where organisation_id = %s",
        push.record.organisation_id,
    )
    assert due is True
    assert push.post("/Users", a_user("control")).status_code == 201


@pytest.mark.parametrize(
    ("locale", "count", "words"),
    [
        ("en", 1, "Ville de Sèvres: the removal of 1 person waits for you"),
        ("en", 5, "Ville de Sèvres: the removal of 5 people waits for you"),
        ("fr", 1, "Ville de Sèvres : le retrait de 1 personne vous attend"),
        ("fr", 5, "Ville de Sèvres : le retrait de 5 personnes vous attend"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_the_mail_is_written_in_the_readers_language(locale: str, count: int, words: str, again: bool) -> None:
    facts = {"name": "Inès Bakkali", "organisation": "Ville de Sèvres", "count": count, "percent": 20, "again": again}
    made = letter(
        "1", "removals_wait", "ines@example.org", locale, facts | {"url": "https://w.example/console?to=removals"}
    )
    assert " ".join(made.subject.split()) == words
    for body in (made.text, made.html):
        assert "https://w.example/console?to=removals" in body
        assert "20" in body
    said = {("en", True): "some days ago", ("fr", True): "il y a quelques jours"}.get((locale, again), "")
    assert said in made.text.replace("\u2019", "'")
