"""Somebody who was invited comes by his provider before he opens the mail: as what, where to, and what follows."""

from typing import Any

import pytest

from tenant_app.contract import TenantRecord
from tests.sso.providers import DOMAIN, Paper, paper, sign_in, signed_in
from tests.workspace.houses import House, Person, together

ALICE = f"alice@{DOMAIN}"
ROLES = {"staff": "member", "admins": "administrator"}


def invited(house: House, provider: Paper, role: int, space: str = "", **options: Any) -> tuple[TenantRecord, Person]:
    """A workspace whose owner has invited Alice as this, perhaps to a space of this name."""
    record = house.workspace(identity=provider.identity(), **options)
    owner = house.owner(record)
    form = {"emails": ALICE, "role": str(role)}
    if space:
        form["space"] = owner.space(space)
    assert owner.post("/members/invitations", form).status_code == 200
    assert waiting(house, record) == 1
    return record, owner


def waiting(house: House, record: TenantRecord) -> int:
    [(open_ones,)] = house.rows(record, "select count(*) from invitation where accepted_at is null")
    return int(open_ones)


def role(house: House, record: TenantRecord) -> tuple[int, str]:
    found: tuple[int, str] = house.rows(record, "select role, kind from principal where email = %s", ALICE)[0]
    return found


def link(house: House, record: TenantRecord) -> str:
    [url] = [payload["url"] for kind, _, payload in house.mails(record) if kind == "invitation"]
    return str(url).split("token=")[1]


@pytest.mark.parametrize(("asked", "kind"), [(2, "m"), (1, "m"), (0, "g")])
def test_where_groups_give_no_role_the_invitation_does_from_then_on(house: House, asked: int, kind: str) -> None:
    provider = paper()
    record, _ = invited(house, provider, asked, "Communication")
    person = house.stranger(record)
    assert sign_in(person, provider).url.path == "/"
    assert role(house, record) == (asked, kind)
    assert "Communication" in person.get("/").text
    assert waiting(house, record) == 0
    [(verbs,)] = house.rows(record, "select count(*) from journal where verb = 'member.invitation_accepted'")
    assert verbs == 1
    # The mailed link is used up, and a later sign-in leaves the role as it is.
    late = house.stranger(record)
    assert late.get("/join", params={"token": link(house, record)}).status_code == 410
    assert sign_in(house.stranger(record), provider).url.path == "/"
    assert role(house, record) == (asked, kind)


@pytest.mark.parametrize(("groups", "wanted"), [(["staff"], 1), (["admins"], 2), ([], 1)])
def test_where_groups_give_roles_they_do_and_the_space_is_the_invitation_s(
    house: House, groups: list[str], wanted: int
) -> None:
    provider = paper(roles=ROLES)
    record, _ = invited(house, provider, 2 if wanted == 1 else 1, "Communication")
    person = house.stranger(record)
    assert sign_in(person, provider, groups=groups).url.path == "/"
    assert role(house, record)[0] == wanted
    assert "Communication" in person.get("/").text
    assert waiting(house, record) == 0


def test_an_invitation_opens_a_connection_that_lets_nobody_join_by_itself(house: House) -> None:
    provider = paper(just_in_time=False)
    record, owner = invited(house, provider, 1)
    other = sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}")
    assert "is not a member" in other.text, "the control"
    assert sign_in(house.stranger(record), provider).url.path == "/"
    # One that was withdrawn, or whose week has passed, opens nothing.
    for gone in ("delete from invitation where accepted_at is null", "update invitation set expires_at = now()"):
        owner = house.owner(record) if not signed_in(owner) else owner
        owner.post("/members/invitations", {"emails": f"bob@{DOMAIN}", "role": "1"})
        house.rows(record, gone)
        assert sign_in(house.stranger(record), provider, "bob", mail=f"bob@{DOMAIN}").status_code == 403


def test_an_unproven_domain_takes_up_no_invitation(house: House) -> None:
    provider = paper(domains=("other.test",))
    record, _ = invited(house, provider, 2)
    assert sign_in(house.stranger(record), provider, mail=ALICE).status_code == 403
    assert waiting(house, record) == 1


def test_who_comes_both_ways_at_once_is_here_once(house: House) -> None:
    provider = paper(stage="pilot", pilot=(ALICE,))
    record, _ = invited(house, provider, 1, "Communication")
    token = link(house, record)
    ways = [lambda: sign_in(house.stranger(record), provider).status_code] * 2
    ways += [lambda: house.stranger(record).http.post("/join", data={"token": token, "name": "Alice"}).status_code] * 2
    answers = together(ways)
    assert max(answers) < 500, answers
    assert house.rows(record, "select count(*) from principal where email = %s", ALICE) == [(1,)]
    assert waiting(house, record) == 0


def test_her_new_address_was_invited_and_waits_no_more(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    assert sign_in(house.stranger(record), provider, mail=f"old@{DOMAIN}").url.path == "/"
    space = owner.space("Communication")
    owner.post("/members/invitations", {"emails": ALICE, "role": "2", "space": space})
    person = house.stranger(record)
    assert sign_in(person, provider).url.path == "/"
    assert role(house, record) == (1, "m"), "who is here already keeps the role that was given"
    assert "Communication" in person.get("/").text
    assert waiting(house, record) == 0
