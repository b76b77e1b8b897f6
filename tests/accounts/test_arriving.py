"""Coming in by a login ticket, and the first choice."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tenant_app.contract import new_key
from tests.workspace.houses import PASSWORD, House, together


def test_a_ticket_opens_the_workspace_and_asks_how_to_sign_in_from_now_on(house: House) -> None:
    record = house.workspace()
    person = house.stranger(record)
    answer = person.get("/enter", params={"ticket": house.ticket(record)})
    assert answer.url.path == "/welcome"
    assert "Create a passkey" in answer.text
    # Nothing else opens before the choice.
    assert person.get("/spaces").url.path == "/welcome"
    assert person.post("/spaces", {"name": "Early"}, csrf=person.token("/welcome")).url.path == "/welcome"
    assert house.rows(record, "select count(*) from space")[0][0] == 0


def test_a_ticket_works_once_and_says_so_the_second_time(house: House) -> None:
    record = house.workspace()
    ticket = house.ticket(record)
    assert house.stranger(record).get("/enter", params={"ticket": ticket}).status_code == 200
    again = house.stranger(record).get("/enter", params={"ticket": ticket})
    assert again.status_code == 410
    assert "It was already used" in again.text
    assert "set-cookie" not in again.headers


def test_of_twenty_who_use_one_ticket_at_once_one_comes_in(house: House) -> None:
    record = house.workspace()
    ticket = house.ticket(record)
    clients = [house.client(record) for _ in range(20)]
    answers = together([lambda c=c: c.get("/enter", params={"ticket": ticket}) for c in clients])
    assert sorted(a.status_code for a in answers) == [200] + [410] * 19
    assert house.rows(record, "select count(*) from session")[0][0] == 1


def test_an_expired_ticket_is_refused_in_the_reader_s_language(house: House) -> None:
    record = house.workspace()
    old = house.ticket(record, now=datetime.now(UTC) - timedelta(seconds=70))
    answer = house.stranger(record, lang="fr").get("/enter", params={"ticket": old})
    assert answer.status_code == 410
    assert "Il a expiré" in answer.text


def test_tickets_of_other_tenants_hosts_keys_and_purposes_are_refused_alike(house: House) -> None:
    record, other = house.workspace(), house.workspace()
    foreign_key = House(house.cell, house.folder, house.store, house.port, house.process, new_key())
    tickets = [
        house.ticket(other),
        house.ticket(record, host=other.hosts[0]),
        house.ticket(record, organisation=other.organisation_id),
        house.ticket(record, uuid4()),
        house.ticket(record, purpose="support"),
        foreign_key.ticket(record),
        "",
        "a.b.c",
        house.ticket(record)[:-4] + "AAAA",
    ]
    for ticket in tickets:
        answer = house.stranger(record).get("/enter", params={"ticket": ticket})
        assert answer.status_code == 410, ticket
        assert "It was not made for this workspace, or it is damaged." in answer.text
        assert "set-cookie" not in answer.headers
    assert house.rows(record, "select count(*) from session")[0][0] == 0


def test_weak_passwords_are_refused_beside_their_field_and_nothing_is_stored(house: House) -> None:
    record = house.workspace("menuiserie")
    person = house.stranger(record)
    person.get("/enter", params={"ticket": house.ticket(record)})
    token = person.token("/welcome")
    for password, words in (
        ("court", "Use at least 12 characters"),
        ("azertyuiop123", "tried first"),
        ("menuiserie-2026-ok", "your name, e-mail or organisation"),
    ):
        answer = person.post("/welcome", {"password": password, "repeated": password}, csrf=token)
        assert answer.status_code == 422
        assert words in answer.text
        assert password not in answer.text
    answer = person.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD + "x"}, csrf=token)
    assert "The two passwords differ" in answer.text
    assert house.rows(record, "select count(*) from credential")[0][0] == 0


def test_the_session_s_id_changes_when_the_first_password_is_set(house: House) -> None:
    record = house.workspace()
    person = house.stranger(record)
    person.get("/enter", params={"ticket": house.ticket(record)})
    before = person.http.cookies["parvis"]
    person.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD}, csrf=person.token("/welcome"))
    assert person.http.cookies["parvis"] != before
    stolen = house.stranger(record)
    stolen.http.cookies.set("parvis", before)
    assert stolen.get("/account").url.path == "/sign-in"
    stored = str(house.rows(record, "select * from session"))
    assert person.http.cookies["parvis"] not in stored
