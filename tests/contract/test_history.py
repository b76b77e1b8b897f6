"""Sign-ins and what directories did, for the journal: whole, in order, by pages, within a span, by what they say."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from kit.errors import Unavailable
from tenant_app.contract import HistoryFilter, TenantRecord, history
from tests.world.cells import Cell

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def id_at(moment: datetime, number: int = 0) -> UUID:
    """A UUIDv7 of that moment."""
    bits = int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number
    return UUID(int=bits)


def sign_in(cell: Cell, record: TenantRecord, at: datetime, **facts: Any) -> UUID:
    made = id_at(at, facts.get("number", 0))
    refusal = facts.get("refusal")
    result = {"name": facts.get("name"), "email": facts.get("email"), "action": "refused" if refusal else "signed_in"}
    cell.sql(
        f"insert into {record.slot}.sso_trace (id, connection_id, purpose, outcome, principal_id, data, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        *(made, uuid4(), facts.get("purpose", "sign_in"), refusal or "ok", facts.get("who")),
        *(Jsonb({"checks": [], "claims": {}, "result": result, "refusal": refusal}), at),
    )
    return made


def event(cell: Cell, record: TenantRecord, at: datetime, verb: str = "user.created", **facts: Any) -> UUID:
    made = id_at(at, facts.get("number", 0))
    cell.sql(
        f"insert into {record.slot}.scim_event (id, token_id, verb, object_id, data, created_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        *(made, uuid4(), verb, facts.get("of"), Jsonb({}), at),
    )
    return made


def test_a_long_history_is_read_whole_page_by_page_and_a_page_is_bounded(cell: Cell) -> None:
    record = cell.tenant()
    made = [sign_in(cell, record, NOW - timedelta(seconds=n)) for n in range(230)]
    seen: list[UUID] = []
    while True:
        before = seen[-1] if seen else None
        page = cell.database.sign_ins(record.organisation_id, HistoryFilter(before=before, limit=1000))
        assert len(page) <= 201
        if not page:
            break
        seen += [one.id for one in page]
    assert seen == made


@pytest.mark.parametrize("kind", ["sign_ins", "events"])
def test_a_span_has_what_lies_within_it_to_the_second(cell: Cell, kind: str) -> None:
    record = cell.tenant()
    make, read = (sign_in, cell.database.sign_ins) if kind == "sign_ins" else (event, cell.database.scim_events)
    hours = [NOW - timedelta(hours=n) for n in range(6)]
    made = [make(cell, record, at) for at in hours]

    def ids(**wanted: Any) -> list[UUID]:
        return [one.id for one in read(record.organisation_id, HistoryFilter(**wanted))]

    assert ids() == made
    assert ids(since=hours[3]) == made[:4]
    assert ids(until=hours[3]) == made[4:]
    assert ids(since=hours[4], until=hours[1], before=made[2]) == made[3:5]
    assert ids(since=hours[3] + timedelta(seconds=1)) == made[:3]


def test_a_row_whose_clocks_differ_is_judged_by_its_moment(cell: Cell) -> None:
    """A process's clock made the id, the database's the moment: the moment decides at the edge of a span."""
    record = cell.tenant()
    made = event(cell, record, NOW)
    cell.sql(f"update {record.slot}.scim_event set created_at = %s where id = %s", NOW - timedelta(minutes=2), made)
    edge = NOW - timedelta(minutes=1)
    assert cell.database.scim_events(record.organisation_id, HistoryFilter(since=edge)) == []
    assert [one.id for one in cell.database.scim_events(record.organisation_id, HistoryFilter(until=edge))] == [made]


def test_entries_are_found_by_their_verb_and_by_whom_they_concern(cell: Cell) -> None:
    record = cell.tenant()
    lea = uuid4()
    cell.sql(
        f"insert into {record.slot}.principal (id, kind, name, email, role) values (%s, 'm', 'Léa_W', %s, 1)",
        *(lea, "lea@acme.example"),
    )
    came = sign_in(cell, record, NOW, who=lea)
    refused = sign_in(cell, record, NOW, number=1, refusal="saml_audience", name="Max", email="max@acme.example")
    tried = sign_in(cell, record, NOW, number=2, purpose="test")
    pushed, gone = event(cell, record, NOW, of=lea), event(cell, record, NOW, "group.deleted", number=1)
    of = record.organisation_id

    def found(**wanted: Any) -> set[UUID]:
        asked = HistoryFilter(**wanted)
        return {one.id for one in [*cell.database.sign_ins(of, asked), *cell.database.scim_events(of, asked)]}

    assert found(verb="sign_in.") == {came, refused}
    assert found(verb="sign_in.refused") == {refused}
    assert found(verb="test.ok") == {tried}
    assert found(verb="user.") == {pushed}
    assert found(verb="group.deleted") == {gone}
    # Only a beginning that ends in a dot is one; what is typed is no pattern.
    assert found(verb="sign_in") == found(verb="%.") == found(who="%") == found(who="a_w") - {came, pushed} == set()
    assert found(who="éa_w") == found(who=str(lea).upper()) == found(who="LEA@acme") == {came, pushed}
    assert found(who="max@") == {refused}


def test_a_neighbour_s_history_is_not_there(cell: Cell) -> None:
    ours, theirs = cell.tenant(), cell.tenant()
    sign_in(cell, theirs, NOW)
    mine = event(cell, theirs, NOW)
    assert cell.database.sign_ins(ours.organisation_id, HistoryFilter()) == []
    assert cell.database.scim_events(ours.organisation_id, HistoryFilter()) == []
    # The control: it is there where it belongs.
    assert [one.id for one in cell.database.scim_events(theirs.organisation_id, HistoryFilter())] == [mine]


def read_by(cell: Cell, record: TenantRecord, asked: dict[str, Any]) -> float:
    """How many rows of events a page reads, whether it shows them or not."""
    with psycopg.connect(cell.admin_url) as connection:
        connection.execute(f"set search_path = {record.slot}".encode())
        row = connection.execute(b"explain (analyze, format json) " + history.EVENTS.encode(), asked).fetchone()
    assert row is not None
    nodes = [row[0][0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    [scan] = [node for node in nodes if node.get("Relation Name") == "scim_event"]
    return float(scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0))


def test_a_page_in_the_midst_reads_no_more_than_a_page(cell: Cell) -> None:
    """The ids bound what is read, so that an export of many pages is not read anew for each of them."""
    record, number = cell.tenant(), "lpad(to_hex((extract(epoch from %s::timestamptz) * 1000)::bigint - n), 12, '0')"
    cell.sql(
        f"insert into {record.slot}.scim_event (id, verb, created_at) select"
        f" ({number} || '7000800000000000abcd')::uuid, 'user.changed', %s::timestamptz - n * interval '1 ms'"
        " from generate_series(1, 20000) n",
        *(NOW, NOW),
    )
    cell.sql(f"analyze {record.slot}.scim_event")
    midst = NOW - timedelta(seconds=15)
    asked = history.values(HistoryFilter(before=id_at(midst), limit=50))
    assert read_by(cell, record, asked) <= 60
    # The control: the same page, found by its moment alone, reads all that came since.
    assert read_by(cell, record, asked | {"high": history.LAST, "until": midst}) > 10_000


def test_a_slot_that_waits_for_its_upgrade_says_so(cell: Cell) -> None:
    record = cell.tenant()
    cell.sql(f"drop table {record.slot}.scim_event, {record.slot}.sso_trace")
    for read in (cell.database.sign_ins, cell.database.scim_events):
        with pytest.raises(Unavailable, match="slot_outdated"):
            read(record.organisation_id, HistoryFilter())
