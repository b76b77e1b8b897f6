"""Spaces and who is in them."""

from uuid import uuid4

from tests.workspace.houses import House, together


def test_a_space_is_seen_by_its_people_alone(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    admin, _ = house.add(record, 2)
    space = owner.space("Ressources humaines")
    assert "Ressources humaines" in owner.get("/").text
    assert "Ressources humaines" not in admin.get("/").text
    for path in (f"/drive/{space}", f"/spaces/{space}", f"/spaces/{space}/trash"):
        absent = admin.get(path.replace(space, str(uuid4())))
        assert admin.get(path).status_code == absent.status_code == 404
    assert admin.post(f"/spaces/{space}", {"name": "Stolen"}).status_code == 404
    assert admin.post(f"/spaces/{space}/archive").status_code == 404


def test_a_guest_sees_only_the_spaces_that_name_him_and_changes_nothing_there(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    named, other = owner.space("Chantier"), owner.space("Secret")
    guest, guest_id = house.add(record, 0)
    file = owner.put(named, "plan.pdf")
    assert owner.post(f"/spaces/{named}/people", {"person": str(guest_id), "role": "0"}).status_code == 200
    page = guest.get("/").text
    assert "Chantier" in page
    assert "Secret" not in page
    assert guest.get(f"/drive/{other}").status_code == 404
    assert guest.get(f"/drive/{file}/content").content == b"content"
    assert guest.upload(named, "from-guest.txt").status_code == 201
    assert guest.post("/spaces", {"name": "Own"}).status_code == 403
    assert guest.post(f"/drive/{named}/folders", {"name": "x"}).status_code == 403
    for path in (f"/drive/{file}/name", f"/drive/{named}/trash", f"/drive/{named}/moving", f"/spaces/{named}"):
        assert guest.post(path, {"name": "x", "of": file}).status_code == 403
    # A guest of the workspace is never more than a guest in a space.
    answer = owner.post(f"/spaces/{named}/people", {"person": str(guest_id), "role": "1"})
    assert answer.status_code == 422
    assert house.rows(record, "select role from access where subject_id = %s", guest_id) == [(0,)]


def test_who_leaves_or_is_taken_out_sees_nothing_any_more(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    member, member_id = house.add(record, 1)
    space = owner.space()
    file = owner.put(space, "a.txt")
    owner.post(f"/spaces/{space}/people", {"person": str(member_id), "role": "1"})
    assert member.get(f"/drive/{file}").status_code == 200
    owner.post(f"/spaces/{space}/people/{member_id}/removal")
    assert member.get(f"/drive/{file}").status_code == 404
    assert member.get(f"/drive/{file}/content").status_code == 404


def test_a_space_keeps_an_owner_even_when_two_leave_at_once(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    leaving = owner.post(f"/spaces/{space}/people/{record.organisation_id}/removal")
    assert leaving.status_code == 409
    second, second_id = house.add(record, 1)
    owner.post(f"/spaces/{space}/people", {"person": str(second_id), "role": "3"})
    tokens = [owner.token(), second.token()]
    people = [(owner, record.organisation_id), (second, second_id)]
    answers = together(
        [
            lambda c=c, who=who, t=t: c.http.post(f"/spaces/{space}/people/{who}/removal", data={"csrf": t})
            for (c, who), t in zip(people, tokens, strict=True)
        ]
    )
    assert sorted(a.status_code for a in answers) == [200, 409]


def test_members_of_a_space_do_not_manage_it(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    member, member_id = house.add(record, 1)
    _, third = house.add(record, 1)
    space = owner.space()
    owner.post(f"/spaces/{space}/people", {"person": str(member_id), "role": "1"})
    assert member.post(f"/spaces/{space}", {"name": "Mine"}).status_code == 403
    assert member.post(f"/spaces/{space}/people", {"person": str(third), "role": "1"}).status_code == 403
    assert member.post(f"/spaces/{space}/people/{record.organisation_id}/removal").status_code == 403
    assert member.post(f"/spaces/{space}/archive").status_code == 403


def test_an_archived_space_reads_and_refuses_every_change(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space()
    file = owner.put(space, "a.txt")
    owner.post(f"/spaces/{space}/archive")
    assert owner.get(f"/drive/{file}/content").content == b"content"
    assert owner.upload(space, "b.txt").status_code == 409
    assert owner.post(f"/drive/{space}/folders", {"name": "x"}).status_code == 409
    assert owner.post(f"/drive/{file}/name", {"name": "x"}).status_code == 409
    owner.post(f"/spaces/{space}/archive/removal")
    assert owner.upload(space, "b.txt").status_code == 201


def test_the_offer_s_spaces_hold_when_many_are_made_at_once(house: House) -> None:
    record = house.workspace(entitlements={"spaces": 3})
    owner = house.owner(record)
    token = owner.token()
    clients = [owner.client() for _ in range(8)]
    answers = together(
        [lambda c=c, n=n: c.post("/spaces", data={"csrf": token, "name": f"S{n}"}) for n, c in enumerate(clients)]
    )
    assert sorted(a.status_code for a in answers) == [200] * 3 + [409] * 5
    assert "Your offer includes 3 spaces" in next(a for a in answers if a.status_code == 409).text
    # Archiving makes room, and opening again asks for it.
    [first] = house.rows(record, "select id from space limit 1")
    owner.post(f"/spaces/{first[0]}/archive")
    assert owner.post("/spaces", {"name": "After"}).status_code == 200
    assert owner.post(f"/spaces/{first[0]}/archive/removal").status_code == 409


def test_names_are_checked_and_kept_in_the_form(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    for name, words in (("  ", "A name is missing."), ("x" * 161, "160 characters"), ("a\u0007b", "cannot be seen")):
        answer = owner.post("/spaces", {"name": name})
        assert answer.status_code == 422
        assert words in answer.text
    hostile = '<script>alert(1)</script> {{7*7}} "quoted"'
    space = owner.space(hostile)
    page = owner.get(f"/drive/{space}").text
    assert "<script>alert(1)" not in page
    assert "{{7*7}}" in page
