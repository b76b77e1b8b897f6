"""A changed mapping acts on whom the directory has pushed, within a push's own bounds, and on nobody else."""

from typing import Any

import msgspec
import pytest

from tenant_app.contract import SignInConnection
from tests.scim.directories import DOMAIN, a_token, mapped, opened
from tests.workspace.houses import House

GUEST, MEMBER, ADMINISTRATOR, OWNER = range(4)


class Town:
    """A directory with a mapping, three groups, and people in them."""

    def __init__(self, house: House, *, people: int = 3, brake: int = 100, **options: Any) -> None:
        self.house = house
        self.connection = mapped({"Staff": "member", "Board": "administrator"}, otherwise=None)
        self.push = opened(house, connection=self.connection, brake=brake, **options)
        self.staff = [self.push.user(f"s{n}")["id"] for n in range(people)]
        self.board = [self.push.user(f"b{n}")["id"] for n in range(2)]
        self.push.group("Staff", [*self.staff, *self.board])
        self.push.group("Board", self.board)
        house.sweep()

    def map(self, roles: dict[str, str], otherwise: str | None = None) -> None:
        """The organisation publishes another mapping, and the worker looks."""
        self.publish(roles, otherwise)
        self.house.sweep()

    def publish(self, roles: dict[str, str], otherwise: str | None = None) -> None:
        changed = msgspec.structs.replace(self.connection, roles=roles, otherwise=otherwise)
        self.identity(connections=(changed,))

    def identity(self, **fields: Any) -> None:
        identity = msgspec.structs.replace(self.push.record.identity, **fields)
        self.push.record = self.house.change(self.push.record, identity=identity)

    def roles(self, ids: list[str]) -> list[int]:
        return [self.push.person(one)[2] for one in ids]

    def in_(self, ids: list[str]) -> list[bool]:
        return [self.push.person(one)[3] for one in ids]


def test_another_role_for_a_group_is_its_members_role_without_a_push(house: House) -> None:
    town = Town(house)
    assert (town.roles(town.staff), town.roles(town.board)) == ([MEMBER] * 3, [ADMINISTRATOR] * 2)
    town.map({"Staff": "guest", "Board": "administrator"})
    # Who is in both groups has the higher role, as before.
    assert (town.roles(town.staff), town.roles(town.board)) == ([GUEST] * 3, [ADMINISTRATOR] * 2)
    kinds = house.rows(town.push.record, "select kind, count(*) from principal where role < 2 group by kind")
    assert kinds == [("g", 3)]
    assert [verb for verb, _ in town.push.events("user.role")].count("user.role") >= 3
    told = house.rows(town.push.record, "select data from journal where verb = 'member.role_changed' order by id desc")
    assert told[0] == ({"by": "scim", "role": GUEST},)


def test_a_record_that_is_published_anew_without_another_mapping_changes_nothing(house: House) -> None:
    """The control; and what an administrator set by hand stays through a change that does not concern it."""
    town = Town(house)
    house.rows(town.push.record, "update principal set role = 2 where id = %s", town.staff[0])
    town.publish({"Staff": "member", "Board": "administrator"})
    house.sweep()
    assert town.roles(town.staff) == [ADMINISTRATOR, MEMBER, MEMBER]
    town.map({"Staff": "member", "Board": "guest"})
    assert town.roles(town.staff) == [ADMINISTRATOR, MEMBER, MEMBER]
    assert town.roles(town.board) == [MEMBER] * 2


def test_who_gets_no_role_any_more_goes_and_comes_back_with_the_mapping(house: House) -> None:
    town = Town(house)
    town.map({"Board": "administrator"})
    assert (town.in_(town.staff), town.in_(town.board)) == ([False] * 3, [True] * 2)
    town.map({"Board": "administrator"}, otherwise="guest")
    assert (town.in_(town.staff), town.roles(town.staff)) == ([True] * 3, [GUEST] * 3)


def test_beyond_the_brake_they_wait_as_a_whole(house: House) -> None:
    town = Town(house, people=8, brake=20)
    town.map({"Board": "administrator"})
    assert town.in_(town.staff) == [True] * 8
    waiting = house.cell.database.pending_removals(town.push.record.organisation_id)
    assert {(str(one.principal_id), one.kind) for one in waiting} == {(one, "mapping") for one in town.staff}
    # The mapping is taken back: nobody waits any more.
    town.map({"Staff": "member", "Board": "administrator"})
    assert house.cell.database.pending_removals(town.push.record.organisation_id) == []
    assert town.in_(town.staff) == [True] * 8


def test_owners_and_break_glass_accounts_keep_their_role(house: House) -> None:
    town = Town(house)
    house.owner(town.push.record)
    _, second = house.add(town.push.record, OWNER, email=f"chief@{DOMAIN}")
    _, glass = house.add(town.push.record, ADMINISTRATOR, email=f"glass@{DOMAIN}")
    policy = msgspec.structs.replace(town.push.record.identity.policy, break_glass=(glass,))
    town.identity(policy=policy)
    for name in ("chief", "glass"):
        town.push.user(name)
    # The only owner left is one of the directory's people.
    house.rows(town.push.record, "update principal set role = 1 where role = 3 and id <> %s", second)
    town.push.group("Bosses", [str(second), str(glass)])
    town.map({"Bosses": "guest"})
    assert town.roles([str(second), str(glass)]) == [OWNER, ADMINISTRATOR]
    assert town.in_([str(second), str(glass)]) == [True] * 2
    assert town.in_(town.staff) == [False] * 3


def test_what_the_offer_does_not_allow_is_told_and_changes_nothing(house: House) -> None:
    town = Town(house, entitlements={"guests": 2})
    town.map({"Staff": "guest", "Board": "administrator"})
    assert town.roles(town.staff) == [MEMBER] * 3
    [(data,)] = house.rows(town.push.record, "select data from scim_event where verb = 'mapping.refused'")
    assert (data["code"], data["people"]) == ("seats_limit", 3)
    # It is not tried again and again.
    town.push.user("later")
    house.sweep()
    assert len(town.push.events("mapping.refused")) == 1


def test_a_token_that_moves_to_a_connection_brings_its_mapping(house: House) -> None:
    push = opened(house)
    one = push.user("moved")["id"]
    push.group("Staff", [one])
    house.sweep()
    connection: SignInConnection = mapped({"Staff": "administrator"})
    token = a_token(push.secret, connection_id=connection.id)
    identity = msgspec.structs.replace(push.record.identity, connections=(connection,), scim_tokens=(token,))
    push.record = house.change(push.record, identity=identity)
    house.sweep()
    assert push.person(one)[2] == ADMINISTRATOR


def test_with_two_directories_each_acts_with_its_own_next_push(house: House) -> None:
    town = Town(house)
    town.identity(scim_tokens=(*town.push.record.identity.scim_tokens, a_token("another", connection_id=None)))
    town.map({"Staff": "guest", "Board": "administrator"})
    assert town.roles(town.staff) == [MEMBER] * 3
    town.push.group("Another", town.staff)
    assert town.roles(town.staff) == [GUEST] * 3


@pytest.mark.parametrize("state", ["read_only"])
def test_a_read_only_workspace_follows_once_it_is_live_again(house: House, state: str) -> None:
    town = Town(house)
    town.push.record = house.change(town.push.record, state=state)
    town.map({"Staff": "guest", "Board": "administrator"})
    assert town.roles(town.staff) == [MEMBER] * 3
    town.push.record = house.change(town.push.record, state="live")
    town.push.user("awake")
    house.sweep()
    assert town.roles(town.staff) == [GUEST] * 3
