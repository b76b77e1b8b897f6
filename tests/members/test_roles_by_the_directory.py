"""A role that the directory changes ends what an owner had given with the one before."""

from typing import Any
from uuid import UUID

from tests.scim.directories import mapped, opened
from tests.sso.providers import DOMAIN, paper, sign_in
from tests.workspace.houses import House


def let_set_up_sign_in(house: House, record: Any, person: UUID) -> None:
    house.rows(record, "insert into setting (key, value) values (%s, '{}')", f"sso_admin:{person}")


def may(house: House, record: Any) -> int:
    return len(house.rows(record, "select key from setting where key like 'sso_admin:%'"))


def test_a_sign_in_that_keeps_the_role_keeps_it_and_one_that_changes_it_does_not(house: House) -> None:
    provider = paper(roles={"staff": "member", "admins": "administrator"})
    record = house.workspace(identity=provider.identity())
    sign_in(house.stranger(record), provider, groups=["admins"])
    [(person,)] = house.rows(record, "select id from principal where email = %s", f"alice@{DOMAIN}")
    let_set_up_sign_in(house, record, person)
    sign_in(house.stranger(record), provider, groups=["admins", "staff"])
    assert may(house, record) == 1
    sign_in(house.stranger(record), provider, groups=["staff"])
    assert may(house, record) == 0


def test_so_does_a_directory_that_pushes_groups(house: House) -> None:
    push = opened(house, connection=mapped({"Admins": "administrator"}))
    made = push.user("anna")
    admins = push.group("Admins", [made["id"]])["id"]
    let_set_up_sign_in(house, push.record, UUID(made["id"]))
    push.patch(f"/Groups/{admins}", {"op": "add", "path": "members", "value": [{"value": made["id"]}]})
    assert may(house, push.record) == 1
    push.patch(f"/Groups/{admins}", {"op": "remove", "path": f'members[value eq "{made["id"]}"]'})
    assert (push.person(made["id"])[2], may(house, push.record)) == (1, 0)
