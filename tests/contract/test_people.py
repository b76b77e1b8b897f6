"""The console's look at people, and its changes: as the slot's own role, by the workspace's own rules."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from kit.errors import Refusal
from tenant_app.contract import TenantRecord
from tests.contract.schemas import first_release
from tests.world.cells import Cell


def add(cell: Cell, record: TenantRecord, name: str, role: int = 1) -> UUID:
    made = uuid4()
    kind = "g" if role == 0 else "m"
    cell.sql(
        f"insert into {record.slot}.principal (id, kind, name, email, role) values (%s, %s, %s, %s, %s)",
        *(made, kind, name, f"{name.lower()}@acme.example", role),
    )
    return made


def trace(
    cell: Cell, record: TenantRecord, connection_id: UUID, who: UUID | None, purpose: str, *, refusal: str | None = None
) -> None:
    data = {"checks": [], "result": {"action": "refused" if refusal else "signed_in"}, "refusal": refusal}
    cell.sql(
        f"insert into {record.slot}.sso_trace (id, connection_id, purpose, outcome, principal_id, data)"
        " values (%s, %s, %s, %s, %s, %s)",
        *(uuid4(), connection_id, purpose, refusal or "ok", who, Jsonb(data)),
    )


def test_people_are_read_page_by_page_and_found_by_a_part_of_their_name(cell: Cell) -> None:
    record = cell.tenant()
    for name in ("Zoe", "adele", "Émile", "Bob_1"):
        add(cell, record, name)
    ask = lambda **more: [one.name for one in cell.database.people(record.organisation_id, **more)]  # noqa: E731
    everybody = ask()
    first = cell.database.people(record.organisation_id, limit=2)
    assert [*[one.name for one in first], *ask(after=first[-1].id)] == everybody
    assert len(everybody) == 5
    assert ask(query="OB_") == ["Bob_1"]
    assert ask(query="%") == []


def test_a_whole_name_or_e_mail_finds_its_person_among_many_that_contain_it(cell: Cell) -> None:
    record = cell.tenant()
    cell.sql(
        f"insert into {record.slot}.principal (id, kind, name, email) select gen_random_uuid(), 'm',"
        " 'A. Émile ' || n, n || 'emile@acme.example' from generate_series(1, 300) n"
    )
    emile = add(cell, record, "Émile")
    cell.sql(f"update {record.slot}.principal set email = 'emile@acme.example' where id = %s", emile)
    for asked in ("émile", " ÉMILE ", "Emile@ACME.example"):
        assert [one.id for one in cell.database.people_named(record.organisation_id, asked)] == [emile]
    for nobody in ("mile", "%", "", "émile_"):
        assert cell.database.people_named(record.organisation_id, nobody) == []
    # The control: a page of those that contain it does not come to him.
    found = cell.database.people(record.organisation_id, query="emile@acme.example", limit=50)
    assert emile not in {one.id for one in found}


def test_a_person_is_told_with_his_factors(cell: Cell) -> None:
    record = cell.tenant()
    bob = add(cell, record, "Bob", 2)
    found = cell.database.person(record.organisation_id, bob)
    assert found is not None
    assert (found.role, found.active, found.second_factor, found.passkeys) == ("administrator", True, False, 0)
    for kind in ("p", "k", "k"):
        cell.sql(
            f"insert into {record.slot}.credential (id, principal_id, kind) values (%s, %s, %s)", uuid4(), bob, kind
        )
    found = cell.database.person(record.organisation_id, bob)
    assert found is not None
    assert (found.second_factor, found.passkeys) == (True, 2)
    assert cell.database.person(record.organisation_id, uuid4()) is None


def test_the_last_owner_can_neither_be_demoted_nor_sent_away(cell: Cell) -> None:
    record = cell.tenant()
    owner, of = record.organisation_id, record.organisation_id
    for change in (
        lambda: cell.database.set_role(of, owner, "administrator"),
        lambda: cell.database.set_active(of, owner, False),
    ):
        with pytest.raises(Refusal) as refusal:
            change()
        assert (refusal.value.code, refusal.value.status) == ("last_owner", 409)
    second = add(cell, record, "Bob", 1)
    assert cell.database.set_role(of, second, "owner").role == "owner"
    assert cell.database.set_role(of, owner, "member").role == "member"


def test_who_is_sent_away_loses_his_sessions_and_the_journal_tells(cell: Cell) -> None:
    record = cell.tenant()
    bob = add(cell, record, "Bob")
    cell.sql(
        f"insert into {record.slot}.session (hash, id, principal_id, expires_at) values ('x', %s, %s, now())",
        uuid4(),
        bob,
    )
    assert not cell.database.set_active(record.organisation_id, bob, False).active
    assert cell.sql(f"select count(*) from {record.slot}.session") == [(0,)]
    assert cell.database.set_active(record.organisation_id, bob, True).active
    verbs = [
        row[0] for row in cell.sql(f"select verb from {record.slot}.journal where object_id = %s order by id", bob)
    ]
    assert verbs == ["member.deactivated", "member.reactivated"]


def test_a_seat_is_counted_before_it_is_taken(cell: Cell) -> None:
    record = cell.tenant(entitlements={"members": 1, "guests": 5})
    guest = add(cell, record, "Gil", 0)
    with pytest.raises(Refusal) as refusal:
        cell.database.set_role(record.organisation_id, guest, "member")
    assert refusal.value.code == "seats_limit"


def test_unknown_people_and_roles_are_refused(cell: Cell) -> None:
    record = cell.tenant()
    of = record.organisation_id
    cases: dict[str, Callable[[], object]] = {
        "role_unknown": lambda: cell.database.set_role(of, of, "emperor"),
        "person_unknown": lambda: cell.database.set_role(of, uuid4(), "member"),
        "workspace_missing": lambda: cell.database.people(uuid4()),
    }
    for code, ask in cases.items():
        with pytest.raises(Refusal) as refusal:
            ask()
        assert refusal.value.code == code


def test_nobody_of_a_neighbour_is_reached(cell: Cell) -> None:
    mine, theirs = cell.tenant(), cell.tenant()
    bob = add(cell, theirs, "Bob")
    assert cell.database.person(mine.organisation_id, bob) is None
    with pytest.raises(Refusal, match="no such person"):
        cell.database.set_active(mine.organisation_id, bob, False)
    # The control: without its role the same statement would reach him.
    with psycopg.connect(cell.admin_url) as connection:
        assert connection.execute(f"select 1 from {theirs.slot}.principal where id = %s".encode(), [bob]).fetchone()


def test_traces_tell_who_came_in_and_what_went_wrong(cell: Cell) -> None:
    record, of = cell.tenant(), uuid4()
    administrator, member = add(cell, record, "Ada", 2), add(cell, record, "Bob")
    since = datetime.now(UTC) - timedelta(hours=1)

    def last(*, administrator: bool) -> datetime | None:
        return cell.database.last_success(record.organisation_id, of, since, administrator=administrator)

    trace(cell, record, of, None, "test", refusal="saml_audience")
    trace(cell, record, of, member, "sign_in")
    trace(cell, record, uuid4(), administrator, "sign_in")
    assert last(administrator=True) is None
    assert last(administrator=False) is None
    trace(cell, record, of, None, "test")
    trace(cell, record, of, administrator, "sign_in")
    assert last(administrator=True) is not None
    assert last(administrator=False) is not None
    found = cell.database.traces(record.organisation_id, of)
    assert [one.purpose for one in found] == ["sign_in", "test", "sign_in", "test"]
    assert found[-1].data["refusal"] == "saml_audience"
    assert (
        cell.database.last_success(record.organisation_id, of, datetime.now(UTC) + timedelta(1), administrator=True)
        is None
    )


def test_a_slot_that_waits_for_its_upgrade_has_no_traces_yet(cell: Cell) -> None:
    record = cell.tenant()
    cell.sql(f"drop table {record.slot}.sso_trace")
    assert cell.database.traces(record.organisation_id, uuid4()) == []
    assert cell.database.last_success(record.organisation_id, uuid4(), datetime.now(UTC), administrator=True) is None


@pytest.mark.parametrize("older", [False, True])
def test_an_administrator_sets_up_sign_in_once_let_and_an_owner_always_in_slots_of_any_version(
    cell: Cell, older: bool
) -> None:
    record, database, by = cell.tenant(), cell.database, uuid4()
    where = record.organisation_id
    if older:
        where = uuid4()
        record = msgspec.structs.replace(record, slot=first_release(cell).take_slot(where, 1))
    people = {role: add(cell, record, role, rank) for role, rank in (("member", 1), ("administrator", 2), ("owner", 3))}
    told = {one.name: one.sso_admin for one in database.people(where, limit=50)}
    assert [told[role] for role in people] == [False, False, True]
    for _ in range(2):
        assert database.set_sso_admin(where, people["administrator"], True, by).sso_admin is True
    for role, code in (("member", "sso_admin_role"), ("owner", "sso_admin_owner")):
        with pytest.raises(Refusal) as refused:
            database.set_sso_admin(where, people[role], True, by)
        assert refused.value.code == code
    assert database.set_role(where, people["administrator"], "guest").sso_admin is False
    assert database.set_role(where, people["administrator"], "administrator").sso_admin is False
    # Nor does the preview of a mapping stumble over what such a slot lacks.
    assert database.pushed_groups(where, list(people.values())) == {}
    # Taking it from whom it is not given changes nothing and fails nobody.
    assert database.set_sso_admin(where, people["member"], False, by).sso_admin is False
