"""Who is let in after a push, and as what: seats, domains, people who were here, roles by groups, the last owner."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.scim.directories import DOMAIN, USER, Directory, a_user, mapped, opened
from tests.workspace.houses import PASSWORD, House

OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


def refused(answer: Any, status: int, words: str, kind: str | None = None) -> bool:
    body = answer.json()
    return answer.status_code == status and words in body["detail"] and body.get("scimType") == kind


def test_a_pushed_user_is_a_member_of_the_workspace(house: House) -> None:
    push = opened(house)
    made = push.user("anna", preferredLanguage="en-GB", timezone="Europe/Athens")
    assert made["active"] is True
    assert push.person(made["id"]) == ("Anna Martin", "anna@sevres.example", 1, True)
    assert push.get(f"/Users/{made['id']}").json() == made
    row = house.rows(push.record, "select locale, tz, kind from principal where id = %s", UUID(made["id"]))
    assert row == [("en", "Europe/Athens", "m")]
    verbs = house.rows(push.record, "select verb from journal where object_id = %s", UUID(made["id"]))
    assert verbs == [("member.joined",)]
    assert push.events("user%") == [("user.created", UUID(made["id"]))]


@pytest.mark.parametrize("way", ["patch", "put", "delete"])
def test_deactivation_ends_sessions_and_every_way_in_at_once(house: House, way: str) -> None:
    push = opened(house)
    house.owner(push.record)
    person, of = house.add(push.record, 1, email=f"lea@{DOMAIN}")
    made = push.user("lea")
    assert made["id"] == str(of)
    assert person.get("/account").url.path == "/account"
    if way == "patch":
        assert push.patch(f"/Users/{of}", OFF).json()["active"] is False
    elif way == "put":
        assert push.put(f"/Users/{of}", a_user("lea", active=False)).json()["active"] is False
    else:
        assert push.delete(f"/Users/{of}").status_code == 204
    assert person.get("/account").url.path == "/sign-in"
    signing = house.stranger(push.record).http.post("/sign-in", data={"email": person.email, "password": PASSWORD})
    assert signing.status_code == 422
    ticket = house.stranger(push.record).get("/enter", params={"ticket": house.ticket(push.record, of)})
    assert ticket.status_code == 410
    assert house.rows(push.record, "select count(*) from session where principal_id = %s", of)[0][0] == 0


def test_delete_takes_access_and_erases_nothing(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    group = push.group("Voirie", [made["id"]])
    assert push.delete(f"/Users/{made['id']}").status_code == 204
    assert push.get(f"/Users/{made['id']}").status_code == 404
    assert push.delete(f"/Users/{made['id']}").status_code == 404
    assert push.names() == []
    assert push.members(group["id"]) == []
    assert push.person(made["id"]) == ("Anna Martin", f"anna@{DOMAIN}", 1, False)


@pytest.mark.parametrize("way", ["patch", "delete", "put"])
def test_the_last_owner_cannot_be_deactivated(house: House, way: str) -> None:
    push = opened(house, domains=(DOMAIN, "example.org"))
    [(email, of)] = house.rows(push.record, "select email, id from principal where role = 3")
    sent = {"schemas": [USER], "userName": email, "active": True}
    assert push.post("/Users", sent).status_code == 201
    answers = {
        "patch": lambda: push.patch(f"/Users/{of}", OFF),
        "put": lambda: push.put(f"/Users/{of}", {**sent, "active": False}),
        "delete": lambda: push.delete(f"/Users/{of}"),
    }
    assert refused(answers[way](), 409, "last owner of a workspace cannot be deactivated")
    assert push.person(str(of))[3] is True
    assert push.get(f"/Users/{of}").json()["active"] is True
    # The control: with a second owner it goes.
    house.add(push.record, 3)
    assert answers[way]().status_code in (200, 204)
    assert push.person(str(of))[3] is False


def test_an_e_mail_outside_the_proven_domains_is_refused_with_the_cure(house: House) -> None:
    push = opened(house, domains=(DOMAIN, "bücher.example".encode("idna").decode()))
    for body in (
        a_user("eve", emails=[{"value": "eve@evil.example", "primary": True}]),
        {"schemas": [USER], "userName": "eve@evil.example"},
        {"schemas": [USER], "userName": f"eve@sub.{DOMAIN}"},
        {"schemas": [USER], "userName": f"eve@{DOMAIN}.evil.example"},
    ):
        answer = push.post("/Users", body)
        assert refused(answer, 400, "is not proven by this organisation. Prove it in the console", "invalidValue")
    assert refused(push.post("/Users", a_user("eve", emails=[{"value": "eve"}])), 400, "is no e-mail", "invalidValue")
    made = push.user("anna")
    changed = push.patch(
        f"/Users/{made['id']}", {"op": "replace", "path": "emails", "value": [{"value": "anna@evil.example"}]}
    )
    assert refused(changed, 400, "evil.example", "invalidValue")
    assert push.person(made["id"])[1] == f"anna@{DOMAIN}"
    # The controls: capitals, an international name, and no e-mail at all.
    assert push.post("/Users", {"schemas": [USER], "userName": f"Zoe@{DOMAIN.upper()}"}).status_code == 201
    assert push.post("/Users", {"schemas": [USER], "userName": "otto@bücher.example"}).status_code == 201
    plain = push.post("/Users", {"schemas": [USER], "userName": "badge-117"})
    assert push.person(plain.json()["id"]) == ("badge-117", None, 1, True)


def test_user_names_and_e_mails_are_of_one_person_only(house: House) -> None:
    push = opened(house)
    anna, bruno = push.user("anna"), push.user("bruno")
    taken = push.post("/Users", a_user("ANNA", emails=[]))
    assert refused(taken, 409, "is taken already", "uniqueness")
    same_email = a_user("other", emails=[{"value": f"anna@{DOMAIN}"}])
    assert refused(push.post("/Users", same_email), 409, "e-mail", "uniqueness")
    answer = push.patch(f"/Users/{bruno['id']}", {"op": "replace", "path": "userName", "value": anna["userName"]})
    assert refused(answer, 409, "userName", "uniqueness")
    answer = push.put(f"/Users/{bruno['id']}", a_user("bruno", emails=same_email["emails"]))
    assert refused(answer, 409, "e-mail", "uniqueness")
    push.group("Voirie")
    again = push.post("/Groups", {"displayName": "VOIRIE"})
    assert refused(again, 409, "displayName", "uniqueness")
    house.rows(push.record, "insert into principal (id, kind, name, email) values (%s, 'm', 'x', %s)", uuid4(), "x@y.z")
    assert len(push.names()) == 2


def test_who_was_here_already_is_taken_over_and_keeps_what_he_is(house: House) -> None:
    push = opened(house)
    house.owner(push.record)
    admin, of = house.add(push.record, 2, name="Old name", email=f"lea@{DOMAIN}")
    made = push.user("lea")
    assert made["id"] == str(of)
    assert push.person(made["id"]) == ("Lea Martin", f"lea@{DOMAIN}", 2, True)
    assert admin.get("/members").status_code == 200
    assert push.events("user%") == [("user.adopted", of)]


def test_an_open_invitation_becomes_the_pushed_person(house: House) -> None:
    push = opened(house, entitlements={"members": 2})
    owner = house.owner(push.record)
    owner.post("/members/invitations", {"emails": f"anna@{DOMAIN}", "role": "1", "space": ""})
    # Both seats are taken, one of them by her invitation.
    assert push.post("/Users", a_user("anna")).status_code == 201
    assert house.rows(push.record, "select count(*) from invitation where accepted_at is null") == [(0,)]


def test_seats_are_counted_as_everywhere(house: House) -> None:
    push = opened(house, entitlements={"members": 3})
    push.user("a"), push.user("b")
    full = push.post("/Users", a_user("c"))
    assert refused(full, 403, "Your offer includes 3 members; 3 are here or invited")
    waiting = push.user("d", active=False)
    assert push.person(waiting["id"])[3] is False
    assert refused(push.patch(f"/Users/{waiting['id']}", ON), 403, "Your offer includes 3 members")
    [first] = push.get("/Users", params={"filter": f'userName eq "a@{DOMAIN}"'}).json()["Resources"]
    push.patch(f"/Users/{first['id']}", OFF)
    assert push.patch(f"/Users/{waiting['id']}", ON).json()["active"] is True


def test_whom_an_administrator_kept_out_by_hand_stays_out_until_the_directory_changes_its_mind(house: House) -> None:
    push = opened(house)
    owner = house.owner(push.record)
    made = push.user("anna")
    owner.post(f"/members/{made['id']}/deactivation")
    assert push.get(f"/Users/{made['id']}").json()["active"] is False
    assert push.put(f"/Users/{made['id']}", a_user("anna", title="Agent")).status_code == 200
    assert push.person(made["id"])[3] is False
    push.patch(f"/Users/{made['id']}", OFF)
    push.patch(f"/Users/{made['id']}", ON)
    assert push.person(made["id"])[3] is True


def test_groups_give_the_highest_role_that_the_connection_maps(house: House) -> None:
    roles = {"Admins": "administrator", "ext-9": "member", "Partners": "guest"}
    push = opened(house, connection=mapped(roles, otherwise="guest"))
    made = push.user("anna")
    assert push.person(made["id"])[2] == 0
    partners = push.group("Partners", [made["id"]])["id"]
    nine = push.post("/Groups", {"displayName": "Nine", "externalId": "ext-9"}).json()["id"]
    admins = push.group("Admins")["id"]
    add = {"op": "add", "path": "members", "value": [{"value": made["id"]}]}
    push.patch(f"/Groups/{nine}", add)
    assert push.person(made["id"])[2] == 1
    push.patch(f"/Groups/{admins}", add)
    assert push.person(made["id"])[2] == 2
    push.patch(f"/Groups/{admins}", {"op": "replace", "path": "displayName", "value": "Other"})
    assert push.person(made["id"])[2] == 1
    push.delete(f"/Groups/{nine}")
    assert push.person(made["id"])[2] == 0
    kinds = house.rows(push.record, "select kind from principal where id = %s", UUID(made["id"]))
    assert kinds == [("g",)]
    push.delete(f"/Groups/{partners}")
    assert push.person(made["id"])[2:] == (0, True)
    assert len(push.events("user.role")) == 4


def test_without_a_mapping_groups_are_groups_and_nothing_else(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    push.group("administrator", [made["id"]])
    assert push.person(made["id"])[2] == 1


def test_who_is_in_no_mapped_group_is_kept_out_where_the_connection_says_so(house: House) -> None:
    push = opened(house, connection=mapped({"Staff": "member"}, otherwise=None), entitlements={"members": 2})
    made, other = push.user("anna"), push.user("bruno")
    assert (made["active"], push.person(made["id"])[3]) == (False, False)
    group = push.group("Staff", [made["id"]])["id"]
    assert push.person(made["id"])[3] is True
    assert push.get(f"/Users/{made['id']}").json()["active"] is True
    full = push.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": other["id"]}]})
    assert refused(full, 403, "Your offer includes 2 members")
    assert push.members(group) == [made["id"]]
    push.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{made["id"]}"]'})
    assert push.person(made["id"])[3] is False


def test_a_mapping_never_touches_an_owner(house: House) -> None:
    push = opened(house, connection=mapped({"Staff": "guest"}, otherwise=None), domains=(DOMAIN, "example.org"))
    [(email, of)] = house.rows(push.record, "select email, id from principal where role = 3")
    push.post("/Users", {"schemas": [USER], "userName": email})
    group = push.group("Staff", [str(of)])["id"]
    push.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": []})
    assert push.person(str(of))[2:] == (3, True)


def test_put_without_active_lets_nobody_in_or_out(house: House) -> None:
    push = opened(house)
    body = a_user("anna")
    made = push.user("anna")
    push.patch(f"/Users/{made['id']}", OFF)
    del body["active"]
    assert push.put(f"/Users/{made['id']}", body).json()["active"] is False
    assert push.person(made["id"])[3] is False
    push.patch(f"/Users/{made['id']}", ON)
    assert push.put(f"/Users/{made['id']}", body).json()["active"] is True


def test_what_the_person_chose_stays_while_the_directory_says_the_same(house: House) -> None:
    push: Directory = opened(house)
    made = push.user("anna", preferredLanguage="fr")
    house.rows(push.record, "update principal set locale = 'en', name = 'A.' where id = %s", UUID(made["id"]))
    push.patch(f"/Users/{made['id']}", {"op": "replace", "path": "title", "value": "Agent"})
    assert house.rows(push.record, "select name, locale from principal where id = %s", UUID(made["id"])) == [
        ("A.", "en")
    ]
    push.patch(f"/Users/{made['id']}", {"op": "replace", "path": "preferredLanguage", "value": "en-US"})
    push.patch(f"/Users/{made['id']}", {"op": "replace", "path": "displayName", "value": "Anna M."})
    assert push.person(made["id"])[0] == "Anna M."
