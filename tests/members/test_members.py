"""Invitations, roles, and the end of somebody's access."""

import threading
from email import message_from_bytes
from email.policy import default
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from aiosmtpd.controller import Controller

from control_plane.embedded.ports import free_port
from tests.workspace.houses import PASSWORD, House, Person, together


def invite(person: Person, emails: str, role: int = 1, space: str = "", **options: str) -> object:
    return person.post("/members/invitations", {"emails": emails, "role": str(role), "space": space}, **options)


def link_to(house: House, record: object, email: str) -> str:
    return next(payload["url"] for kind, to, payload in reversed(house.mails(record)) if to == email)


def join(house: House, record: object, link: str, name: str = "Hugo Lemaire") -> object:
    token = urlsplit(link).query.removeprefix("token=")
    return house.stranger(record).http.post("/join", data={"token": token, "name": name})


def test_pasted_addresses_are_invited_once_each_by_mail(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answer = invite(
        owner, 'Hugo Lemaire <Hugo@example.org>, "Léa" <lea@example.org>;\n hugo@example.org nadia@example.org'
    )
    assert answer.status_code == 200
    assert sorted(to for _, to, _ in house.mails(record)) == [
        "hugo@example.org",
        "lea@example.org",
        "nadia@example.org",
    ]


def test_an_invitation_leads_to_a_name_and_a_way_to_sign_in(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    invite(owner, "hugo@example.org", 1, space)
    link = link_to(house, record, "hugo@example.org")
    token = urlsplit(link).query.removeprefix("token=")
    assert token not in str(house.rows(record, "select * from invitation"))
    person = house.stranger(record)
    page = person.get("/join", params={"token": token})
    assert "invites you to the workspace" in page.text
    answer = person.http.post("/join", data={"token": token, "name": "Hugo Lemaire"})
    assert answer.url.path == "/welcome"
    csrf = person.token("/welcome")
    done = person.post("/welcome", {"password": PASSWORD, "repeated": PASSWORD}, csrf=csrf)
    assert done.url.path == "/"
    assert person.get(f"/drive/{space}").status_code == 200
    row = house.rows(record, "select name, email, role, kind from principal where email = 'hugo@example.org'")
    assert row == [("Hugo Lemaire", "hugo@example.org", 1, "m")]


def test_an_invitation_works_once_even_when_five_come_together(house: House) -> None:
    record = house.workspace()
    invite(house.owner(record), "hugo@example.org")
    link = link_to(house, record, "hugo@example.org")
    answers = together([lambda: join(house, record, link) for _ in range(5)])
    assert sorted(a.status_code for a in answers) == [200] + [410] * 4
    assert house.rows(record, "select count(*) from principal where email = 'hugo@example.org'")[0][0] == 1


@pytest.mark.parametrize("end", ["expired", "revoked", "resent"])
def test_an_invitation_that_ended_answers_like_one_that_never_was(house: House, end: str) -> None:
    record = house.workspace()
    owner = house.owner(record)
    invite(owner, "hugo@example.org")
    link = link_to(house, record, "hugo@example.org")
    [invitation] = house.rows(record, "select id from invitation")
    if end == "expired":
        house.rows(record, "update invitation set expires_at = now() - interval '1 second'")
    else:
        owner.post(f"/members/invitations/{invitation[0]}/{'revocation' if end == 'revoked' else 'resending'}")
    ended = join(house, record, link)
    never = join(house, record, "http://x/join?token=never")
    assert ended.status_code == never.status_code == 410
    assert ended.text == never.text
    assert house.rows(record, "select count(*) from principal")[0][0] == 1


@pytest.mark.parametrize(
    ("emails", "role", "words"),
    [
        ("", 1, "Type or paste at least one"),
        ("hugo@example.org, not-an-address", 1, "not-an-address"),
        ("a@b", 1, "a@b"),
        ("hugo@example.org", 9, "Choose one of the roles"),
        ("hugo@example.org", 0, "choose one"),
    ],
)
def test_a_wrong_invitation_names_its_field_and_invites_nobody(
    house: House, emails: str, role: int, words: str
) -> None:
    record = house.workspace()
    answer = invite(house.owner(record), emails, role)
    assert answer.status_code == 422
    assert words in answer.text
    assert emails.split(",", maxsplit=1)[0] in answer.text  # entries are kept
    assert house.rows(record, "select count(*) from invitation")[0][0] == 0
    assert house.mails(record) == []


def test_who_is_here_already_is_not_invited(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answer = invite(owner, f"{owner.email} new@example.org")
    assert "Already in this workspace" in answer.text
    assert house.mails(record) == []


def test_the_offer_s_seats_hold_when_many_invite_at_once(house: House) -> None:
    record = house.workspace(entitlements={"members": 4})
    owner = house.owner(record)
    token = owner.token()
    clients = [owner.client() for _ in range(10)]
    answers = together(
        [
            lambda c=c, n=n: c.post(
                "/members/invitations", data={"csrf": token, "emails": f"p{n}@example.org", "role": "1", "space": ""}
            )
            for n, c in enumerate(clients)
        ]
    )
    assert sorted(a.status_code for a in answers) == [200] * 3 + [409] * 7
    refused = next(a for a in answers if a.status_code == 409)
    assert "Your offer includes 4 members; 4 are here or invited" in refused.text
    assert house.rows(record, "select count(*) from invitation")[0][0] == 3
    # Guests are counted apart; a revoked invitation frees its seat.
    space = owner.space()
    assert invite(owner, "guest@example.org", 0, space).status_code == 200
    [first] = house.rows(record, "select id from invitation where kind = 'm' limit 1")
    owner.post(f"/members/invitations/{first[0]}/revocation")
    assert invite(owner, "again@example.org").status_code == 200


def test_counting_without_the_lock_lets_too_many_in(house: House) -> None:
    """The control: the same count and insert without the seats' lock. If it held, the above would prove nothing."""
    record = house.workspace(entitlements={"members": 4})
    gate = threading.Barrier(10)

    def naive(n: int) -> None:
        with psycopg.connect(house.cell.admin_url) as connection:
            connection.execute(f"set search_path = {record.slot}".encode())
            [taken] = connection.execute(
                "select (select count(*) from principal) + (select count(*) from invitation)"
            ).fetchone()
            gate.wait()
            if taken + 1 <= 4:
                connection.execute(
                    "insert into invitation (id, email, kind, hash, invited_by, expires_at)"
                    " values (gen_random_uuid(), %s, 'm', %s, gen_random_uuid(), now() + interval '1 day')",
                    [f"n{n}@x.org", f"h{n}"],
                )

    threads = [threading.Thread(target=naive, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.rows(record, "select count(*) from invitation")[0][0] > 3


def test_members_see_the_list_and_change_nothing_and_guests_see_no_list(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    member, member_id = house.add(record, 1)
    guest, _ = house.add(record, 0, email="guest@example.org")
    assert member.get("/members").status_code == 200
    assert "Send the invitations" not in member.get("/members").text
    assert invite(member, "x@example.org").status_code == 403
    assert member.post(f"/members/{member_id}/role", {"role": "3"}).status_code == 403
    assert member.post(f"/members/{record.organisation_id}/deactivation").status_code == 403
    assert guest.get("/members").status_code == 403
    assert house.rows(record, "select count(*) from principal where disabled_at is not null or role = 3")[0][0] == 1


def test_deactivation_ends_every_session_at_once_and_can_be_undone(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    member, member_id = house.add(record, 1)
    assert owner.post(f"/members/{member_id}/deactivation").status_code == 200
    assert member.get("/account").url.path == "/sign-in"
    signing = house.stranger(record).http.post("/sign-in", data={"email": member.email, "password": PASSWORD})
    assert signing.status_code == 422
    ticket = house.stranger(record).get("/enter", params={"ticket": house.ticket(record, member_id)})
    assert ticket.status_code == 410
    owner.post(f"/members/{member_id}/deactivation/removal")
    signing = house.stranger(record).http.post("/sign-in", data={"email": member.email, "password": PASSWORD})
    assert signing.url.path == "/"


def test_the_last_owner_stays_owner_even_when_two_leave_at_once(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    answer = owner.post(f"/members/{record.organisation_id}/deactivation")
    assert answer.status_code == 409
    assert "keeps at least one owner" in answer.text
    assert owner.post(f"/members/{record.organisation_id}/role", {"role": "1"}).status_code == 409
    second, second_id = house.add(record, 3)
    tokens = [owner.token(), second.token()]
    paths = [f"/members/{record.organisation_id}/role", f"/members/{second_id}/role"]
    answers = together(
        [
            lambda p=p, c=c, t=t: c.http.post(p, data={"csrf": t, "role": "2"})
            for p, c, t in zip(paths, (owner, second), tokens, strict=True)
        ]
    )
    assert sorted(a.status_code for a in answers) == [200, 409]
    assert house.rows(record, "select count(*) from principal where role = 3")[0][0] == 1


def test_only_owners_touch_owners(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    admin, admin_id = house.add(record, 2)
    assert admin.post(f"/members/{record.organisation_id}/role", {"role": "1"}).status_code == 403
    assert admin.post(f"/members/{record.organisation_id}/deactivation").status_code == 403
    assert admin.post(f"/members/{admin_id}/role", {"role": "3"}).status_code == 403
    assert invite(admin, "x@example.org", 3).status_code == 403


def rights(house: House, record: object) -> list[str]:
    """Who may set up sign-in beside the owners."""
    return [row[0] for row in house.rows(record, "select key from setting where key like 'sso_admin:%%'")]


def test_an_owner_lets_an_administrator_set_up_sign_in_and_nobody_else_does(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    admin, admin_id = house.add(record, 2)
    other, other_id = house.add(record, 2, name="Paul Roy")
    assert "Sets up sign-in" not in owner.get("/members").text
    given = owner.post(f"/members/{admin_id}/sso-admin")
    assert (given.status_code, given.text.count("Sets up sign-in")) == (200, 1)
    assert rights(house, record) == [f"sso_admin:{admin_id}"]
    assert owner.post(f"/members/{admin_id}/sso-admin").status_code == 200
    for one in (admin, other):
        assert "Let set up sign-in" not in one.get("/members").text
        answer = one.post(f"/members/{other_id}/sso-admin")
        assert (answer.status_code, "Only an owner of this workspace" in answer.text) == (403, True)
        assert one.post(f"/members/{admin_id}/sso-admin/removal").status_code == 403
    assert owner.post(f"/members/{admin_id}/sso-admin/removal").status_code == 200
    assert rights(house, record) == []
    told = house.rows(
        record, "select verb from journal where object_id = %s and verb like 'member.%%' order by id", admin_id
    )
    assert [row[0] for row in told] == ["member.sso_admin_given", "member.sso_admin_taken"]


def test_only_active_administrators_are_let_set_up_sign_in_and_any_other_role_ends_it(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    _, member_id = house.add(record, 1)
    refused = owner.post(f"/members/{member_id}/sso-admin")
    assert (refused.status_code, "Make this person an administrator first" in refused.text) == (409, True)
    own = owner.post(f"/members/{record.organisation_id}/sso-admin/removal")
    assert (own.status_code, "by their role" in own.text) == (409, True)
    assert owner.post(f"/members/{uuid4()}/sso-admin").status_code == 404
    _, admin_id = house.add(record, 2)
    owner.post(f"/members/{admin_id}/sso-admin")
    owner.post(f"/members/{admin_id}/role", {"role": "2"})
    assert len(rights(house, record)) == 1
    owner.post(f"/members/{admin_id}/role", {"role": "1"})
    assert rights(house, record) == []
    [(data,)] = house.rows(
        record, "select data from journal where verb = 'member.role_changed' order by id desc limit 1"
    )
    assert (data["before"], data["role"], data["sso_admin"]) == (2, 1, False)
    owner.post(f"/members/{admin_id}/deactivation")
    assert owner.post(f"/members/{admin_id}/sso-admin").status_code == 409


def test_people_of_another_tenant_answer_like_people_who_never_were(house: House) -> None:
    record, other = house.workspace(), house.workspace()
    owner = house.owner(record)
    house.owner(other)
    _, foreign = house.add(other, 1)
    answers = [owner.post(f"/members/{who}/deactivation") for who in (foreign, uuid4())]
    assert [a.status_code for a in answers] == [404, 404]
    assert house.rows(other, "select count(*) from principal where disabled_at is not null")[0][0] == 0


def test_the_worker_sends_the_invitation_in_the_workspace_s_language(house: House) -> None:
    received: list[Any] = []

    class Take:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
            received.append(message_from_bytes(envelope.content, policy=default))
            return "250 taken"

    controller = Controller(Take(), hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    controller.start()
    record = house.workspace("fontenay", name="Mairie de Fontenay", locale="fr")
    invite(house.owner(record), "hugo@example.org")
    try:
        house.sweep(PARVIS_SMTP_URL=f"smtp://127.0.0.1:{controller.port}")
    finally:
        controller.stop()
    [message] = [one for one in received if "Fontenay" in one["Subject"]]
    assert message["To"] == "hugo@example.org"
    words = message.get_body(("plain",)).get_content()
    assert "Rejoindre" in words
    assert "/join?token=" in words
    assert message["Message-ID"]
    assert house.mails(record) == []


def test_a_mail_that_nobody_takes_waits_and_stays_one(house: House) -> None:
    record = house.workspace()
    invite(house.owner(record), "hugo@example.org")
    house.sweep()  # no mail server answers
    assert len(house.mails(record)) == 1
    # Ten seconds after the try, which this machine may have spent since.
    [(tries, later)] = house.cell.sql(
        "select tries, due_at >= created_at + interval '10 seconds' from directory.mail where organisation_id = %s",
        record.organisation_id,
    )
    assert (tries, later) == (1, True)
